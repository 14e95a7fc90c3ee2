/** A slice of a search for rows: in the order of keys, or led by an index. */
import type { TableReader } from "../../core/event-store.ts";
import type { GenerationRows } from "./generation-rows.ts";
import { indexedFields } from "./indexes.ts";
import type { ReadableGeneration } from "./read-rows.ts";
import type { Row } from "./row-space.ts";
import { type Conditions, type IndexEntry, type IndexRange, indexEntries } from "./where.ts";

/** What is searched for. */
export interface FindQuery {
  /** Of the row's key; empty for all. */
  readonly prefix: string;
  readonly conditions: Conditions;
  /** As `FoundRow` gives it. */
  readonly cursor?: string;
  /** Rows to return at most. */
  readonly limit: number;
}

/** A row, and what to pass as `cursor` to go on behind it. */
export interface FoundRow {
  readonly row: Row;
  readonly cursor: string;
}

/** What a slice found; `cursor` is where the next goes on, undefined when there is no more. */
export interface FoundInRows {
  readonly found: readonly FoundRow[];
  readonly cursor: string | undefined;
}

/** Where the indexes of the rows lie; rows of the past have none. */
export interface IndexedGeneration {
  readonly reader: TableReader;
  readonly readable: ReadableGeneration;
}

/** Rows looked at, at most: it bounds how long a slice holds the thread. */
const maxLooked = 1_000;

/**
 * Finds rows. Where an index leads and is asked for more than one value, they come in the order of that field and then
 * of keys, otherwise in the order of keys. @throws RangeError for a cursor that is none.
 */
export function findRows(rows: GenerationRows, query: FindQuery, indexed?: IndexedGeneration): FoundInRows {
  const range = query.conditions.leadingIndex(indexedFields(indexed?.readable.maker?.indexes ?? []));
  const isLed = indexed !== undefined && range !== undefined;
  const candidates = isLed ? byIndex(indexed, range, { rows, cursor: query.cursor }) : inKeyOrder(rows, query);
  const found: FoundRow[] = [];
  let looked = 0;
  let cursor: string | undefined;
  for (const candidate of candidates) {
    if (looked === maxLooked || found.length === query.limit) return { found, cursor };
    looked += 1;
    ({ cursor } = candidate);
    const { key, value } = candidate.row;
    if (value !== undefined && key.startsWith(query.prefix) && query.conditions.holdFor(value)) found.push(candidate);
  }
  return { found, cursor: undefined };
}

function* inKeyOrder(rows: GenerationRows, { prefix, cursor }: FindQuery): Iterable<FoundRow> {
  for (const row of rows.scan(prefix, cursor)) yield { row, cursor: row.key };
}

function* byIndex(
  { reader, readable }: IndexedGeneration,
  range: IndexRange,
  { rows, cursor }: { readonly rows: GenerationRows; readonly cursor: string | undefined },
): Iterable<FoundRow> {
  const after = cursor === undefined ? undefined : entryOf(cursor, range);
  for (const { key, value } of indexEntries(reader, readable, range, after)) {
    yield { row: { key, value: rows.get(key) }, cursor: range.isOneValue ? key : JSON.stringify([value, key]) };
  }
}

function entryOf(cursor: string, { isOneValue, from = "", kind }: IndexRange): IndexEntry {
  if (isOneValue) return { key: cursor, value: from };
  const [value, key] = parsed(cursor);
  const isEntry = typeof key === "string" && typeof value === (kind === 3 ? "string" : "number");
  if (!isEntry) throw new RangeError("the cursor is not of this search");
  return { key, value: value as string | number };
}

function parsed(cursor: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(cursor);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}
