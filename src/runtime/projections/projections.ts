/**
 * The projections of a process: events become rows, rows are read, and what is missing is built. Several processes may
 * share a store: each applies what it appends to the sync projections, and the one that holds the lease builds.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { EventStore, TableReader, Transaction } from "../../core/event-store.ts";
import type { RecordedEvent } from "../../core/message.ts";
import type { ProjectionMode } from "../../core/projection.ts";
import type { Clock } from "../clock.ts";
import type { LoadedAggregate } from "../loader.ts";
import type { Log } from "../log.ts";
import { applyEvents } from "./apply-events.ts";
import { AsOf } from "./as-of.ts";
import { Builder } from "./builder.ts";
import {
  beginBuild,
  type ChangeContext,
  cancelBuild,
  dropStandby,
  type Retried,
  retryParked,
  type Switched,
  skipParked,
  switchToStandby,
} from "./changes.ts";
import { Definitions, type ProjectionDefinitions } from "./definitions.ts";
import { type FindQuery, type FoundInRows, findRows } from "./find-rows.ts";
import { GenerationRows } from "./generation-rows.ts";
import { type BuildingGeneration, readEpoch } from "./generations.ts";
import { LiveGenerations } from "./live-generations.ts";
import { type ReadableGeneration, readableGeneration, type Which } from "./read-rows.ts";
import type { Row } from "./row-space.ts";
import { type ProjectionStatus, projectionStatus } from "./status.ts";
import { CurrentRows } from "./stored-rows.ts";

/** What projections work with. */
export interface ProjectionsOptions extends ProjectionDefinitions {
  readonly store: EventStore;
  readonly aggregates: ReadonlyMap<string, LoadedAggregate>;
  readonly clock: Clock;
  readonly log: Log;
  /** What rows were is kept once in so many events, for answers about the past. Default: 50,000. Never change it. */
  readonly spanEvents?: number;
}

/** Which rows to read: one, or those whose keys begin with `prefix`, behind `after`. */
export type RowsQuery =
  | { readonly key: string }
  | { readonly prefix: string; readonly limit: number; readonly after?: string };

/** What rows are of. */
interface Place {
  /** Another number means that all rows were made anew. */
  readonly generation: number;
  /** Of the projection that made them. */
  readonly version: number;
  /** All events up to here are in them. */
  readonly position: number;
}

/** Rows as they were at one moment. */
export interface ReadRows extends Place {
  readonly rows: readonly Row[];
}

interface Past {
  readonly place: Place;
  readonly rows: GenerationRows;
}

/** Rows that were found, and where to go on. */
export type FoundRows = Place & FoundInRows;

const defaultSpanEvents = 50_000;
const maxPollMs = 20;
/** How often the one that builds looks whether somebody has begun a build. */
const lookEveryMs = 500;

/** All projections of a process. */
export class Projections {
  readonly definitions: Definitions;
  readonly #options: ProjectionsOptions & { readonly spanEvents: number };
  readonly #live: LiveGenerations;
  readonly #builder: Builder;
  readonly #asOf: AsOf;
  #lookout: NodeJS.Timeout | undefined;
  #seenEpoch: unknown;

  constructor(options: ProjectionsOptions) {
    this.#options = { spanEvents: defaultSpanEvents, ...options };
    this.definitions = new Definitions(options);
    const { definitions } = this;
    this.#live = new LiveGenerations({ ...this.#options, definitions });
    this.#builder = new Builder(this.#options, definitions);
    this.#asOf = new AsOf(this.#options);
  }

  get names(): readonly string[] {
    return this.definitions.names;
  }

