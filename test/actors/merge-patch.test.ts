/** JSON merge patches: the examples of RFC 7396, its laws, and names that JavaScript objects treat in their own way. */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { mergePatch, patchBetween } from "../../actors/merge-patch.ts";

type Fields = Readonly<Record<string, unknown>>;

describe("the examples of RFC 7396, appendix A", () => {
  test.each<[unknown, unknown, unknown]>([
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
    [{ a: "b" }, { a: null }, {}],
    [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
    [
      ["a", "b"],
      ["c", "d"],
      ["c", "d"],
    ],
    [{ a: "b" }, ["c"], ["c"]],
    [{ a: "foo" }, null, null],
    [{ a: "foo" }, "bar", "bar"],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: "b", c: null }, { a: "b" }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])("%j patched with %j is %j", (target, patch, result) => {
    expect(mergePatch(target, patch)).toEqual(result);
  });
});

describe("laws", () => {
  const field = fc.constantFrom("a", "b", "c", "constructor", "__proto__", "1");
  const { json, object } = fc.letrec<{ json: unknown; object: object }>((tie) => ({
    json: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom<unknown>(null, 1, "x", true),
      tie("object"),
      fc.array(tie("json"), { maxLength: 2 }),
    ),
    object: fc.array(fc.tuple(field, tie("json")), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
  }));

  test("a patch that was applied changes nothing more", () => {
    fc.assert(
      fc.property(json, json, (target, patch) => {
        const once = mergePatch(target, patch);
        assert.deepEqual(mergePatch(once, patch), once);
      }),
    );
  });

  test("the empty patch changes no object", () => {
    fc.assert(fc.property(object, (target) => assert.deepEqual(mergePatch(target, {}), target)));
  });

  test("for any two objects without null there is a patch from one to the other", () => {
    fc.assert(
      fc.property(object, object, (from, to) => {
        const [source, goal] = [withoutNull(from), withoutNull(to)];
        assert.deepEqual(mergePatch(source, difference(source, goal)), goal);
      }),
    );
  });

  test("the patch between two objects leads from one to the other, and is empty where they are the same", () => {
    fc.assert(
      fc.property(object, object, (from, to) => {
        const [source, goal] = [withoutNull(from) as Fields, withoutNull(to) as Fields];
        const patch = patchBetween(source, to as Fields);
        assert.deepEqual(mergePatch(source, patch), goal);
        assert.deepEqual(patchBetween(goal, to as Fields), {});
        assert.equal(Object.keys(patch).length === 0, isDeepStrictEqual(source, goal));
      }),
    );
  });

  test("the patch between two objects names what has changed, and nothing else", () => {
    const before = { file: "a.py", view: { from: 1, to: 9 }, open: true, list: [1] };
    const after = { file: "b.py", view: { from: 2, to: 9 }, open: null, list: [1], more: { x: null } };
    expect(patchBetween(before, after)).toEqual({ file: "b.py", view: { from: 2 }, open: null, more: {} });
  });

  test("fields that the patch does not name stay, those it sets to null are gone", () => {
    fc.assert(
      fc.property(object, object, (target, patch) => {
        const result = mergePatch(target, patch) as object;
        for (const [name, value] of Object.entries(target)) {
          if (!Object.hasOwn(patch, name)) assert.equal(read(result, name), value);
        }
        for (const [name, value] of Object.entries(patch)) assert.equal(Object.hasOwn(result, name), value !== null);
      }),
    );
  });

  test("neither argument is changed, and no prototype", () => {
    fc.assert(
      fc.property(json, json, (target, patch) => {
        const before = JSON.stringify([target, patch]);
        const result = mergePatch(target, patch);
        assert.equal(JSON.stringify([target, patch]), before);
        if (typeof result === "object" && result !== null && !Array.isArray(result)) {
          assert.equal(Object.getPrototypeOf(result), Object.prototype);
        }
      }),
    );
  });
});

test("a field named __proto__ is data, wherever it comes", () => {
  const patch = JSON.parse(
    '{"__proto__": {"isAdmin": true}, "a": {"__proto__": null, "constructor": {"prototype": 1}}}',
  );
  const result = mergePatch({ a: {} }, patch) as { isAdmin?: boolean };
  expect(JSON.stringify(result)).toBe('{"a":{"constructor":{"prototype":1}},"__proto__":{"isAdmin":true}}');
  expect(result.isAdmin).toBeUndefined();
  expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
});

function read(object: object, name: string): unknown {
  return Object.getOwnPropertyDescriptor(object, name)?.value;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function withoutNull(value: unknown): unknown {
  if (!isObject(value)) return value;
  const kept = Object.entries(value).filter(([, inner]) => inner !== null);
  return Object.fromEntries(kept.map(([name, inner]) => [name, withoutNull(inner)]));
}

/** The patch from one value to another; neither has null in an object. */
function difference(from: unknown, to: unknown): unknown {
  if (!isObject(to)) return to;
  const before = isObject(from) ? from : {};
  const gone = Object.keys(before)
    .filter((name) => !Object.hasOwn(to, name))
    .map((name) => [name, null] as const);
  const set = Object.entries(to).map(([name, value]) => [name, difference(read(before, name), value)] as const);
  return Object.fromEntries([...gone, ...set]);
}
