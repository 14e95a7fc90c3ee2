import fc from "fast-check";
import { expect, test } from "vitest";
import { mergeAscending } from "../../src/store/merge.ts";

test("merges ascending lists into one, each number once", () => {
  const ascending = fc.uniqueArray(fc.integer({ min: 1, max: 60 })).map((list) => list.sort((a, b) => a - b));
  fc.assert(
    fc.property(fc.array(ascending, { maxLength: 5 }), (lists) => {
      expect([...mergeAscending(lists)]).toEqual([...new Set(lists.flat())].sort((a, b) => a - b));
    }),
    { seed: 1 },
  );
});

test("reads its sources no further than it is read itself", () => {
  function* endless(from: number): Iterable<number> {
    for (let i = from; ; i += 2) {
      if (i > 12) throw new Error("read too far");
      yield i;
    }
  }
  const merged = mergeAscending([endless(1), endless(2)])[Symbol.iterator]();

  expect(Array.from({ length: 10 }, () => merged.next().value)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

test("left early, it ends its sources, whatever they hold open", () => {
  const ended: string[] = [];
  function* source(name: string): Iterable<number> {
    try {
      for (let i = 1; ; i++) yield i;
    } finally {
      ended.push(name);
    }
  }
  const [first] = mergeAscending([source("a"), source("b")]);

  expect(first).toBe(1);
  expect(ended).toEqual(["a", "b"]);
});
