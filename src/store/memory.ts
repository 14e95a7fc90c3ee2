/**
 * A store in memory: the readable reference of what every store must do. For tests and for thinking; nothing is
 * durable.
 */
import type {
  AppendResult,
  EventStore,
  Head,
  Key,
  KeyRange,
  LogFilter,
  StreamRange,
  Subscription,
  SubscriptionHandler,
  Table,
  Transaction,
} from "../core/event-store.ts";
import type { NewEvent, RecordedEvent } from "../core/message.ts";
import { matches } from "./filter.ts";
import { compareKeys, hasPrefix } from "./keys.ts";
import { settle } from "./settle.ts";
import { Followers, subscribe } from "./subscription.ts";
import { assertNoneRuns, assertRunning, synchronous } from "./transaction-rules.ts";

interface Row {
  readonly key: Key;
  readonly value: unknown;
}

interface Deletion {
  readonly key: Key;
}

/** Opens an empty store. */
export function openMemoryStore(id: string): EventStore {
  return new MemoryStore(id);
}

class MemoryStore implements EventStore {
  readonly id: string;
  readonly #log: RecordedEvent[] = [];
  readonly #tables = new Map<Table, Map<string, Row>>();
  readonly #followers = new Followers();
  #running: Transaction | undefined;
  /** How to take back what the open transaction has done, newest last. */
  #undo: (() => void)[] = [];

  constructor(id: string) {
    this.id = id;
  }

  append(events: readonly NewEvent[], tx: Transaction): AppendResult;
  append(events: readonly NewEvent[]): Promise<AppendResult>;
  append(events: readonly NewEvent[], tx?: Transaction): AppendResult | Promise<AppendResult> {
    return tx === undefined ? this.withTransaction((own) => this.#append(events, own)) : this.#append(events, tx);
  }

  #append(events: readonly NewEvent[], tx: Transaction): AppendResult {
    assertRunning(tx === this.#running);
    const recordedAt = this.#log.at(-1)?.recordedAt ?? "";
    const settled = settle(events, { position: this.#log.length, recordedAt, head: (stream) => this.head(stream) });
    if (settled.outcome === "conflict") return settled;
    const recorded = structuredClone(settled.events.map(({ event }) => event));
    const { length } = this.#log;
    this.#undo.push(() => {
      this.#log.length = length;
    });
    this.#log.push(...recorded);
    return { outcome: "appended", events: recorded };
  }

  async withTransaction<T>(fn: (tx: Transaction) => T): Promise<T> {
    assertNoneRuns(this.#running);
    const length = this.#log.length;
    this.#undo = [];
    this.#running = this.#transaction();
    try {
      const result = synchronous(fn(this.#running));
      if (this.#log.length > length) this.#followers.wake();
      return result;
    } catch (error) {
      for (const takeBack of this.#undo.reverse()) takeBack();
      throw error;
    } finally {
      this.#running = undefined;
    }
  }

  #transaction(): Transaction {
    const transaction: Transaction = {
      get: (table, key) => this.get(table, key),
      scan: (table, range) => this.scan(table, range),
      put: (table, key, value) => this.#write(transaction, table, { key, value: structuredClone(value) }),
      delete: (table, key) => this.#write(transaction, table, { key }),
    };
    return transaction;
  }

  #write(tx: Transaction, table: Table, row: Row | Deletion): void {
    assertRunning(tx === this.#running);
    const rows = this.#rows(table);
    const name = JSON.stringify(row.key);
    const before = rows.get(name);
    this.#undo.push(() => setOrDelete(rows, name, before));
    setOrDelete(rows, name, "value" in row ? row : undefined);
  }

  #rows(table: Table): Map<string, Row> {
    const rows = this.#tables.get(table) ?? new Map<string, Row>();
    this.#tables.set(table, rows);
    return rows;
  }

  get(table: Table, key: Key): unknown {
    return this.#rows(table).get(JSON.stringify(key))?.value;
  }

  scan(table: Table, range: KeyRange): Row[] {
    const { prefix = [], after, reverse = false, limit } = range;
    const direction = reverse ? -1 : 1;
    return [...this.#rows(table).values()]
      .filter((row) => hasPrefix(row.key, prefix))
      .filter((row) => after === undefined || compareKeys(row.key, after) * direction > 0)
      .sort((a, b) => compareKeys(a.key, b.key) * direction)
      .slice(0, limit);
  }

  position(): number {
    return this.#log.length;
  }

  head(stream: string): Head {
    const last = this.#log.findLast((event) => event.stream === stream);
    return { version: last?.version ?? 0, position: last?.position ?? 0 };
  }

  readStream(stream: string, range: StreamRange = {}): RecordedEvent[] {
    const { fromVersion = 1, toVersion = Number.POSITIVE_INFINITY, limit } = range;
    return this.#log
      .filter((event) => event.stream === stream && event.version >= fromVersion && event.version <= toVersion)
      .slice(0, limit);
  }

  readStreamSince(stream: string, time: string): RecordedEvent[] {
    return this.#log.filter((event) => event.stream === stream && event.recordedAt >= time);
  }

  versionAt(stream: string, position: number): number {
    return this.#log.findLast((event) => event.stream === stream && event.position <= position)?.version ?? 0;
  }

  readAll(filter: LogFilter = {}): RecordedEvent[] {
    return this.#log.filter((event) => matches(event, filter)).slice(0, filter.limit);
  }

  positionAt(time: string): number {
    return this.#log.findLast((event) => event.recordedAt <= time)?.position ?? 0;
  }

  subscribeAll(handler: SubscriptionHandler, fromPosition: number): Subscription {
    const read = (afterPosition: number, limit: number) => this.readAll({ afterPosition, limit });
    return subscribe({ followers: this.#followers, read }, handler, fromPosition);
  }

  size(): { events: number; bytes: number } {
    return { events: this.#log.length, bytes: 0 };
  }

  async close(): Promise<void> {
    this.#followers.end();
  }
}

function setOrDelete(rows: Map<string, Row>, name: string, row: Row | undefined): void {
  if (row === undefined) rows.delete(name);
  else rows.set(name, row);
}
