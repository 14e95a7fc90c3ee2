import fc from "fast-check";
import type { EventStore, Transaction } from "retrace";
import { describe, expect, test } from "vitest";
import type { NewEvent } from "../../../src/core/message.ts";
import type { Projections } from "../../../src/runtime/projections/projections.ts";
import { eventually } from "../../support/eventually.ts";
import { append, build, event, follow, openProjections, pieces, rowsOf } from "./pieces.ts";
import { stores } from "./setting.ts";

const numRuns = 25;

const id = fc.constantFrom("a", "b", "c", "\u{1f600}", "\ufffd");
const anyEvent = fc.oneof(
  { weight: 5, arbitrary: fc.tuple(id, fc.nat(9)).map(([id, by]) => event(id, "Moved", { by })) },
  {
    weight: 2,
    arbitrary: fc.tuple(id, fc.nat(9)).map(([id, steps]) => event(id, "Moved", { steps }, { schemaVersion: 1 })),
  },
  { weight: 1, arbitrary: fc.tuple(id, fc.string()).map(([id, name]) => event(id, "Named", { name })) },
  { weight: 1, arbitrary: id.map((id) => event(id, "Removed", {})) },
  { weight: 1, arbitrary: id.map((id) => event(id, "Ignored", {})) },
  // A handler fails on this one.
  { weight: 1, arbitrary: id.map((id) => event(id, "Moved", null)) },
);
const batches = fc.array(fc.array(anyEvent, { minLength: 1, maxLength: 12 }), { maxLength: 8 });

/** The rows and what was parked, made from the whole log as a generation of its own. */
async function rebuilt(store: EventStore, mode: "sync" | "async"): Promise<unknown> {
  const projections = openProjections(store, [pieces({ name: "again", mode })]);
  await build(projections);
  return seen(store, projections, "again");
}

function seen(store: EventStore, projections: Projections, name: string): unknown {
  const status = projections.status().find((one) => one.name === name);
  return { rows: rowsOf(store, projections, name), parked: status?.parked, position: status?.position };
}

/** Appends in a transaction that comes to nothing. */
async function fail(store: EventStore, projections: Projections, events: readonly NewEvent[], end: string) {
  const work = store.withTransaction((tx) => {
    const appended = store.append(events, tx);
    if (appended.outcome !== "appended") throw new Error("a conflict");
    const put = (): void => {
      throw new Error("on purpose");
    };
    const full: Transaction = { get: tx.get.bind(tx), scan: tx.scan.bind(tx), put, delete: put };
    const reached = end === "fails behind them" ? tx : full;
    projections.apply(reached, "sync", appended.events);
    if (end !== "fails before them") projections.flush(reached);
    throw new Error("on purpose");
  });
  await expect(work).rejects.toThrow("on purpose");
}

async function fresh(events: readonly (readonly NewEvent[])[]): Promise<readonly (readonly NewEvent[])[]> {
  return events.map((batch) => batch.map((one) => ({ ...one })));
}

describe.each(stores)("over the %s store", (_, open) => {
  test.each(["sync", "async"] as const)("the %s rows that grew with the log are those made from it", async (mode) => {
    await fc.assert(
      fc.asyncProperty(batches, async (drawn) => {
        const { store } = open();
        const projections = openProjections(store, [pieces({ mode })]);
        const follower = follow(store, projections);
        for (const batch of await fresh(drawn)) await append(store, projections, batch);
        await eventually("the follower is there", () => follower.position === store.position());
        expect(seen(store, projections, "pieces")).toEqual(await rebuilt(store, mode));
        await follower.close();
        await store.close();
      }),
      { seed: 7, numRuns },
    );
  });

  test("rows kept in memory are those in the store, whoever else writes and whatever comes to nothing", async () => {
    const step = fc.record({
      batch: fc.array(anyEvent, { minLength: 1, maxLength: 6 }),
      process: fc.nat(1),
      end: fc.constantFrom("commits", "commits", "commits", "fails before them", "fails in them", "fails behind them"),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
        const { store } = open();
        const processes = [1, 2].map(() => openProjections(store, [pieces({ mode: "sync" })]));
        for (const { batch, process, end } of steps) {
          const projections = processes[process] as Projections;
          const events = batch.map((one) => ({ ...one }));
          const work = end === "commits" ? append(store, projections, events) : fail(store, projections, events, end);
          await work;
        }
        const [one] = processes as [Projections];
        expect(seen(store, one, "pieces")).toEqual(await rebuilt(store, "sync"));
        await store.close();
      }),
      { seed: 9, numRuns: 2 * numRuns },
    );
  });

  test.each(["sync", "async"] as const)("a %s build that runs into the appends makes the same rows", async (mode) => {
    await fc.assert(
      fc.asyncProperty(batches, batches, async (before, during) => {
        const { store } = open();
        const none = openProjections(store, []);
        const atFirst = follow(store, none);
        for (const batch of await fresh(before)) await append(store, none, batch);
        await atFirst.close();

        const projections = openProjections(store, [pieces({ mode })]);
        const follower = follow(store, projections);
        projections.startBuilding();
        for (const batch of await fresh(during)) {
          await append(store, projections, batch);
          await new Promise(setImmediate);
        }
        await projections.built();
        await projections.stop();
        await eventually("the follower is there", () => follower.position === store.position());
        expect(seen(store, projections, "pieces")).toEqual(await rebuilt(store, mode));
        await follower.close();
        await store.close();
      }),
      { seed: 8, numRuns },
    );
  });
});
