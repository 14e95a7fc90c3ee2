/**
 * The rows of one generation while events are applied to it: what was read and written stays in memory until `flush`
 * writes every changed row once. What a handler writes counts only when it has returned.
 */
import type { Transaction } from "../../core/event-store.ts";
import type { RecordedEvent } from "../../core/message.ts";
import { freezePlain } from "../../core/plain-data.ts";
import type { ProjectionHandler, RowHandler, Rows, RowsHandler } from "../../core/projection.ts";
import { keptPrefix, rowKey } from "./generations.ts";
import { type IndexedFields, writeIndex } from "./indexes.ts";
import { type ParkedEvent, writeParked } from "./parked.ts";
import { byCodePoint, packRow, type RowReader, type StoredRow, spanOf } from "./stored-rows.ts";

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

/** Rows of one generation. */
export class GenerationRows {
  readonly #of: GenerationOfRows;
  #reader: RowReader;
  readonly #known = new Map<string, Entry>();
  readonly #changed = new Map<string, Entry>();
  /** What rows were before the span in which they changed. */
  readonly #kept: { readonly key: string; readonly span: number; readonly row: StoredRow }[] = [];
  readonly #parked: ParkedEvent[] = [];
  /** Written by the handler that runs; undefined for a deleted row. */
  readonly #ofEvent = new Map<string, unknown>();
  readonly #rows: Rows;
  #span = 0;
  #isHandling = false;
  #readError: { readonly error: unknown } | undefined;
  #parkedInAll = 0;
  #weight = 0;

