/**
 * Rows, or notes, of one generation while events are applied: what was read and written stays in memory until `flush`
 * writes each changed one once. What a handler writes counts only when its event is kept.
 */
import type { Transaction } from "../../core/event-store.ts";
import { freezePlain } from "../../core/plain-data.ts";
import type { KeyedRows } from "../../core/projection.ts";
import { keptPrefix, type RowKind, rowPrefix } from "./generations.ts";
import { type IndexedFields, writeIndex } from "./indexes.ts";
import { byCodePoint, type KeyedRow, packRow, type RowReader, type StoredRow } from "./stored-rows.ts";

/** Which rows these are. */
export interface GenerationOfRows {
  readonly name: string;
  readonly generation: number;
  readonly indexes: IndexedFields;
  /** How many events a span has: what rows were is kept once for each. */
  readonly spanEvents: number;
}

/** A row in memory; without a value where there is none. */
interface Entry {
  value: unknown;
  span: number;
  born: number;
  /** What the store has. */
  stored: unknown;
}

/** A row of a projection. */
export interface Row {
  readonly key: string;
  readonly value: unknown;
}

const maxKeyLength = 512;

/** Rows of one kind. */
export class RowSpace {
  readonly #of: GenerationOfRows;
  readonly #kind: RowKind;
  #reader: RowReader;
  readonly #known = new Map<string, Entry>();
  readonly #changed = new Map<string, Entry>();
  /** The keys of what has changed, in their order; undefined until somebody wants it. */
  #order: readonly string[] | undefined;
  /** What rows were before the span in which they changed. */
  readonly #kept: { readonly key: string; readonly span: number; readonly row: StoredRow }[] = [];
  /** Written by the handler that runs; undefined for a deleted row. */
  readonly #ofEvent = new Map<string, unknown>();
  #span = 0;
  #isHandling = false;
  #readError: { readonly error: unknown } | undefined;
  #weight = 0;

  constructor(of: GenerationOfRows, kind: RowKind, reader: RowReader) {
    this.#of = of;
    this.#kind = kind;
    this.#reader = reader;
  }

  /** How many rows `flush` would write. */
  get changes(): number {
    return this.#changed.size;
  }

  /** About how many bytes are in memory. */
  get weight(): number {
    return this.#weight;
  }

  /** What the store threw when a row could not be read during this event. */
  get readError(): { readonly error: unknown } | undefined {
    return this.#readError;
  }

