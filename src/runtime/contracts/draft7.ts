/** JSON Schema of draft 2020-12 in draft 7, which is what AsyncAPI reads. Of what zod writes, three keywords differ. */
import { asSchema, isObject, type JsonSchema } from "./json-schema.ts";

/** A schema at its place among the components of the document. */
export function draft7(schema: JsonSchema, name: string): JsonSchema {
  const { $id: _id, $schema: _draft, ...rest } = schema;
  return asSchema(inDraft7(rest, `#/components/schemas/${name}`));
}

function inDraft7(value: unknown, base: string): unknown {
  if (Array.isArray(value)) return value.map((item) => inDraft7(item, base));
  if (!isObject(value)) return value;
  const { prefixItems, items, $defs, ...rest } = value;
  const schema = {
    ...rest,
    ...(prefixItems === undefined ? { items } : { items: prefixItems, additionalItems: items }),
    definitions: $defs,
  };
  return mapValues(schema, (item, keyword) => {
    if (keyword === "$ref") return String(item).replace(/^#/, base).replace("/$defs/", "/definitions/");
    if (literals.has(keyword)) return item;
    // Their keys are names, not keywords.
    if (maps.has(keyword) && isObject(item)) return mapValues(item, (one) => inDraft7(one, base));
    return inDraft7(item, base);
  });
}

const literals = new Set(["const", "enum", "default", "examples", "required"]);
const maps = new Set(["properties", "patternProperties", "definitions"]);

function mapValues(record: JsonSchema, map: (value: unknown, key: string) => unknown): JsonSchema {
  const present = Object.entries(record).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present.map(([key, value]) => [key, map(value, key)]));
}
