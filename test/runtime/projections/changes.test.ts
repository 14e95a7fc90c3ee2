import type { EventStore } from "retrace";
import { describe, expect, test } from "vitest";
import type { Projections } from "../../../src/runtime/projections/projections.ts";
import { eventually } from "../../support/eventually.ts";
import { append, build, event, follow, moves, openProjections, pieces, rowsOf } from "./pieces.ts";
import { stores } from "./setting.ts";

const next = pieces({ version: 2, factor: 10 });

/** Of one row, what is live and what stands by. */
function both(store: EventStore, projections: Projections, key = "all"): unknown {
  const [live, standby] = (["live", "standby"] as const).map((which) => {
    const readable = projections.readable(store, "pieces", which);
    const value = readable && (store.get("rows", ["pieces", readable.generation, "row", key]) as unknown[])[0];
    return readable && { version: readable.version, position: readable.position, value };
  });
  return { live, standby };
}

describe.each(stores)("over the %s store", (_, open) => {
  test("a rebuild makes the same rows as a new generation, and removes the old one", async () => {
    const { store } = open();
    const projections = openProjections(store, [pieces()]);
    await append(store, projections, moves(3_000));
    const before = rowsOf(store, projections);
    projections.startBuilding();
    await projections.beginBuild("pieces", false);
    expect(rowsOf(store, projections)).toEqual(before);
    await projections.built();

    expect(projections.status()).toMatchObject([{ generation: 2, status: "live", position: 3_000 }]);
    expect(rowsOf(store, projections)).toEqual(before);
    expect([...store.scan("rows", { prefix: ["pieces", 1], limit: 1 })]).toEqual([]);
    await projections.stop();
    await store.close();
  });

  test("a build begun in one process is done by the one that builds", async () => {
    const { store } = open();
    const builder = openProjections(store, [pieces()]);
    await append(store, builder, moves(10));
    builder.startBuilding();
    await builder.built();
    await openProjections(store, [pieces()]).beginBuild("pieces", false);
    await eventually("it is built", () => builder.status()[0]?.generation === 2);
    await builder.stop();
    await store.close();
  });

  test.each([
    "sync",
    "async",
  ] as const)("a held %s rebuild is kept up beside the live rows, and equal", async (mode) => {
    const { store } = open();
    const projections = openProjections(store, [pieces({ mode })]);
    const follower = follow(store, projections);
    const followed = () => eventually("the follower is there", () => follower.position === store.position());
    await append(store, projections, moves(20));
    await followed();
    projections.startBuilding();
    await projections.beginBuild("pieces", true);
    await eventually("it stands by", () => projections.status()[0]?.standby !== undefined);
    await append(store, projections, [...moves(7), event("p1", "Named", { name: "x" }), event("p2", "Removed", {})]);
    await followed();

    const rows = (generation: number) => {
      return Array.from(store.scan("rows", { prefix: ["pieces", generation, "row"] }), ({ key, value }) => {
        return [key[3], (value as unknown[])[0]];
      });
    };
    expect(projections.status()).toMatchObject([{ generation: 1, standby: { version: 1, generation: 2, parked: 0 } }]);
    expect(rows(2)).toEqual(rows(1));
    expect(rows(2).length).toBeGreaterThan(4);
    await follower.close();
    await projections.stop();
    await store.close();
  });

  test("a next version is built and kept up beside the live one; a switch swaps them, and can be taken back", async () => {
    const { store } = open();
    await append(store, openProjections(store, [pieces()]), moves(5, 1));
    const projections = openProjections(store, [pieces()], { next: [next] });
    await append(store, projections, moves(1, 1));
    await build(projections);
    await append(store, projections, [event("p0", "Moved", { by: 100 })]);
    const row = (factor: number) => ({ moves: 7, distance: factor * 110 });
    const [old, young] = [
      { version: 1, position: 7, value: row(1) },
      { version: 2, position: 7, value: row(10) },
    ];
    expect(both(store, projections)).toEqual({ live: old, standby: young });
    expect(rowsOf(store, projections)).toMatchObject({ all: row(1) });

    expect(await projections.switchToStandby("pieces")).toEqual({ from: 1, to: 2 });
    expect(both(store, projections)).toEqual({ live: young, standby: old });
    expect(rowsOf(store, projections)).toMatchObject({ all: row(10) });
    await append(store, projections, [event("p0", "Moved", { by: 0 })]);
    expect(both(store, projections)).toMatchObject({ live: { value: { moves: 8 } }, standby: { value: { moves: 8 } } });

    expect(await projections.switchToStandby("pieces")).toEqual({ from: 2, to: 1 });
    expect(projections.status()).toMatchObject([{ version: 1, standby: { version: 2 } }]);
    await build(projections);
    expect(both(store, projections)).toMatchObject({ live: { version: 1 }, standby: { version: 2 } });
    await store.close();
  });

  test("when the next version has become the only one, what was switched to stays, and the old one goes", async () => {
    const { store } = open();
    await append(store, openProjections(store, [pieces()]), moves(5, 1));
    const rollout = openProjections(store, [pieces()], { next: [next] });
    await build(rollout);
    await rollout.switchToStandby("pieces");

    const after = openProjections(store, [next]);
    await append(store, after, moves(1, 1));
    expect(after.status()).toMatchObject([{ version: 2, status: "live", position: 6 }]);
    await build(after);
    expect(after.status()).toMatchObject([{ version: 2, generation: 2, status: "live", position: 6 }]);
    expect(after.status()[0]?.standby).toBeUndefined();
    expect([...store.scan("rows", { prefix: ["pieces", 1], limit: 1 })]).toEqual([]);
    await store.close();
  });

  test("a next version beside an empty log is set up, too, and one that has missed events is built again", async () => {
    const { store } = open();
    const projections = openProjections(store, [pieces()], { next: [next] });
    await build(projections);
    await append(store, projections, moves(3, 1));
    expect(both(store, projections)).toMatchObject({ live: { value: { moves: 3 } }, standby: { value: { moves: 3 } } });

    await append(store, openProjections(store, [pieces()]), moves(1, 1));
    expect(both(store, projections)).toMatchObject({ live: { position: 4 }, standby: { position: 3 } });
    await expect(projections.switchToStandby("pieces")).rejects.toMatchObject({
      code: "REJECTED",
      details: { reason: "STANDBY_BEHIND", position: 3 },
    });
    await build(projections);
    expect(both(store, projections)).toMatchObject({ live: { value: { moves: 4 } }, standby: { value: { moves: 4 } } });
    await store.close();
  });

  test("a build and what stands by can be given up", async () => {
    const { store } = open();
    const projections = openProjections(store, [pieces()]);
    await append(store, projections, moves(9_000, 5_500));
    projections.startBuilding();
    await projections.beginBuild("pieces", false);
    await projections.cancelBuild("pieces");
    await projections.built();
    expect(projections.status()).toMatchObject([{ generation: 1, status: "live" }]);
    expect([...store.scan("rows", { prefix: ["pieces", 2], limit: 1 })]).toEqual([]);

    await projections.beginBuild("pieces", true);
    await projections.built();
    expect(await projections.dropStandby("pieces")).toBe(1);
    await projections.built();
    expect([...store.scan("rows", { prefix: ["pieces", 3], limit: 1 })]).toEqual([]);
    for (const [refusal, reason] of [
      [() => projections.cancelBuild("pieces"), "NO_BUILD"],
      [() => projections.dropStandby("pieces"), "NO_STANDBY"],
      [() => projections.switchToStandby("pieces"), "NO_STANDBY"],
    ] as const) {
      await expect(refusal()).rejects.toMatchObject({ code: "REJECTED", details: { reason } });
    }
    await projections.stop();
    await store.close();
  });

  test("a build that is begun anew while it runs starts over", async () => {
    const { store } = open();
    const projections = openProjections(store, [pieces()]);
    await append(store, projections, moves(9_000, 5_500));
    const before = rowsOf(store, projections);
    projections.startBuilding();
    await projections.beginBuild("pieces", false);
    await new Promise(setImmediate);
    await projections.beginBuild("pieces", false);
    await projections.built();
    expect(projections.status()).toMatchObject([{ generation: 3, status: "live" }]);
    expect(rowsOf(store, projections)).toEqual(before);
    await projections.stop();
    await store.close();
  });

  test("a parked event is applied once its reason is gone, or left out for good", async () => {
    const { store } = open();
    let isBroken = true;
    const fixed = pieces();
    const move = fixed.on.Moved as (event: never, rows: never) => void;
    const fragile = {
      ...fixed,
      on: {
        ...fixed.on,
        Moved: (event: never, rows: never) => {
          if (isBroken) throw new Error("not yet");
          move(event, rows);
        },
      },
    } as unknown as typeof fixed;
    const projections = openProjections(store, [fragile], { spanEvents: 2 });
    await append(store, projections, [event("a", "Moved", { by: 1 }), event("a", "Moved", { by: 2 })]);
    isBroken = false;
    await append(store, projections, [event("a", "Moved", { by: 4 })]);
    expect(rowsOf(store, projections)).toMatchObject({ all: { moves: 1, distance: 4 } });

    isBroken = true;
    expect(await projections.retryParked("pieces", 1)).toEqual({ outcome: "parked", position: 1, reason: "not yet" });
    isBroken = false;
    expect(await projections.retryParked("pieces", 1)).toEqual({ outcome: "applied", position: 1 });
    expect(rowsOf(store, projections)).toMatchObject({ all: { moves: 2, distance: 5 } });
    await projections.skipParked("pieces", 2);
    expect(projections.status()).toMatchObject([{ parked: 0 }]);
    for (const position of [1, 2, 3, 77]) {
      await expect(projections.retryParked("pieces", position)).rejects.toMatchObject({ code: "NOT_FOUND" });
      await expect(projections.skipParked("pieces", position)).rejects.toMatchObject({ code: "NOT_FOUND" });
    }
    // What is applied late is in the rows from then on.
    await append(store, projections, [event("a", "Moved", { by: 8 })]);
    expect(rowsOf(store, projections)).toMatchObject({ all: { moves: 3, distance: 13 } });
    await store.close();
  });
});
