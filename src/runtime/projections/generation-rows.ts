/**
 * The rows of one generation while events are applied to it: what was read and written stays in memory until `flush`
 * writes every changed row once. What a handler writes counts only when it has returned.
 */
import type { TableReader, Transaction } from "../../core/event-store.ts";
import type { RecordedEvent } from "../../core/message.ts";
import { freezePlain } from "../../core/plain-data.ts";
import type { ProjectionHandler, RowHandler, Rows, RowsHandler } from "../../core/projection.ts";
import { generationKey, parkedCountKey, parkedKey, rowKey } from "./generations.ts";
import { scanRows } from "./scan-rows.ts";

/** An event that its handler could not take; nothing of it is in the rows. */
export interface ParkedEvent {
  readonly position: number;
  readonly type: string;
  readonly stream: string;
  readonly reason: string;
  /** When that was found, ISO 8601. */
  readonly at: string;
}

const maxKeyLength = 512;
const maxReasonLength = 1_000;

/** Rows of one generation; `undefined` stands for a row that is not there. */
export class GenerationRows {
  readonly name: string;
  readonly generation: number;
  #reader: TableReader;
  readonly #known = new Map<string, unknown>();
  readonly #changed = new Set<string>();
  /** Written by the handler that runs. */
  readonly #ofEvent = new Map<string, unknown>();
  readonly #parked: ParkedEvent[] = [];
  readonly #rows: Rows;
  #parkedInAll = 0;
  #isHandling = false;
  #readError: { readonly error: unknown } | undefined;
  #weight = 0;

  constructor(name: string, generation: number, reader: TableReader) {
    this.name = name;
    this.generation = generation;
    this.#reader = reader;
    this.#rows = {
      get: (key) => this.#getOfEvent(key),
      put: (key, row) => this.#putOfEvent(key, row),
      delete: (key) => this.#putOfEvent(key, undefined),
      scan: (prefix) => this.#scanOfEvent(prefix),
    };
  }

  /** How many rows `flush` would write. */
  get changes(): number {
    return this.#changed.size + this.#parked.length;
  }

  /** About how many bytes are in memory. */
  get weight(): number {
    return this.#weight;
  }

  /** Reads from here from now on. What another reader gave, and what was not flushed to it, is forgotten. */
  readFrom(reader: TableReader): void {
    if (reader === this.#reader) return;
    this.#reader = reader;
    this.#changed.clear();
    this.#parked.length = 0;
    this.forget();
  }

  /** Gives memory back. Only after a flush. */
  forget(): void {
    this.#known.clear();
    this.#weight = 0;
  }

  /**
   * Applies one event. Returns why its handler failed; then nothing of it is written.
   * @throws what the store threw when a row could not be read: that is not the handler's fault.
   */
  apply(handler: ProjectionHandler, event: RecordedEvent): string | undefined {
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
    for (const [key, row] of this.#ofEvent) this.#set(key, row);
  }

  #applyToRow(handler: RowHandler, event: RecordedEvent): void {
    const key = handler.key(event);
    if (key === undefined) return;
    const before = this.#get(key);
    const after = handler.apply(before, event);
    if (after === before) return;
    if (after !== undefined) this.#weight += freezePlain(after);
    this.#set(key, after);
  }

  #getOfEvent(key: string): unknown {
    this.#assertHandling();
    return this.#ofEvent.has(key) ? this.#ofEvent.get(key) : this.#get(key);
  }

  #putOfEvent(key: string, row: unknown): void {
    this.#assertHandling();
    if (!this.#known.has(key)) assertKey(key);
    if (row !== undefined) this.#weight += freezePlain(row);
    this.#ofEvent.set(key, row);
  }

  *#scanOfEvent(prefix: string): Iterable<{ readonly key: string; readonly value: unknown }> {
    this.#assertHandling();
    const overlay = new Map<string, unknown>();
    for (const key of this.#changed) if (key.startsWith(prefix)) overlay.set(key, this.#known.get(key));
    for (const [key, row] of this.#ofEvent) if (key.startsWith(prefix)) overlay.set(key, row);
    const { name, generation } = this;
    for (const row of this.#reading(scanRows(this.#reader, { name, generation, prefix, overlay }))) {
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

  #get(key: string): unknown {
    const known = this.#known.get(key);
    if (known !== undefined || this.#known.has(key)) return known;
    assertKey(key);
    let row: unknown;
    try {
      row = this.#reader.get("rows", rowKey(this.name, this.generation, key));
    } catch (error) {
      this.#readError = { error };
      throw error;
    }
    this.#weight += row === undefined ? key.length : key.length + freezePlain(row);
    this.#known.set(key, row);
    return row;
  }

  #set(key: string, row: unknown): void {
    if (!this.#known.has(key)) assertKey(key);
    this.#known.set(key, row);
    this.#changed.add(key);
  }

  /** A row that is handed out to be written later would be written into another event's transaction. */
  #assertHandling(): void {
    if (!this.#isHandling) throw new Error("the rows were used after the handler had returned");
  }

  /** Sets an event aside. Returns how many it has been so far, through this object. */
  park(event: RecordedEvent, reason: string, at: string): number {
    const { position, type, stream } = event;
    this.#parkedInAll += 1;
    this.#parked.push({ position, type, stream, reason: reason.slice(0, maxReasonLength), at });
    return this.#parkedInAll;
  }

  /** Writes what has changed; it stays known. */
  flush(tx: Transaction): void {
    const { name, generation } = this;
    for (const key of this.#changed) {
      const row = this.#known.get(key);
      if (row === undefined) tx.delete("rows", rowKey(name, generation, key));
      else tx.put("rows", rowKey(name, generation, key), row);
    }
    this.#changed.clear();
    if (this.#parked.length > 0) this.#flushParked(tx);
  }

  #flushParked(tx: Transaction): void {
    const { name, generation } = this;
    const parked = this.#parked.splice(0);
    for (const event of parked) tx.put("rows", parkedKey(name, generation, event.position), event);
    const before = readParkedCount(tx, name, generation);
    tx.put("rows", parkedCountKey(name, generation), before + parked.length);
  }
}

/** How many events of a generation are parked. */
export function readParkedCount(reader: TableReader, name: string, generation: number): number {
  return (reader.get("rows", parkedCountKey(name, generation)) as number | undefined) ?? 0;
}

/** Deletes up to `limit` entries of a generation. Returns whether there may be more. */
export function deleteSome(tx: Transaction, name: string, generation: number, limit: number): boolean {
  const keys = Array.from(tx.scan("rows", { prefix: generationKey(name, generation), limit }), ({ key }) => key);
  for (const key of keys) tx.delete("rows", key);
  return keys.length === limit;
}

const surrogate = /\p{Surrogate}/u;

function assertKey(key: unknown): void {
  if (typeof key !== "string") throw new TypeError(`a row's key is a text, not ${typeof key}`);
  if (key.length >= 1 && key.length <= maxKeyLength && !surrogate.test(key)) return;
  throw new RangeError(
    `a row's key has 1 to ${maxKeyLength} characters, not ${key.length}, and no half of a surrogate pair`,
  );
}
