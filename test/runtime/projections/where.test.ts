import fc from "fast-check";
import { defineProjection, type EventStore } from "retrace";
import { describe, expect, test } from "vitest";
import type { Projections } from "../../../src/runtime/projections/projections.ts";
import { Conditions, type Where } from "../../../src/runtime/projections/where.ts";
import { append, build, event, openProjections } from "./pieces.ts";
import { stores } from "./setting.ts";

/** What the event says is the row, or its end. */
const rowsAsTold = (name: string, indexes: readonly string[]) =>
  defineProjection<unknown>({
    name,
    version: 1,
    mode: "sync",
    indexes,
    on: {
      Named: { key: ({ stream }) => stream, apply: (_row, { data }) => (data as { row?: unknown }).row },
    },
  });

const long = "x".repeat(150);
const texts = [
  "",
  "a",
  "ab",
  "abc",
  "b",
  "\u{1f600}",
  "\ufffd",
  "\u0000",
  "\u0001a",
  long,
  `${long}y`,
  `${long}\u{1f600}`,
];
const scalar = fc.oneof(
  fc.constantFrom(...texts),
  fc.constantFrom(-1.5, -1, 0, 0.5, 1, 2, 10, 1e300, Number.MAX_SAFE_INTEGER),
  fc.boolean(),
  fc.constant(null),
);
const value = fc.oneof({ weight: 8, arbitrary: scalar }, { weight: 1, arbitrary: fc.constantFrom([1], { deep: 1 }) });
const row = fc.record(
  { a: value, b: value, nested: fc.record({ c: value }, { requiredKeys: [] }) },
  { requiredKeys: [] },
);
const write = fc.tuple(fc.constantFrom("k1", "k10", "k2", "k3", "k4", "k5", "k6"), fc.option(row, { nil: undefined }));
const batches = fc.array(fc.array(write, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 6 });

const bound = fc.oneof(fc.constantFrom(...texts), fc.constantFrom(-1, 0, 1, 5));
const bounds = fc.record(
  { eq: scalar, gt: bound, gte: bound, lt: bound, lte: bound, prefix: fc.constantFrom(...texts) },
  { requiredKeys: [], noNullPrototype: true },
);
const wanted = fc.oneof(scalar, bounds);
const where: fc.Arbitrary<Where> = fc.dictionary(fc.constantFrom("a", "b", "nested.c", "missing"), wanted, {
  maxKeys: 2,
  noNullPrototype: true,
}) as fc.Arbitrary<Where>;

interface Search {
  readonly where: Where;
  readonly prefix: string;
  readonly limit: number;
}

/** All keys that a search finds, page by page. */
function keysOf(store: EventStore, projections: Projections, name: string, { where, prefix, limit }: Search): string[] {
  const keys: string[] = [];
  let cursor: string | undefined;
  do {
    const query = { prefix, limit, conditions: new Conditions(where), ...(cursor === undefined ? {} : { cursor }) };
    const found = projections.find(store, name, query);
    keys.push(...(found?.found ?? []).map(({ row }) => row.key));
    cursor = found?.cursor;
  } while (cursor !== undefined);
  return keys;
}

describe.each(stores)("over the %s store", (_, open) => {
  test("an index finds what looking at every row finds, each row once, whatever the page", async () => {
    await fc.assert(
      fc.asyncProperty(
        batches,
        fc.array(where, { minLength: 5, maxLength: 5 }),
        fc.nat(6),
        async (drawn, searches, cut) => {
          const { store } = open();
          const events = drawn.map((batch) =>
            batch.map(([key, row]) => event(key, "Named", row === undefined ? {} : { row })),
          );
          for (const batch of events.slice(0, cut)) await append(store, openProjections(store, []), batch);
          const definitions = [rowsAsTold("indexed", ["a", "nested.c", "b"]), rowsAsTold("plain", [])];
          const projections = openProjections(store, definitions);
          await build(projections);
          for (const batch of events.slice(cut)) await append(store, projections, batch);

          for (const where of searches) {
            for (const search of [
              { where, prefix: "", limit: 1_000 },
              { where, prefix: "piece-k1", limit: 1 },
            ]) {
              const indexed = keysOf(store, projections, "indexed", search);
              expect(indexed.toSorted()).toEqual(keysOf(store, projections, "plain", search).toSorted());
              expect(keysOf(store, projections, "indexed", { ...search, limit: 2 })).toEqual(indexed);
            }
          }
          await store.close();
        },
      ),
      { seed: 3, numRuns: 60 },
    );
  });

  test("conditions mean what they say", async () => {
    const { store } = open();
    const projections = openProjections(store, [rowsAsTold("rows", ["n"])]);
    const rows: Record<string, unknown> = {
      one: { n: 1, t: "one" },
      two: { n: 2, t: "two" },
      ten: { n: 10, t: "ten" },
      text: { n: "2", t: null },
      yes: { n: true },
      none: { n: null },
      absent: {},
    };
    for (const [key, row] of Object.entries(rows)) await append(store, projections, [event(key, "Named", { row })]);
    const found = (where: Where) => {
      const keys = keysOf(store, projections, "rows", { where, prefix: "", limit: 100 });
      return keys.map((key) => key.replace("piece-", ""));
    };

    expect(found({ n: 2 })).toEqual(["two"]);
    expect(found({ n: "2" })).toEqual(["text"]);
    expect(found({ n: true })).toEqual(["yes"]);
    expect(found({ n: null })).toEqual(["none"]);
    expect(found({ n: { gte: 2 } })).toEqual(["two", "ten"]);
    expect(found({ n: { gt: 2 } })).toEqual(["ten"]);
    expect(found({ n: { lt: 10 } })).toEqual(["one", "two"]);
    expect(found({ n: { gt: 1, lte: 10 }, t: { prefix: "t" } })).toEqual(["two", "ten"]);
    expect(found({ n: { gt: "" } })).toEqual(["text"]);
    expect(found({ t: { prefix: "t" } }).toSorted()).toEqual(["ten", "two"]);
    expect(found({ n: { eq: 2, gt: 5 } })).toEqual([]);
    expect(found({ t: { eq: null } })).toEqual(["text"]);
    await store.close();
  });

  test("an index looks at what it leads to, and no further", async () => {
    const { store } = open();
    const projections = openProjections(store, [rowsAsTold("rows", ["n"])]);
    for (let from = 0; from < 3_000; from += 1_000) {
      const rows = Array.from({ length: 1_000 }, (_, i) => event(`k${from + i}`, "Named", { row: { n: from + i } }));
      await append(store, projections, rows);
    }
    const query = { prefix: "", limit: 10, conditions: new Conditions({ n: { gte: 2_990, lt: 2_995 } }) };

    expect(projections.find(store, "rows", query)).toMatchObject({ cursor: undefined, found: { length: 5 } });
    // The last row, without an index: the first slice ends before it.
    const slow = { ...query, conditions: new Conditions({ "n.x": 1 }) };
    expect(projections.find(store, "rows", slow)).toMatchObject({ cursor: expect.any(String), found: [] });
    await store.close();
  });

  test("a cursor of another search is refused", async () => {
    const { store } = open();
    const projections = openProjections(store, [rowsAsTold("rows", ["n"])]);
    await append(store, projections, [event("k", "Named", { row: { n: 1 } })]);
    const query = { prefix: "", limit: 10, conditions: new Conditions({ n: { gte: 0 } }) };
    for (const cursor of ["piece-k", "[]", '["1","piece-k"]', "[1,2]"]) {
      expect(() => projections.find(store, "rows", { ...query, cursor })).toThrow(RangeError);
    }
    await store.close();
  });
});
