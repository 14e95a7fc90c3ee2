/** The fields of a JSON Schema, and what each may hold, in a few words for people; the schema itself says the rest. */

/** A JSON Schema, or an object in one. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** One field: what it holds, whether it has to be there, and what it is when it is not. */
export interface SchemaField {
  /** Dots between the keys; `[]` behind an array stands for each of its items. */
  readonly path: string;
  readonly type: string;
  readonly isRequired: boolean;
  readonly default?: unknown;
}

const maxDepth = 4;

/** The fields of an object in the order of the schema, those of nested objects behind their own. None for what is no object. */
export function schemaFields(schema: JsonSchema): SchemaField[] {
  return fieldsOf(schema, schema, { prefix: "", depth: 0 });
}

interface Place {
  readonly prefix: string;
  readonly depth: number;
}

function fieldsOf(given: JsonSchema, root: JsonSchema, { prefix, depth }: Place): SchemaField[] {
  const schema = resolved(given, root);
  if (depth >= maxDepth) return [];
  if (schema.type === "array") return fieldsOf(part(schema.items), root, { prefix: `${prefix}[]`, depth: depth + 1 });
  const required = (schema.required ?? []) as readonly string[];
  return Object.entries(part(schema.properties)).flatMap(([name, value]) => {
    const property = resolved(part(value), root);
    const path = prefix === "" ? name : `${prefix}.${name}`;
    const own = { path, type: typeText(property, root), isRequired: required.includes(name) };
    const field = property.default === undefined ? own : { ...own, default: property.default };
    return [field, ...fieldsOf(property, root, { prefix: path, depth: depth + 1 })];
  });
}

function part(value: unknown): JsonSchema {
  return typeof value === "object" && value !== null ? (value as JsonSchema) : {};
}

function resolved(schema: JsonSchema, root: JsonSchema): JsonSchema {
  const [, name] = /^#\/\$defs\/(.+)$/.exec(String(schema.$ref ?? "")) ?? [];
  return name === undefined ? schema : { ...part(part(root.$defs)[name]), ...schema };
}

/** What a value may be: `string (1 to 128 characters)`, `integer from 0`, `"a" | "b"`, `array of {key, value?}`. */
export function typeText(given: JsonSchema, root: JsonSchema = given, depth = 0): string {
  const schema = resolved(given, root);
  const inner = (value: unknown): string => (depth >= maxDepth ? "..." : typeText(part(value), root, depth + 1));
  const union = (schema.anyOf ?? schema.oneOf) as readonly unknown[] | undefined;
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (Array.isArray(schema.enum)) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (union !== undefined) return [...new Set(union.map(inner))].join(" | ");
  switch (schema.type) {
    case "string":
      return stringText(schema);
    case "integer":
    case "number":
      return `${schema.type}${boundsText(schema)}`;
    case "array":
      return schema.prefixItems === undefined
        ? `array of ${inner(schema.items)}`
        : `[${(schema.prefixItems as readonly unknown[]).map(inner).join(", ")}]`;
    case "object":
      return objectText(schema, inner);
    default:
      return typeof schema.type === "string" ? schema.type : "JSON";
  }
}

const longestPattern = 40;

function stringText({ format, pattern, minLength, maxLength }: JsonSchema): string {
  if (format === "date-time") return "time (ISO 8601 with its zone)";
  if (typeof pattern === "string" && pattern.length <= longestPattern) return `string like /${pattern}/`;
  if (maxLength === undefined) return minLength === undefined ? "string" : `string (from ${minLength} characters)`;
  return `string (${minLength === undefined ? "up" : minLength} to ${maxLength} characters)`;
}

/** Those of the number type itself say nothing. */
function boundsText({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: JsonSchema): string {
  const bound = (word: string, value: unknown): string =>
    typeof value === "number" && Math.abs(value) < Number.MAX_SAFE_INTEGER ? ` ${word} ${value}` : "";
  const [from, to] = [bound("from", minimum), bound("to", maximum)];
  return `${from}${bound("above", exclusiveMinimum)}${to}${bound("below", exclusiveMaximum)}`;
}

function objectText(
  { properties, required, additionalProperties }: JsonSchema,
  inner: (value: unknown) => string,
): string {
  const names = Object.keys(part(properties));
  if (names.length > 0) {
    const isRequired = (name: string) => ((required ?? []) as readonly string[]).includes(name);
    return `{${names.map((name) => (isRequired(name) ? name : `${name}?`)).join(", ")}}`;
  }
  const isOfOneType = Object.keys(part(additionalProperties)).length > 0;
  return isOfOneType ? `object of ${inner(additionalProperties)}` : "object";
}
