/**
 * The port to the log: what the runtime needs of a store, and all it may rely on. Every adapter passes the same
 * conformance suite (`retrace/testing`).
 *
 * Reads are synchronous, from the local copy of the log. A commit is awaited, so that an adapter may carry it to
 * other machines; inside a transaction everything is synchronous and sees its own writes.
 */
import type { NewEvent, RecordedEvent } from "./message.ts";

/** Where a stream ends. An empty stream is at version 0 and position 0. */
export interface Head {
  readonly version: number;
  /** Of the stream's last event. */
  readonly position: number;
}

/** What came of an append. A conflict is an outcome, not an error: nothing of the append was written. */
export type AppendResult =
  | { readonly outcome: "appended"; readonly events: readonly RecordedEvent[] }
  | { readonly outcome: "conflict"; readonly stream: string; readonly expected: number; readonly actual: number };

/** A range of one stream; both ends inclusive. */
export interface StreamRange {
  readonly fromVersion?: number;
  readonly toVersion?: number;
  readonly limit?: number;
}

/** Which events of the log to read. All given conditions hold together; what is left out does not limit. */
export interface LogFilter {
  /** Exclusive. */
  readonly afterPosition?: number;
  /** Inclusive. */
  readonly toPosition?: number;
  readonly categories?: readonly string[];
  readonly types?: readonly string[];
  readonly correlationId?: string;
  /** Inclusive, ISO 8601, against `recordedAt`, or `occurredAt` with `by: "occurred"`. */
  readonly since?: string;
  /** Exclusive, likewise. */
  readonly until?: string;
  readonly by?: "recorded" | "occurred";
  readonly limit?: number;
}

/** The key-value tables beside the log, written in the same transactions. */
export const tables = ["snapshots", "commands", "checkpoints", "rows", "timers", "sagas"] as const;
export type Table = (typeof tables)[number];

/** Compared part by part: numbers before strings, strings by code point, a prefix before what it begins. */
export type Key = readonly (string | number)[];

/** A part of a table, in key order. */
export interface KeyRange {
  /** Only keys that begin with these parts. */
  readonly prefix?: Key;
  /** Exclusive: go on behind this key. */
  readonly after?: Key;
  readonly reverse?: boolean;
  readonly limit?: number;
}

/** Reads of the tables. Values are plain data (what msgpack can carry); do not change what was read. */
export interface TableReader {
  get(table: Table, key: Key): unknown;
  scan(table: Table, range: KeyRange): Iterable<{ readonly key: Key; readonly value: unknown }>;
}

/** One atomic unit of writing: all of it is durable when `withTransaction` resolves, or none of it happened. */
export interface Transaction extends TableReader {
  put(table: Table, key: Key, value: unknown): void;
  delete(table: Table, key: Key): void;
}

/** A handler of `subscribeAll`: gets events in position order, and the next batch when it has returned or resolved. */
export type SubscriptionHandler = (events: readonly RecordedEvent[]) => void | Promise<void>;

/** A running subscription. */
export interface Subscription {
  /** The last position whose handler has finished. */
  readonly position: number;
  /** Settles when the subscription has ended: rejects with what the handler threw, resolves after `close`. */
  readonly done: Promise<void>;
  /** Ends it after the batch at hand. */
  close(): Promise<void>;
}

/** The log of events and the tables that are written together with it. */
export interface EventStore extends TableReader {
  /** Given at creation, the same for the store's whole life. */
  readonly id: string;

  /**
   * Appends events at the end of the log, all or none, checking the versions they name.
   * Inside a transaction the events become visible and durable with it; without one, when the promise resolves.
   * @throws Fault STORE_UNAVAILABLE when the log cannot be written; then nothing was appended.
   */
  append(events: readonly NewEvent[], tx: Transaction): AppendResult;
  append(events: readonly NewEvent[]): Promise<AppendResult>;

  /**
   * Runs `fn` in one serialisable transaction; a throw inside it undoes everything. `fn` must not return a promise, and
   * transactions do not nest: both are refused.
   */
  withTransaction<T>(fn: (tx: Transaction) => T): Promise<T>;

  /** The position of the last event, 0 for an empty log. */
  position(): number;
  head(stream: string): Head;
  /** In version order. */
  readStream(stream: string, range?: StreamRange): Iterable<RecordedEvent>;
  /** The events of a stream with `recordedAt >= time`, in version order. */
  readStreamSince(stream: string, time: string): Iterable<RecordedEvent>;
  /** The version of a stream as of a position of the log, inclusive; 0 when it had no events then. */
  versionAt(stream: string, position: number): number;
  /** In position order. */
  readAll(filter?: LogFilter): Iterable<RecordedEvent>;
  /** The position of the last event with `recordedAt <= time`, 0 if there is none. */
  positionAt(time: string): number;
  /** Delivers every event after `fromPosition` (exclusive), durable ones only, for as long as it is open. */
  subscribeAll(handler: SubscriptionHandler, fromPosition: number): Subscription;

  /** Of what the store occupies: figures for health. */
  size(): { readonly events: number; readonly bytes: number };
  /** Ends all subscriptions and gives the store's resources back. */
  close(): Promise<void>;
}
