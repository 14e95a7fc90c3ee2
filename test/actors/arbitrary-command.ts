/** Random commands of any aggregate, made from its schemas: from small pools, so that they meet one another. */
import fc from "fast-check";
import type { Schemas } from "retrace";
import { z } from "zod";

/** A command as it comes in from outside. It mostly fits its schema. */
export interface RawCommand {
  readonly type: string;
  readonly data: unknown;
}

/** Commands of all types of one aggregate. The last ones are rare, because schemas list last what ends a life. */
export function arbitraryCommand(schemas: Schemas): fc.Arbitrary<RawCommand> {
  const types = Object.entries(schemas.commands);
  const byType = types.map(([type, schema], index) => {
    const arbitrary = arbitraryData(schema).map((data) => ({ type, data }));
    return { weight: (types.length - index) ** 2, arbitrary };
  });
  return fc.oneof(...byType);
}

/** What a state already holds, for commands that have to name it. Asked anew for each value that is generated. */
export interface KnownValues {
  readonly strings: () => readonly string[];
  readonly integers: () => readonly number[];
  /** ISO 8601. */
  readonly times: () => readonly string[];
}

/** The data of one type of command, now and then with values that are known. It mostly fits its schema. */
export function arbitraryData(schema: z.ZodType, known?: KnownValues): fc.Arbitrary<unknown> {
  return arbitraryValue(z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as JsonSchema, known);
}

interface JsonSchema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
  readonly minItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly format?: string;
}

const anything = fc.constantFrom<unknown>("a", "b", 1, 0.5, true, null, { label: "a" }, ["a"]);

function arbitraryValue(schema: JsonSchema, known?: KnownValues): fc.Arbitrary<unknown> {
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (alternatives !== undefined) return fc.oneof(...alternatives.map((one) => arbitraryValue(one, known)));
  switch (schema.type) {
    case "object":
      return arbitraryObject(schema, known);
    case "array":
      return fc.array(arbitraryValue(schema.items ?? {}, known), { minLength: schema.minItems ?? 0, maxLength: 4 });
    case "string":
      return schema.format === "date-time"
        ? orKnown(fc.constantFrom("2026-01-01T00:00:00Z", "2026-01-02T01:00:00+01:00"), known?.times)
        : orKnown(
            fc.oneof({ weight: 4, arbitrary: fc.constant("a") }, fc.constantFrom("b", "constructor", "e1", "e2")),
            known?.strings,
          );
    case "integer":
      return orKnown(
        fc.integer({ min: schema.minimum ?? 0, max: Math.max(schema.minimum ?? 0, 0) + 4 }),
        known?.integers,
      );
    case "number":
      return fc.constantFrom(0, 0.25, 1, 2, 7);
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    default:
      return anything;
  }
}

/** One in three is known, where anything is. */
function orKnown<Value>(fresh: fc.Arbitrary<Value>, known?: () => readonly Value[]): fc.Arbitrary<Value> {
  if (known === undefined) return fresh;
  return fc.tuple(fresh, fc.nat(), fc.nat({ max: 2 })).map(([value, index, dice]) => {
    const values = known();
    return dice === 0 && values.length > 0 ? (values[index % values.length] as Value) : value;
  });
}

function arbitraryObject(schema: JsonSchema, known?: KnownValues): fc.Arbitrary<unknown> {
  const { properties, required = [], additionalProperties } = schema;
  if (properties === undefined && typeof additionalProperties === "object") {
    return fc.dictionary(fc.constantFrom("a", "b", "constructor"), arbitraryValue(additionalProperties, known), {
      noNullPrototype: true,
    });
  }
  const fields = Object.entries(properties ?? {}).map(([name, field]) => [name, arbitraryValue(field, known)] as const);
  if (known === undefined) {
    return fc.record(Object.fromEntries(fields), { requiredKeys: [...required], noNullPrototype: true });
  }
  // Any number of optional fields is as likely: where nearly all are there, so is one that a law refuses.
  const optional = fields.map(([name]) => name).filter((name) => !required.includes(name));
  return fc
    .tuple(fc.record(Object.fromEntries(fields), { noNullPrototype: true }), fc.subarray(optional))
    .map(([data, absent]) => Object.fromEntries(Object.entries(data).filter(([name]) => !absent.includes(name))));
}
