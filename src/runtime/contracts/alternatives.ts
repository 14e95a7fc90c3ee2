/**
 * A JSON Schema taken apart into alternatives, each for values of one type, so that two schemas can be compared however
 * they were written: a union, an enumeration, a list of types, a reference.
 */
import { isObject, type JsonSchema, textOf } from "./json-schema.ts";

/** A schema, with the document that its references point into. */
export interface Located {
  readonly schema: JsonSchema;
  readonly root: JsonSchema;
}

/** `any`: all values; `other`: what has no single type, compared as a whole. */
export type Kind = "any" | "string" | "number" | "integer" | "boolean" | "null" | "object" | "array" | "other";

/** One type of value that a schema lets in, with the keywords for it; `const` is written as `enum`. */
export interface Alternative {
  readonly kind: Kind;
  readonly schema: JsonSchema;
}

const types: readonly string[] = ["string", "number", "integer", "boolean", "null", "object", "array"];

/** Keywords that let in and keep out nothing. */
const annotations = new Set(
  "$schema $id $comment $defs definitions id title description examples default deprecated readOnly writeOnly".split(
    " ",
  ),
);

/** The alternatives of a schema: none when it lets in nothing. */
export function alternativesOf(located: Located, seen: readonly string[] = []): readonly Alternative[] {
  const { $ref } = located.schema;
  if (typeof $ref === "string") {
    // A union that contains itself has no more alternatives for that.
    if (seen.includes($ref)) return [];
    const target = resolve(located);
    if (target !== undefined) return alternativesOf(target, [...seen, $ref]);
  }
  const { root } = located;
  const schema = asserted(located.schema);
  const union = schema.anyOf ?? schema.oneOf;
  if (Object.keys(schema).length === 0) return [{ kind: "any", schema }];
  if (isNever(schema)) return [];
  if (!Array.isArray(union)) return byType(schema);
  if (Object.keys(schema).length > 1) return [{ kind: "other", schema }];
  return withoutSpellings(union.flatMap((one) => alternativesOf({ schema: one as JsonSchema, root }, seen)));
}

/** What a reference points to, with the keywords beside the reference; undefined when that is not in the document. */
export function resolve({ schema, root }: Located): Located | undefined {
  const { $ref, ...beside } = schema;
  const [start, ...steps] = String($ref).split("/");
  if (start !== "#") return undefined;
  let target: unknown = root;
  for (const step of steps) {
    target = isObject(target) && Object.hasOwn(target, step) ? target[step] : undefined;
  }
  return isObject(target) ? { schema: { ...target, ...beside }, root } : undefined;
}

function asserted(schema: JsonSchema): JsonSchema {
  return Object.fromEntries(Object.entries(schema).filter(([keyword]) => !annotations.has(keyword)));
}

function isNever({ not, ...others }: JsonSchema): boolean {
  return isObject(not) && Object.keys(not).length === 0 && Object.keys(others).length === 0;
}

function byType(schema: JsonSchema): readonly Alternative[] {
  const { type, const: constant, enum: values = Object.hasOwn(schema, "const") ? [constant] : undefined } = schema;
  const named = Array.isArray(type) ? type : type === undefined ? [] : [type];
  if (!named.every((name) => types.includes(name))) return [{ kind: "other", schema }];
  if (Array.isArray(values)) return byValue(schema, values, named);
  if (named.length === 0) return [{ kind: "other", schema }];
  return named.map((name: Kind) => ({ kind: name, schema: { ...schema, type: name } }));
}

function byValue(schema: JsonSchema, values: readonly unknown[], named: readonly Kind[]): readonly Alternative[] {
  const { const: _written, type: _type, ...rest } = schema;
  const kindOf = (value: unknown): Kind => {
    const kind = kindOfValue(value);
    return kind === "number" && named.includes("integer") ? "integer" : kind;
  };
  const kinds = [...new Set(values.map(kindOf))].filter((kind) => named.length === 0 || named.includes(kind));
  return kinds.map((kind) => {
    const own = values.filter((value) => kindOf(value) === kind);
    return { kind, schema: kind === "null" ? { type: kind } : { ...rest, type: kind, enum: own } };
  });
}

function kindOfValue(value: unknown): Kind {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return typeof value as "string" | "number" | "boolean" | "object";
}

/** A union of enumerations of one type is one enumeration, and twice the same is once the same. */
function withoutSpellings(alternatives: readonly Alternative[]): readonly Alternative[] {
  const enumerations = new Map<Kind, unknown[]>();
  const others = new Map<string, Alternative>();
  for (const alternative of alternatives) {
    const { type: _type, enum: values, ...rest } = alternative.schema;
    const isEnumeration = Array.isArray(values) && Object.keys(rest).length === 0;
    if (!isEnumeration) others.set(textOf(alternative), alternative);
    else enumerations.set(alternative.kind, [...(enumerations.get(alternative.kind) ?? []), ...values]);
  }
  const merged = [...enumerations].map(([kind, values]) => ({ kind, schema: { type: kind, enum: values } }));
  return [...others.values(), ...merged];
}
