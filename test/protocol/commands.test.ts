/** PROTOCOL.md, Commands, sentence by sentence, over a plain socket. */
import { Packr } from "msgpackr";
import { beforeAll, describe, expect, test } from "vitest";
import { startRuntime, type TestRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";
import {
  builtInCategories,
  type Edge,
  errorOf,
  fresh,
  openEdge,
  type ReplyBody,
  read,
  type WireEvent,
} from "./edge.ts";

const data = tempDir();
const msgpack = new Packr({ useRecords: false });
let runtime: TestRuntime;
let edge: Edge;

beforeAll(async () => {
  runtime = await startRuntime({ dataDir: data });
  edge = await openEdge(runtime.url);
});

/** A training run that has been started; returns its address without the command. */
async function startedRun(): Promise<string> {
  const run = `training-run.${fresh("run")}`;
  await edge.command(`${run}.StartTraining`, {});
  return run;
}

async function historyOf(run: string): Promise<readonly WireEvent[]> {
  const [category, id] = run.split(".");
  return (await edge.query("history", { category, id })).events;
}

async function lastEvent(run: string): Promise<WireEvent> {
  return (await historyOf(run)).at(-1) as WireEvent;
}

describe("the reply", () => {
  test("has exactly the fields of the contract", async () => {
    const run = fresh("run");
    const message = await edge.request(`cmd.training-run.${run}.StartTraining`, { seed: 7 });
    const reply = read(message);
    const position = await edge.position();

    expect(reply).toEqual({
      stream: `training-run-${run}`,
      version: 1,
      position,
      durability: "flushed",
      events: [
        { id: expect.stringMatching(/^[0-9A-HJKMNP-TV-Z]{26}$/), type: "TrainingStarted", version: 1, position },
      ],
      state: { value: "running", status: "active" },
    });
    expect(message.headers.has("Nats-Service-Error-Code")).toBe(false);
  });

  test("names the state a final event leads to", async () => {
    const run = await startedRun();

    expect((await edge.command(`${run}.CancelTraining`)).state).toEqual({ value: "cancelled", status: "done" });
  });

  test("has no events, and the head of the stream, when there was nothing to do", async () => {
    const run = await startedRun();
    const first = await edge.command(`${run}.RecordProgress`, { step: 1, loss: 0.5 });
    await edge.command(`dataset.${fresh("d")}.IngestData`);
    const repeated = await edge.command(`${run}.RecordProgress`, { step: 1, loss: 0.5 });

    expect(repeated).toEqual({ ...first, events: [] });
  });

  test("comes for an empty body as for an empty object", async () => {
    const id = fresh("d");
    expect((await edge.command(`dataset.${id}.IngestData`, "")).version).toBe(1);
    expect((await edge.query("history", { category: "dataset", id })).events[0]?.data).toEqual({});
  });

  test("comes for the longest id and every character an id may have", async () => {
    for (const id of ["AZaz09_-~", "-", "~", "x".repeat(128)]) {
      const reply = await edge.command(`dataset.${id}.IngestData`);
      expect(reply.stream).toBe(`dataset-${id}`);
    }
  });

  test("is not needed: a command without a reply subject is carried out", async () => {
    const run = await startedRun();
    edge.raw.publish(`retrace.cmd.${run}.RecordProgress`, JSON.stringify({ step: 1 }));
    edge.raw.publish(`retrace.cmd.${run}.NoSuchCommand`, "{}");
    const reply = await edge.command(`${run}.RecordProgress`, { step: 2 });

    expect(reply.version).toBe(3);
  });

  test("comes to each of many commands sent at once, in the order of their streams", async () => {
    const run = await startedRun();
    const steps = Array.from({ length: 200 }, (_, step) => edge.command(`${run}.RecordProgress`, { step }));
    const replies = await Promise.all(steps);

    expect(replies.map(({ version }) => version)).toEqual(replies.map((_, i) => i + 2));
  });
});

describe("a command id", () => {
  test("repeated returns the first reply, marked, and appends nothing, whatever has happened since", async () => {
    const run = await startedRun();
    const progress = { step: 1, loss: 0.25, metrics: { accuracy: 0.5 } };
    const headers = { "Nats-Msg-Id": "step-1" };
    const first = await edge.command(`${run}.RecordProgress`, progress, headers);
    await edge.command(`${run}.RecordProgress`, { step: 2 });
    await edge.command(`${run}.CancelTraining`);
    const before = await edge.position();
    const again = await edge.command(`${run}.RecordProgress`, progress, headers);

    expect(again).toEqual({ ...first, duplicate: true });
    expect(await edge.position()).toBe(before);
  });

  test("repeated at the same moment is carried out once", async () => {
    const run = await startedRun();
    const send = () => edge.command(`${run}.RecordProgress`, { step: 1 }, { "Nats-Msg-Id": "once" });
    const replies = await Promise.all(Array.from({ length: 20 }, send));

    expect(replies.filter(({ duplicate }) => duplicate === undefined)).toHaveLength(1);
    expect(new Set(replies.map(({ events }) => events[0]?.id)).size).toBe(1);
    expect(await historyOf(run)).toHaveLength(2);
  });

  test("of a command that found nothing to do is remembered, too", async () => {
    const run = await startedRun();
    const headers = { "Nats-Msg-Id": "nothing" };
    await edge.command(`${run}.RecordProgress`, { step: 1 });
    const first = await edge.command(`${run}.RecordProgress`, { step: 1 }, headers);
    await edge.command(`${run}.RecordProgress`, { step: 2 });

    expect(await edge.command(`${run}.RecordProgress`, { step: 1 }, headers)).toEqual({ ...first, duplicate: true });
  });

  test("that was answered with an error may be sent again", async () => {
    const run = `training-run.${fresh("run")}`;
    const headers = { "Nats-Msg-Id": "retried" };
    const attempt = () => edge.request(`cmd.${run}.RecordProgress`, { step: 1 }, headers);
    errorOf(await attempt(), "NOT_ALLOWED_IN_STATE");
    await edge.command(`${run}.StartTraining`);
    const reply = read(await attempt());

    expect(reply).toMatchObject({ version: 2, events: [{ type: "TrainingProgress" }] });
    expect(reply.duplicate).toBeUndefined();
  });

  test("belongs to its stream: another stream may use the same", async () => {
    const headers = { "Nats-Msg-Id": "shared" };
    const [one, two] = [await startedRun(), await startedRun()];
    await edge.command(`${one}.RecordProgress`, { step: 1 }, headers);

    expect((await edge.command(`${two}.RecordProgress`, { step: 1 }, headers)).duplicate).toBeUndefined();
  });

  test("is answered before the expected version is compared", async () => {
    const run = await startedRun();
    const headers = { "Nats-Msg-Id": "checked", "Retrace-Expected-Version": "1" };
    const first = await edge.command(`${run}.RecordProgress`, { step: 1 }, headers);

    expect(await edge.command(`${run}.RecordProgress`, { step: 1 }, headers)).toEqual({ ...first, duplicate: true });
    const other = { ...headers, "Retrace-Expected-Version": "99" };
    expect(await edge.command(`${run}.RecordProgress`, { step: 1 }, other)).toEqual({ ...first, duplicate: true });
  });

  test("is refused with another type or another body, and the first reply stays", async () => {
    const run = await startedRun();
    const headers = { "Nats-Msg-Id": "mine" };
    const first = await edge.command(`${run}.RecordProgress`, { step: 1 }, headers);
    const stream = first.stream;
    const details = { commandId: "mine", stream };

    expect(errorOf(await edge.request(`cmd.${run}.RecordProgress`, { step: 2 }, headers), "COMMAND_ID_REUSED")).toEqual(
      details,
    );
    expect(errorOf(await edge.request(`cmd.${run}.CompleteTraining`, {}, headers), "COMMAND_ID_REUSED")).toEqual(
      details,
    );
    expect(await edge.command(`${run}.RecordProgress`, { step: 1 }, headers)).toEqual({ ...first, duplicate: true });
  });

  test("knows its body again in another order of fields and in another encoding", async () => {
    const run = await startedRun();
    const headers = { "Nats-Msg-Id": "same" };
    const first = await edge.command(`${run}.RecordProgress`, '{"step":1,"loss":0.5}', headers);
    const reordered = await edge.command(`${run}.RecordProgress`, '{ "loss": 0.50, "step": 1 }', headers);
    const packed = await edge.request(`cmd.${run}.RecordProgress`, msgpack.pack({ loss: 0.5, step: 1 }), {
      ...headers,
      "Content-Type": "application/msgpack",
    });

    expect(reordered).toEqual({ ...first, duplicate: true });
    expect(msgpack.unpack(packed.body)).toEqual({ ...first, duplicate: true });
  });

  test("may be 256 characters of any script", async () => {
    const run = await startedRun();
    const id = "ü".repeat(256);
    await edge.command(`${run}.RecordProgress`, { step: 1 }, { "Nats-Msg-Id": id });

    expect((await lastEvent(run)).metadata.commandId).toBe(id);
  });
});

describe("Retrace-Expected-Version", () => {
  const expecting = (version: string) => ({ "Retrace-Expected-Version": version });

  test.each(["no-stream", "any", "0"])("%s lets a stream begin", async (version) => {
    expect((await edge.command(`dataset.${fresh("d")}.IngestData`, {}, expecting(version))).version).toBe(1);
  });

  test("an integer is compared with the stream's version", async () => {
    const run = await startedRun();
    expect((await edge.command(`${run}.RecordProgress`, { step: 1 }, expecting("1"))).version).toBe(2);
    const refused = await edge.request(`cmd.${run}.RecordProgress`, { step: 2 }, expecting("1"));

    expect(errorOf(refused, "WRONG_EXPECTED_VERSION")).toEqual({
      stream: run.replace(".", "-"),
      expected: 1,
      actual: 2,
    });
  });

  test("no-stream refuses a stream that has begun, and any takes it", async () => {
    const run = await startedRun();
    const refused = await edge.request(`cmd.${run}.RecordProgress`, { step: 1 }, expecting("no-stream"));

    expect(errorOf(refused, "WRONG_EXPECTED_VERSION")).toMatchObject({ expected: 0, actual: 1 });
    expect((await edge.command(`${run}.RecordProgress`, { step: 1 }, expecting("any"))).version).toBe(2);
  });

  test("a version ahead of the stream is refused", async () => {
    const refused = await edge.request(`cmd.dataset.${fresh("d")}.IngestData`, {}, expecting("3"));
    expect(errorOf(refused, "WRONG_EXPECTED_VERSION")).toMatchObject({ expected: 3, actual: 0 });
  });
});

describe("the other headers", () => {
  test("correlation and causation default to the command id, which the runtime makes where there is none", async () => {
    const run = await startedRun();
    await edge.command(`${run}.RecordProgress`, { step: 1 }, { "Nats-Msg-Id": "cmd-1" });
    const [started, progress] = await historyOf(run);
    const made = started?.metadata.commandId;

    expect(progress?.metadata).toEqual({ correlationId: "cmd-1", causationId: "cmd-1", commandId: "cmd-1" });
    expect(made).toMatch(/^\S+$/);
    expect(started?.metadata).toEqual({ correlationId: made, causationId: made, commandId: made });
  });

  test("are carried into every event of the command", async () => {
    const id = fresh("run");
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    await edge.command(
      `training-run.${id}.StartTraining`,
      {},
      {
        "Nats-Msg-Id": "c",
        "Retrace-Correlation-Id": "conversation 1",
        "Retrace-Causation-Id": "because",
        "Retrace-Actor": "Ada Lovelace",
        "Retrace-Occurred-At": "2020-02-29T12:00:00.5+02:00",
        traceparent,
      },
    );

    expect(await lastEvent(`training-run.${id}`)).toMatchObject({
      occurredAt: "2020-02-29T10:00:00.500Z",
      metadata: {
        correlationId: "conversation 1",
        causationId: "because",
        commandId: "c",
        actor: { id: "Ada Lovelace", verified: false },
        traceparent,
      },
    });
  });

  test.each([
    ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000Z"],
    ["2026-01-31T12:00:00.1234567+05:30", "2026-01-31T06:30:00.123Z"],
    ["1969-12-31T23:59:59-00:30", "1970-01-01T00:29:59.000Z"],
  ])("Retrace-Occurred-At %s is recorded as %s", async (written, recorded) => {
    const run = await startedRun();
    await edge.command(`${run}.RecordProgress`, { step: 1 }, { "Retrace-Occurred-At": written });

    expect((await lastEvent(run)).occurredAt).toBe(recorded);
  });

  test("without Retrace-Occurred-At an event occurred when it was decided", async () => {
    const run = await startedRun();
    const before = new Date().toISOString();
    await edge.command(`${run}.RecordProgress`, { step: 1 });
    const { occurredAt, recordedAt } = await lastEvent(run);

    expect(occurredAt >= before && occurredAt <= recordedAt).toBe(true);
    expect(recordedAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  test("Retrace-Occurred-At may be four minutes ahead, not six", async () => {
    const run = await startedRun();
    const ahead = (minutes: number) => ({
      "Retrace-Occurred-At": new Date(Date.now() + minutes * 60_000).toISOString(),
    });
    expect((await edge.command(`${run}.RecordProgress`, { step: 1 }, ahead(4))).version).toBe(2);

    const refused = await edge.request(`cmd.${run}.RecordProgress`, { step: 2 }, ahead(6));
    expect(errorOf(refused, "INVALID_COMMAND")).toMatchObject({ issues: [{ path: "Retrace-Occurred-At" }] });
  });
});

describe("MessagePack", () => {
  const packed = { "Content-Type": "application/msgpack" };

  test("is taken in and given back", async () => {
    const run = fresh("run");
    const body = msgpack.pack({ seed: 7, config: { layers: [1, 2], name: "π" } });
    const message = await edge.request(`cmd.training-run.${run}.StartTraining`, body, packed);

    expect(message.headers.get("Content-Type")).toBe("application/msgpack");
    expect(msgpack.unpack(message.body)).toMatchObject({ stream: `training-run-${run}`, version: 1 });
    expect((await lastEvent(`training-run.${run}`)).data).toEqual({ seed: 7, config: { layers: [1, 2], name: "π" } });
  });

  test("may be empty", async () => {
    const message = await edge.request(`cmd.dataset.${fresh("d")}.IngestData`, "", packed);
    expect(msgpack.unpack(message.body)).toMatchObject({ version: 1 });
  });

  test("carries errors, too", async () => {
    const message = await edge.request(`cmd.dataset.${fresh("d")}.ValidateData`, msgpack.pack({}), packed);

    expect(message.headers.get("Nats-Service-Error-Code")).toBe("422");
    expect(message.headers.get("Content-Type")).toBe("application/msgpack");
    expect(msgpack.unpack(message.body)).toMatchObject({
      error: { code: "NOT_ALLOWED_IN_STATE", retryable: false, details: { state: "empty" } },
    });
  });

  test("carries errors about a body that is not MessagePack", async () => {
    const message = await edge.request(`cmd.dataset.${fresh("d")}.IngestData`, Buffer.from([0xc1]), packed);

    expect(msgpack.unpack(message.body)).toMatchObject({
      error: { code: "INVALID_COMMAND", details: { issues: [{ path: "" }] } },
    });
  });

  test("has integers in every width that encoders of other languages write", async () => {
    const widths: readonly (readonly number[])[] = [
      [100],
      [0xcc, 100],
      [0xcd, 0, 100],
      [0xce, 0, 0, 0, 100],
      [0xcf, 0, 0, 0, 0, 0, 0, 0, 100],
      [0xd0, 100],
      [0xd1, 0, 100],
      [0xd2, 0, 0, 0, 100],
      [0xd3, 0, 0, 0, 0, 0, 0, 0, 100],
    ];
    for (const width of widths) {
      const run = await startedRun();
      const body = Buffer.from([0x81, 0xa4, ...Buffer.from("step"), ...width]);
      const message = await edge.request(`cmd.${run}.RecordProgress`, body, packed);

      expect(msgpack.unpack(message.body)).toMatchObject({ version: 2 });
      expect((await lastEvent(run)).data).toEqual({ step: 100 });
    }
  });

  test("of one request does not change how the next is read", async () => {
    const definesARecord = Buffer.from([0xd4, 0x72, 0x40, 0x91, 0xa4, ...Buffer.from("step"), 7]);
    await edge.request(`cmd.dataset.${fresh("d")}.IngestData`, definesARecord, packed);
    const run = await startedRun();
    await edge.request(`cmd.${run}.RecordProgress`, Buffer.from([0x81, 0xa4, ...Buffer.from("step"), 0x40]), packed);

    expect((await lastEvent(run)).data).toEqual({ step: 64 });
  });

  test.each([
    "application/json",
    "application/json; charset=utf-8",
    "Application/JSON",
  ])("is not what %s asks for", async (contentType) => {
    const headers = { "Content-Type": contentType };
    expect((await edge.command(`dataset.${fresh("d")}.IngestData`, {}, headers)).version).toBe(1);
  });
});

describe("errors", () => {
  test("UNKNOWN_CATEGORY and UNKNOWN_COMMAND list what there is", async () => {
    const noCategory = errorOf(await edge.request("cmd.nothing.x.Do", {}), "UNKNOWN_CATEGORY");
    const noCommand = errorOf(await edge.request("cmd.dataset.x.Do", {}), "UNKNOWN_COMMAND");

    expect(noCategory.known).toEqual(builtInCategories);
    expect(noCommand.known).toContain("IngestData");
  });

  test.each(["No_Such", "nosuch9", "dataset-", "-", "saga"])("category %s is an unknown one", async (category) => {
    errorOf(await edge.request(`cmd.${category}.x.Do`, {}), "UNKNOWN_CATEGORY");
  });

  test.each(["constructor", "toString", "__proto__", "hasOwnProperty"])("%s is no command", async (type) => {
    errorOf(await edge.request(`cmd.dataset.x.${type}`, {}), "UNKNOWN_COMMAND");
    errorOf(await edge.request(`cmd.${type}.x.IngestData`, {}), "UNKNOWN_CATEGORY");
  });

  test("NOT_ALLOWED_IN_STATE names the state and what it accepts", async () => {
    const details = errorOf(
      await edge.request(`cmd.training-run.${fresh("run")}.RecordProgress`, { step: 1 }),
      "NOT_ALLOWED_IN_STATE",
    );
    expect(details).toEqual({
      state: "empty",
      event: "TrainingProgress",
      accepts: ["TrainingRequested", "TrainingStarted"],
    });
  });

  test("REJECTED carries the aggregate's own reason", async () => {
    const run = await startedRun();
    await edge.command(`${run}.RecordProgress`, { step: 5 });
    const details = errorOf(await edge.request(`cmd.${run}.RecordProgress`, { step: 4 }), "REJECTED");

    expect(details).toEqual({ reason: "STEP_BEHIND", step: 4, lastStep: 5 });
  });

  test("INVALID_COMMAND lists every issue with its path", async () => {
    const run = await startedRun();
    const body = { step: "one", metrics: { accuracy: true }, extra: 1, resources: { gpuMemory: "much" } };
    const details = errorOf(await edge.request(`cmd.${run}.RecordProgress`, body), "INVALID_COMMAND");

    const paths = (details.issues as readonly { path: string; message: string }[]).map(({ path }) => path);
    expect(paths.toSorted()).toEqual(["extra", "metrics.accuracy", "resources.gpuMemory", "step"]);
  });

  test("a subject nobody serves is answered by the broker, with 503 and no body", async () => {
    const message = await edge.raw.request("other.cmd.dataset.x.IngestData", "{}");

    expect(message.statusLine).toBe("NATS/1.0 503");
    expect(message.body).toHaveLength(0);
  });
});

describe("after a restart", () => {
  test("a repeated command id still gets its first reply, and the log goes on where it was", async () => {
    const run = await startedRun();
    const headers = { "Nats-Msg-Id": "before" };
    const first = await edge.command(`${run}.RecordProgress`, { step: 1 }, headers);
    const position = await edge.position();
    expect(await runtime.stop()).toEqual({ code: 0, signal: null });
    edge.raw.close();
    runtime = await startRuntime({ dataDir: data });
    edge = await openEdge(runtime.url);
    const again: ReplyBody = await edge.command(`${run}.RecordProgress`, { step: 1 }, headers);

    expect(runtime.ready.position).toBe(position);
    expect(again).toEqual({ ...first, duplicate: true });
    expect(await edge.command(`${run}.RecordProgress`, { step: 2 })).toMatchObject({
      version: 3,
      position: position + 1,
    });
  });
});
