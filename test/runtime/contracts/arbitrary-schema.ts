/** Random JSON Schemas as zod writes them, every small change of one with what it does, and values that fit one. */
import fc from "fast-check";
import type { JsonSchema } from "../../../src/runtime/contracts/json-schema.ts";

const names = ["a", "b", "c", "d"];
const words = ["x", "y", "z"];

/** Schemas of objects: what commands and events have. */
export const arbitraryObjectSchema: fc.Arbitrary<JsonSchema> = fc.letrec<{ any: JsonSchema; object: JsonSchema }>(
  (tie) => ({
    any: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      leaf(),
      tie("object"),
      arrayOf(tie),
      recordOf(tie),
      unionOf(tie),
    ),
    object: fc
      .record({
        fields: fc.dictionary(fc.constantFrom(...names), tie("any"), { minKeys: 1, maxKeys: 3, noNullPrototype: true }),
        required: fc.subarray(names),
        isStrict: fc.boolean(),
      })
      .map(({ fields, required, isStrict }) => ({
        type: "object",
        properties: fields,
        required: required.filter((name) => Object.hasOwn(fields, name)),
        additionalProperties: isStrict ? false : {},
      })),
  }),
).object;

type Tie = (key: "any") => fc.Arbitrary<JsonSchema>;

function leaf(): fc.Arbitrary<JsonSchema> {
  return fc.oneof(
    fc.constant({}),
    fc.constant({ type: "boolean" }),
    fc.constant({ type: "null" }),
    fc.constant({ type: "string" }),
    fc.constant({ type: "string", minLength: 1, maxLength: 3 }),
    fc.constant({ type: "string", pattern: "^x" }),
    fc.subarray(words, { minLength: 2 }).map((values) => ({ type: "string", enum: values })),
    fc.constantFrom(...words).map((value) => ({ type: "string", const: value })),
    fc.constant({ type: "number" }),
    fc.constant({ type: "number", minimum: 0, exclusiveMaximum: 4 }),
    fc.constant({ type: "integer", minimum: -9007199254740991, maximum: 9007199254740991 }),
    fc.constant({ type: "integer", minimum: 0, maximum: 4 }),
  );
}

function arrayOf(tie: Tie): fc.Arbitrary<JsonSchema> {
  const list = tie("any").map((items) => ({ type: "array", items, maxItems: 3 }));
  const tuple = fc.tuple(tie("any"), tie("any")).map((prefixItems) => ({ type: "array", prefixItems, items: false }));
  return fc.oneof({ weight: 3, arbitrary: list }, tuple);
}

function recordOf(tie: Tie): fc.Arbitrary<JsonSchema> {
  return tie("any").map((values) => ({
    type: "object",
    propertyNames: { type: "string", maxLength: 2 },
    additionalProperties: values,
  }));
}

/** Of different types, and of objects with different tags. */
function unionOf(tie: Tie): fc.Arbitrary<JsonSchema> {
  const nullable = leaf()
    .filter(({ type }) => type !== undefined && type !== "null")
    .map((schema) => ({ anyOf: [schema, { type: "null" }] }));
  const mixed = fc.constant({ anyOf: [{ type: "number" }, { type: "string", enum: ["NaN", "Infinity"] }] });
  const tagged = fc.tuple(tie("any"), tie("any")).map(([one, other]) => ({
    oneOf: [
      {
        type: "object",
        properties: { kind: { const: "one" }, a: one },
        required: ["kind"],
        additionalProperties: false,
      },
      {
        type: "object",
        properties: { kind: { const: "two" }, b: other },
        required: ["kind"],
        additionalProperties: false,
      },
    ],
  }));
  return fc.oneof(nullable, mixed, tagged);
}

/** A schema after one small change. */
export interface Mutation {
  readonly after: JsonSchema;
  /** Where `differences` has to see it. */
  readonly path: string;
  readonly kind: string;
  readonly effect: "wider" | "narrower" | "both" | "none";
}

