/** The tables: values under keys, and the one order of keys. */
import assert from "node:assert/strict";
import { type EventStore, type Key, type KeyRange, tables } from "../../core/event-store.ts";
import { type Law, range } from "./sample.ts";

/** Keys in their order: numbers before strings, code points, a prefix before what it begins. */
const ordered: readonly Key[] = [
  [-1e300],
  [-256],
  [-2.5],
  [-1],
  [0],
  [0, -1],
  [0, "a"],
  [0.5],
  [1],
  [2],
  [10],
  [255],
  [256],
  [65_536],
  [2 ** 40],
  [Number.MAX_SAFE_INTEGER],
  [1e300],
  [""],
  ["", 0],
  ["", ""],
  ["", "a"],
  [" "],
  ["0"],
  ["10"],
  ["2"],
  ["A"],
  ["a"],
  ["a", -1],
  ["a", 2],
  ["a", 2, "x"],
  ["a", 10],
  ["a", ""],
  ["a", "", 1],
  ["a", "b"],
  ["a", "b", "c", "d", 5],
  ["a", "é"],
  ["a b"],
  ["a-1"],
  ["a-1", 1],
  ["a-1-2"],
  ["aa"],
  ["ab"],
  ["b"],
  ["z"],
  ["z".repeat(300)],
  ["é"],
  ["日本"],
  ["\uf900"],
  ["😀"],
  ["😀", 1],
];

async function fill(store: EventStore, keys: readonly Key[]): Promise<void> {
  await store.withTransaction((tx) => {
    for (const [i, key] of [...keys.entries()].sort((a, b) => ((a[0] * 7) % 11) - ((b[0] * 7) % 11))) {
      tx.put("rows", key, { i });
    }
  });
}

/** A scan, said over a list of keys that is in order. */
function expected({ prefix = [], after, reverse = false, limit }: KeyRange): Key[] {
  const begins = (key: Key) => prefix.every((part, i) => key[i] === part);
  const afterIndex = ordered.findIndex((key) => JSON.stringify(key) === JSON.stringify(after));
  const isBehind = (i: number) => after === undefined || (reverse ? i < afterIndex : i > afterIndex);
  const keys = ordered.filter((key, i) => begins(key) && isBehind(i));
  return (reverse ? keys.reverse() : keys).slice(0, limit ?? Number.POSITIVE_INFINITY);
}

function keysOf(store: EventStore, given: KeyRange): Key[] {
  return [...store.scan("rows", given)].map((row) => row.key);
}

