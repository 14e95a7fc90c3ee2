import assert from "node:assert/strict";
import fc from "fast-check";
import { test } from "vitest";
import { type EventStore, type Key, type Table, type Transaction, tables } from "../../src/core/event-store.ts";
import type { NewEvent } from "../../src/core/message.ts";
import { compareKeys } from "../../src/store/keys.ts";
import { openLmdbStore } from "../../src/store/lmdb.ts";
import { openMemoryStore } from "../../src/store/memory.ts";
import { at } from "../../src/testing/conformance/sample.ts";
import { tempDir } from "../support/temp.ts";
import { categories, correlations, data, names, newEvent, text, types } from "./arbitraries.ts";

const numRuns = Number(process.env.RETRACE_TORTURE_RUNS ?? 150);
const maxSeconds = 20;

/** One step of work on a store; what it returns must be the same for every store. */
type Step =
  | { readonly do: "append"; readonly events: readonly Draft[] }
  | { readonly do: "transact"; readonly writes: readonly Write[]; readonly throws: boolean }
  | { readonly do: "reopen" };

type Write =
  | { readonly write: "append"; readonly events: readonly Draft[] }
  | { readonly write: "put"; readonly table: Table; readonly key: Key; readonly value: unknown }
  | { readonly write: "delete"; readonly table: Table; readonly key: Key };

/** An event whose version is named relative to what its stream would be at, or not at all: 1 is what comes next. */
interface Draft {
  readonly event: NewEvent;
  readonly ahead: number | undefined;
}

type Look = (store: EventStore) => unknown;

const draft: fc.Arbitrary<Draft> = fc.record({
  event: newEvent,
  ahead: fc.oneof(
    { weight: 10, arbitrary: fc.constant(undefined) },
    { weight: 10, arbitrary: fc.constant(1) },
    { weight: 1, arbitrary: fc.constantFrom(2, 0, -1) },
  ),
});
/** Many events of one stream at once, so that streams grow past the blocks of their index. */
const growth = fc
  .tuple(newEvent, fc.integer({ min: 20, max: 90 }))
  .map(([event, count]) => Array.from({ length: count }, () => ({ event, ahead: undefined })));
const drafts = fc.oneof({ weight: 5, arbitrary: fc.array(draft, { maxLength: 6 }) }, { weight: 1, arbitrary: growth });
const finite = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
const keyPart = fc.oneof(fc.constantFrom("a", "b", "", 1, 2), text, fc.integer(), finite);
const key: fc.Arbitrary<Key> = fc.array(keyPart, { minLength: 1, maxLength: 4 });
const table = fc.constantFrom(...tables);

const write: fc.Arbitrary<Write> = fc.oneof(
  fc.record({ write: fc.constant("append" as const), events: drafts }),
  fc.record({ write: fc.constant("put" as const), table, key, value: data }),
  fc.record({ write: fc.constant("delete" as const), table, key }),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("append" as const), events: drafts }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("transact" as const),
      writes: fc.array(write, { maxLength: 8 }),
      throws: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reopen" as const) }) },
);

const number = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 400 }));
const time = fc.integer({ min: -1, max: 21 }).map(at);
const streams = categories.flatMap((category) => [...names, "none"].map((name) => `${category}-${name}`));
const stream = fc.constantFrom(...streams);

/** A record of optional fields, those that are absent left out. */
function some<T extends Record<string, unknown>>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }) {
  return fc.record(fields, { requiredKeys: [], noNullPrototype: true }) as fc.Arbitrary<Partial<T>>;
}

const look: fc.Arbitrary<Look> = fc.oneof(
  some({
    afterPosition: number,
    toPosition: number,
    categories: fc.subarray([...categories, "none"]),
    types: fc.subarray([...types, "None"]),
    correlationId: fc.constantFrom(...correlations, "none"),
    since: time,
    until: time,
    by: fc.constantFrom("recorded" as const, "occurred" as const),
    limit: number,
  }).map((filter) => named(`readAll ${JSON.stringify(filter)}`, (store) => [...store.readAll(filter)])),
  fc
    .tuple(stream, some({ fromVersion: number, toVersion: number, limit: number }))
    .map(([name, range]) =>
      named(`readStream ${name} ${JSON.stringify(range)}`, (store) => [...store.readStream(name, range)]),
    ),
  fc
    .tuple(stream, time)
    .map(([name, time]) => named(`readStreamSince ${name} ${time}`, (store) => [...store.readStreamSince(name, time)])),
  fc
    .tuple(stream, number)
    .map(([name, position]) => named(`versionAt ${name} ${position}`, (store) => store.versionAt(name, position))),
  stream.map((name) => named(`head ${name}`, (store) => store.head(name))),
  time.map((time) => named(`positionAt ${time}`, (store) => store.positionAt(time))),
  fc
    .tuple(
      table,
      some({ prefix: fc.array(keyPart, { maxLength: 2 }), after: key, reverse: fc.boolean(), limit: number }),
    )
    .map(([name, range]) => named(`scan ${name} ${JSON.stringify(range)}`, (store) => [...store.scan(name, range)])),
);