/** Every small change of a schema. */
export function mutationsOf(schema: JsonSchema, path = ""): Mutation[] {
  const here = (kind: string, effect: Mutation["effect"], change: JsonSchema, at = path): Mutation => ({
    after: { ...schema, ...change },
    path: at,
    kind,
    effect,
  });
  const members = (schema.anyOf ?? schema.oneOf) as readonly JsonSchema[] | undefined;
  if (members !== undefined) return unionMutations(schema, members, path);
  if (Array.isArray(schema.enum)) return enumMutations(schema, schema.enum, here);
  switch (schema.type) {
    case undefined:
      return schema.const === undefined ? [here("type", "narrower", { type: "string" })] : [];
    case "object":
      return schema.properties === undefined ? recordMutations(schema, path) : objectMutations(schema, path);
    case "array":
      return schema.prefixItems === undefined ? arrayMutations(schema, path) : tupleMutations(schema, path);
    case "string":
      return schema.const === undefined ? stringMutations(schema, here) : [];
    case "number":
    case "integer":
      return numberMutations(schema, here);
    default:
      return [here("type", "both", { type: "string" })];
  }
}

type Here = (kind: string, effect: Mutation["effect"], change: JsonSchema) => Mutation;

function stringMutations(schema: JsonSchema, here: Here): Mutation[] {
  const { minLength = 0, maxLength } = schema as { minLength?: number; maxLength?: number };
  return [
    here("bound", "narrower", { minLength: minLength + 1 }),
    here("bound", "narrower", { maxLength: 2 }),
    ...(minLength > 0 ? [here("bound", "wider", { minLength: minLength - 1 })] : []),
    ...(maxLength === undefined ? [] : [here("bound", "wider", { maxLength: maxLength + 1 })]),
    schema.pattern === undefined
      ? here("bound", "narrower", { pattern: "^y" })
      : here("other", "both", { pattern: "^y" }),
    here("bound", "narrower", { format: "date-time" }),
    here("values", "narrower", { enum: ["xx"] }),
    { ...here("type", "both", {}), after: { type: "number" } },
    { ...here("type", "wider", {}), after: {} },
    { ...here("type", "wider", {}), after: { anyOf: [schema, { type: "null" }] } },
  ];
}

function enumMutations(schema: JsonSchema, values: readonly unknown[], here: Here): Mutation[] {
  const { enum: _values, ...rest } = schema;
  return [
    ...(values.length > 1 ? [here("values", "narrower", { enum: values.slice(1) })] : []),
    here("values", "wider", { enum: [...values, "w"] }),
    { ...here("values", "wider", {}), after: rest },
  ];
}

function numberMutations(schema: JsonSchema, here: Here): Mutation[] {
  const isInteger = schema.type === "integer";
  const number = schema.minimum === 0 ? { ...schema, type: "number" } : { type: "number" };
  return [
    here("bound", "narrower", { minimum: 1 }),
    here("bound", "narrower", { exclusiveMaximum: 3 }),
    isInteger ? { ...here("type", "wider", {}), after: number } : here("type", "narrower", { type: "integer" }),
    { ...here("type", "both", {}), after: { type: "string" } },
    here("bound", "narrower", { multipleOf: 2 }),
    here("other", "both", { unheardOf: true }),
  ];
}

function arrayMutations(schema: JsonSchema, path: string): Mutation[] {
  const at = (effect: Mutation["effect"], change: JsonSchema): Mutation => ({
    after: { ...schema, ...change },
    path,
    kind: "bound",
    effect,
  });
  return [
    at("narrower", { minItems: 1 }),
    at("narrower", { maxItems: 2 }),
    at("wider", { maxItems: 4 }),
    ...inside(schema.items as JsonSchema, `${path}[]`, (items) => ({ ...schema, items })),
  ];
}

function tupleMutations(schema: JsonSchema, path: string): Mutation[] {
  const items = schema.prefixItems as readonly JsonSchema[];
  return items.flatMap((item, i) =>
    inside(item, `${path}[${i}]`, (changed) => ({ ...schema, prefixItems: items.with(i, changed) })),
  );
}

function recordMutations(schema: JsonSchema, path: string): Mutation[] {
  const values = schema.additionalProperties as JsonSchema;
  return [
    ...inside(values, below(path, "*"), (changed) => ({ ...schema, additionalProperties: changed })),
    {
      after: { ...schema, propertyNames: { type: "string", maxLength: 1 } },
      path: below(path, "(name)"),
      kind: "bound",
      effect: "narrower",
    },
  ];
}

