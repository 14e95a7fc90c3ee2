/**
 * Secondary indexes: by the value of a field to the rows that have it. Texts are cut in the index, so whoever follows it
 * looks at the rows themselves.
 */
import type { Key, Transaction } from "../../core/event-store.ts";
import { indexPrefix } from "./generations.ts";

/** The fields of a projection that have an index, each as the path to it; their order numbers them. */
export type IndexedFields = readonly (readonly string[])[];

/** What can be found: everything else is in no index. */
export type Indexable = string | number | boolean | null;

/** What was changed of one row. */
interface RowChange {
  readonly key: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** Of a text, as much as fits into a key of the store beside the longest key of a row. */
const maxText = 100;

/** The paths of dotted fields. */
export function indexedFields(fields: readonly string[]): IndexedFields {
  return fields.map((field) => field.split("."));
}

/** The value at a path; undefined when there is none. */
export function fieldOf(row: unknown, path: readonly string[]): unknown {
  let value = row;
  for (const name of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[name];
  }
  return value;
}

/** As it lies in the key of an entry: values of different kinds never mix. Undefined for what is in no index. */
export function indexedValue(value: unknown): Key | undefined {
  if (value === null) return [0, 0];
  if (typeof value === "boolean") return [1, value ? 1 : 0];
  if (typeof value === "number") return [2, value + 0];
  return typeof value === "string" ? [3, cut(value)] : undefined;
}

/** Without half a surrogate pair at the end. */
function cut(text: string): string {
  if (text.length <= maxText) return wellFormed(text);
  return wellFormed(text.slice(0, maxText).replace(/[\ud800-\udbff]$/, ""));
}

/** A key of the store cannot hold half a surrogate pair; the row is compared, so another character does. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}

/** Brings the indexes of a generation up to a changed row. */
export function writeIndex(
  tx: Transaction,
  {
    name,
    generation,
    indexes,
  }: { readonly name: string; readonly generation: number; readonly indexes: IndexedFields },
  { key, before, after }: RowChange,
): void {
  for (const [i, path] of indexes.entries()) {
    const [was, is] = [fieldOf(before, path), fieldOf(after, path)];
    if (was === is) continue;
    const [old, now] = [indexedValue(was), indexedValue(is)];
    if (old !== undefined && now !== undefined && old[0] === now[0] && old[1] === now[1]) continue;
    const prefix = [...indexPrefix(name, generation), i];
    if (old !== undefined) tx.delete("rows", [...prefix, ...old, key]);
    if (now !== undefined) tx.put("rows", [...prefix, ...now, key], 0);
  }
}
