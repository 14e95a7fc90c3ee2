/** What `client.subscribe` promises while nothing goes wrong with the broker: which events, in which order, how often, until when. */
import { setTimeout as delay } from "node:timers/promises";
import { AckPolicy, jetstreamManager } from "@nats-io/jetstream";
import { beforeAll, describe, expect, test } from "vitest";
import type { RetraceDomain } from "../../schemas/index.ts";
import type { Client } from "../../src/wire/client.ts";
import type { SubscribeOptions } from "../../src/wire/subscribe.ts";
import { eventually } from "../support/eventually.ts";
import { startNats } from "../support/nats.ts";
import { startRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";
import {
  connectTo,
  expectOneAfterAnother,
  freshName,
  type Notes,
  recordRun,
  recordRuns,
  startSetting,
  subscribeNoting,
  untilHandled,
} from "./setting.ts";

let client: Client;

beforeAll(async () => {
  ({ client } = await startSetting());
});

async function head(): Promise<number> {
  return (await client.query<{ position: number }>("health")).position;
}

/** Waits until nothing is left to do, and returns the positions in the order in which they were handled. */
async function handledInTheEnd(notes: Notes): Promise<number[]> {
  const end = await head();
  await eventually("the subscription is at the end of the log", async () => {
    const { state, pending, position } = notes.subscription.status;
    if (state !== "active" || pending > 0) throw new Error(JSON.stringify(notes.subscription.status));
    return position === end || delay(100, true);
  });
  return notes.handled();
}

describe("the handler", () => {
  test("gets each event once, in order, as the log has it", async () => {
    const positions = await recordRuns(client, freshName(), 5, 10);
    const notes = await subscribeNoting(client, { from: positions[0] as number, maxInFlight: 1 });
    await untilHandled(notes, positions);
    const { events } = await client.events({ afterPosition: (positions[0] as number) - 1 });

    expect(notes.calls.map(({ event }) => event)).toEqual(events);
    expect(notes.calls.map(({ delivery }) => [delivery.position, delivery.deliveries])).toEqual(
      positions.map((position) => [position, 1]),
    );
  });

  test("runs at most maxInFlight times at once, and for one stream once", async () => {
    const from = (await head()) + 1;
    const positions = await recordRuns(client, freshName(), 8, 6);
    let running = 0;
    let most = 0;
    const notes = await subscribeNoting(client, { from, maxInFlight: 3 }, async () => {
      running += 1;
      most = Math.max(most, running);
      await delay(Math.random() * 10);
      running -= 1;
    });
    await untilHandled(notes, positions);

    expect(most).toBe(3);
    expect(notes.calls).toHaveLength(positions.length);
    expectOneAfterAnother(notes.calls);
  });

  test("may take longer than the ack wait of the broker", async () => {
    const name = freshName();
    const from = (await head()) + 1;
    const positions = await recordRuns(client, freshName(), 2, 2);
    const notes = await subscribeNoting(client, { name, from, leaseMs: 250 }, () => delay(3_000));
    const manager = await jetstreamManager(client.nats);
    const { config } = await manager.consumers.info("RETRACE_EVENTS", name);
    expect(config.ack_wait).toBe(1_500_000_000);
    await untilHandled(notes, positions);

    expect(notes.calls).toHaveLength(positions.length);
    expect((await manager.consumers.info("RETRACE_EVENTS", name)).num_redelivered).toBe(0);
  });

  test("gets an event that it threw at again, after a growing while, before the later ones of its stream", async () => {
    const from = (await head()) + 1;
    const [failing, other] = await Promise.all([recordRun(client, freshName(), 4), recordRun(client, freshName(), 4)]);
    const [first, second] = failing as [number, number];
    const options = { from, backoffMs: [20, 60], maxDeliver: 5 };
    const notes = await subscribeNoting(client, options, (_, { position, deliveries }) => {
      if (position === second && deliveries < 4) throw new Error(`not the ${deliveries}th time`);
    });
    await untilHandled(notes, [...failing, ...other]);

    expectOneAfterAnother(notes.calls);
    const again = notes.calls.filter(({ event }) => event.position === second);
    expect(again.map(({ delivery }) => delivery.deliveries)).toEqual([1, 2, 3, 4]);
    const waits = again.slice(1).map(({ startedAt }, i) => startedAt - (again[i]?.endedAt ?? 0));
    for (const [i, wait] of waits.entries()) expect(wait).toBeGreaterThanOrEqual(([20, 60, 60][i] as number) - 2);
    expect(notes.handled().slice(0, 5).sort()).toEqual([first, ...other].sort());
    expect(notes.notices.filter(({ kind }) => kind === "failed")).toEqual(
      [20, 60, 60].map((againInMs, i) => ({
        ...{ kind: "failed", position: second, deliveries: i + 1, againInMs },
        error: new Error(`not the ${i + 1}th time`),
      })),
    );
    expect(notes.subscription.status).toMatchObject({ redelivered: 3, parked: 0 });
  });

  test("may throw without being asynchronous, and what is no error", async () => {
    const from = (await head()) + 1;
    const [position] = (await recordRun(client, freshName(), 1)) as [number];
    let times = 0;
    const notes = await subscribeNoting(client, { from }, () => {
      times += 1;
      if (times === 1) throw undefined;
    });
    await untilHandled(notes, [position]);
    expect(times).toBe(2);
  });
});

test("events are typed by the domain", async () => {
  const typed = client as unknown as Client<RetraceDomain>;
  const [from, name, id] = [(await head()) + 1, freshName(), freshName()];
  const said: (string | undefined)[] = [];
  const subscription = await typed.subscribe(
    { name, from, categories: ["training-run", "dataset"], types: ["TrainingStarted", "DataIngested"] },
    (event) => {
      const of: "training-run" | "dataset" = event.category;
      if (event.type === "TrainingStarted") said.push(of, event.data.datasetId);
      // @ts-expect-error that is a string
      const no: number | undefined = event.type === "TrainingStarted" ? event.data.datasetId : 0;
      said.push(typeof no);
    },
  );
  const data = { datasetId: "lines" };
  const { position } = await typed.send("training-run", id, { type: "StartTraining", data });
  await eventually("it is handled", () => subscription.status.position === position);
  expect(said).toEqual(["training-run", "lines", "string"]);
  // @ts-expect-error no such type in the categories
  const misspelt = typed.subscribe({ name: "", categories: ["dataset"], types: ["TrainingStarted"] }, () => {});
  await expect(misspelt).rejects.toMatchObject({ code: "INVALID_QUERY" });
});

describe("what is subscribed to", () => {
  const types = (notes: Notes) =>
    [...new Set(notes.calls.map(({ event }) => `${event.category} ${event.type}`))].sort();

  test("is narrowed by categories, by types, and by both", async () => {
    const [run, data] = [freshName(), freshName()];
    const from = (await head()) + 1;
    await recordRun(client, run, 2);
    await client.send("dataset", data, { type: "IngestData", data: {} });
    await client.send("dataset", data, { type: "ValidateData", data: { checks: ["c"] } });
    const all = [
      "dataset DataIngested",
      "dataset DataValidated",
      "training-run TrainingProgress",
      "training-run TrainingStarted",
    ];
    const cases: readonly [Partial<SubscribeOptions>, readonly string[]][] = [
      [{}, all],
      [{ categories: ["dataset"] }, all.slice(0, 2)],
      [{ types: ["DataIngested", "TrainingStarted"] }, [all[0] as string, all[3] as string]],
      [{ categories: ["training-run"], types: ["DataIngested", "TrainingStarted"] }, [all[3] as string]],
      [{ categories: ["dataset", "training-run"], types: [] }, all],
      [{ categories: ["train"] }, []],
    ];
    for (const [options, wanted] of cases) {
      const notes = await subscribeNoting(client, { from, ...options });
      await eventually(
        "it is done",
        () => notes.subscription.status.state === "active" && types(notes).length >= wanted.length,
      );
      await notes.subscription.close();
      expect(types(notes)).toEqual(wanted);
    }
  });

  test("begins at the first event, behind the last, at a position, or at a time", async () => {
    await recordRun(client, freshName(), 3);
    const end = await head();
    const { events } = await client.events({ afterPosition: end - 2 });
    const recordedAt = events[0]?.recordedAt as string;
    // Events of one millisecond share their time.
    const { events: since } = await client.events({ since: recordedAt, limit: 1_000 });
    const cases: readonly [SubscribeOptions["from"], number][] = [
      ["start", 1],
      ["now", end + 1],
      [end - 1, end - 1],
      [end + 1, end + 1],
      [recordedAt, since[0]?.position as number],
      [new Date(recordedAt), since[0]?.position as number],
      [new Date(), end + 1],
    ];
    const subscribed = await Promise.all(
      cases.map(async ([from, first]) => ({
        first,
        notes: await subscribeNoting(client, { ...(from === undefined ? {} : { from }) }),
      })),
    );
    const more = await recordRun(client, freshName(), 2);
    for (const { first, notes } of subscribed) {
      await untilHandled(notes, more);
      expect(Math.min(...notes.handled())).toBe(first);
      expect(notes.handled().sort((a, b) => a - b)).toEqual(
        Array.from({ length: end + 3 - first }, (_, i) => first + i),
      );
    }
  });

  test.each<[string, Partial<SubscribeOptions>, RegExp]>([
    ["a name with a dot", { name: "a.b" }, /^name: 1 to 64 of/],
    ["an empty name", { name: "" }, /^name: /],
    ["no name", { name: undefined as unknown as string }, /^name: /],
    ["a category that is none", { categories: ["Training Run"] }, /^categories: each is kebab-case/],
    ["a type with a wildcard", { types: ["*"] }, /^types: each is the name of an event/],
    ["position 0", { from: 0 }, /^from: a position is an integer from 1/],
    ["half a position", { from: 1.5 }, /^from: /],
    [
      "a position far beyond the log",
      { from: 1_000_000 },
      /^from: position 1000000 is beyond the log, which ends at \d+/,
    ],
    ["a time to come", { from: new Date(Date.now() + 60_000) }, /^from: .* has not come yet/],
    ["no date", { from: new Date(Number.NaN) }, /^from: not a date/],
    ["no time", { from: "yesterday" }, /since/],
    ["nothing in flight", { maxInFlight: 0 }, /^maxInFlight: /],
    ["no delivery", { maxDeliver: 0 }, /^maxDeliver: /],
    ["no wait", { backoffMs: [] }, /^backoffMs: /],
    ["a negative wait", { backoffMs: [-1] }, /^backoffMs: /],
    ["a lease too short to renew", { leaseMs: 10 }, /^leaseMs: /],
    ["another way to park", { afterPark: "stop" as "wait" }, /^afterPark: /],
  ])("cannot be %s", async (_, options, message) => {
    const refused = subscribeNoting(client, options);
    await expect(refused).rejects.toMatchObject({ code: "INVALID_QUERY", message: expect.stringMatching(message) });
  });
});

describe("a name", () => {
  test("goes on where it was, whatever it is to begin with now", async () => {
    const name = freshName();
    const from = (await head()) + 1;
    const before = await recordRuns(client, freshName(), 3, 3);
    const first = await subscribeNoting(client, { name, from });
    await untilHandled(first, before);
    await first.subscription.close();
    const meanwhile = await recordRuns(client, freshName(), 3, 3);
    const second = await subscribeNoting(client, { name, from: "start" });
    await untilHandled(second, meanwhile);
    await second.subscription.close();
    const third = await subscribeNoting(client, { name, from: "now" });
    const after = await recordRun(client, freshName(), 2);
    await untilHandled(third, after);

    expect(await handledInTheEnd(third)).toEqual(after);
    expect(second.handled().sort((a, b) => a - b)).toEqual(meanwhile);
  });

  test("keeps the position that a new one began with, also when nothing came", async () => {
    const name = freshName();
    const first = await subscribeNoting(client, { name, from: "now" });
    await first.subscription.close();
    const positions = await recordRun(client, freshName(), 2);
    const second = await subscribeNoting(client, { name, from: "now" });
    await untilHandled(second, positions);
  });

  test("keeps how often a handler has failed", async () => {
    const name = freshName();
    const from = (await head()) + 1;
    await recordRun(client, freshName(), 1);
    const fail = (): never => {
      throw new Error("no");
    };
    const first = await subscribeNoting(client, { name, from, maxDeliver: 4, backoffMs: [10, 60_000] }, fail);
    await eventually("it has failed twice", () => first.calls.length === 2);
    await first.subscription.close();
    const second = await subscribeNoting(client, { name, maxDeliver: 4, backoffMs: [10] }, fail);
    await eventually("the event is parked", () => second.subscription.status.parked === 1);

    expect([...first.calls, ...second.calls].map(({ delivery }) => delivery.deliveries)).toEqual([1, 2, 3, 4]);
  });

  test("is for what it was for, unless that may change, and then from its position on", async () => {
    const name = freshName();
    const from = (await head()) + 1;
    const first = await subscribeNoting(client, { name, from, types: ["TrainingStarted"] });
    const [started, , ...rest] = await recordRun(client, freshName(), 2);
    expect(rest).toEqual([]);
    await untilHandled(first, [started as number]);
    await first.subscription.close();
    const other = { name, types: ["TrainingProgress"], categories: ["training-run"] };

    await expect(subscribeNoting(client, other)).rejects.toMatchObject({
      code: "INVALID_QUERY",
      message: expect.stringMatching(
        /has so far been for retrace\.evt\.\*\.\*\.TrainingStarted, and now asks for .* another name/,
      ),
    });
    const second = await subscribeNoting(client, { ...other, canChangeFilters: true });
    const [, progress] = await recordRun(client, freshName(), 2);
    await untilHandled(second, [progress as number]);
    await second.subscription.close();
    const third = await subscribeNoting(client, other);
    await third.subscription.close();
  });

  test("is not one that a consumer of somebody else has", async () => {
    const name = freshName();
    const manager = await jetstreamManager(client.nats);
    await manager.consumers.add("RETRACE_EVENTS", { durable_name: name, ack_policy: AckPolicy.Explicit });
    const { subscription } = await subscribeNoting(client, { name });
    await expect(subscription.done).rejects.toMatchObject({
      code: "INVALID_QUERY",
      message: expect.stringMatching(
        /has a consumer .* that is not one of client\.subscribe: subscribe under another name/,
      ),
    });
    expect((await manager.consumers.info("RETRACE_EVENTS", name)).num_pending).toBeGreaterThan(0);
  });

  test("is a durable consumer that shows how far behind its subscriber is", async () => {
    const name = freshName();
    const notes = await subscribeNoting(client, { name, from: "now", categories: ["training-run"] });
    await notes.subscription.close();
    await recordRun(client, freshName(), 3);
    const manager = await jetstreamManager(client.nats);
    await eventually("the broker counts what is to come", async () => {
      const info = await manager.consumers.info("RETRACE_EVENTS", name);
      return info.num_pending === 3 && info.config.durable_name === name;
    });
  });
});

test("a subscriber that is there before the first runtime waits for it", async () => {
  const nats = await startNats();
  const early = await connectTo(nats.url);
  const notes = await subscribeNoting(early);
  expect(notes.subscription.status).toMatchObject({
    ...{ state: "waiting", reason: "there is no stream RETRACE_EVENTS: a runtime makes it", position: 0 },
  });
  await startRuntime({ dataDir: tempDir(), nats: nats.url });
  await untilHandled(notes, await recordRun(early, "r", 2));
});

describe("close", () => {
  test("waits for the handlers that run, and leaves the rest to the next", async () => {
    const name = freshName();
    const from = (await head()) + 1;
    const positions = await recordRun(client, freshName(), 3);
    let finish = (): void => {};
    const first = await subscribeNoting(
      client,
      { name, from },
      () => new Promise<void>((resolve) => (finish = resolve)),
    );
    await eventually("the first event is with the handler", () => first.calls.length === 1);
    const closed = first.subscription.close();
    expect(await Promise.race([closed, delay(700, "open")])).toBe("open");
    finish();
    await closed;
    await first.subscription.done;
    const second = await subscribeNoting(client, { name });
    await untilHandled(second, positions.slice(1));

    expect(first.handled()).toEqual(positions.slice(0, 1));
    expect(first.calls[0]?.delivery.signal.aborted).toBe(false);
    expect(first.subscription.status).toMatchObject({ state: "ended" });
    expect(await handledInTheEnd(second)).toEqual(positions.slice(1));
  });

  test("tells a handler that takes too long, whose event then comes again, and as one that has not failed", async () => {
    const name = freshName();
    const from = (await head()) + 1;
    const [position] = (await recordRun(client, freshName(), 1)) as [number];
    const first = await subscribeNoting(client, { name, from }, async (_, { signal }) => {
      await delay(60_000, undefined, { signal });
    });
    await eventually("the event is with the handler", () => first.calls.length === 1);
    await first.subscription.close({ drainMs: 50 });
    const second = await subscribeNoting(client, { name });
    await untilHandled(second, [position]);

    expect(first.calls[0]?.delivery.signal.aborted).toBe(true);
    expect(second.calls[0]?.delivery).toMatchObject({ position, deliveries: 1 });
  });

  test("comes with the end of the connection, too", async () => {
    const { client: other } = await startSetting();
    const notes = await subscribeNoting(other);
    await eventually("it is active", () => notes.subscription.status.state === "active");
    await other.close();
    await notes.subscription.done;
    expect(notes.subscription.status.state).toBe("ended");
  });
});
