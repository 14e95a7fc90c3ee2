/** PROTOCOL.md, Events: what a subscriber and a reader of the JetStream stream get, byte by byte. */
import { beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { startNats } from "../support/nats.ts";
import { startRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";
import { type Edge, fresh, openEdge, read, type WireEvent } from "./edge.ts";
import { type RawMessage, RawNats } from "./raw-nats.ts";

let url: string;
let edge: Edge;

beforeAll(async () => {
  url = (await startRuntime({ dataDir: tempDir() })).url;
  edge = await openEdge(url);
});

/** A message of a JetStream stream, by its sequence. */
interface Stored {
  readonly subject: string;
  readonly seq: number;
  readonly headers: readonly string[];
  readonly data: string;
}

async function stored(nats: RawNats, stream: string, seq: number): Promise<Stored> {
  return eventually(`${stream} holds ${seq}`, async () => {
    const reply = await nats.request(`$JS.API.STREAM.MSG.GET.${stream}`, JSON.stringify({ seq }));
    const { message } = JSON.parse(reply.body.toString()) as {
      message?: { subject: string; seq: number; hdrs: string; data?: string };
    };
    if (message === undefined) return undefined;
    const decode = (text = "") => Buffer.from(text, "base64").toString("utf8");
    return { ...message, headers: decode(message.hdrs).split("\r\n"), data: decode(message.data) };
  });
}

interface StreamInfo {
  readonly config: { readonly subjects: string[]; readonly storage: string; readonly metadata: Record<string, string> };
  readonly state: { readonly messages: number; readonly first_seq: number; readonly last_seq: number };
}

async function streamInfo(nats: RawNats, stream: string): Promise<StreamInfo> {
  return JSON.parse((await nats.request(`$JS.API.STREAM.INFO.${stream}`, "")).body.toString()) as StreamInfo;
}

describe("an event on JetStream", () => {
  test("has the CloudEvents headers, Retrace's own, and its data as JSON", async () => {
    const id = fresh("run");
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const reply = await edge.command(
      `training-run.${id}.StartTraining`,
      { seed: 7, config: { name: "größe 語" } },
      {
        "Nats-Msg-Id": "cmd-1",
        "Retrace-Correlation-Id": "conversation",
        "Retrace-Causation-Id": "cause",
        "Retrace-Actor": "Zoë",
        "Retrace-Occurred-At": "2024-02-29T12:00:00+01:00",
        traceparent,
      },
    );
    const message = await stored(edge.raw, "RETRACE_EVENTS", reply.position);
    const [event] = (await edge.query("history", { category: "training-run", id })).events as [WireEvent];
    const { store } = (await edge.query("health")) as unknown as { store: { id: string } };

    expect(message.subject).toBe(`retrace.evt.training-run.${id}.TrainingStarted`);
    expect(JSON.parse(message.data)).toEqual({ seed: 7, config: { name: "größe 語" } });
    expect(message.headers[0]).toBe("NATS/1.0");
    expect(message.headers).toEqual(
      expect.arrayContaining([
        "ce-specversion: 1.0",
        `ce-id: ${reply.events[0]?.id}`,
        `ce-source: urn:retrace:${store.id}`,
        "ce-type: TrainingStarted",
        `ce-subject: training-run-${id}`,
        "ce-time: 2024-02-29T11:00:00.000Z",
        "ce-datacontenttype: application/json",
        `Retrace-Position: ${reply.position}`,
        "Retrace-Version: 1",
        "Retrace-Schema-Version: 1",
        `Retrace-Recorded-At: ${event.recordedAt}`,
        "Retrace-Correlation-Id: conversation",
        "Retrace-Causation-Id: cause",
        "Retrace-Command-Id: cmd-1",
        "Retrace-Actor: Zoë",
        `traceparent: ${traceparent}`,
      ]),
    );
  });

  test("has no actor and no traceparent where the command had none", async () => {
    const { position } = await edge.command(`dataset.${fresh("d")}.IngestData`);
    const { headers } = await stored(edge.raw, "RETRACE_EVENTS", position);

    expect(headers.filter((line) => /^(retrace-actor|traceparent)/i.test(line))).toEqual([]);
  });

  test("has an empty object as its body where the event carries nothing", async () => {
    const { position } = await edge.command(`dataset.${fresh("d")}.IngestData`, "");

    expect((await stored(edge.raw, "RETRACE_EVENTS", position)).data).toBe("{}");
  });

  test("also reaches plain subscribers, filtered by subject", async () => {
    const subscriber = await RawNats.connect(url);
    const seen: RawMessage[] = [];
    subscriber.subscribe("retrace.evt.*.*.DataIngested", (message) => seen.push(message));
    await subscriber.flush();
    const id = fresh("d");
    await edge.command(`training-run.${id}.StartTraining`);
    await edge.command(`dataset.${id}.IngestData`, { rowCount: 3 });
    await eventually("the event arrives", () => seen.length > 0);

    expect(seen.map(({ subject }) => subject)).toEqual([`retrace.evt.dataset.${id}.DataIngested`]);
    expect(read(seen[0] as RawMessage)).toEqual({ rowCount: 3 });
    expect(seen[0]?.headers.get("ce-type")).toBe("DataIngested");
    subscriber.close();
  });
});

describe("the stream", () => {
  test("is a file stream of the events' subjects that names its store", async () => {
    const { config } = await streamInfo(edge.raw, "RETRACE_EVENTS");
    const { store } = (await edge.query("health")) as unknown as { store: { id: string } };

    expect(config).toMatchObject({
      subjects: ["retrace.evt.>"],
      storage: "file",
      metadata: { "retrace-store": store.id },
    });
  });

  test("has each event once, at the sequence that is its position", async () => {
    const run = fresh("run");
    await edge.command(`training-run.${run}.StartTraining`);
    const send = (step: number) => edge.command(`training-run.${run}.RecordProgress`, { step });
    await Promise.all(Array.from({ length: 50 }, (_, step) => send(step)));
    const { events } = await edge.query("events", { limit: 1_000 });
    const messages = await Promise.all(events.map((event) => stored(edge.raw, "RETRACE_EVENTS", event.position)));
    const { state } = await streamInfo(edge.raw, "RETRACE_EVENTS");

    expect(state).toMatchObject({ messages: events.length, first_seq: 1, last_seq: events.length });
    expect(messages.map(({ headers }) => headers.find((line) => line.startsWith("ce-id")))).toEqual(
      events.map((event) => `ce-id: ${event.id}`),
    );
    expect(messages.map(({ data }) => JSON.parse(data))).toEqual(events.map((event) => event.data));
  });
});

test("two prefixes on one broker do not disturb each other", async () => {
  const nats = await startNats();
  const [one, two] = await Promise.all(
    ["one", "two"].map(async (prefix) => {
      await startRuntime({ dataDir: tempDir(), nats: nats.url, prefix });
      return openEdge(nats.url, prefix);
    }),
  );
  const headers = { "Nats-Msg-Id": "same" };
  for (const each of [one, two] as Edge[]) {
    expect(await each.command("training-run.r.StartTraining", {}, headers)).toMatchObject({ version: 1, position: 1 });
  }
  await (one as Edge).command("training-run.r.CancelTraining");

  expect(await (one as Edge).position()).toBe(2);
  expect(await (two as Edge).position()).toBe(1);
  expect((await (two as Edge).query("state", { category: "training-run", id: "r" })).state.value).toBe("running");
  expect((await stored((one as Edge).raw, "ONE_EVENTS", 2)).subject).toBe("one.evt.training-run.r.TrainingCancelled");
  expect((await streamInfo((two as Edge).raw, "TWO_EVENTS")).state.messages).toBe(1);
});
