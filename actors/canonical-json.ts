/** JSON that is the same text for the same value, in whatever order its fields came. */

/** The text of a JSON value, the fields of every object sorted. Undefined has none. */
export function canonicalJson(value: unknown): string | undefined {
  return JSON.stringify(value, sortFields);
}

/** For `JSON.stringify`: the fields in the order of their names' UTF-16 code units, integers first. */
export function sortFields(_name: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