/** Everything there is, by every index. */
const wholeStore: readonly Look[] = [
  (store) => [...store.readAll()],
  ...types.map(
    (type): Look =>
      (store) => [...store.readAll({ types: [type] })],
  ),
  ...categories.map(
    (category): Look =>
      (store) => [...store.readAll({ categories: [category] })],
  ),
  ...correlations.map(
    (correlationId): Look =>
      (store) => [...store.readAll({ correlationId })],
  ),
  ...streams.map(
    (stream): Look =>
      (store) => [store.head(stream), ...store.readStream(stream)],
  ),
  ...tables.map(
    (table): Look =>
      (store) => [...store.scan(table, {})],
  ),
];

function named(name: string, look: Look): Look {
  return Object.assign(look, { [fc.toStringMethod]: () => name });
}

function settled(store: EventStore, drafts: readonly Draft[]): NewEvent[] {
  const heads = new Map<string, number>();
  return drafts.map(({ event, ahead }) => {
    const head = heads.get(event.stream) ?? store.head(event.stream).version;
    heads.set(event.stream, head + 1);
    return ahead === undefined ? event : { ...event, version: head + ahead };
  });
}

async function take(
  store: EventStore,
  step: Exclude<Step, { do: "reopen" }>,
  looks: readonly Look[],
): Promise<unknown> {
  if (step.do === "append") return store.append(settled(store, step.events));
  const seen: unknown[] = [];
  const run = (tx: Transaction): void => {
    for (const write of step.writes) {
      if (write.write === "append") seen.push(store.append(settled(store, write.events), tx));
      else if (write.write === "put") tx.put(write.table, write.key, write.value);
      else tx.delete(write.table, write.key);
    }
    // Inside the transaction, too, both stores look the same.
    for (const look of looks) seen.push(look(store));
    if (step.throws) throw new Error("undo");
  };
  await store.withTransaction(run).catch((error) => seen.push(String(error)));
  return seen;
}

test("lmdb does what the memory store does, whatever is done to both", async () => {
  const run = fc.array(fc.tuple(step, fc.array(look, { maxLength: 6 })), { minLength: 1, maxLength: 25, size: "max" });
  await fc.assert(
    fc.asyncProperty(run, async (steps) => {
      const path = tempDir();
      const open = () => openLmdbStore({ path, newId: () => "id" });
      const memory = openMemoryStore("id");
      let lmdb = open();
      try {
        for (const [step, looks] of steps) {
          if (step.do === "reopen") {
            await lmdb.close();
            lmdb = open();
          } else assert.deepEqual(await take(lmdb, step, looks), await take(memory, step, looks));
          assert.equal(lmdb.position(), memory.position());
          for (const look of looks) assert.deepEqual(look(lmdb), look(memory));
        }
        await lmdb.close();
        lmdb = open();
        for (const look of wholeStore) assert.deepEqual(look(lmdb), look(memory));
      } finally {
        await lmdb.close();
      }
    }),
    {
      seed: 20_260_101,
      numRuns,
      interruptAfterTimeLimit: process.env.RETRACE_TORTURE_RUNS ? 3_600_000 : maxSeconds * 1_000,
    },
  );
}, 3_600_000);

test("lmdb keeps keys in the order that compareKeys says", async () => {
  const store = openLmdbStore({ path: tempDir(), newId: () => "id" });
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(key, { selector: (key) => JSON.stringify(key), maxLength: 30 }), async (keys) => {
      const scanned = await store.withTransaction((tx) => {
        for (const key of keys) tx.put("rows", key, key);
        const rows = [...tx.scan("rows", {})];
        for (const key of keys) tx.delete("rows", key);
        return rows;
      });
      assert.deepEqual(
        scanned,
        keys.toSorted(compareKeys).map((key) => ({ key, value: key })),
      );
    }),
    { seed: 1, numRuns: numRuns * 2 },
  );
  await store.close();
});
