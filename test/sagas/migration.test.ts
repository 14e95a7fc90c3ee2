/** What becomes of instances under way when a process starts with a changed chart. */
import { defineSaga, type EventStore, type OldInstance, type Saga, type SagaEventOf, send } from "retrace";
import { describe, expect, test } from "vitest";
import { type AnyStateMachine, assign, cancel, raise, setup } from "xstate";
import { z } from "zod";
import { overStore } from "./over-store.ts";
import { openPackedStore } from "./packed-store.ts";
import { assertAllEnded, assertEffectsOnce, assertRowsAreFolds } from "./saga-laws.ts";
import { openSagas, type SagaSetting, type TestClock, testClock } from "./setting.ts";
import { order, type orderSchemas, stock } from "./shop.ts";

interface Waiting {
  readonly order: string;
  readonly placed: ReadonlyMap<string, Date>;
}

interface Changes {
  readonly version?: number;
  /** Another text of the same chart. */
  readonly edition?: number;
  /** What the state is called in which it waits. */
  readonly name?: string;
  readonly patienceMs?: number;
  /** Whether it waits once more, after the first time. */
  readonly isPatient?: boolean;
  readonly migrate?: (old: OldInstance) => { readonly value: unknown; readonly context: unknown };
}

/** Waits for an order to be shipped, and closes it when it is not. */
function waiting(changes: Changes = {}): Saga {
  const { version = 1, edition = 0, name = "waiting", patienceMs = 60_000, isPatient = false, migrate } = changes;
  const machine = setup({
    types: {
      context: {} as Waiting,
      input: {} as { id: string; now: string },
      events: {} as SagaEventOf<typeof orderSchemas, "Placed" | "Shipped"> | { type: "GIVE_UP" },
    },
    actions: {
      remember: assign(({ context, event }) => ({
        placed: new Map([[context.order, new Date("now" in event ? event.now : 0)]]),
      })),
      closeLate: send("order", ({ context: { order, placed } }) => ({
        id: order,
        type: "Close",
        data: { how: `late since ${placed.get(order)?.toISOString()}` },
      })),
      setGiveUp: raise({ type: "GIVE_UP" }, { id: "give-up", delay: 300_000 }),
      cancelGiveUp: cancel("give-up"),
    },
  }).createMachine({
    id: "waiting",
    description: `edition ${edition}`,
    context: ({ input }: { input: { id: string } }): Waiting => ({ order: input.id, placed: new Map() }),
    initial: "begun",
    states: {
      begun: { on: { Placed: { target: name, actions: ["remember", "setGiveUp"] } } },
      [name]: {
        on: { Shipped: "shipped", GIVE_UP: "late" },
        after: { [patienceMs]: isPatient ? "patient" : "late" },
      },
      ...(isPatient && { patient: { on: { Shipped: "shipped", GIVE_UP: "late" } } }),
      shipped: { type: "final", entry: "cancelGiveUp" },
      late: { type: "final", entry: "closeLate" },
    },
  } as never);
  return defineSaga({
    name: "waiting",
    version,
    settings: z.object({}),
    startedBy: ["Placed"],
    correlate: {
      Placed: ({ stream }) => stream.slice("order-".length),
      Shipped: ({ stream }) => stream.slice("order-".length),
    },
    machine: machine as unknown as AnyStateMachine,
    ...(migrate !== undefined && { migrate }),
  });
}

/** A store on which a process runs and ends, and the next one begins. */
class Place {
  readonly store: EventStore = openPackedStore("place");
  readonly clock: TestClock = testClock();

  start(saga: Saga, store = this.store): Promise<SagaSetting> {
    return openSagas([order, stock, saga], { store, clock: this.clock });
  }

  /** An order that waits for ten seconds under the chart as it was. */
  async begin(...orders: readonly string[]): Promise<SagaSetting> {
    const sagas = await this.start(waiting());
    for (const id of orders) await sagas.send("order", id, "Place", { stock: "s" });
    await sagas.pass(10_000);
    return sagas;
  }

  types(id: string): string[] {
    return Array.from(this.store.readStream(`saga-waiting-${id}`), ({ type }) => type);
  }

  closed(id: string): unknown {
    return [...this.store.readStream(`order-${id}`)].find(({ type }) => type === "Closed")?.data;
  }
}

