/** Rows in key order: those of the store, and over them what is not written yet. */
import type { TableReader } from "../../core/event-store.ts";
import { rowKey } from "./generations.ts";

/** Which rows. */
export interface RowScan {
  readonly name: string;
  readonly generation: number;
  /** Of the row's key; empty for all. */
  readonly prefix: string;
  /** Exclusive: go on behind this key. */
  readonly after?: string;
  /** Rows that are newer than the store's; undefined for one that is not there any more. Keys begin with the prefix. */
  readonly overlay?: ReadonlyMap<string, unknown>;
}

/** A row of a projection. */
export interface Row {
  readonly key: string;
  readonly value: unknown;
}

/** Lazily, in the order of keys by code point. */
export function* scanRows(reader: TableReader, scan: RowScan): Iterable<Row> {
  const { overlay } = scan;
  if (overlay === undefined || overlay.size === 0) {
    yield* storedRows(reader, scan);
    return;
  }
  const newer = [...overlay.keys()].sort(byCodePoint);
  let next = 0;
  for (const row of storedRows(reader, scan)) {
    while (next < newer.length && byCodePoint(newer[next] as string, row.key) <= 0) {
      yield* rowOf(overlay, newer[next] as string);
      next += 1;
    }
    if (!overlay.has(row.key)) yield row;
  }
  for (; next < newer.length; next++) yield* rowOf(overlay, newer[next] as string);
}

function* rowOf(overlay: ReadonlyMap<string, unknown>, key: string): Iterable<Row> {
  const value = overlay.get(key);
  if (value !== undefined) yield { key, value };
}

function* storedRows(reader: TableReader, { name, generation, prefix, after }: RowScan): Iterable<Row> {
  const isBehind = after !== undefined && byCodePoint(after, prefix) >= 0;
  if (!isBehind && prefix !== "") {
    const value = reader.get("rows", rowKey(name, generation, prefix));
    if (value !== undefined) yield { key: prefix, value };
  }
  const start = rowKey(name, generation, isBehind ? after : prefix);
  for (const { key, value } of reader.scan("rows", { prefix: start.slice(0, -1), after: start })) {
    const row = key.at(-1) as string;
    if (!row.startsWith(prefix)) return;
    yield { key: row, value };
  }
}

/** As the store orders them; JavaScript's own order differs beyond the first 65,536 characters. */
function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