/** What the tables hold, and the order of their keys. */
export function tableLaws(law: Law): void {
  law("gets what was last put, and undefined where nothing is", async ({ store }) => {
    await store.withTransaction((tx) => {
      tx.put("rows", ["a", 1], "old");
      tx.put("rows", ["b"], 1);
      tx.put("rows", ["gone"], 1);
    });
    await store.withTransaction((tx) => {
      tx.put("rows", ["a", 1], { new: true });
      tx.delete("rows", ["gone"]);
      tx.delete("rows", ["never", "was"]);
    });

    assert.deepEqual(store.get("rows", ["a", 1]), { new: true });
    assert.equal(store.get("rows", ["b"]), 1);
    for (const key of [["gone"], ["a"], ["a", 2], ["a", "1"], ["a", 1, 1]]) {
      assert.equal(store.get("rows", key), undefined);
    }
    assert.deepEqual(keysOf(store, {}), [["a", 1], ["b"]]);
  });

  law("keeps the tables apart", async ({ store }) => {
    await store.withTransaction((tx) => {
      for (const table of tables) tx.put(table, ["same"], table);
      tx.delete("timers", ["same"]);
    });

    for (const table of tables) {
      const value = table === "timers" ? undefined : table;
      assert.equal(store.get(table, ["same"]), value);
      assert.equal([...store.scan(table, {})].length, value === undefined ? 0 : 1);
    }
  });

  law("scans in key order", async ({ store }) => {
    await fill(store, ordered);

    assert.deepEqual(
      [...store.scan("rows", {})],
      ordered.map((key, i) => ({ key, value: { i } })),
    );
    for (const [i, key] of ordered.entries()) assert.deepEqual(store.get("rows", key), { i });
  });

  law("scans by prefix, after a key, in reverse and up to a limit, alone and together", async ({ store }) => {
    await fill(store, ordered);
    const prefixes: Key[] = [[], [0], ["a"], ["a", 2], ["a", "b"], ["a", ""], [""], ["a-1"], ["😀"], ["absent"], [3]];

    for (const prefix of prefixes) {
      for (const after of [undefined, ...ordered]) {
        for (const reverse of [false, true]) {
          for (const limit of [undefined, 0, 2]) {
            const given = {
              prefix,
              reverse,
              ...(after === undefined ? {} : { after }),
              ...(limit === undefined ? {} : { limit }),
            };
            assert.deepEqual(keysOf(store, given), expected(given), JSON.stringify(given));
          }
        }
      }
    }
  });

  law("goes on behind a key that is not there", async ({ store }) => {
    await fill(store, [
      ["a", 1],
      ["a", 3],
      ["b", 1],
    ]);

    assert.deepEqual(keysOf(store, { after: ["a", 2] }), [
      ["a", 3],
      ["b", 1],
    ]);
    assert.deepEqual(keysOf(store, { after: ["a", 2], reverse: true }), [["a", 1]]);
    assert.deepEqual(keysOf(store, { prefix: ["a"], after: ["a", 2] }), [["a", 3]]);
  });

  law("lets what a scan has given be deleted or replaced while it goes on", async ({ store }) => {
    await store.withTransaction((tx) => {
      for (const i of range(0, 499)) tx.put("rows", ["p", i], "x");
      tx.put("rows", ["q"], "x");
    });
    for (const reverse of [false, true]) {
      const count = await store.withTransaction((tx) => {
        let found = 0;
        for (const { key } of tx.scan("rows", { prefix: ["p"], reverse })) {
          found += 1;
          if (found % 2 === 0) tx.delete("rows", key);
          else tx.put("rows", key, "y".repeat(300));
        }
        return found;
      });
      assert.equal(count, reverse ? 250 : 500);
    }
    assert.equal(keysOf(store, {}).length, 126);
  });

  law("keeps plain data of every kind, each value for itself", async ({ store, reopen }) => {
    const values = [
      null,
      0,
      Number.NaN,
      Number.NEGATIVE_INFINITY,
      2 ** 60,
      "",
      "é😀\u0000",
      true,
      [],
      {},
      [undefined, { a: undefined }],
      { nested: [{ deep: [1.5, "x"] }] },
      new Date(5),
    ];
    await store.withTransaction((tx) => {
      for (const [i, value] of values.entries()) tx.put("snapshots", [i], value);
    });
    const check = (opened: EventStore) => {
      assert.deepEqual(
        values.map((_, i) => opened.get("snapshots", [i])),
        values,
      );
      assert.deepEqual(
        [...opened.scan("snapshots", {})].map((row) => row.value),
        values,
      );
    };

    check(store);
    if (reopen !== undefined) check(await reopen());
  });

  law("keeps bytes and large values, each for itself", async ({ store }) => {
    const texts = ["these bytes", "other bytes", "x".repeat(500_000)];
    await store.withTransaction((tx) => {
      for (const [i, text] of texts.entries()) tx.put("rows", [i], { bytes: Buffer.from(text), text });
    });
    const values = texts.map((_, i) => store.get("rows", [i]) as { bytes: Uint8Array; text: string });

    for (const [i, { bytes, text }] of values.entries()) {
      assert(text === texts[i] && Buffer.from(bytes).toString() === text, `value ${i} has changed`);
    }
  });

  law("does not see changes to a value after it was put", async ({ store }) => {
    const value = { list: [1] };
    await store.withTransaction((tx) => tx.put("rows", ["a"], value));
    value.list.push(2);

    assert.deepEqual(store.get("rows", ["a"]), { list: [1] });
  });
}
