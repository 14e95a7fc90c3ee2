/** The command loop over a store in memory: what happens to one command must not happen to its neighbours. */
import { type EventStore, Fault, openMemoryStore } from "retrace";
import { describe, expect, test } from "vitest";
import type { CommandOutcome } from "../../src/runtime/decider.ts";
import type { CommandReply } from "../../src/wire/replies.ts";
import { changed, loadedTally, openTick, type TestTick, writeHistory } from "./tally.ts";

const openStore = () => openMemoryStore("store");

/** The total of a tally as the log has it, told by a command that does nothing. */
function totalOf({ actors }: TestTick, store: EventStore, id: string, actor = loadedTally()): number {
  const { version } = store.head(`tally-${id}`);
  const live = actors.current(actor, `tally-${id}`, version);
  if (live === undefined) throw new Error(`tally-${id} is too far from what is in memory`);
  return (live.state.context as { total: number }).total;
}

const versionsOf = (outcomes: readonly CommandOutcome[]) =>
  outcomes.map((outcome) => (outcome as CommandReply).version);

const amounts = (store: EventStore, id: string) =>
  Array.from(store.readStream(`tally-${id}`), ({ data }) => (data as { amount: number }).amount);

describe("one command of a batch", () => {
  test("whose decide throws fails alone, as INTERNAL with nothing but its correlation id", async () => {
    const store = openStore();
    const { send } = openTick(store);
    const outcomes = await Promise.all([
      send("a", "Add", { amount: 1 }),
      send("a", "Throw", {}, { commandId: "thrower" }),
      send("a", "Add", { amount: 2 }),
      send("b", "Add", { amount: 3 }),
    ]);

    expect(outcomes[1]).toMatchObject({ code: "INTERNAL", details: { correlationId: "thrower" } });
    expect((outcomes[1] as Fault).message).not.toContain("cannot decide");
    expect(versionsOf([outcomes[0], outcomes[2], outcomes[3]] as CommandOutcome[])).toEqual([1, 2, 1]);
    expect(amounts(store, "a")).toEqual([1, 2]);
  });

  test("that decides an event its own schema refuses fails alone, as INTERNAL", async () => {
    const store = openStore();
    const { send } = openTick(store);
    const [nonsense, good] = await Promise.all([send("a", "AddNonsense"), send("a", "Add", { amount: 1 })]);

    expect(nonsense).toMatchObject({ code: "INTERNAL" });
    expect(good).toMatchObject({ version: 1 });
    expect(amounts(store, "a")).toEqual([1]);
  });

  test("that is rejected, refused or in conflict leaves no trace, and its id may be used again", async () => {
    const store = openStore();
    const { send } = openTick(store);
    const outcomes = await Promise.all([
      send("a", "Refuse", {}, { commandId: "one" }),
      send("a", "Add", { amount: 1 }, { commandId: "two", expectedVersion: 7 }),
      send("a", "Add", { amount: 1 }, { commandId: "one" }),
      send("a", "AddMany", { amounts: [2, 3] }, { commandId: "two" }),
      send("a", "Close"),
      send("a", "Add", { amount: 4 }),
    ]);

    expect(outcomes).toMatchObject([
      { code: "REJECTED", details: { reason: "NEVER" } },
      { code: "WRONG_EXPECTED_VERSION", details: { stream: "tally-a", expected: 7, actual: 0 } },
      { version: 1, state: { status: "active" } },
      { version: 3, events: [{ version: 2 }, { version: 3 }] },
      { version: 4, state: { value: "closed", status: "done" } },
      { code: "NOT_ALLOWED_IN_STATE", details: { state: "closed", event: "Added", accepts: [] } },
    ]);
    expect(store.position()).toBe(4);
  });

  test("of which the chart refuses the second event appends neither", async () => {
    const store = openStore();
    const { send } = openTick(store);
    await writeHistory(store, "a", [{ type: "Closed", data: {} }]);

    expect(await send("a", "AddMany", { amounts: [1, 2] })).toMatchObject({ code: "NOT_ALLOWED_IN_STATE" });
    expect(store.position()).toBe(1);
  });

  test("sees what the commands before it in the same batch did", async () => {
    const { send } = openTick(openStore());
    const outcomes = await Promise.all(
      [0, 1, 2, 1].map((v) => send("a", "Add", { amount: v }, { expectedVersion: v })),
    );

    expect(outcomes).toMatchObject([{ version: 1 }, { version: 2 }, { version: 3 }, { details: { actual: 3 } }]);
  });
});

