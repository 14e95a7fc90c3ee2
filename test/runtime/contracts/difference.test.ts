/** What `differences` sees between two JSON Schemas: the cases by hand, and laws over random schemas. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { type Difference, differences } from "../../../src/runtime/contracts/difference.ts";
import type { JsonSchema } from "../../../src/runtime/contracts/json-schema.ts";
import { arbitraryObjectSchema, arbitraryValue, mutationsOf } from "./arbitrary-schema.ts";

/** Differences between two zod schemas, a line each. */
function lines(before: z.ZodType, after: z.ZodType): string[] {
  const written = (schema: z.ZodType) => z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as JsonSchema;
  return differences(written(before), written(after)).map(({ path, what, effect }) => `${path}: ${what} (${effect})`);
}

describe("differences", () => {
  test("of fields: removed, added, required, optional", () => {
    const before = z.object({ gone: z.string(), kept: z.string(), must: z.string().optional(), may: z.string() });
    const after = z.object({
      kept: z.string(),
      must: z.string(),
      may: z.string().optional(),
      need: z.int(),
      can: z.int().optional(),
    });

    expect(lines(before, after)).toEqual([
      "gone: field removed (both)",
      "must: became required (narrower)",
      "may: became optional (wider)",
      "need: new required field (narrower)",
      "can: new optional field (narrower)",
    ]);
  });

  test("of an optional field, by what the object took under that name before", () => {
    const more = { a: z.string().optional() };
    expect(lines(z.strictObject({}), z.strictObject(more))).toEqual(["a: new optional field (wider)"]);
    expect(lines(z.looseObject({}), z.looseObject({ a: z.unknown().optional() }))).toEqual([
      "a: new optional field (none)",
    ]);
    expect(lines(z.object({}).catchall(z.string()), z.object(more).catchall(z.string()))).toEqual([
      "a: new optional field (none)",
    ]);
    expect(lines(z.object({}).catchall(z.number()), z.object(more).catchall(z.number()))).toEqual([
      "a: new optional field (none)",
      "a: type changed from number to string (both)",
    ]);
  });

  test("of types", () => {
    expect(lines(z.number(), z.string())).toEqual([": type changed from number to string (both)"]);
    expect(lines(z.string(), z.string().nullable())).toEqual([": type changed from string to string or null (wider)"]);
    expect(lines(z.union([z.string(), z.number()]), z.string())).toEqual([
      ": type changed from string or number to string (narrower)",
    ]);
    expect(lines(z.string(), z.unknown())).toEqual([": type changed from string to any (wider)"]);
    expect(lines(z.never(), z.string())).toEqual([": type changed from nothing to string (wider)"]);
    expect(lines(z.int().min(0), z.number().min(0))).toEqual([": type changed from integer to number (wider)"]);
    expect(lines(z.number().max(9), z.int().max(5))).toEqual([
      ": type changed from number to integer (narrower)",
      ": maximum changed from 9 to 5 (narrower)",
    ]);
  });

  test("of values", () => {
    expect(lines(z.enum(["a", "b"]), z.enum(["b", "c"]))).toEqual([
      ': no longer allows "a" (narrower)',
      ': now also allows "c" (wider)',
    ]);
    expect(lines(z.string(), z.literal("a"))).toEqual([': now allows only "a" (narrower)']);
    expect(lines(z.literal("a"), z.string())).toEqual([': no longer limited to "a" (wider)']);
    expect(lines(z.literal(1), z.literal([1, "one"]))).toEqual([
      ": type changed from number to number or string (wider)",
    ]);
  });

  test("of bounds", () => {
    expect(lines(z.string().max(9), z.string().max(5))).toEqual([": maxLength changed from 9 to 5 (narrower)"]);
    expect(lines(z.string().min(1), z.string())).toEqual([": minLength changed from 1 to 0 (wider)"]);
    expect(lines(z.number().min(0), z.number().gt(0))).toEqual([
      ": minimum changed from 0 to 0 (exclusive) (narrower)",
    ]);
    expect(lines(z.number().lt(5), z.number())).toEqual([": maximum changed from 5 (exclusive) to none (wider)"]);
    expect(lines(z.string(), z.string().regex(/^a/))).toEqual([": now has pattern ^a (narrower)"]);
    expect(lines(z.string().regex(/^a/), z.string().regex(/^b/))).toEqual([": pattern changed from ^a to ^b (both)"]);
    expect(lines(z.array(z.string()).max(3), z.array(z.string()).max(4))).toEqual([
      ": maxItems changed from 3 to 4 (wider)",
    ]);
    expect(lines(z.string().regex(/^a/), z.string().regex(/^a/).regex(/b$/))).not.toEqual([]);
  });

  test("inside arrays, tuples, records and tagged unions, with the path to them", () => {
    const run = (loss: z.ZodType) => z.object({ steps: z.array(z.object({ loss })) });
    expect(lines(run(z.number()), run(z.string()))).toEqual([
      "steps[].loss: type changed from number to string (both)",
    ]);
    expect(lines(z.tuple([z.string(), z.number()]), z.tuple([z.string(), z.string()]))).toEqual([
      "[1]: type changed from number to string (both)",
    ]);
    const record = (value: z.ZodType) => z.object({ metrics: z.record(z.string(), value) });
    expect(lines(record(z.number()), record(z.boolean()))).toEqual([
      "metrics.*: type changed from number to boolean (both)",
    ]);
    const shape = (radius: z.ZodType) =>
      z.object({
        shape: z.discriminatedUnion("kind", [
          z.object({ kind: z.literal("circle"), radius }),
          z.object({ kind: z.literal("square"), side: z.number() }),
        ]),
      });
    expect(lines(shape(z.number()), shape(z.string()))).toEqual([
      "shape(kind=circle).radius: type changed from number to string (both)",
    ]);
  });

  test("of the alternatives of a union", () => {
    const circle = z.object({ kind: z.literal("circle"), radius: z.number() });
    const square = z.object({ kind: z.literal("square"), side: z.number() });
    const line = z.object({ kind: z.literal("line") });
    expect(lines(z.union([circle, square]), z.union([square, circle]))).toEqual([]);
    expect(lines(z.union([circle, square]), z.union([square, line]))).toEqual([
      ": alternatives changed: no longer object (kind=circle), now also object (kind=line) (both)",
    ]);
    expect(lines(z.union([circle, square]), z.union([circle, square, line]))).toEqual([
      ": alternatives changed: now also object (kind=line) (wider)",
    ]);
    const changed = [circle.extend({ radius: z.string() }), square.extend({ side: z.string() })] as const;
    expect(lines(z.union([circle, square]), z.union(changed))).toEqual([
      "(kind=circle).radius: type changed from number to string (both)",
      "(kind=square).side: type changed from number to string (both)",
    ]);
  });

  test("of what does not belong to the value: none, but for a default", () => {
    expect(lines(z.string().describe("a"), z.string().meta({ title: "b" }))).toEqual([]);
    expect(lines(z.string().default("a"), z.string().default("b"))).toEqual([
      ': default changed from "a" to "b" (none)',
    ]);
  });

  test("through references, also of a schema that contains itself", () => {
    const tree = (value: z.ZodType) => {
      const node: z.ZodType = z.object({
        value,
        get children() {
          return z.array(node).optional();
        },
      });
      return z.object({ root: node.nullable() });
    };
    expect(lines(tree(z.number()), tree(z.number()))).toEqual([]);
    expect(lines(tree(z.number()), tree(z.string()))).toContain(
      "root.value: type changed from number to string (both)",
    );
  });

  test("of what cannot be compared: that it changed", () => {
    const before = { type: "object", patternProperties: { "^a": { type: "string" } } };
    const after = { type: "object", patternProperties: { "^a": { type: "number" } } };
    expect(differences(before, after)).toEqual([
      { path: "", kind: "other", effect: "both", what: "patternProperties changed" },
    ]);
    expect(differences({ not: { type: "string" } }, { not: { type: "number" } })).toMatchObject([{ effect: "both" }]);
    expect(differences({ $ref: "other.json" }, { $ref: "another.json" })).toMatchObject([{ effect: "both" }]);
  });

  test("of intersections, member by member", () => {
    const both = (b: z.ZodType) => z.intersection(z.object({ a: z.string() }), z.object({ b }));
    expect(lines(both(z.number()), both(z.number()))).toEqual([]);
    expect(lines(both(z.number()), both(z.string()))).toEqual(["b: type changed from number to string (both)"]);
  });
});

