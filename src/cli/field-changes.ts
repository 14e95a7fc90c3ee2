/** What is different between two values of JSON, field by field. */
import { isDeepStrictEqual } from "node:util";

/** A field that changed; without `before` it is new, without `after` it is gone. */
export interface FieldChange {
  /** The keys that lead there, from the outside in. */
  readonly path: readonly string[];
  readonly before?: unknown;
  readonly after?: unknown;
}

/** The changes in the order of the fields, as deep inside as objects and lists allow; none for equal values. */
export function fieldChanges(before: unknown, after: unknown, path: readonly string[] = []): FieldChange[] {
  if (isDeepStrictEqual(before, after)) return [];
  if (Array.isArray(before) && Array.isArray(after)) return itemChanges(before, after, path);
  if (!isRecord(before) || !isRecord(after)) return [change(path, before, after)];
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) => fieldChanges(own(before, key), own(after, key), [...path, key]));
}

/** What lists have in common at both ends is left out; of what is between, item by item. */
function itemChanges(before: readonly unknown[], after: readonly unknown[], path: readonly string[]): FieldChange[] {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && isDeepStrictEqual(before[start], after[start])) start += 1;
  let end = 0;
  while (end < shorter - start && isDeepStrictEqual(before.at(-1 - end), after.at(-1 - end))) end += 1;
  const [removed, added] = [before.slice(start, before.length - end), after.slice(start, after.length - end)];
  return Array.from({ length: Math.max(removed.length, added.length) }, (_, i) => {
    return fieldChanges(removed[i], added[i], [...path, String(start + i)]);
  }).flat();
}

function change(path: readonly string[], before: unknown, after: unknown): FieldChange {
  return { path, ...(before !== undefined && { before }), ...(after !== undefined && { after }) };
}

function own(record: Readonly<Record<string, unknown>>, key: string): unknown {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