  constructor(of: GenerationOfRows, reader: RowReader) {
    this.#of = of;
    this.#reader = reader;
    this.#rows = {
      get: (key) => this.#getOfEvent(key),
      put: (key, row) => this.#putOfEvent(key, row),
      delete: (key) => this.#putOfEvent(key, undefined),
      scan: (prefix) => this.#scanOfEvent(prefix),
    };
  }

  get name(): string {
    return this.#of.name;
  }

  /** How many rows `flush` would write. */
  get changes(): number {
    return this.#changed.size + this.#parked.length;
  }

  /** About how many bytes are in memory. */
  get weight(): number {
    return this.#weight;
  }

  /** Reads from here from now on. What another reader gave, and what was not flushed, is forgotten. */
  readFrom(reader: RowReader): void {
    this.#reader = reader;
    this.#changed.clear();
    this.#kept.length = 0;
    this.#parked.length = 0;
    this.forget();
  }

  /** Gives memory back. Only after a flush. */
  forget(): void {
    this.#known.clear();
    this.#weight = 0;
  }

  /** A row as it is now. */
  get(key: string): unknown {
    return this.#entry(key).value;
  }

  /** Rows as they are now, in the order of keys. */
  *scan(prefix: string, after?: string): Iterable<Row> {
    const newer = [...this.#changed].filter(([key]) => key.startsWith(prefix) && isBehind(key, after));
    yield* merged(this.#reader.scan(prefix, after), new Map(newer.map(([key, { value }]) => [key, value])));
  }

  /**
   * Applies one event. Returns why its handler failed; then nothing of it is written.
   * @throws what the store threw when a row could not be read: that is not the handler's fault.
   */
  apply(handler: ProjectionHandler, event: RecordedEvent, atPosition = event.position): string | undefined {
    this.#span = spanOf(atPosition, this.#of.spanEvents);
    this.#isHandling = true;
    this.#readError = undefined;
    let reason: string | undefined;
    try {
      if (typeof handler === "function") this.#applyToRows(handler, event);
      else this.#applyToRow(handler, event);
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
    }
    this.#ofEvent.clear();
    this.#isHandling = false;
    const readError = this.#readError as { readonly error: unknown } | undefined;
    if (readError !== undefined) throw readError.error;
    return reason;
  }

  #applyToRows(handler: RowsHandler, event: RecordedEvent): void {
    const returned: unknown = handler(event, this.#rows);
    if (returned instanceof Promise) {
      returned.catch(() => {});
      throw new TypeError("the handler returned a promise: it must be synchronous");
    }
    for (const [key, row] of this.#ofEvent) this.#set(key, this.#entry(key), row);
  }

  #applyToRow(handler: RowHandler, event: RecordedEvent): void {
    const key = handler.key(event);
    if (key === undefined) return;
    const entry = this.#entry(key);
    const after = handler.apply(entry.value, event);
    if (after === entry.value) return;
    if (after !== undefined) this.#weight += freezePlain(after);
    this.#set(key, entry, after);
  }

  #getOfEvent(key: string): unknown {
    this.#assertHandling();
    return this.#ofEvent.has(key) ? this.#ofEvent.get(key) : this.#entry(key).value;
  }

  #putOfEvent(key: string, row: unknown): void {
    this.#assertHandling();
    // Read before anything is changed: a read that fails half-way through the changes would leave half of them.
    this.#entry(key);
    if (row !== undefined) this.#weight += freezePlain(row);
    this.#ofEvent.set(key, row);
  }

  *#scanOfEvent(prefix: string): Iterable<{ readonly key: string; readonly value: unknown }> {
    this.#assertHandling();
    const newer = new Map<string, unknown>();
    for (const [key, { value }] of this.#changed) if (key.startsWith(prefix)) newer.set(key, value);
    for (const [key, value] of this.#ofEvent) if (key.startsWith(prefix)) newer.set(key, value);
    for (const row of this.#reading(merged(this.#reader.scan(prefix), newer))) {
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
      const { value, span, born } = this.#reader.get(key) ?? { value: undefined, span: -1, born: -1 };
      return { value, span, born, stored: value };
    } catch (error) {
      this.#readError = { error };
      throw error;
    }
  }

  #set(key: string, entry: Entry, value: unknown): void {
    const { span: before, born } = entry;
    const isThere = entry.value !== undefined;
    if (isThere && before < this.#span) {
      this.#kept.push({ key, span: this.#span, row: { value: entry.value, span: before, born } });
    }
    if (!isThere) entry.born = this.#span;
    entry.value = value;
    entry.span = this.#span;
    this.#changed.set(key, entry);
  }

  /** Rows that are handed out to be written later would be written into another event's transaction. */
  #assertHandling(): void {
    if (!this.#isHandling) throw new Error("the rows were used after the handler had returned");
  }

  /** Sets an event aside. Returns how many it has been so far, through this object. */
  park(event: RecordedEvent, reason: string, at: string): number {
    const { position, type, stream } = event;
    this.#parked.push({ position, type, stream, reason, at });
    this.#parkedInAll += 1;
    return this.#parkedInAll;
  }

  /** Writes what has changed; it stays known. */
  flush(tx: Transaction): void {
    const { name, generation, indexes } = this.#of;
    for (const [key, entry] of this.#changed) {
      if (entry.value === undefined) tx.delete("rows", rowKey(name, generation, key));
      else tx.put("rows", rowKey(name, generation, key), packRow(entry));
      if (indexes.length > 0) writeIndex(tx, this.#of, { key, before: entry.stored, after: entry.value });
      entry.stored = entry.value;
    }
    this.#changed.clear();
    for (const { key, span, row } of this.#kept.splice(0)) {
      tx.put("rows", [...keptPrefix(name, generation), key, span], packRow(row));
    }
    if (this.#parked.length > 0) writeParked(tx, this.#of, this.#parked.splice(0));
  }
}

/** Rows in the order of their keys: those that were read, and over them what is newer; undefined for a deleted one. */
function* merged(
  read: Iterable<{ readonly key: string; readonly row: StoredRow }>,
  newer: ReadonlyMap<string, unknown>,
): Iterable<Row> {
  const keys = [...newer.keys()].sort(byCodePoint);
  let next = 0;
  for (const { key, row } of read) {
    while (next < keys.length && byCodePoint(keys[next] as string, key) <= 0) {
      yield* ifThere(keys[next] as string, newer);
      next += 1;
    }
    if (!newer.has(key)) yield { key, value: row.value };
  }
  for (; next < keys.length; next++) yield* ifThere(keys[next] as string, newer);
}

function* ifThere(key: string, rows: ReadonlyMap<string, unknown>): Iterable<Row> {
  const value = rows.get(key);
  if (value !== undefined) yield { key, value };
}

function isBehind(key: string, after: string | undefined): boolean {
  return after === undefined || byCodePoint(key, after) > 0;
}

const surrogate = /\p{Surrogate}/u;

function assertKey(key: unknown): void {
  if (typeof key !== "string") throw new TypeError(`a row's key is a text, not ${typeof key}`);
  if (key.length >= 1 && key.length <= maxKeyLength && !surrogate.test(key)) return;
  throw new RangeError(
    `a row's key has 1 to ${maxKeyLength} characters, not ${key.length}, and no half of a surrogate pair`,
  );
}
