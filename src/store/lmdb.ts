/**
 * The store on disk: LMDB. The only importer of lmdb.
 *
 * One writer at a time, across processes too, makes positions gapless and appends serialisable; a transaction has been
 * synced to disk when `transactionSync` returns.
 */
import { mkdirSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Database, open, type RootDatabase } from "lmdb";
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
import { Fault } from "../core/fault.ts";
import type { NewEvent, RecordedEvent } from "../core/message.ts";
import { matches } from "./filter.ts";
import { type LmdbKey, LmdbTables } from "./lmdb-tables.ts";
import { mergeAscending } from "./merge.ts";
import { RecentEvents } from "./recent.ts";
import { decodeEvent, encodeEvent } from "./record.ts";
import { Followers, subscribe } from "./subscription.ts";

/** How to open a store. */
export interface LmdbOptions {
  /** The folder; created when missing. */
  readonly path: string;
  /** The id that a new store gets. */
  readonly newId: () => string;
  /** How often to look for events of other processes, in milliseconds. Default: 20. */
  readonly pollMs?: number;
}

const format = 1;
const fileName = "retrace.mdb";
/** LMDB maps its lock file on opening; without room for it the process would die of a bus error. */
const bytesToOpen = 16 * 1024 * 1024;
/** Opens or creates the store in a folder. @throws Fault STORE_UNAVAILABLE with a sentence that says what to do. */
export function openLmdbStore(options: LmdbOptions): EventStore {
  const { path } = options;
  try {
    mkdirSync(path, { recursive: true });
    const { bavail, bsize } = statfsSync(path);
    if (bavail * bsize < bytesToOpen) {
      throw new Fault("STORE_UNAVAILABLE", `the disk of ${path} is full: free at least ${bytesToOpen >> 20} MiB`);
    }
    const file = join(path, fileName);
    const env = open({
      path: file,
      noSubdir: true,
      maxDbs: 32,
      overlappingSync: false,
      encoding: "binary",
      cache: false,
    });
    return new LmdbStore(env, file, options);
  } catch (error) {
    throw storeFault(error, path);
  }
}

function storeFault(error: unknown, path: string): Fault {
  if (error instanceof Fault) return error;
  const { code, message } = error as { code?: unknown; message: string };
  const reasons: Record<string, string> = {
    EACCES: `${path} is not writable: give this user write access, or name another folder with --data`,
    EROFS: `${path} is on a read-only file system: name another folder with --data`,
    ENOSPC: `the disk of ${path} is full: free some space`,
    13: `${path} is not writable: give this user write access, or name another folder with --data`,
    30: `${path} is on a read-only file system: name another folder with --data`,
    28: `the disk of ${path} is full: free some space`,
    5: `the disk of ${path} is full or failing: free some space and check it`,
  };
  return new Fault("STORE_UNAVAILABLE", reasons[String(code)] ?? `the store in ${path} failed: ${message}`, {}, error);
}

/** The end of the whole log. */
interface End {
  readonly position: number;
  readonly recordedAt: string;
}

class LmdbStore implements EventStore {
  readonly id: string;
  readonly #env: RootDatabase;
  readonly #file: string;
  readonly #meta: Database<unknown, string>;
  /** position -> record */
  readonly #events: Database<Buffer, number>;
  /** [stream, version] -> position */
  readonly #streams: Database<number, LmdbKey>;
  /** stream -> [version, position] */
  readonly #heads: Database<[number, number], string>;
  /** category/type -> positions */
  readonly #types: Database<number, string>;
  /** correlation id -> positions */
  readonly #correlations: Database<number, string>;
  readonly #tables: LmdbTables;
  readonly #followers = new Followers();
  readonly #recent = new RecentEvents();
  readonly #poll: NodeJS.Timeout;
  #seenPosition: number;

  constructor(env: RootDatabase, file: string, options: LmdbOptions) {
    this.#env = env;
    this.#file = file;
    const ordered = { encoding: "ordered-binary", cache: false } as const;
    this.#meta = env.openDB("meta", ordered);
    this.#events = env.openDB("events", { encoding: "binary", cache: false });
    this.#streams = env.openDB("streams", ordered);
    this.#heads = env.openDB("heads", ordered);
    this.#types = env.openDB("types", { ...ordered, dupSort: true });
    this.#correlations = env.openDB("correlations", { ...ordered, dupSort: true });
    this.#tables = new LmdbTables(env);
    this.id = this.#identify(options.newId);
    this.#seenPosition = this.position();
    this.#poll = setInterval(() => this.#lookForOthers(), options.pollMs ?? 20);
    this.#poll.unref();
  }

