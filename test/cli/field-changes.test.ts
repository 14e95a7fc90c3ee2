/** What is different between two values: nothing more, nothing less, and where it is. */
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fieldChanges } from "../../src/cli/field-changes.ts";

const key = fc.constantFrom("a", "b", "a.b", "0", "constructor");
const leaf = fc.oneof(fc.integer({ min: 0, max: 2 }), fc.constantFrom(null, "", "x", true));

function tree(maxDepth: number, withLists: boolean): fc.Arbitrary<unknown> {
  return fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { maxDepth, depthSize: "small" },
      leaf,
      fc.dictionary(key, tie("tree"), { noNullPrototype: true }),
      ...(withLists ? [fc.array(tie("tree"), { maxLength: 4 })] : []),
    ),
  })).tree;
}

/** The value with the changes made to it. */
function made(value: unknown, changes: ReturnType<typeof fieldChanges>): unknown {
  const copy = structuredClone({ root: value }) as Record<string, unknown>;
  for (const { path, after } of changes) {
    const keys = ["root", ...path];
    const last = keys.pop() as string;
    const parent = keys.reduce<Record<string, unknown>>((at, one) => at[one] as Record<string, unknown>, copy);
    if (after === undefined) delete parent[last];
    else parent[last] = after;
  }
  return copy.root;
}

describe("the laws:", () => {
  test("no changes between equal values, and only between those", () => {
    fc.assert(
      fc.property(tree(4, true), tree(4, true), (a, b) => {
        expect(fieldChanges(a, structuredClone(a))).toEqual([]);
        expect(fieldChanges(a, b).length === 0).toBe(isDeepStrictEqual(a, b));
      }),
    );
  });

  test("the changes lead from the one to the other, and backwards from the other to the one", () => {
    fc.assert(
      fc.property(tree(4, false), tree(4, false), (a, b) => {
        expect(made(a, fieldChanges(a, b))).toEqual(b);
        const backwards = fieldChanges(b, a).map(({ path, before, after }) => ({ path, before: after, after: before }));
        const forwards = fieldChanges(a, b).map(({ path, before, after }) => ({ path, before, after }));
        expect(new Set(backwards.map((one) => JSON.stringify(one)))).toEqual(
          new Set(forwards.map((one) => JSON.stringify(one))),
        );
      }),
    );
  });

  test("of a list that has grown or shrunk anywhere, only what is new or gone", () => {
    const list = fc.array(fc.integer(), { maxLength: 6 });
    fc.assert(
      fc.property(list, fc.array(fc.constant("new"), { minLength: 1, maxLength: 3 }), list, (head, middle, tail) => {
        const [short, long] = [
          [...head, ...tail],
          [...head, ...middle, ...tail],
        ];
        const grown = fieldChanges(short, long);
        expect(grown.map((one) => one.after)).toEqual(middle);
        expect(grown.every((one) => !("before" in one))).toBe(true);
        expect(fieldChanges(long, short).map((one) => one.before)).toEqual(middle);
      }),
    );
  });
});

test("changes are named from the outside in", () => {
  const before = { a: { b: [{ c: 1 }, { c: 2 }] }, gone: 1 };
  const after = { a: { b: [{ c: 1 }, { c: 3 }] }, new: null };
  expect(fieldChanges(before, after)).toEqual([
    { path: ["a", "b", "1", "c"], before: 2, after: 3 },
    { path: ["gone"], before: 1 },
    { path: ["new"], after: null },
  ]);
});