function objectMutations(schema: JsonSchema, path: string): Mutation[] {
  const properties = schema.properties as Readonly<Record<string, JsonSchema>>;
  const required = schema.required as readonly string[];
  const isStrict = schema.additionalProperties === false;
  const added = { ...properties, added: { type: "string" } };
  const at = below(path, "added");
  return [
    { after: { ...schema, properties: added }, path: at, kind: "field-added", effect: isStrict ? "wider" : "narrower" },
    {
      after: { ...schema, properties: added, required: [...required, "added"] },
      path: at,
      kind: "required-field-added",
      effect: isStrict ? "both" : "narrower",
    },
    {
      after: { ...schema, additionalProperties: isStrict ? {} : false },
      path,
      kind: "bound",
      effect: isStrict ? "wider" : "narrower",
    },
    ...Object.keys(properties).flatMap((name) => fieldMutations(schema, name, below(path, name))),
  ];
}

function fieldMutations(schema: JsonSchema, name: string, path: string): Mutation[] {
  const properties = schema.properties as Readonly<Record<string, JsonSchema>>;
  const required = schema.required as readonly string[];
  const { [name]: field, ...others } = properties;
  const withoutName = required.filter((one) => one !== name);
  const isRequired = required.includes(name);
  return [
    { after: { ...schema, properties: others, required: withoutName }, path, kind: "field-removed", effect: "both" },
    isRequired
      ? { after: { ...schema, required: withoutName }, path, kind: "presence", effect: "wider" }
      : { after: { ...schema, required: [...required, name] }, path, kind: "presence", effect: "narrower" },
    ...inside(field as JsonSchema, path, (changed) => ({ ...schema, properties: { ...properties, [name]: changed } })),
  ];
}

function unionMutations(schema: JsonSchema, members: readonly JsonSchema[], path: string): Mutation[] {
  const keyword = schema.anyOf === undefined ? "oneOf" : "anyOf";
  const change = (effect: Mutation["effect"], after: readonly JsonSchema[]): Mutation => ({
    after: { [keyword]: after },
    path,
    kind: "type",
    effect,
  });
  return [
    ...(members.length > 1 ? [change("narrower", members.slice(1))] : []),
    ...(members.some(({ type }) => type === "boolean") ? [] : [change("wider", [...members, { type: "boolean" }])]),
  ];
}

function inside(schema: JsonSchema, path: string, around: (changed: JsonSchema) => JsonSchema): Mutation[] {
  return mutationsOf(schema, path).map((mutation) => ({ ...mutation, after: around(mutation.after) }));
}

function below(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

/** Values that mostly fit a schema. */
export function arbitraryValue(schema: JsonSchema): fc.Arbitrary<unknown> {
  const members = (schema.anyOf ?? schema.oneOf) as readonly JsonSchema[] | undefined;
  if (members !== undefined) return fc.oneof(...members.map(arbitraryValue));
  if (Array.isArray(schema.enum)) return fc.constantFrom(...schema.enum);
  if (schema.const !== undefined) return fc.constant(schema.const);
  switch (schema.type) {
    case "object":
      return arbitraryObject(schema);
    case "array": {
      const items = schema.prefixItems as readonly JsonSchema[] | undefined;
      if (items !== undefined) return fc.tuple(...items.map(arbitraryValue));
      return fc.array(arbitraryValue(schema.items as JsonSchema), { maxLength: 4 });
    }
    case "string":
      return fc.constantFrom("", "x", "y", "xx", "xxx", "xxxx", "w");
    case "number":
      return fc.constantFrom(-1, 0, 0.5, 1, 2, 3, 4, 5);
    case "integer":
      return fc.constantFrom(-1, 0, 1, 2, 3, 4, 5);
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    default:
      return fc.constantFrom<unknown>("x", 1, 0.5, true, null, [], ["x"], {}, { a: 1 });
  }
}

function arbitraryObject(schema: JsonSchema): fc.Arbitrary<unknown> {
  const {
    properties = {},
    required = [],
    additionalProperties,
  } = schema as {
    properties?: Record<string, JsonSchema>;
    required?: string[];
    additionalProperties: JsonSchema | boolean;
  };
  const fields = Object.fromEntries(Object.entries(properties).map(([name, field]) => [name, arbitraryValue(field)]));
  const named = fc.record(fields, { requiredKeys: required, noNullPrototype: true });
  if (typeof additionalProperties === "boolean") return named;
  const others = fc.dictionary(fc.constantFrom("k", "added"), arbitraryValue(additionalProperties), {
    maxKeys: 1,
    noNullPrototype: true,
  });
  return fc.tuple(others, named).map(([more, value]) => ({ ...more, ...value }));
}
