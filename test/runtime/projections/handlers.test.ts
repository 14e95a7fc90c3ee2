import { defineProjection, type EventStore, type ProjectionHandler } from "retrace";
import { describe, expect, test } from "vitest";
import { changed } from "../tally.ts";
import { append, event, openProjections, pieces, rowsOf } from "./pieces.ts";
import { stores } from "./setting.ts";

const moved = (by: unknown = 1) => event("a", "Moved", { by });

/** A projection that does one thing on a move, beside the sound one. */
function handling(handler: ProjectionHandler<unknown>) {
  return defineProjection<unknown>({ name: "tried", version: 1, mode: "sync", on: { Moved: handler } });
}

describe.each(stores)("over the %s store", (_, open) => {
  test("a handler that throws writes nothing of its event, which is parked; all else goes on", async () => {
    const { store } = open();
    const projections = openProjections(store, [
      pieces(),
      handling(({ data }, rows) => {
        rows.put("first", data);
        rows.delete("last");
        if ((data as { by: number }).by === 2) throw new Error("no twos");
        rows.put("last", data);
      }),
    ]);
    const [one, two, three] = [moved(1), moved(2), moved(3)];
    await append(store, projections, [one, two]);
    expect(rowsOf(store, projections, "tried")).toEqual({ first: { by: 1 }, last: { by: 1 } });
    await append(store, projections, [two, three]);

    expect(rowsOf(store, projections, "tried")).toEqual({ first: { by: 3 }, last: { by: 3 } });
    expect(rowsOf(store, projections, "pieces")).toMatchObject({ all: { moves: 4, distance: 8 } });
    const status = projections.status();
    expect(status.map(({ name, parked }) => [name, parked])).toEqual([
      ["pieces", 0],
      ["tried", 2],
    ]);
    const parked = [...store.scan("rows", { prefix: ["tried", 1, "parked"] })].map(({ value }) => value);
    expect(parked).toEqual(
      [2, 3].map((position) => ({
        position,
        type: "Moved",
        stream: "piece-a",
        reason: "no twos",
        at: "2026-01-01T00:00:00.000Z",
      })),
    );
    await store.close();
  });

  test("the rows of a transaction that is undone are as they were", async () => {
    const { store } = open();
    const projections = openProjections(store, [pieces()]);
    await append(store, projections, [moved(1)]);
    const failing = store.withTransaction((tx) => {
      const appended = store.append([moved(5), moved(null)], tx);
      if (appended.outcome === "appended") projections.apply(tx, "sync", appended.events);
      projections.flush(tx);
      throw new Error("undo");
    });
    await expect(failing).rejects.toThrow("undo");

    expect(rowsOf(store, projections)).toMatchObject({ all: { moves: 1, distance: 1 } });
    await append(store, projections, [moved(2)]);
    expect(rowsOf(store, projections)).toMatchObject({ all: { moves: 2, distance: 3 } });
    expect(projections.status()[0]?.parked).toBe(0);
    await store.close();
  });

  test("a handler sees its own writes, in the order of keys, and those of the events before it", async () => {
    const { store } = open();
    const seen: unknown[] = [];
    const projections = openProjections(store, [
      handling((_event, rows) => {
        const count = (rows.get("count") as number | undefined) ?? 0;
        rows.put("count", count + 1);
        rows.put(`x/\u{1f600}`, count);
        rows.put("x/\uffff", count);
        rows.put("x/b", count);
        rows.delete("x/a");
        seen.push([rows.get("count"), rows.get("x/a"), ...rows.scan("x/")]);
        rows.put("x/a", count);
        rows.put("x", count);
      }),
    ]);
    await append(store, projections, [moved()]);
    await append(store, projections, [moved(), moved()]);

    const keys = ["x/b", "x/\uffff", "x/\u{1f600}"];
    expect(seen).toEqual([0, 1, 2].map((n) => [n + 1, undefined, ...keys.map((key) => ({ key, value: n }))]));
    await store.close();
  });

  test("events come at the latest version of their data; what cannot be read is parked", async () => {
    const { store } = open();
    const seen: unknown[] = [];
    const projections = openProjections(store, [
      handling(({ data, schemaVersion, type, stream }) => {
        seen.push({ data, schemaVersion, type, stream });
      }),
    ]);
    const old = event("a", "Moved", { steps: 4, note: "kept" }, { schemaVersion: 1 });
    const newer = event("a", "Moved", {}, { schemaVersion: 3 });
    const foreign = event("a", "Moved", { steps: 1 }, { schemaVersion: 1, category: "other", stream: "other-a" });
    await append(store, projections, [old, newer, foreign]);

    expect(seen).toEqual([
      { data: { by: 4, note: "kept" }, schemaVersion: 2, type: "Moved", stream: "piece-a" },
      { data: { steps: 1 }, schemaVersion: 1, type: "Moved", stream: "other-a" },
    ]);
    const [parked] = [...store.scan("rows", { prefix: ["tried", 1, "parked"] })];
    expect(parked?.value).toMatchObject({ position: 2, reason: expect.stringContaining("newer than this code") });
    await store.close();
  });

  test.each<[string, ProjectionHandler<unknown>, RegExp]>([
    ["is asynchronous", (async () => {}) as never, /must be synchronous/],
    ["rejects", (() => Promise.reject(new Error("later"))) as never, /must be synchronous/],
    [
      "changes a row that it has read",
      (_event, rows) => Object.assign(rows.get("kept") as object, { a: 2 }),
      /read only/,
    ],
    ["puts what is no plain data", (_event, rows) => rows.put("x", { at: new Date(0) }), /the row.at is a Date/],
    ["makes what is no plain data", { key: () => "x", apply: () => Number.NaN }, /the row is NaN/],
    ["puts under the empty key", (_event, rows) => rows.put("", 1), /1 to 512 characters, not 0/],
    ["puts under a long key", { key: () => "x".repeat(513), apply: () => 1 }, /1 to 512 characters, not 513/],
    ["deletes half a character", (_event, rows) => rows.delete("\ud83d"), /surrogate/],
    ["names its row by a number", { key: () => 1 as never, apply: () => 1 }, /a text, not number/],
    [
      "throws what is no error",
      (() => {
        throw "so";
      }) as never,
      /^so$/,
    ],
    [
      "throws in the key",
      {
        key: () => {
          throw new Error("no key");
        },
        apply: () => 1,
      },
      /^no key$/,
    ],
  ])("a handler that %s is parked, and nothing is written", async (_, handler, reason) => {
    const { store } = open();
    const projections = openProjections(store, [
      defineProjection<unknown>({
        name: "tried",
        version: 1,
        mode: "sync",
        on: { Moved: handler, Named: (_event, rows) => rows.put("kept", { a: 1 }) },
      }),
    ]);
    await append(store, projections, [event("a", "Named", { name: "" })]);
    await append(store, projections, [moved()]);

    expect(rowsOf(store, projections, "tried")).toEqual({ kept: { a: 1 } });
    const [parked] = [...store.scan("rows", { prefix: ["tried", 1, "parked"] })];
    expect((parked?.value as { reason: string }).reason).toMatch(reason);
    await store.close();
  });

  test("the longest key of the widest characters is kept and found", async () => {
    const { store } = open();
    const key = "\uffff".repeat(512);
    const projections = openProjections(store, [
      handling({ key: () => key, apply: (row) => ((row as number) ?? 0) + 1 }),
    ]);
    await append(store, projections, [moved()]);
    await append(store, projections, [moved()]);

    expect(rowsOf(store, projections, "tried")).toEqual({ [key]: 2 });
    await store.close();
  });

  test("the short form leaves out what has no key, deletes on undefined, and keeps what it returns unchanged", async () => {
    const { store } = open();
    const projections = openProjections(store, [
      handling({
        key: ({ data }) => ((data as { by: number }).by === 0 ? undefined : "row"),
        apply: (row, { data }) => {
          const { by } = data as { by: number };
          return by < 0 ? undefined : by === 1 ? row : { by };
        },
      }),
    ]);
    const rowAfter = async (by: number) => {
      await append(store, projections, [moved(by)]);
      return rowsOf(store, projections, "tried");
    };

    expect(await rowAfter(0)).toEqual({});
    expect(await rowAfter(1)).toEqual({});
    expect(await rowAfter(7)).toEqual({ row: { by: 7 } });
    expect(await rowAfter(1)).toEqual({ row: { by: 7 } });
    expect(await rowAfter(-1)).toEqual({});
    expect(projections.status()[0]?.parked).toBe(0);
    await store.close();
  });
});

