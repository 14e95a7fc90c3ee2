/** JSON Schema as plain data: what the files of a contract hold, and how it is written so that nothing but a change changes it. */

/** A JSON Schema, or an object in one. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** The schema that a keyword's value stands for: `true` and a missing one allow anything, `false` nothing. */
export function asSchema(value: unknown): JsonSchema {
  if (value === false) return { not: {} };
  return isObject(value) ? value : {};
}

/** Whether a value is an object of JSON, not an array. */
export function isObject(value: unknown): value is JsonSchema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The same value with the keys of all its objects in order, and sets (`required`) likewise. */
export function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, isNames(key, item) ? [...item].sort() : sorted(item)]),
  );
}

function isNames(key: string, value: unknown): value is readonly string[] {
  return key === "required" && Array.isArray(value) && value.every((name) => typeof name === "string");
}

/** Compares as equal what is the same but for the order of keys. */
export function textOf(value: unknown): string {
  return JSON.stringify(sorted(value)) ?? "";
}

/** The content of a file: keys in order, a newline at the end. */
export function fileText(value: unknown): string {
  return `${JSON.stringify(sorted(value), null, 2)}\n`;
}
