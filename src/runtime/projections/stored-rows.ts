/** Rows as they lie in the store, and the two ways to read them: as they are, and as they were at a boundary. */
import type { Key, TableReader } from "../../core/event-store.ts";
import { behindText, keptPrefix, type RowKind, rowPrefix } from "./generations.ts";

/**
 * A row with its times, which are counted in spans: the log is cut at boundaries, `spanEvents` apart, and what a row was
 * at a boundary is kept when it changes for the first time behind it. So it is known what all rows were at any boundary.
 */
export interface StoredRow {
  readonly value: unknown;
  /** The span of its last change. */
  readonly span: number;
  /** The span in which it began to be there. */
  readonly born: number;
}

/** A row by its key. */
export interface KeyedRow {
  readonly key: string;
  readonly row: StoredRow;
}

/** Rows by key, wherever they come from. */
export interface RowReader {
  get(key: string, kind: RowKind): StoredRow | undefined;
  scan(range: RowRange): Iterable<KeyedRow>;
}

/** Rows whose keys begin with `prefix`, behind `after` (exclusive), in the order of keys by code point. */
export interface RowRange {
  readonly kind: RowKind;
  readonly prefix: string;
  readonly after?: string | undefined;
}

type Packed = readonly [value: unknown, span: number, born: number];

/** What is written. */
export function packRow({ value, span, born }: StoredRow): Packed {
  return [value, span, born];
}

function unpackRow(packed: unknown): StoredRow {
  const [value, span, born] = packed as Packed;
  return { value, span, born };
}

/** The span that an event belongs to. */
export function spanOf(position: number, spanEvents: number): number {
  return Math.floor((position - 1) / spanEvents);
}

/** The rows of a generation as they are. */
export class CurrentRows implements RowReader {
  readonly #reader: TableReader;
  readonly #name: string;
  readonly #generation: number;

  constructor(reader: TableReader, name: string, generation: number) {
    this.#reader = reader;
    this.#name = name;
    this.#generation = generation;
  }

  get(key: string, kind: RowKind): StoredRow | undefined {
    const packed = this.#reader.get("rows", [...rowPrefix(this.#name, this.#generation, kind), key]);
    return packed === undefined ? undefined : unpackRow(packed);
  }

  *scan({ kind, prefix, after }: RowRange): Iterable<KeyedRow> {
    const isBehind = after !== undefined && byCodePoint(after, prefix) >= 0;
    if (!isBehind && prefix !== "") {
      const row = this.get(prefix, kind);
      if (row !== undefined) yield { key: prefix, row };
    }
    const all = rowPrefix(this.#name, this.#generation, kind);
    for (const { key, value } of this.#reader.scan("rows", {
      prefix: all,
      after: [...all, isBehind ? after : prefix],
    })) {
      const text = key.at(-1) as string;
      if (!text.startsWith(prefix)) return;
      yield { key: text, row: unpackRow(value) };
    }
  }
}

/** The rows of a generation as they were when a span began. */
export class BoundaryRows implements RowReader {
  readonly #reader: TableReader;
  readonly #name: string;
  readonly #generation: number;
  readonly #span: number;
  readonly #current: CurrentRows;

  constructor(reader: TableReader, name: string, generation: number, span: number) {
    this.#reader = reader;
    this.#name = name;
    this.#generation = generation;
    this.#span = span;
    this.#current = new CurrentRows(reader, name, generation);
  }

  get(key: string, kind: RowKind): StoredRow | undefined {
    const prefix = [...keptPrefix(this.#name, this.#generation, kind), key];
    const [kept] = this.#reader.scan("rows", { prefix, after: [...prefix, this.#span - 1], limit: 1 });
    return this.#ifBorn(kept === undefined ? this.#current.get(key, kind) : unpackRow(kept.value));
  }

  /** What is kept of a row goes before what it is now. */
  *scan(range: RowRange): Iterable<KeyedRow> {
    const kept = this.#scanKept(range)[Symbol.iterator]();
    try {
      let next = kept.next();
      for (const current of this.#current.scan(range)) {
        while (next.done !== true && byCodePoint(next.value.key, current.key) < 0) {
          yield* this.#bornOf(next.value);
          next = kept.next();
        }
        const isKept = next.done !== true && next.value.key === current.key;
        yield* this.#bornOf(isKept ? (next.value as KeyedRow) : current);
        if (isKept) next = kept.next();
      }
      for (; next.done !== true; next = kept.next()) yield* this.#bornOf(next.value);
    } finally {
      kept.return?.();
    }
  }

  /** Of each row what it was in the first span from this one on that is kept. */
  *#scanKept({ kind, prefix, after }: RowRange): Iterable<KeyedRow> {
    const all = keptPrefix(this.#name, this.#generation, kind);
    const isBehind = after !== undefined && byCodePoint(after, prefix) >= 0;
    const start: Key = isBehind ? [...all, after, behindText] : [...all, prefix];
    let found: string | undefined;
    for (const { key, value } of this.#reader.scan("rows", { prefix: all, after: start })) {
      const [text, span] = key.slice(all.length) as [string, number];
      if (!text.startsWith(prefix)) return;
      if (text === found || span < this.#span) continue;
      found = text;
      yield { key: text, row: unpackRow(value) };
    }
  }

  #ifBorn(row: StoredRow | undefined): StoredRow | undefined {
    return row !== undefined && row.born < this.#span ? row : undefined;
  }

  *#bornOf({ key, row }: KeyedRow): Iterable<KeyedRow> {
    if (row.born < this.#span) yield { key, row };
  }
}

/** As the store orders texts; JavaScript's own order differs beyond the first 65,536 characters. */
export function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