  /**
   * Applies events that follow one another in the log to the rows of every projection of a mode, within the transaction.
   * The sync ones: by whoever appends, all events that it appends. The async ones: by the follower, with its checkpoint.
   * What a handler cannot take is parked; only a fault of the store is thrown. Nothing is written before `flush`.
   */
  apply(tx: Transaction, mode: ProjectionMode, events: readonly RecordedEvent[]): void {
    const [first] = events;
    if (first === undefined) return;
    const listeners = this.#live.listeners(tx, mode, first.position);
    if (listeners.size === 0) return;
    applyEvents(listeners, events, this.#options);
  }

  /** Writes each row once that was changed in the transaction: whoever has applied events calls it last. */
  flush(tx: Transaction): void {
    this.#live.flush(tx);
  }

  /**
   * Reads rows of the live generation, as the reader sees them: the store, or the running transaction. Undefined when
   * there is no such projection, or nothing live yet.
   */
  read(reader: TableReader, name: string, query: RowsQuery): ReadRows | undefined {
    this.#live.flush(reader);
    const readable = this.readable(reader, name);
    return readable && { ...placeOf(readable), rows: rowsIn(this.#rowsOf(reader, readable), query) };
  }

  /** The same as of a position, inclusive; one that is not reached yet means the last that is. */
  async readAsOf(name: string, query: RowsQuery, position: number): Promise<ReadRows | undefined> {
    const past = await this.#past(name, position);
    if (past === undefined) return undefined;
    return past === "now"
      ? this.read(this.#options.store, name, query)
      : { ...past.place, rows: rowsIn(past.rows, query) };
  }

  /** Reads the next rows that fulfil conditions, looking at a thousand at most: for pages, slice by slice. */
  find(reader: TableReader, name: string, query: FindQuery): FoundRows | undefined {
    this.#live.flush(reader);
    const readable = this.readable(reader, name);
    if (readable === undefined) return undefined;
    return { ...placeOf(readable), ...findRows(this.#rowsOf(reader, readable), query, { reader, readable }) };
  }

  /** The same as of a position, in the order of keys. */
  async findAsOf(name: string, query: FindQuery, position: number): Promise<FoundRows | undefined> {
    const past = await this.#past(name, position);
    if (past === undefined) return undefined;
    return past === "now"
      ? this.find(this.#options.store, name, query)
      : { ...past.place, ...findRows(past.rows, query) };
  }

  /** The rows of the past, to be read at once; `now` for a position that is not behind. */
  async #past(name: string, position: number): Promise<Past | "now" | undefined> {
    const { store } = this.#options;
    while (true) {
      const readable = this.readable(store, name);
      if (readable !== undefined && readable.position <= position) return "now";
      if (readable?.maker === undefined) return undefined;
      const rows = await this.#asOf.rows(readable, position);
      // A generation that was replaced meanwhile may have been removed half-way through.
      if (this.readable(store, name)?.generation !== readable.generation) continue;
      return { place: { ...placeOf(readable), position }, rows };
    }
  }

  /** Which generation would be read; undefined when there is none. */
  readable(reader: TableReader, name: string, which: Which = "live"): ReadableGeneration | undefined {
    const { definitions } = this;
    if (definitions.of(name) === undefined) return undefined;
    return readableGeneration({ store: this.#options.store, definitions }, reader, { name, which });
  }

  #rowsOf(reader: TableReader, { name, generation }: ReadableGeneration): GenerationRows {
    const { spanEvents } = this.#options;
    const of = { name, generation, indexes: [], spanEvents };
    return new GenerationRows(of, new CurrentRows(reader, name, generation));
  }

  /** Whether the rows that are read reach a position, at once or within `timeoutMs`. */
  async reaches(name: string, position: number, timeoutMs: number): Promise<boolean> {
    const giveUpAt = performance.now() + timeoutMs;
    for (let pollMs = 1; this.definitions.of(name) !== undefined; pollMs = Math.min(2 * pollMs, maxPollMs)) {
      const readable = this.readable(this.#options.store, name);
      if (readable !== undefined && readable.position >= position) return true;
      if (performance.now() >= giveUpAt) return false;
      await delay(pollMs, undefined, { ref: false });
    }
    return false;
  }

  /** Builds what is missing, and whatever anybody begins until `stop`. For the process that holds the lease. */
  startBuilding(): void {
    this.#builder.start();
    this.#seenEpoch = readEpoch(this.#options.store);
    clearInterval(this.#lookout);
    this.#lookout = setInterval(() => this.#look(), lookEveryMs);
    this.#lookout.unref();
  }

  /** What was begun is built, and what was given up is removed. */
  #look(): void {
    const { store, log } = this.#options;
    try {
      const epoch = readEpoch(store);
      if (epoch === this.#seenEpoch) return;
      this.#builder.start("begun");
      this.#seenEpoch = epoch;
    } catch (error) {
      log.warn({ err: error }, "the builds of projections could not be looked at; tried again in a moment");
    }
  }

  /** See `changes.ts`, as for all that follow: what is begun is built by the process that builds. */
  async beginBuild(name: string, isHeld: boolean): Promise<BuildingGeneration> {
    return this.#changed(await beginBuild(this.#changes, name, isHeld));
  }

  async cancelBuild(name: string): Promise<BuildingGeneration> {
    return this.#changed(await cancelBuild(this.#changes, name));
  }

  async switchToStandby(name: string): Promise<Switched> {
    return this.#changed(await switchToStandby(this.#changes, name));
  }

  async dropStandby(name: string): Promise<number> {
    return this.#changed(await dropStandby(this.#changes, name));
  }

  retryParked(name: string, position: number): Promise<Retried> {
    return retryParked(this.#changes, name, position);
  }

  skipParked(name: string, position: number): Promise<void> {
    return skipParked(this.#changes, name, position);
  }

  /** The builder of this process need not find out by itself. */
  #changed<Result>(result: Result): Result {
    if (this.#lookout !== undefined) this.#look();
    return result;
  }

  get #changes(): ChangeContext {
    return { ...this.#options, definitions: this.definitions };
  }

  /** Stops building; what is built so far is kept. */
  async stop(): Promise<void> {
    clearInterval(this.#lookout);
    this.#lookout = undefined;
    await this.#builder.stop();
  }

  /** Resolves when nothing is left to build, or building was stopped. */
  built(): Promise<void> {
    return this.#builder.done();
  }

  status(): ProjectionStatus[] {
    const { store, clock } = this.#options;
    return projectionStatus({ store, clock, definitions: this.definitions, builder: this.#builder });
  }
}

function placeOf({ generation, version, position }: ReadableGeneration): Place {
  return { generation, version, position };
}

function rowsIn(source: GenerationRows, query: RowsQuery): Row[] {
  if ("key" in query) {
    const value = source.get(query.key);
    return value === undefined ? [] : [{ key: query.key, value }];
  }
  const { prefix, limit, after } = query;
  const rows: Row[] = [];
  if (limit < 1) return rows;
  for (const row of source.scan(prefix, after)) {
    rows.push(row);
    if (rows.length >= limit) break;
  }
  return rows;
}
