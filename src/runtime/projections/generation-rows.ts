/** What events make of one generation: its rows, its notes, and the events that could not be taken. */
import type { Transaction } from "../../core/event-store.ts";
import type { RecordedEvent } from "../../core/message.ts";
import type { ProjectionHandler, RowHandler, Rows, RowsHandler } from "../../core/projection.ts";
import { type ParkedEvent, writeParked } from "./parked.ts";
import { type GenerationOfRows, type Row, RowSpace } from "./row-space.ts";
import { type RowReader, spanOf } from "./stored-rows.ts";

/** Rows and notes of one generation, in memory until `flush`. */
export class GenerationRows {
  readonly #of: GenerationOfRows;
  readonly #shown: RowSpace;
  readonly #notes: RowSpace;
  readonly #parked: ParkedEvent[] = [];
  readonly #rows: Rows;
  #parkedInAll = 0;

  constructor(of: GenerationOfRows, reader: RowReader) {
    this.#of = of;
    this.#shown = new RowSpace(of, "row", reader);
    this.#notes = new RowSpace(of, "note", reader);
    this.#rows = { ...this.#shown.forHandlers(), notes: this.#notes.forHandlers() };
  }

  get name(): string {
    return this.#of.name;
  }

  /** How many entries `flush` would write. */
  get changes(): number {
    return this.#shown.changes + this.#notes.changes + this.#parked.length;
  }

  /** About how many bytes are in memory. */
  get weight(): number {
    return this.#shown.weight + this.#notes.weight;
  }

  /** Reads from here from now on. What was not flushed never was; what another reader gave is kept. */
  readFrom(reader: RowReader): void {
    this.#shown.readFrom(reader);
    this.#notes.readFrom(reader);
    this.#parked.length = 0;
  }

  /** Begins with nothing in memory. */
  forget(): void {
    this.#shown.forget();
    this.#notes.forget();
  }

  /** A row as it is now. */
  get(key: string): unknown {
    return this.#shown.get(key);
  }

  /** Rows as they are now, in the order of keys. */
  scan(prefix: string, after?: string): Iterable<Row> {
    return this.#shown.scan(prefix, after);
  }

  /**
   * Applies one event. Returns why its handler failed; then nothing of it is written.
   * @throws what the store threw when a row could not be read: that is not the handler's fault.
   */
  apply(handler: ProjectionHandler, event: RecordedEvent, atPosition = event.position): string | undefined {
    const span = spanOf(atPosition, this.#of.spanEvents);
    this.#shown.begin(span);
    this.#notes.begin(span);
    let reason: string | undefined;
    try {
      if (typeof handler === "function") this.#applyToRows(handler, event);
      else this.#applyToRow(handler, event);
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
    }
    this.#shown.end();
    this.#notes.end();
    const readError = this.#shown.readError ?? this.#notes.readError;
    if (readError !== undefined) throw readError.error;
    return reason;
  }

  #applyToRows(handler: RowsHandler, event: RecordedEvent): void {
    const returned: unknown = handler(event, this.#rows);
    if (returned instanceof Promise) {
      returned.catch(() => {});
      throw new TypeError("the handler returned a promise: it must be synchronous");
    }
    // A read that failed is thrown again, whatever the handler made of it.
    if (this.#shown.readError !== undefined || this.#notes.readError !== undefined) return;
    this.#shown.keep();
    this.#notes.keep();
  }

  #applyToRow(handler: RowHandler, event: RecordedEvent): void {
    const key = handler.key(event);
    if (key === undefined) return;
    const before = this.#shown.get(key);
    const after = handler.apply(before, event);
    if (after === before) return;
    if (after !== undefined) this.#shown.weigh(after);
    this.#shown.set(key, after);
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
    this.#shown.flush(tx);
    this.#notes.flush(tx);
    if (this.#parked.length > 0) writeParked(tx, this.#of, this.#parked.splice(0));
  }
}