  #identify(newId: () => string): string {
    return this.#env.transactionSync(() => {
      const known = this.#meta.get("format");
      if (known === undefined) {
        this.#meta.put("format", format);
        this.#meta.put("id", newId());
      } else if (known !== format) {
        throw new Fault("STORE_UNAVAILABLE", `${this.#file} has format ${known}; this version reads format ${format}`);
      }
      return this.#meta.get("id") as string;
    });
  }

  append(events: readonly NewEvent[], tx: Transaction): AppendResult;
  append(events: readonly NewEvent[]): Promise<AppendResult>;
  append(events: readonly NewEvent[], tx?: Transaction): AppendResult | Promise<AppendResult> {
    return tx === undefined ? this.withTransaction((own) => this.#append(events, own)) : this.#append(events, tx);
  }

  #append(events: readonly NewEvent[], tx: Transaction): AppendResult {
    const heads = new Map<string, Head>();
    const end = (tx as LmdbTransaction).end;
    const recorded: RecordedEvent[] = [];
    let { position, recordedAt } = end;
    for (const event of events) {
      const actual = (heads.get(event.stream) ?? this.head(event.stream)).version;
      const version = event.version ?? actual + 1;
      if (version !== actual + 1) {
        return { outcome: "conflict", stream: event.stream, expected: version - 1, actual };
      }
      position += 1;
      if (event.recordedAt > recordedAt) recordedAt = event.recordedAt;
      heads.set(event.stream, { version, position });
      recorded.push({ ...event, version, recordedAt, position });
    }
    for (const event of recorded) this.#put(event, tx as LmdbTransaction);
    for (const [stream, head] of heads) this.#heads.put(stream, [head.version, head.position]);
    (tx as LmdbTransaction).end = { position, recordedAt };
    return { outcome: "appended", events: recorded };
  }

  #put(event: RecordedEvent, tx: LmdbTransaction): void {
    const bytes = encodeEvent(event);
    this.#events.put(event.position, bytes, atEnd);
    this.#streams.put([event.stream, event.version], event.position);
    this.#types.put(`${event.category}/${event.type}`, event.position, atEndOfDuplicates);
    this.#correlations.put(event.metadata.correlationId, event.position);
    tx.appended.push({ event, bytes: bytes.length });
  }

  async withTransaction<T>(fn: (tx: Transaction) => T): Promise<T> {
    let tx: LmdbTransaction | undefined;
    let isFnError = false;
    let result: T;
    try {
      result = this.#env.transactionSync(() => {
        const started = new LmdbTransaction(this.#tables, this.#end());
        const from = started.end;
        tx = started;
        let value: T;
        try {
          value = fn(started);
        } catch (error) {
          isFnError = true;
          throw error;
        }
        if (started.end !== from) this.#meta.put("end", [started.end.position, Date.parse(started.end.recordedAt)]);
        return value;
      });
    } catch (error) {
      if (isFnError && !isStorageError(error)) throw error;
      throw storeFault(error, this.#file);
    }
    if (tx !== undefined && tx.appended.length > 0) {
      this.#recent.add(tx.appended);
      this.#seenPosition = tx.end.position;
      this.#followers.wake();
    }
    return result;
  }

  #end(): End {
    const end = this.#meta.get("end") as [number, number] | undefined;
    return end === undefined
      ? { position: 0, recordedAt: "" }
      : { position: end[0], recordedAt: new Date(end[1]).toISOString() };
  }

  #lookForOthers(): void {
    const position = this.position();
    if (position === this.#seenPosition) return;
    this.#seenPosition = position;
    this.#followers.wake();
  }

  position(): number {
    return (this.#meta.get("end") as [number, number] | undefined)?.[0] ?? 0;
  }

  head(stream: string): Head {
    const head = this.#heads.get(stream);
    return head === undefined ? { version: 0, position: 0 } : { version: head[0], position: head[1] };
  }

  get(table: Table, key: Key): unknown {
    return this.#tables.get(table, key);
  }

  scan(table: Table, range: KeyRange): Iterable<{ key: Key; value: unknown }> {
    return this.#tables.scan(table, range);
  }

  *readStream(stream: string, range: StreamRange = {}): Iterable<RecordedEvent> {
    const { fromVersion = 1, toVersion = Number.MAX_SAFE_INTEGER, limit } = range;
    const entries = this.#streams.getRange({
      start: [stream, fromVersion],
      end: [stream, toVersion],
      inclusiveEnd: true,
      ...(limit === undefined ? {} : { limit }),
    });
    for (const { value } of entries) yield this.#read(value);
  }

  *readStreamSince(stream: string, time: string): Iterable<RecordedEvent> {
    let low = 1;
    let high = this.head(stream).version + 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const position = this.#streams.get([stream, middle]) as number;
      if (this.#read(position).recordedAt >= time) high = middle;
      else low = middle + 1;
    }
    yield* this.readStream(stream, { fromVersion: low });
  }

  *readAll(filter: LogFilter = {}): Iterable<RecordedEvent> {
    const byRecorded = filter.by !== "occurred";
    const { until, limit = Number.POSITIVE_INFINITY, toPosition = Number.POSITIVE_INFINITY } = filter;
    let after = filter.afterPosition ?? 0;
    if (byRecorded && filter.since !== undefined) after = Math.max(after, this.#positionBefore(filter.since));
    let found = 0;
    for (const event of this.#candidates(filter, after)) {
      if (found >= limit || event.position > toPosition) return;
      if (byRecorded && until !== undefined && event.recordedAt >= until) return;
      if (!matches(event, filter)) continue;
      yield event;
      found += 1;
    }
  }

  /** The events that the best index leads to, in position order; a superset of what the filter asks for. */
  *#candidates(filter: LogFilter, after: number): Iterable<RecordedEvent> {
    if (filter.correlationId !== undefined) {
      const positions = this.#correlations.getValues(filter.correlationId, { start: after + 1 });
      for (const position of positions) yield this.#read(position);
    } else if (filter.types !== undefined || filter.categories !== undefined) {
      const sources = this.#typeKeys(filter).map((key) => this.#types.getValues(key, { start: after + 1 }));
      for (const position of mergeAscending(sources)) yield this.#read(position);
    } else {
      for (const { key, value } of this.#events.getRange({ start: after + 1 })) yield decodeEvent(value, key);
    }
  }

  #typeKeys(filter: LogFilter): string[] {
    return [...this.#types.getKeys()].filter((key) => {
      const [category, type] = key.split("/") as [string, string];
      return (filter.categories?.includes(category) ?? true) && (filter.types?.includes(type) ?? true);
    });
  }

  #read(position: number): RecordedEvent {
    const recent = this.#recent.get(position);
    if (recent !== undefined) return recent;
    const bytes = this.#events.getBinaryFast(position);
    if (bytes === undefined) throw new Fault("STORE_UNAVAILABLE", `event ${position} is missing in ${this.#file}`);
    return decodeEvent(bytes, position);
  }

  positionAt(time: string): number {
    return this.#bisect((recordedAt) => recordedAt > time);
  }

  #positionBefore(time: string): number {
    return this.#bisect((recordedAt) => recordedAt >= time);
  }

  /** The last position before the first event whose time is too late; times never decrease. */
  #bisect(isTooLate: (recordedAt: string) => boolean): number {
    let low = 0;
    let high = this.position();
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (isTooLate(this.#read(middle).recordedAt)) high = middle - 1;
      else low = middle;
    }
    return low;
  }

  subscribeAll(handler: SubscriptionHandler, fromPosition: number): Subscription {
    const read = (afterPosition: number, limit: number): readonly RecordedEvent[] =>
      this.#recent.after(afterPosition, limit) ?? [...this.readAll({ afterPosition, limit })];
    return subscribe({ followers: this.#followers, read }, handler, fromPosition);
  }

  size(): { events: number; bytes: number } {
    return { events: this.position(), bytes: statSync(this.#file).size };
  }

  async close(): Promise<void> {
    clearInterval(this.#poll);
    await this.#env.close();
  }
}

/** Positions only grow, so these puts need not search. */
const atEnd = { append: true } as unknown as number;
const atEndOfDuplicates = { appendDup: true } as unknown as number;

/** What one transaction has read and written so far. */
class LmdbTransaction implements Transaction {
  end: End;
  readonly appended: { readonly event: RecordedEvent; readonly bytes: number }[] = [];
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
    this.#tables.put(table, key, value);
  }

  delete(table: Table, key: Key): void {
    this.#tables.delete(table, key);
  }
}

function isStorageError(error: unknown): boolean {
  return typeof (error as { code?: unknown }).code === "number";
}