test("thousands of commands submitted at once are answered in their order", async () => {
  const store = openStore();
  const { send } = openTick(store);
  const outcomes = await Promise.all(Array.from({ length: 2_500 }, (_, i) => send("a", "Add", { amount: i })));

  expect(versionsOf(outcomes)).toEqual(outcomes.map((_, i) => i + 1));
  expect(amounts(store, "a")).toEqual(outcomes.map((_, i) => i));
});

describe("a commit that fails", () => {
  /** A store whose commits fail as long as `failure` says with what. */
  function failing(store: EventStore): { store: EventStore; failure: Error | undefined } {
    const control: { store: EventStore; failure: Error | undefined } = {
      failure: undefined,
      store: changed(store, {
        withTransaction: (fn) =>
          store.withTransaction((tx) => {
            const result = fn(tx);
            if (control.failure !== undefined) throw control.failure;
            return result;
          }),
      }),
    };
    return control;
  }

  test("answers all its commands with the fault, appends nothing, and the next commit starts from the log", async () => {
    const store = openStore();
    const control = failing(store);
    const tally = openTick(control.store);
    await tally.send("a", "Add", { amount: 1 });
    control.failure = new Fault("STORE_UNAVAILABLE", "the disk is full");
    const failed = await Promise.all([
      tally.send("a", "Add", { amount: 10 }, { commandId: "again" }),
      tally.send("b", "Add", { amount: 10 }),
      tally.send("b", "Refuse"),
    ]);

    expect(failed.map((outcome) => (outcome as Fault).code)).toEqual(Array(3).fill("STORE_UNAVAILABLE"));
    expect(store.position()).toBe(1);
    control.failure = undefined;
    const retried = await tally.send("a", "Add", { amount: 10 }, { commandId: "again" });
    expect(retried).toMatchObject({ version: 2 });
    expect((retried as CommandReply).duplicate).toBeUndefined();
    expect(totalOf(tally, store, "a")).toBe(11);
  });

  test("for a reason nobody foresaw is INTERNAL, and the loop goes on", async () => {
    const control = failing(openStore());
    const { send } = openTick(control.store);
    control.failure = new Error("out of luck");
    const failed = await send("a", "Add", { amount: 1 });
    control.failure = undefined;

    expect(failed).toMatchObject({ code: "INTERNAL" });
    expect((failed as Fault).message).not.toContain("luck");
    expect(await send("a", "Add", { amount: 1 })).toMatchObject({ version: 1 });
  });

  test("because the store cannot even be read fails the commands at hand, and the loop goes on", async () => {
    let isBroken = true;
    const store = openStore();
    const head: EventStore["head"] = (stream) => {
      if (isBroken) throw new Fault("STORE_UNAVAILABLE", "the disk is gone");
      return store.head(stream);
    };
    const { send, tick } = openTick(changed(store, { head }));
    const failed = await Promise.all([send("a", "Add", { amount: 1 }), send("b", "Add", { amount: 1 })]);
    isBroken = false;

    expect(failed).toMatchObject([{ code: "STORE_UNAVAILABLE" }, { code: "STORE_UNAVAILABLE" }]);
    expect(await send("a", "Add", { amount: 1 })).toMatchObject({ version: 1 });
    await tick.stop();
  });
});

describe("a full queue", () => {
  test("answers at once with OVERLOADED and when to come back", async () => {
    const { send, tick } = openTick(openStore(), { maxQueued: 2 });
    const outcomes = await Promise.all([1, 2, 3].map((amount) => send("a", "Add", { amount })));

    expect(outcomes).toMatchObject([
      { version: 1 },
      { version: 2 },
      { code: "OVERLOADED", number: 429, isRetryable: true, details: { retryAfterMs: expect.any(Number) } },
    ]);
    expect(tick.queued).toBe(0);
  });

  test("loses nothing and does nothing twice when its clients try again", async () => {
    const store = openStore();
    const { send } = openTick(store, { maxQueued: 7 });
    let overloads = 0;
    const insist = async (amount: number): Promise<CommandOutcome> => {
      for (;;) {
        const outcome = await send("a", "Add", { amount }, { commandId: `add-${amount}` });
        if (!(outcome instanceof Fault) || outcome.code !== "OVERLOADED") return outcome;
        overloads += 1;
        await new Promise(setImmediate);
      }
    };
    const outcomes = await Promise.all(Array.from({ length: 200 }, (_, amount) => insist(amount)));

    expect(overloads).toBeGreaterThan(0);
    expect(versionsOf(outcomes).toSorted((a, b) => a - b)).toEqual(outcomes.map((_, i) => i + 1));
    expect(amounts(store, "a").toSorted((a, b) => a - b)).toEqual(outcomes.map((_, i) => i));
  });

  test("counts the commands that wait for a cold stream", async () => {
    const store = openStore();
    await writeHistory(store, "cold", Array(3_000).fill({}));
    const { send, tick } = openTick(store, { maxQueued: 3 });
    const cold = [1, 2, 3].map((amount) => send("cold", "Add", { amount }));
    await new Promise(setImmediate);

    expect(tick.queued).toBe(3);
    expect(await send("b", "Add", { amount: 1 })).toMatchObject({ code: "OVERLOADED" });
    expect(versionsOf(await Promise.all(cold))).toEqual([3_001, 3_002, 3_003]);
  });
});