  /** Reads from here from now on. What was not flushed never was; what another reader gave is kept. */
  readFrom(reader: RowReader): void {
    this.#reader = reader;
    if (this.#changed.size > 0) this.forget();
  }

  /** Begins with nothing in memory. */
  forget(): void {
    this.#known.clear();
    this.#changed.clear();
    this.#order = undefined;
    this.#kept.length = 0;
    this.#weight = 0;
  }

  /** An event begins; what changes belongs to its span. */
  begin(span: number): void {
    this.#span = span;
    this.#isHandling = true;
    this.#readError = undefined;
  }

  /** Makes what the handler wrote part of the rows. */
  keep(): void {
    for (const [key, row] of this.#ofEvent) this.set(key, row);
  }

  /** The event ends. What it wrote and was not kept never was. */
  end(): void {
    this.#ofEvent.clear();
    this.#isHandling = false;
  }

  /** As a handler sees them. */
  forHandlers(): KeyedRows {
    return {
      get: (key) => {
        this.#assertHandling();
        return this.#ofEvent.has(key) ? this.#ofEvent.get(key) : this.get(key);
      },
      put: (key, row) => {
        this.#weight += freezePlain(row);
        this.#put(key, row);
      },
      delete: (key) => this.#put(key, undefined),
      scan: (prefix) => this.#scanOfEvent(prefix),
    };
  }

  #put(key: string, row: unknown): void {
    this.#assertHandling();
    // Read before anything is changed: a read that fails half-way through the changes would leave half of them.
    this.#entry(key);
    this.#ofEvent.set(key, row);
  }

  /** A row as it is now. */
  get(key: string): unknown {
    return this.#entry(key).value;
  }

  /** Changes a row; undefined deletes it. */
  set(key: string, value: unknown): void {
    const entry = this.#entry(key);
    const { span: before, born } = entry;
    const isThere = entry.value !== undefined;
    if (!isThere && value === undefined) return;
    if (isThere && before < this.#span) {
      this.#kept.push({ key, span: this.#span, row: { value: entry.value, span: before, born } });
    }
    if (!isThere) entry.born = this.#span;
    entry.value = value;
    entry.span = this.#span;
    if (!this.#changed.has(key)) this.#order = undefined;
    this.#changed.set(key, entry);
  }

  /** Counts what a handler returned into the memory in use, and makes sure that it can be kept. */
  weigh(value: unknown): void {
    this.#weight += freezePlain(value);
  }

  /** Rows as they are now, in the order of keys. */
  *scan(prefix: string, after?: string): Iterable<Row> {
    this.#order ??= inOrder(this.#changed.keys());
    const newer = { keys: rangeOf(this.#order, prefix, after), get: (key: string) => this.#changed.get(key) };
    yield* merged(this.#reader.scan({ kind: this.#kind, prefix, after }), newer);
  }

  *#scanOfEvent(prefix: string): Iterable<Row> {
    this.#assertHandling();
    const newer = new Map<string, { readonly value: unknown }>();
    for (const [key, entry] of this.#changed) if (key.startsWith(prefix)) newer.set(key, { value: entry.value });
    for (const [key, value] of this.#ofEvent) if (key.startsWith(prefix)) newer.set(key, { value });
    const read = this.#reader.scan({ kind: this.#kind, prefix });
    const all = { keys: inOrder(newer.keys()), get: (key: string) => newer.get(key) };
    for (const row of this.#reading(merged(read, all))) {
      freezePlain(row.value);
      yield row;
      this.#assertHandling();
    }
  }

  *#reading<Item>(items: Iterable<Item>): Iterable<Item> {
    try {
      yield* items;
    } catch (error) {
      this.#readError = { error };
      throw error;
    }
  }

  #entry(key: string): Entry {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    assertKey(key);
    const entry = this.#read(key);
    this.#weight += key.length + (entry.value === undefined ? 0 : freezePlain(entry.value));
    this.#known.set(key, entry);
    return entry;
  }

  #read(key: string): Entry {
    try {
      const { value, span, born } = this.#reader.get(key, this.#kind) ?? { value: undefined, span: -1, born: -1 };
      return { value, span, born, stored: value };
    } catch (error) {
      this.#readError = { error };
      throw error;
    }
  }

  /** Rows that are handed out to be written later would be written into another event's transaction. */
  #assertHandling(): void {
    if (!this.#isHandling) throw new Error("the rows were used after the handler had returned");
  }

  /** Writes what has changed; it stays known. */
  flush(tx: Transaction): void {
    const { name, generation, indexes } = this.#of;
    const prefix = rowPrefix(name, generation, this.#kind);
    const isIndexed = this.#kind === "row" && indexes.length > 0;
    for (const [key, entry] of this.#changed) {
      if (entry.value === undefined) tx.delete("rows", [...prefix, key]);
      else tx.put("rows", [...prefix, key], packRow(entry));
      if (isIndexed) writeIndex(tx, this.#of, { key, before: entry.stored, after: entry.value });
      entry.stored = entry.value;
    }
    this.#changed.clear();
    this.#order = undefined;
    for (const { key, span, row } of this.#kept.splice(0)) {
      tx.put("rows", [...keptPrefix(name, generation, this.#kind), key, span], packRow(row));
    }
  }
}

/** Rows over those that were read: their keys in order, and what each is now, undefined for a deleted one. */
interface NewerRows {
  readonly keys: readonly string[];
  get(key: string): { readonly value: unknown } | undefined;
}

/** Rows in the order of their keys: those that were read, and over them what is newer. */
function* merged(read: Iterable<KeyedRow>, newer: NewerRows): Iterable<Row> {
  const { keys } = newer;
  let next = 0;
  for (const { key, row } of read) {
    while (next < keys.length && byCodePoint(keys[next] as string, key) <= 0) {
      yield* ifThere(keys[next] as string, newer);
      next += 1;
    }
    if (newer.get(key) === undefined) yield { key, value: row.value };
  }
  for (; next < keys.length; next++) yield* ifThere(keys[next] as string, newer);
}

function* ifThere(key: string, rows: NewerRows): Iterable<Row> {
  const value = rows.get(key)?.value;
  if (value !== undefined) yield { key, value };
}

/** As `byCodePoint` has them, each turned into bytes once. */
function inOrder(keys: Iterable<string>): string[] {
  const all = Array.from(keys, (key) => ({ key, bytes: Buffer.from(key) }));
  return all.sort((a, b) => Buffer.compare(a.bytes, b.bytes)).map(({ key }) => key);
}

/** Of keys in order, those that begin with a prefix and are behind another key. */
function rangeOf(keys: readonly string[], prefix: string, after: string | undefined): readonly string[] {
  const start = firstIndex(keys, (key) => {
    return byCodePoint(key, prefix) >= 0 && (after === undefined || byCodePoint(key, after) > 0);
  });
  const end = firstIndex(keys, (key) => byCodePoint(key, prefix) > 0 && !key.startsWith(prefix));
  return keys.slice(start, Math.max(start, end));
}

/** Where something begins to hold that holds for all that follow; the length when it never does. */
function firstIndex(keys: readonly string[], holds: (key: string) => boolean): number {
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(keys[middle] as string)) high = middle;
    else low = middle + 1;
  }
  return low;
}

const surrogate = /\p{Surrogate}/u;

function assertKey(key: unknown): void {
  if (typeof key !== "string") throw new TypeError(`a row's key is a text, not ${typeof key}`);
  if (key.length >= 1 && key.length <= maxKeyLength && !surrogate.test(key)) return;
  throw new RangeError(
    `a row's key has 1 to ${maxKeyLength} characters, not ${key.length}, and no half of a surrogate pair`,
  );
}
