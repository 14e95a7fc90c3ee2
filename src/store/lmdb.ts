/**
 * The store on disk: LMDB. The only importer of lmdb.
 *
 * One writer at a time, across processes too, makes positions gapless and appends serialisable; a transaction has been
 * synced to disk when `transactionSync` returns.
 */
import { mkdirSync, statSync } from "node:fs";
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
import { LaggingIndexes, maxLag } from "./lagging-indexes.ts";
import { assertReadable, assertRoom, bytesToOpen, bytesToWrite, isStorageError, storeFault } from "./lmdb-file.ts";
import { LmdbTables } from "./lmdb-tables.ts";
import { type End, LmdbTransaction } from "./lmdb-transaction.ts";
import { RecentEvents } from "./recent.ts";
import { decodeEvent, encodeEvent, type LinkedEvent, pack, unpack } from "./record.ts";
import { settle } from "./settle.ts";
import { StreamIndex } from "./stream-index.ts";
import { Followers, subscribe } from "./subscription.ts";
import { assertNoneRuns, assertRunning, synchronous } from "./transaction-rules.ts";

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

/** Opens or creates the store in a folder. @throws Fault STORE_UNAVAILABLE with a sentence that says what to do. */
export function openLmdbStore(options: LmdbOptions): EventStore {
  const { path } = options;
  try {
    mkdirSync(path, { recursive: true });
    assertRoom(path, bytesToOpen);
    const file = join(path, fileName);
    assertReadable(file);
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

class LmdbStore implements EventStore {
  readonly id: string;
  readonly #env: RootDatabase;
  readonly #folder: string;
  readonly #file: string;
  /** position -> record */
  readonly #events: Database<Buffer, number>;
  readonly #streams: StreamIndex;
  readonly #indexes: LaggingIndexes;
  readonly #tables: LmdbTables;
  readonly #followers = new Followers();
  readonly #recent = new RecentEvents();
  readonly #poll: NodeJS.Timeout;
  #seenPosition: number;
  /** Where the log ended after this process's last append: if it still does, no other process has appended since. */
  #ownPosition = 0;
  #running: LmdbTransaction | undefined;

  constructor(env: RootDatabase, file: string, options: LmdbOptions) {
    this.#env = env;
    this.#folder = options.path;
    this.#file = file;
    this.#events = env.openDB("events", { encoding: "binary", cache: false });
    this.#streams = new StreamIndex(env, (position) => this.#readLinked(position));
    this.#indexes = new LaggingIndexes(env);
    this.#tables = new LmdbTables(env);
    this.id = this.#identify(options.newId);
    this.#seenPosition = this.position();
    this.#poll = setInterval(() => this.#lookForOthers(), options.pollMs ?? 20);
    this.#poll.unref();
  }

  #identify(newId: () => string): string {
    return this.#env.transactionSync(() => {
      const known = this.#meta("format");
      if (known === undefined) {
        this.#env.put("format", pack(format));
        this.#env.put("id", pack(newId()));
      } else if (known !== format) {
        throw new Fault("STORE_UNAVAILABLE", `${this.#file} has format ${known}; this version reads format ${format}`);
      }
      return this.#meta("id") as string;
    });
  }

  /** A few values lie beside the databases' own entries: a commit writes that page in any case. */
  #meta(key: string): unknown {
    const bytes = this.#env.getBinaryFast(key);
    return bytes === undefined ? undefined : unpack(bytes);
  }

  append(events: readonly NewEvent[], tx: Transaction): AppendResult;
  append(events: readonly NewEvent[]): Promise<AppendResult>;
  append(events: readonly NewEvent[], tx?: Transaction): AppendResult | Promise<AppendResult> {
    return tx === undefined ? this.withTransaction((own) => this.#append(events, own)) : this.#append(events, tx);
  }

  #append(events: readonly NewEvent[], given: Transaction): AppendResult {
    assertRunning(given === this.#running);
    const tx = given as LmdbTransaction;
    const settled = settle(events, { ...tx.end, head: (stream) => this.head(stream) });
    if (settled.outcome === "conflict") return settled;
    // All that may throw comes before the first put: one that fails would leave half an append behind.
    for (const { event } of settled.events) assertFitsKeys(event);
    const records = settled.events.map(({ event, previous }) => encodeEvent(event, previous));
    for (const [i, linked] of settled.events.entries()) this.#put(linked, records[i] as Buffer, tx);
    for (const [stream, head] of settled.heads) this.#streams.setHead(stream, head);
    const { recordedAt } = settled;
    tx.end = { ...tx.end, position: tx.end.position + events.length, recordedAt };
    return { outcome: "appended", events: settled.events.map(({ event }) => event) };
  }

  #put({ event, previous }: LinkedEvent, record: Buffer, tx: LmdbTransaction): void {
    this.#events.put(event.position, record, atEnd);
    this.#streams.add(event.stream, event.version, event.position);
    tx.appended.push({ event, previous, bytes: record.length });
  }

  async withTransaction<T>(fn: (tx: Transaction) => T): Promise<T> {
    assertNoneRuns(this.#running);
    let tx: LmdbTransaction | undefined;
    let isFnError = false;
    let result: T;
    try {
      assertRoom(this.#folder, bytesToWrite);
      result = this.#env.transactionSync(() => {
        const started = new LmdbTransaction(this.#tables, this.#end());
        const from = started.end.position;
        if (from !== this.#ownPosition) this.#streams.forgetHeads();
        tx = started;
        this.#running = started;
        let value: T;
        try {
          value = synchronous(fn(started));
        } catch (error) {
          isFnError = true;
          throw error;
        }
        if (started.end.position !== from) this.#putEnd(started);
        return value;
      });
    } catch (error) {
      this.#streams.forgetHeads();
      if (isFnError && !isStorageError(error)) throw error;
      throw storeFault(error, this.#file);
    } finally {
      this.#running = undefined;
      if (tx !== undefined) tx.isRunning = false;
    }
    if (tx !== undefined && tx.appended.length > 0) {
      this.#recent.add(tx.appended);
      this.#ownPosition = tx.end.position;
      this.#seenPosition = tx.end.position;
      this.#followers.wake();
    }
    return result;
  }

  #end(): End {
    const end = this.#meta("end") as [number, number, number] | undefined;
    return end === undefined
      ? { position: 0, recordedAt: "", indexed: 0 }
      : { position: end[0], recordedAt: new Date(end[1]).toISOString(), indexed: end[2] };
  }

  #putEnd({ end, appended }: LmdbTransaction): void {
    const { position, recordedAt, indexed } = end;
    const isTooLong = position - indexed > maxLag;
    if (isTooLong) this.#indexes.add(this.#tail(indexed, appended));
    this.#env.put("end", pack([position, Date.parse(recordedAt), isTooLong ? position : indexed]));
  }

  /** The log behind a position, most of it still in memory, and what the running transaction has appended. */
  *#tail(after: number, appended: readonly LinkedEvent[]): Iterable<RecordedEvent> {
    const before = (appended[0] as LinkedEvent).event.position;
    for (let position = after + 1; position < before; position++) yield this.#read(position);
    for (const { event } of appended) yield event;
  }

  #lookForOthers(): void {
    const position = this.position();
    if (position === this.#seenPosition) return;
    this.#seenPosition = position;
    this.#followers.wake();
  }

  position(): number {
    if (this.#running !== undefined) return this.#running.end.position;
    return (this.#meta("end") as [number, number] | undefined)?.[0] ?? 0;
  }

  head(stream: string): Head {
    return this.#running === undefined ? this.#streams.head(stream) : this.#streams.headInTransaction(stream);
  }

  get(table: Table, key: Key): unknown {
    return this.#tables.get(table, key);
  }

  scan(table: Table, range: KeyRange): Iterable<{ key: Key; value: unknown }> {
    return this.#tables.scan(table, range);
  }

  readStream(stream: string, range: StreamRange = {}): Iterable<RecordedEvent> {
    const { fromVersion = 1, toVersion = Number.POSITIVE_INFINITY, limit = Number.POSITIVE_INFINITY } = range;
    const from = Math.max(1, fromVersion);
    return this.#streams.events(stream, from, Math.min(toVersion, from + limit - 1));
  }

  readStreamSince(stream: string, time: string): Iterable<RecordedEvent> {
    return this.readStream(stream, { fromVersion: this.versionAt(stream, this.#positionBefore(time)) + 1 });
  }

  versionAt(stream: string, position: number): number {
    return this.#streams.versionAt(stream, position);
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
    const positions = this.#indexes.positions(filter, after);
    if (positions === undefined) {
      yield* this.#log(after);
      return;
    }
    const { indexed } = this.#end();
    for (const position of positions) yield this.#read(position);
    yield* this.#log(Math.max(after, indexed));
  }

  *#log(after: number): Iterable<RecordedEvent> {
    for (const { key, value } of this.#events.getRange({ start: after + 1 })) yield decodeEvent(value, key).event;
  }

  #read(position: number): RecordedEvent {
    return this.#readLinked(position).event;
  }

  #readLinked(position: number): LinkedEvent {
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
    this.#followers.end();
    await this.#env.close();
  }
}

/** A key holds 1,978 bytes, and each of these may need three. */
const maxKeyText = 600;

function assertFitsKeys({ stream, type, metadata }: NewEvent): void {
  const { correlationId } = metadata;
  if (Math.max(stream.length, type.length, correlationId.length) <= maxKeyText) return;
  throw new Error(`${stream}, ${type} or ${correlationId} is longer than ${maxKeyText} characters`);
}

/** Positions only grow, so the put need not search. */
const atEnd = { append: true } as unknown as number;
