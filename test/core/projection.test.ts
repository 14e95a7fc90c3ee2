import fc from "fast-check";
import { defineProjection, type Projection } from "retrace";
import { describe, expect, test } from "vitest";
import { checkListensTo, checkProjection } from "../../src/core/check-projection.ts";
import { freezePlain } from "../../src/core/plain-data.ts";

const sound: Projection = defineProjection<number>({
  name: "counts",
  version: 1,
  mode: "sync",
  on: { Counted: { key: () => "all", apply: (count = 0) => count + 1 }, Reset: (_event, rows) => rows.delete("all") },
});

describe("at start the rules find", () => {
  test.each<[string, Partial<Record<keyof Projection, unknown>>, readonly string[]]>([
    ["nothing in a sound one", { indexes: ["status", "owner.name"], description: "how many" }, []],
    ["a name that is no file's", { name: "Counts" }, ['name "Counts" is not kebab-case']],
    ["version 0", { version: 0 }, ["version 0 is not an integer from 1"]],
    ["half a version", { version: 1.5 }, ["version 1.5 is not an integer from 1"]],
    ["another mode", { mode: "later" }, ['mode "later" is neither "sync" nor "async"']],
    ["a description that is no text", { description: 1 }, ["the description is not a text"]],
    ["no events", { on: {} }, ["it listens to no event"]],
    ["no handlers at all", { on: undefined }, ["it listens to no event"]],
    ["a type that is none", { on: { counted: () => {} } }, ["type counted is not PascalCase"]],
    ["half a handler", { on: { Counted: { key: () => "all" } } }, ["on Counted: neither a function nor {key, apply}"]],
    ["indexes that are no list", { indexes: "status" }, ["its indexes are not a list of fields"]],
    ["an index of nothing", { indexes: ["", "a."] }, ["", "a."].map(noField)],
    ["an index twice", { indexes: ["status", "status"] }, ["an index is listed twice"]],
  ])("%s", (_, changes, problems) => {
    expect(checkProjection({ ...sound, ...changes } as Projection)).toEqual(problems);
  });

  test("what nobody records, but for what the runtime does", () => {
    const on = { Counted: () => {}, Missed: () => {}, SagaStarted: () => {} };

    expect(checkListensTo({ ...sound, on }, new Set(["Counted"]))).toEqual([
      "it listens to Missed, which no aggregate records",
    ]);
  });
});

function noField(field: string): string {
  return `index ${JSON.stringify(field)} is not a field, or fields with dots between them`;
}

describe("plain data", () => {
  test("is what JSON carries, and is frozen in depth", () => {
    const isFrozen = (value: unknown): boolean => {
      return (
        typeof value !== "object" || value === null || (Object.isFrozen(value) && Object.values(value).every(isFrozen))
      );
    };
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false } as never), (value) => {
        expect(freezePlain(value)).toBeGreaterThan(0);
        expect(isFrozen(value)).toBe(true);
      }),
    );
  });

  test("may have fields that are undefined, as if they were absent", () => {
    expect(() => freezePlain({ a: undefined, b: 1 })).not.toThrow();
  });

  test.each<[string, unknown, string]>([
    ["a date", { at: new Date(0) }, "the row.at is a Date, not plain data"],
    ["a map", [new Map()], "the row[0] is a Map, not plain data"],
    ["a function", { a: { f: () => 1 } }, "the row.a.f is a function, not plain data"],
    ["a big integer", 1n, "the row is a bigint, not plain data"],
    ["no number", { mean: Number.NaN }, "the row.mean is NaN, which JSON cannot carry"],
    ["an endless number", { max: Number.POSITIVE_INFINITY }, "the row.max is Infinity, which JSON cannot carry"],
    ["a gap in a list", [undefined], "the row[0] is undefined, not plain data"],
    ["nothing", undefined, "the row is undefined, not plain data"],
  ])("is not %s", (_, value, message) => {
    expect(() => freezePlain(value)).toThrow(new TypeError(message));
  });

  test("weighs what is new in it", () => {
    const old = { text: "x".repeat(1_000) };
    expect(freezePlain(old)).toBeGreaterThan(1_000);
    expect(freezePlain({ old, more: 1 })).toBeLessThan(200);
  });
});