describe("stopping", () => {
  test("refuses new commands, and ends when those taken in are answered, cold streams included", async () => {
    const store = openStore();
    await writeHistory(store, "cold", Array(3_000).fill({}));
    const { send, tick } = openTick(store);
    const taken = Promise.all([send("a", "Add", { amount: 1 }), send("cold", "Add", { amount: 1 })]);
    const stopped = tick.stop();

    expect(await send("a", "Add", { amount: 2 })).toMatchObject({ code: "SHUTTING_DOWN", number: 503 });
    await stopped;
    expect(tick.queued).toBe(0);
    expect(versionsOf(await taken)).toEqual([1, 3_001]);
  });

  test("an idle loop ends at once", async () => {
    await openTick(openStore()).tick.stop();
  });
});

describe("a cold stream", () => {
  test("of 5,000 events without a snapshot is warmed up, its commands in order, while others are served", async () => {
    const store = openStore();
    await writeHistory(store, "cold", Array(5_000).fill({}));
    const tally = openTick(store);
    const order: string[] = [];
    const send = async (id: string, amount: number) => {
      const outcome = await tally.send(id, "Add", { amount });
      order.push(`${id} ${(outcome as CommandReply).version}`);
    };
    await Promise.all([send("cold", 1), send("warm", 1), send("cold", 2), send("warm", 2), send("cold", 3)]);

    expect(order).toEqual(["warm 1", "warm 2", "cold 5001", "cold 5002", "cold 5003"]);
    expect(amounts(store, "cold").slice(5_000)).toEqual([1, 2, 3]);
    expect(totalOf(tally, store, "cold")).toBe(5_006);
  });

  test("that another process has made long is folded outside of the commit, although it was in memory", async () => {
    const store = openStore();
    const tally = openTick(store);
    await tally.send("shared", "Add", { amount: 1 });
    await writeHistory(store, "shared", Array(5_000).fill({}));
    const head = store.head("tally-shared").version;
    expect(tally.actors.current(loadedTally(), "tally-shared", head)).toBeUndefined();

    expect(await tally.send("shared", "Add", { amount: 2 })).toMatchObject({ version: 5_002 });
    expect(totalOf(tally, store, "shared")).toBe(5_003);
  });

  test("stays in memory after a command that changed nothing, and an empty one does not", async () => {
    const store = openStore();
    await writeHistory(store, "cold", Array(500).fill({}));
    const { send, actors } = openTick(store);

    expect(await send("cold", "Refuse")).toMatchObject({ code: "REJECTED" });
    expect(actors.size).toBe(1);
    expect(await send("empty", "Refuse")).toMatchObject({ code: "REJECTED" });
    expect(actors.size).toBe(1);
  });

  test("with an event that its chart refuses is UNREADABLE_EVENT for all that wait, and others are served", async () => {
    const store = openStore();
    const history = [...Array(2_500).fill({}), { type: "Closed", data: {} }, ...Array(2_500).fill({})];
    await writeHistory(store, "cold", history);
    const { send } = openTick(store);
    const outcomes = await Promise.all([
      send("cold", "Add", { amount: 1 }),
      send("warm", "Add", { amount: 1 }),
      send("cold", "Add", { amount: 2 }),
    ]);

    const unreadable = { code: "UNREADABLE_EVENT", details: { stream: "tally-cold", version: 2_502, type: "Added" } };
    expect(outcomes).toMatchObject([unreadable, { version: 1 }, unreadable]);
    expect(store.position()).toBe(5_002);
  });
});