test("rows that are kept for later cannot be used then", async () => {
  const { store } = (stores[0] as (typeof stores)[number])[1]();
  let kept: { put(key: string, row: unknown): void; scan(prefix: string): Iterable<unknown> } | undefined;
  const projections = openProjections(store, [
    handling((_event, rows) => {
      kept = rows;
    }),
  ]);
  await append(store, projections, [moved()]);

  expect(() => kept?.put("late", 1)).toThrow("after the handler had returned");
  expect(() => [...(kept?.scan("") ?? [])]).toThrow("after the handler had returned");
});

test("a store that fails is no handler's fault: the transaction fails, even where the handler looks away", async () => {
  const { store } = (stores[0] as (typeof stores)[number])[1]();
  const failing = (tx: EventStore): EventStore => {
    return changed(tx, {
      get: (table, key) => {
        if (table === "rows") throw new Error("the disk is gone");
        return store.get(table, key);
      },
    });
  };
  const projections = openProjections(store, [
    handling((_event, rows) => {
      try {
        rows.get("x");
      } catch {}
    }),
  ]);
  const run = store.withTransaction((tx) => {
    const appended = store.append([moved()], tx);
    const reader = failing(tx as unknown as EventStore) as unknown as typeof tx;
    if (appended.outcome === "appended") projections.apply(reader, "sync", appended.events);
  });

  await expect(run).rejects.toThrow("the disk is gone");
  expect(store.position()).toBe(0);
});