const late = { how: "late since 2026-01-01T00:00:00.000Z" };
const toPending = ({ context }: OldInstance): { value: unknown; context: unknown } => ({ value: "pending", context });

describe("a chart of another text that does what it did", () => {
  test("is taken over with state and timers", async () => {
    const place = new Place();
    await place.begin("o");
    const sagas = await place.start(waiting({ edition: 1 }));
    assertRowsAreFolds(place.store, [waiting({ edition: 1 })]);
    expect(place.types("o")).toEqual(["SagaStarted", "SagaAdvanced"]);
    await sagas.pass(49_999);
    expect(place.closed("o")).toBeUndefined();
    await sagas.pass(1);
    expect(place.closed("o")).toEqual(late);
    assertAllEnded(place.store);
  });

  test("is taken over while another process takes a step", async () => {
    const place = new Place();
    const first = await place.begin("o", "p");
    let isFirst = true;
    const withTransaction: EventStore["withTransaction"] = async (work) => {
      if (isFirst) {
        isFirst = false;
        await first.pass(50_000);
        await first.send("order", "q", "Place", { stock: "s" });
        await first.settle();
      }
      return place.store.withTransaction(work);
    };
    const second = await place.start(waiting({ edition: 1 }), overStore(place.store, { withTransaction }));
    expect(isFirst).toBe(false);
    await second.pass(60_000);
    expect(["o", "p"].map((id) => place.closed(id))).toEqual([late, late]);
    assertEffectsOnce(place.store);
    assertAllEnded(place.store);
  });
});

describe("a chart that does something else, without migrate", () => {
  test("is refused, naming the instances and what is different, and nothing has changed", async () => {
    const place = new Place();
    await place.begin("o", "p");
    const before = [...place.store.scan("sagas", {})];
    const start = place.start(waiting({ name: "pending" }));
    await expect(start).rejects.toThrow(
      /2 instances.*saga-waiting-o: SagaAdvanced at version 2: it leads to "pending", and led to "waiting".*saga-waiting-p/s,
    );
    expect([...place.store.scan("sagas", {})]).toEqual(before);
    const sagas = await place.start(waiting());
    await sagas.pass(50_000);
    assertAllEnded(place.store);
  });

  test("is refused when it cancels less", async () => {
    const place = new Place();
    await place.begin("o");
    const sagas = await place.start(lessCancelling(true));
    await sagas.send("order", "n", "Place", { stock: "s" });
    await sagas.settle();
    await expect(place.start(lessCancelling(false))).rejects.toThrow(/saga-nervous-n: .*cancel/);
  });
});

/** Sets a timer and takes it back at once, or does not take it back. */
function lessCancelling(isCancelling: boolean): Saga {
  const machine = setup({
    types: { events: {} as SagaEventOf<typeof orderSchemas, "Placed"> | { type: "LATER" } },
    actions: {
      set: raise({ type: "LATER" }, { id: "later", delay: 1_000 }),
      unset: cancel("later"),
    },
  }).createMachine({
    id: "nervous",
    initial: "begun",
    states: {
      begun: { on: { Placed: { target: "waiting", actions: isCancelling ? ["set", "unset"] : ["set"] } } },
      waiting: { on: { LATER: {} } },
    },
  });
  return defineSaga({
    name: "nervous",
    settings: z.object({}),
    startedBy: ["Placed"],
    correlate: { Placed: ({ stream }) => stream.slice("order-".length) },
    machine,
  });
}