describe("a stored event", () => {
  test.each([
    ["of a type that is no more", { type: "Subtracted" }, 1],
    ["of a version that no upcaster leads from", { schemaVersion: 9 }, 1],
    ["that the chart refuses", { version: 2 }, 2],
  ])("%s is UNREADABLE_EVENT for its stream alone", async (_, event, version) => {
    const store = openStore();
    if (version === 2) await writeHistory(store, "a", [{ type: "Closed", data: {} }]);
    await writeHistory(store, "a", [event]);
    const { send } = openTick(store);
    const [unreadable, good] = await Promise.all([send("a", "Add", { amount: 1 }), send("b", "Add", { amount: 1 })]);

    expect(unreadable).toMatchObject({
      code: "UNREADABLE_EVENT",
      number: 500,
      details: { stream: "tally-a", version },
    });
    expect(good).toMatchObject({ version: 1 });
  });
});

describe("snapshots", () => {
  const snapshotVersions = (store: EventStore) =>
    Array.from(store.scan("snapshots", { prefix: ["tally-a"] }), ({ key }) => key[1]);

  test("are written with the events that make them due, and a few old ones are kept", async () => {
    const store = openStore();
    const { send } = openTick(store);
    for (let i = 0; i < 30; i++) await send("a", "AddMany", { amounts: Array(75).fill(1) });

    expect(snapshotVersions(store)).toEqual([900, 1_950, 2_250]);
  });

  test("are where a new process begins", async () => {
    const store = openStore();
    await openTick(store).send("a", "AddMany", { amounts: Array(2_050).fill(1) });
    let read = 0;
    const counting = changed(store, {
      readStream: (stream, range) => {
        const events = [...store.readStream(stream, range)];
        read += events.length;
        return events;
      },
    });
    const tally = openTick(counting);
    await tally.send("a", "Add", { amount: 1 });

    expect(totalOf(tally, store, "a")).toBe(2_051);
    expect(read).toBeLessThan(100);
  });

  test("are void when chart or schemas have changed", async () => {
    const store = openStore();
    await openTick(store).send("a", "AddMany", { amounts: Array(500).fill(1) });
    const twice = loadedTally("twice");
    const tally = openTick(store, { actor: twice });
    await tally.send("a", "Add", { amount: 1 });

    expect(totalOf(tally, store, "a", twice)).toBe(1_002);
  });

  test("can be deleted without loss", async () => {
    const store = openStore();
    await openTick(store).send("a", "AddMany", { amounts: Array(500).fill(1) });
    await store.withTransaction((tx) => {
      for (const { key } of [...tx.scan("snapshots", {})]) tx.delete("snapshots", key);
    });
    const tally = openTick(store);
    await tally.send("a", "Add", { amount: 1 });

    expect(totalOf(tally, store, "a")).toBe(501);
  });
});

describe("actors in memory", () => {
  /** What a tick with room for so many actors makes of 1,500 commands to 10 streams, five at a time. */
  async function story(maxLiveActors: number) {
    const store = openStore();
    const tally = openTick(store, { maxLiveActors });
    const replies: CommandOutcome[] = [];
    for (let i = 0; i < 300; i++) {
      const batch = [0, 3, 7, 7, 1].map((k) => tally.send(`${(i * k + k) % 10}`, "Add", { amount: i + k }));
      replies.push(...(await Promise.all(batch)));
      expect(tally.actors.size).toBeLessThanOrEqual(maxLiveActors);
    }
    const totals = Array.from({ length: 10 }, (_, id) => totalOf(tally, store, String(id)));
    return {
      totals,
      versions: versionsOf(replies),
      log: Array.from(store.readAll(), ({ stream, data }) => [stream, data]),
    };
  }

  test("may be few: the results are those of many", async () => {
    const [few, many] = [await story(2), await story(1_000)];

    expect(few).toEqual(many);
  });

  test("notice what another process has written", async () => {
    const store = openStore();
    const [one, two] = [openTick(store), openTick(store)];
    await one.send("a", "Add", { amount: 1 });
    await two.send("a", "Add", { amount: 10 });
    const reply = await one.send("a", "Add", { amount: 100 }, { expectedVersion: 2 });

    expect(reply).toMatchObject({ version: 3 });
    expect(totalOf(one, store, "a")).toBe(111);
  });

  test("of cold streams that push each other out come to an end all the same", async () => {
    const store = openStore();
    const ids = ["a", "b", "c", "d"];
    for (const id of ids) await writeHistory(store, id, Array(1_500).fill({}));
    const { send } = openTick(store, { maxLiveActors: 1 });
    const outcomes = await Promise.all(ids.flatMap((id) => [send(id, "Add", { amount: 1 }), send(id, "Close")]));

    expect(versionsOf(outcomes)).toEqual(ids.flatMap(() => [1_501, 1_502]));
  });
});
