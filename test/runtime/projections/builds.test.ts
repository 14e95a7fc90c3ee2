import type { EventStore } from "retrace";
import { describe, expect, test } from "vitest";
import type { Projections } from "../../../src/runtime/projections/projections.ts";
import { eventually } from "../../support/eventually.ts";
import { changed } from "../tally.ts";
import { append, build, event, follow, moves, openProjections, pieces, rowsOf } from "./pieces.ts";
import { stores } from "./setting.ts";

/** More than a slice, and more rows than one transaction writes. */
const many = moves(9_000, 5_500);

/** A build that ended half-way. */
async function halfBuilt(store: EventStore, projections: Projections): Promise<void> {
  const before = generationsOf(store, "pieces").length;
  projections.startBuilding();
  while (generationsOf(store, "pieces").length === before) await new Promise(setImmediate);
  await projections.stop();
  expect(projections.status()).toMatchObject([{ status: "building", progress: { of: 9_000 } }]);
}

/** Generations that have anything in the table of rows. */
function generationsOf(store: EventStore, name: string): number[] {
  return [...new Set(Array.from(store.scan("rows", { prefix: [name] }), ({ key }) => key[1] as number))];
}

describe.each(stores)("over the %s store", (kind, open) => {
  test("on an empty store everything is live at once, without anybody who builds", async () => {
    const { store } = open();
    const projections = openProjections(store, [pieces(), pieces({ name: "later", mode: "async" })]);
    expect(rowsOf(store, projections)).toEqual({});
    expect(rowsOf(store, projections, "later")).toEqual({});
    const follower = follow(store, projections);
    await append(store, projections, moves(3, 1));
    expect(rowsOf(store, projections)).toMatchObject({ all: { moves: 3, distance: 3 } });
    await eventually("the follower is there", () => follower.position === 3);

    expect(rowsOf(store, projections, "later")).toEqual(rowsOf(store, projections));
    const live = { version: 1, generation: 1, status: "live", position: 3, lagEvents: 0, lagMs: 0, parked: 0 };
    expect(projections.status()).toEqual([
      { name: "pieces", mode: "sync", ...live },
      { name: "later", mode: "async", ...live },
    ]);
    await store.close();
  });

  test("a projection that is new to a log has no rows until all of them are there", async () => {
    const { store } = open();
    await append(store, openProjections(store, []), many);
    const projections = openProjections(store, [pieces()]);
    const seen: unknown[] = [];
    projections.startBuilding();
    while (projections.status()[0]?.status === "building") {
      seen.push(rowsOf(store, projections));
      await new Promise(setImmediate);
    }

    await projections.stop();
    expect(seen.length).toBeGreaterThan(3);
    expect(new Set(seen)).toEqual(new Set([undefined]));
    expect(rowsOf(store, projections)).toMatchObject({ all: { moves: 9_000 } });
    expect(projections.status()).toMatchObject([{ status: "live", position: 9_000, lagEvents: 0 }]);
    await store.close();
  });

  test("a new version is built beside the live one, which is read meanwhile, as of where it was left", async () => {
    const { store } = open();
    const first = openProjections(store, [pieces()]);
    await append(store, first, many);
    const before = rowsOf(store, first);

    const second = openProjections(store, [pieces({ version: 2, factor: 10 })]);
    expect(second.read(store, "pieces", { key: "all" })).toMatchObject({ version: 1, position: 9_000 });
    await append(store, second, moves(5, 1));
    expect(rowsOf(store, second)).toEqual(before);
    expect(second.read(store, "pieces", { key: "all" })).toMatchObject({ version: 1, position: 9_000 });
    expect(second.status()).toMatchObject([{ status: "building", version: 2, position: 9_000, lagEvents: 5 }]);

    await build(second);
    const { distance } = before?.all as { distance: number };
    expect(second.read(store, "pieces", { key: "all" })).toEqual({
      generation: 2,
      version: 2,
      position: 9_005,
      rows: [{ key: "all", value: { moves: 9_005, distance: 10 * (distance + 0 + 1 + 2 + 3 + 4) } }],
    });
    expect(generationsOf(store, "pieces")).toEqual([2]);
    await store.close();
  });

  test("another process notices a switch, and what it cannot keep up is frozen rather than wrong", async () => {
    const { store } = open();
    const old = openProjections(store, [pieces()]);
    await append(store, old, moves(4, 1));
    const next = openProjections(store, [pieces({ version: 2, factor: 2 })]);
    await append(store, next, moves(2, 1));
    // Its rows lack the two events of the other process.
    await append(store, old, moves(2, 1));
    expect(old.read(store, "pieces", { key: "all" })).toMatchObject({ position: 4, rows: [{ value: { moves: 4 } }] });
    expect(old.status()).toMatchObject([{ status: "building", position: 4, reason: expect.any(String) }]);

    await build(next);
    const bystander = openProjections(store, [pieces({ version: 2, factor: 2 })]);
    await append(store, bystander, moves(1, 1));
    await append(store, next, moves(1, 1));
    await append(store, bystander, moves(1, 1));
    expect(rowsOf(store, next)).toMatchObject({ all: { moves: 11 } });
    expect(next.status()).toMatchObject([{ status: "live", position: 11 }]);

    // A process without the projection appends: from there on its rows are not kept up.
    await append(store, openProjections(store, []), moves(1, 1));
    await append(store, next, moves(1, 1));
    expect(next.read(store, "pieces", { key: "all" })).toMatchObject({
      position: 11,
      rows: [{ value: { moves: 11 } }],
    });
    await build(next);
    expect(next.read(store, "pieces", { key: "all" })).toMatchObject({
      position: 13,
      rows: [{ value: { moves: 13 } }],
    });
    await store.close();
  });

  test("going back to the version that is live needs no build, and leaves nothing of the other behind", async () => {
    const { store } = open();
    const first = openProjections(store, [pieces()]);
    await append(store, first, many);
    const second = openProjections(store, [pieces({ version: 2 })]);
    await halfBuilt(store, second);

    const again = openProjections(store, [pieces()]);
    expect(again.status()).toMatchObject([{ status: "live", position: 9_000 }]);
    await build(again);
    expect(generationsOf(store, "pieces")).toEqual([1]);
    expect(rowsOf(store, again)).toMatchObject({ all: { moves: 9_000 } });
    await store.close();
  });

  test("a mode is part of what rows were made by", async () => {
    const { store } = open();
    await append(store, openProjections(store, [pieces()]), many);
    const projections = openProjections(store, [pieces({ mode: "async" })]);
    expect(projections.status()).toMatchObject([{ status: "building", mode: "async" }]);
    const follower = follow(store, projections);
    await eventually("the follower is there", () => follower.position === 9_000);
    await build(projections);
    expect(projections.status()).toMatchObject([{ status: "live", position: 9_000 }]);
    expect(rowsOf(store, projections)).toMatchObject({ all: { moves: 9_000 } });
    await store.close();
  });

  test("an async build ends where the follower is, and the follower goes on from there", async () => {
    const { store } = open();
    const none = openProjections(store, []);
    const first = follow(store, none);
    await append(store, none, moves(3_000, 1));
    await eventually("the follower is there", () => first.position === 3_000);
    await first.close();
    await append(store, none, moves(3_000, 1));

    const projections = openProjections(store, [pieces({ mode: "async" })]);
    await build(projections);
    expect(projections.read(store, "pieces", { key: "all" })).toMatchObject({
      position: 3_000,
      rows: [{ value: { moves: 3_000 } }],
    });
    expect(projections.status()).toMatchObject([{ status: "live", position: 3_000, lagEvents: 3_000 }]);
    const second = follow(store, projections);
    await eventually("the follower is there", () => second.position === 6_000);
    expect(rowsOf(store, projections)).toMatchObject({ all: { moves: 6_000 } });
    await store.close();
  });

  test("several are built together, from wherever each had got to", async () => {
    const { store } = open();
    await append(store, openProjections(store, []), many);
    await halfBuilt(store, openProjections(store, [pieces()]));

    const both = openProjections(store, [pieces(), pieces({ name: "others", factor: 3 })]);
    await build(both);
    expect(both.status()).toMatchObject([{ status: "live" }, { status: "live" }]);
    const { distance } = rowsOf(store, both)?.all as { distance: number };
    expect(rowsOf(store, both, "others")).toMatchObject({ all: { moves: 9_000, distance: 3 * distance } });
    await store.close();
  });

  test("of two who build at a time, the later one takes over, and the rows are right", async () => {
    const { store } = open();
    await append(store, openProjections(store, []), many);
    const [one, two] = [openProjections(store, [pieces()]), openProjections(store, [pieces()])];
    one.startBuilding();
    while (generationsOf(store, "pieces").length === 0) await new Promise(setImmediate);
    two.startBuilding();
    await Promise.all([one.built(), two.built()]);
    await Promise.all([one.stop(), two.stop()]);

    const { store: other } = open();
    const straight = openProjections(other, [pieces()]);
    await append(other, straight, many);
    expect(rowsOf(store, two)).toEqual(rowsOf(other, straight));
    expect(generationsOf(store, "pieces")).toEqual([1]);
    await store.close();
    await other.close();
  });

  test("started again while it stops, it goes on", async () => {
    const { store } = open();
    await append(store, openProjections(store, []), many);
    const projections = openProjections(store, [pieces()]);
    projections.startBuilding();
    const stopped = projections.stop();
    projections.startBuilding();
    await Promise.all([stopped, projections.built()]);
    await projections.stop();
    expect(projections.status()).toMatchObject([{ status: "live", position: 9_000 }]);
    await store.close();
  });

  test("a crash before any transaction of a build never shows half of it, and it is finished afterwards", async () => {
    const { store, again } = open();
    const first = openProjections(store, [pieces()]);
    await append(store, first, many);
    const before = rowsOf(store, first);
    await append(store, openProjections(store, [pieces({ version: 2, factor: 10 })]), moves(5, 1));
    const expected = Object.fromEntries([
      ...Object.entries(before as Record<string, { moves: number; distance: number }>).map(([key, row]) => {
        return [key, { ...row, distance: 10 * row.distance }];
      }),
    ]);

    let commits = 0;
    for (let crashes = 0; ; crashes++) {
      let left = crashes === 0 ? 0 : 1 + (crashes % 3);
      const reader = openProjections(store, [pieces({ version: 2, factor: 10 })]);
      const crashing = changed(store, {
        withTransaction: async (fn) => {
          if (left === 0) throw new Error("crashed");
          left -= 1;
          const result = await store.withTransaction(fn);
          commits += 1;
          const { version } = reader.read(store, "pieces", { key: "all" }) as { version: number };
          if (version === 1) expect(rowsOf(store, reader)).toEqual(before);
          return result;
        },
      });
      const projections = openProjections(crashing, [pieces({ version: 2, factor: 10 })]);
      projections.startBuilding();
      await Promise.race([
        projections.built(),
        eventually("the crash, or the end", () => left === 0 || projections.status()[0]?.status === "live"),
      ]);
      await projections.stop();
      if (projections.status()[0]?.status === "live" && left > 0) break;
      expect(crashes).toBeLessThan(40);
    }

    expect(commits).toBeGreaterThan(4);
    await build(openProjections(store, [pieces({ version: 2, factor: 10 })]));
    const opened = kind === "lmdb" ? again() : store;
    const rows = rowsOf(opened, openProjections(opened, [pieces({ version: 2 })])) as Record<string, { moves: number }>;
    const { all, "piece/piece-p0": moved, ...others } = rows;
    const { all: _, "piece/piece-p0": __, ...expectedOthers } = expected;
    expect(others).toEqual(expectedOthers);
    expect(all).toMatchObject({ moves: 9_005 });
    expect(moved?.moves).toBe((before?.["piece/piece-p0"] as { moves: number }).moves + 5);
    expect(generationsOf(opened, "pieces")).toEqual([2]);
    if (opened !== store) await opened.close();
    await store.close();
  });

  test("what a handler cannot take during a build is parked, too", async () => {
    const { store } = open();
    await append(store, openProjections(store, []), [...many, event("x", "Moved", null), ...moves(2, 1)]);
    const projections = openProjections(store, [pieces()]);
    await build(projections);
    expect(projections.status()).toMatchObject([{ status: "live", parked: 1, position: 9_003 }]);
    expect(rowsOf(store, projections)).toMatchObject({ all: { moves: 9_002 } });
    await store.close();
  });

  test("waiting for a position ends when the rows have it, or when the time is over", async () => {
    const { store } = open();
    const projections = openProjections(store, [pieces({ mode: "async" })]);
    await append(store, projections, moves(3, 1));
    expect(await projections.reaches("pieces", 3, 0)).toBe(false);
    const waiting = projections.reaches("pieces", 3, 20_000);
    follow(store, projections);
    expect(await waiting).toBe(true);
    expect(await projections.reaches("pieces", 3, 0)).toBe(true);
    expect(await projections.reaches("nothing", 0, 20_000)).toBe(false);
    await store.close();
  });
});