describe("a chart that does something else, with migrate", () => {
  test("goes on where migrate says: timers it still has keep their time, others begin now", async () => {
    const place = new Place();
    await place.begin("o");
    const changed = waiting({ version: 2, name: "pending", patienceMs: 90_000, isPatient: true, migrate: toPending });
    const sagas = await place.start(changed);
    expect(sagas.story("waiting", "o").at(-1)).toMatchObject({
      type: "SagaMigrated",
      data: {
        ...{ fromVersion: 1, toVersion: 2, from: "waiting", to: "pending" },
        timers: [
          { id: "give-up", dueAt: "2026-01-01T00:05:00.000Z" },
          { id: "xstate.after.90000.waiting.pending", dueAt: "2026-01-01T00:01:40.000Z" },
        ],
      },
    });
    assertRowsAreFolds(place.store, [changed]);
    await sagas.pass(90_000);
    expect(sagas.story("waiting", "o").at(-1)).toMatchObject({ type: "SagaTimerFired", data: { to: "patient" } });
    await sagas.pass(200_000);
    expect(place.closed("o")).toEqual(late);
    assertAllEnded(place.store);
  });

  test("has migrated once: a restart does not migrate again", async () => {
    const place = new Place();
    await place.begin("o");
    const changed = waiting({ version: 2, name: "pending", migrate: toPending });
    await place.start(changed);
    const sagas = await place.start(changed);
    expect(place.types("o")).toEqual(["SagaStarted", "SagaAdvanced", "SagaMigrated"]);
    await sagas.pass(60_000);
    expect(place.closed("o")).toEqual(late);
  });

  test("is taken over again under another text, from where it migrated to", async () => {
    const place = new Place();
    await place.begin("o");
    await place.start(waiting({ version: 2, name: "pending", migrate: toPending }));
    const sagas = await place.start(waiting({ version: 2, name: "pending", edition: 1 }));
    expect(place.types("o")).toEqual(["SagaStarted", "SagaAdvanced", "SagaMigrated"]);
    assertRowsAreFolds(place.store, [waiting({ version: 2, name: "pending", edition: 1 })]);
    await sagas.pass(60_000);
    expect(place.closed("o")).toEqual(late);
    assertAllEnded(place.store);
  });

  test("ends an instance that migrate moves to an end", async () => {
    const place = new Place();
    await place.begin("o");
    const migrate = ({ context }: OldInstance) => ({ value: "shipped", context });
    await place.start(waiting({ version: 2, name: "pending", migrate }));
    expect(place.types("o")).toEqual(["SagaStarted", "SagaAdvanced", "SagaMigrated", "SagaEnded"]);
    assertAllEnded(place.store);
  });

  test("is refused when migrate names a state that is not there, and no instance is migrated", async () => {
    const place = new Place();
    await place.begin("o", "p");
    const before = [...place.store.readAll()];
    const migrate = ({ id, context }: OldInstance) => ({ value: id === "p" ? "waiting" : "pending", context });
    const start = place.start(waiting({ version: 2, name: "pending", migrate }));
    await expect(start).rejects.toThrow(/1 instances.*saga-waiting-p: .*waiting/s);
    expect([...place.store.readAll()]).toEqual(before);
    const sagas = await place.start(waiting());
    await sagas.pass(50_000);
    assertAllEnded(place.store);
  });
});

describe("two processes on one store, of which one has a changed chart", () => {
  test("what the older one has begun is migrated when the newer one goes on with it", async () => {
    const place = new Place();
    const older = await place.start(waiting());
    const newer = await place.start(waiting({ version: 2, name: "pending", migrate: toPending }));
    await older.send("order", "o", "Place", { stock: "s" });
    await older.settle();
    await newer.send("order", "o", "Ship");
    await newer.settle();
    expect(place.types("o")).toEqual(["SagaStarted", "SagaAdvanced", "SagaMigrated", "SagaAdvanced", "SagaEnded"]);
    assertAllEnded(place.store);
  });

  test("what the newer one has begun is left alone by the older one, which waits", async () => {
    const place = new Place();
    const older = await place.start(waiting());
    const newer = await place.start(waiting({ version: 2, name: "pending", migrate: toPending }));
    await newer.send("order", "o", "Place", { stock: "s" });
    await newer.settle();
    const before = [...place.store.scan("sagas", {})];
    await older.send("order", "o", "Ship");
    await expect(older.settle()).rejects.toThrow(/saga-waiting-o .* version 2/);
    await expect(older.pass(100_000)).rejects.toThrow(/saga-waiting-o .* version 2/);
    expect([...place.store.scan("sagas", {})]).toEqual(before);
    await newer.settle();
    assertAllEnded(place.store);
  });

  test("both take turns when the charts do the same", async () => {
    const place = new Place();
    const [one, other] = [await place.start(waiting()), await place.start(waiting({ edition: 1 }))];
    await one.send("order", "o", "Place", { stock: "s" });
    await one.settle();
    await other.send("order", "o", "Ship");
    await other.settle();
    expect(place.types("o")).toEqual(["SagaStarted", "SagaAdvanced", "SagaAdvanced", "SagaEnded"]);
    assertAllEnded(place.store);
  });
});
