/** One transaction of the LMDB store: the tables, and what it has appended. */
import type { Key, KeyRange, Table, Transaction } from "../core/event-store.ts";
import type { LmdbTables } from "./lmdb-tables.ts";
import type { RecentEvent } from "./recent.ts";
import { assertRunning } from "./transaction-rules.ts";

/** The end of the whole log. */
export interface End {
  readonly position: number;
  readonly recordedAt: string;
  /** The indexes that lag have reached this position. */
  readonly indexed: number;
}

/** What one transaction has read and written so far. */
export class LmdbTransaction implements Transaction {
  isRunning = true;
  end: End;
  readonly appended: RecentEvent[] = [];
  readonly #tables: LmdbTables;

  constructor(tables: LmdbTables, end: End) {
    this.#tables = tables;
    this.end = end;
  }

  get(table: Table, key: Key): unknown {
    return this.#tables.get(table, key);
  }

  scan(table: Table, range: KeyRange): Iterable<{ key: Key; value: unknown }> {
    return this.#tables.scan(table, range);
  }

  put(table: Table, key: Key, value: unknown): void {
    assertRunning(this.isRunning);
    this.#tables.put(table, key, value);
  }

  delete(table: Table, key: Key): void {
    assertRunning(this.isRunning);
    this.#tables.delete(table, key);
  }
}