describe("for any schema", () => {
  test("comparing it with itself finds nothing", () => {
    fc.assert(
      fc.property(arbitraryObjectSchema, (schema) => {
        expect(differences(schema, structuredClone(schema))).toEqual([]);
      }),
    );
  });

  test("every small change is found: that one alone, where it is, as what it is", () => {
    fc.assert(
      fc.property(arbitraryObjectSchema, (schema) => {
        for (const { after, path, kind, effect } of mutationsOf(schema)) {
          expect(differences(schema, after)).toEqual([{ path, kind, effect, what: expect.any(String) }]);
          expect(differences(after, schema).length).toBeGreaterThan(0);
        }
      }),
    );
  });

  test("what is not said to be narrower takes every value that was taken before, and the reverse", () => {
    const changes = arbitraryObjectSchema.chain((before) => {
      const once = fc.constantFrom(...mutationsOf(before)).map(({ after }) => after);
      const twice = once.chain((after) => fc.constantFrom(...mutationsOf(after))).map(({ after }) => after);
      const after = fc.oneof(once, twice, arbitraryObjectSchema);
      return after.chain((after) => {
        const values = fc.array(fc.oneof(arbitraryValue(before), arbitraryValue(after)), {
          minLength: 20,
          maxLength: 20,
        });
        return fc.record({ before: fc.constant(before), after: fc.constant(after), values });
      });
    });
    let compared = 0;
    fc.assert(
      fc.property(changes, ({ before, after, values }) => {
        const found = differences(before, after);
        const [wasFitting, isFitting] = [fitter(before), fitter(after)];
        const may = (effect: Difference["effect"]) =>
          found.some((one) => one.effect === effect || one.effect === "both");
        for (const value of values) {
          if (!may("narrower") && wasFitting(value)) expect(isFitting(value)).toBe(true);
          if (!may("wider") && isFitting(value)) expect(wasFitting(value)).toBe(true);
          if (may("narrower") !== may("wider")) compared += 1;
        }
      }),
      { numRuns: 500 },
    );
    expect(compared).toBeGreaterThan(500);
  });
});

/** Zod reads the schema back, and judges. */
function fitter(schema: JsonSchema): (value: unknown) => boolean {
  const read = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]);
  return (value) => read.safeParse(value).success;
}
