/**
 * The projections of a process: events become rows, rows are read, and what is missing is built. Several processes may
 * share a store: each applies what it appends to the sync projections, and the one that holds the lease builds.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { EventStore, TableReader, Transaction } from "../../core/event-store.ts";
import type { RecordedEvent } from "../../core/message.ts";
import type { Projection, ProjectionMode } from "../../core/projection.ts";
import type { Clock } from "../clock.ts";
import type { LoadedAggregate } from "../loader.ts";
import type { Log } from "../log.ts";
import { applyEvents } from "./apply-events.ts";
import { Builder } from "./builder.ts";
import { readParkedCount } from "./generation-rows.ts";
import {
  followerPosition,
  type Generations,
  isUpToDate,
  type LiveGeneration,
  readGenerations,
  rowKey,
} from "./generations.ts";
import { LiveGenerations } from "./live-generations.ts";
import { type Row, scanRows } from "./scan-rows.ts";

/** What projections work with. */
export interface ProjectionsOptions {
  readonly store: EventStore;
  readonly projections: ReadonlyMap<string, Projection>;
  readonly aggregates: ReadonlyMap<string, LoadedAggregate>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Which rows to read: one, or those whose keys begin with `prefix`, behind `after`. */
export type RowsQuery =
  | { readonly key: string }
  | { readonly prefix: string; readonly limit: number; readonly after?: string };

/** Rows as they were at one moment. */
export interface ReadRows {
  /** Another number means that all rows were made anew. */
  readonly generation: number;
  /** Of the projection that made them. */
  readonly version: number;
  /** All events up to here are in them. */
  readonly position: number;
  readonly rows: readonly Row[];
}

/** For health. */
export interface ProjectionStatus {
  readonly name: string;
  /** Of the projection as it is defined now. */
  readonly version: number;
  readonly mode: ProjectionMode;
  /** `building`: its rows are not there yet, or those of before are read meanwhile. */
  readonly status: "live" | "building";
  /** All events up to here are in the rows that are read; 0 when there are none. */
  readonly position: number;
  readonly lagEvents: number;
  /** Age of the oldest event that is not in the rows. */
  readonly lagMs: number;
  /** Events that a handler could not take. */
  readonly parked: number;
  /** Of the build under way. */
  readonly progress?: { readonly position: number; readonly of: number };
  /** Why a build does not get on. */
  readonly reason?: string;
}

const maxPollMs = 20;

/** All projections of a process. */
export class Projections {
  readonly #options: ProjectionsOptions;
  readonly #live: LiveGenerations;
  readonly #builder: Builder;

  constructor(options: ProjectionsOptions) {
    this.#options = options;
    this.#live = new LiveGenerations(options.projections, options.clock);
    this.#builder = new Builder(options, options.projections);
  }

  get names(): readonly string[] {
    return [...this.#options.projections.keys()];
  }

  /**
   * Applies events that follow one another in the log to the live rows of every projection of a mode, within the
   * transaction. The sync ones: by whoever appends, all events that it appends. The async ones: by the follower, with its
   * checkpoint. What a handler cannot take is parked; only a fault of the store is thrown.
   */
  apply(tx: Transaction, mode: ProjectionMode, events: readonly RecordedEvent[]): void {
    const [first] = events;
    if (first === undefined) return;
    const { listeners, rows } = this.#live.of(tx, mode, first.position);
    if (listeners.size === 0) return;
    applyEvents(listeners, events, this.#options);
    for (const changed of rows) if (changed.changes > 0) changed.flush(tx);
  }

  /**
   * Reads rows of the live generation, as the reader sees them: the store, or the running transaction. Undefined when
   * there is no such projection, or nothing live yet.
   */
  read(reader: TableReader, name: string, query: RowsQuery): ReadRows | undefined {
    const projection = this.#options.projections.get(name);
    const live = projection && this.#liveOf(reader, projection);
    if (live === undefined) return undefined;
    const { generation, version } = live;
    const rows =
      "key" in query ? oneRow(reader, name, generation, query.key) : someRows(reader, name, generation, query);
    return { generation, version, position: this.#positionOf(reader, live), rows };
  }

  /** What is read: before the first event of a log, that is as good as built. */
  #liveOf(reader: TableReader, { name, version, mode }: Projection): LiveGeneration | undefined {
    const generations = readGenerations(reader, name);
    if (generations?.live !== undefined) return generations.live;
    return this.#options.store.position() === 0 ? { generation: 0, version, mode } : undefined;
  }

  #positionOf(reader: TableReader, { mode, frozenAt }: LiveGeneration): number {
    if (frozenAt !== undefined) return frozenAt;
    return mode === "sync" ? this.#options.store.position() : followerPosition(reader);
  }

  /** Whether the rows that are read reach a position, at once or within `timeoutMs`. */
  async reaches(name: string, position: number, timeoutMs: number): Promise<boolean> {
    const { store, projections } = this.#options;
    const projection = projections.get(name);
    const giveUpAt = performance.now() + timeoutMs;
    for (let pollMs = 1; projection !== undefined; pollMs = Math.min(2 * pollMs, maxPollMs)) {
      const live = this.#liveOf(store, projection);
      if (live !== undefined && this.#positionOf(store, live) >= position) return true;
      if (performance.now() >= giveUpAt) return false;
      await delay(pollMs, undefined, { ref: false });
    }
    return false;
  }

  /** Builds what is missing, and looks again when it is called again. For the process that holds the lease. */
  startBuilding(): void {
    this.#builder.start();
  }

  /** Stops building; what is built so far is kept. */
  stop(): Promise<void> {
    return this.#builder.stop();
  }

  /** Resolves when nothing is left to build, or building was stopped. */
  built(): Promise<void> {
    return this.#builder.done();
  }

  status(): ProjectionStatus[] {
    return Array.from(this.#options.projections.values(), (projection) => this.#statusOf(projection));
  }

  #statusOf(projection: Projection): ProjectionStatus {
    const { store } = this.#options;
    const { name, version, mode } = projection;
    const generations: Generations = readGenerations(store, name) ?? { last: 0 };
    const live = this.#liveOf(store, projection);
    const position = live === undefined ? 0 : this.#positionOf(store, live);
    const isLive = live?.generation === 0 || isUpToDate(generations, projection);
    const { building } = generations;
    const shown = live ?? building;
    return {
      name,
      version,
      mode,
      status: isLive ? "live" : "building",
      position,
      ...this.#lagBehind(position),
      parked: shown === undefined ? 0 : readParkedCount(store, name, shown.generation),
      ...this.#progressOf(name, building?.position),
      ...(isLive ? {} : this.#reasonOf(name)),
    };
  }

  #lagBehind(position: number): Pick<ProjectionStatus, "lagEvents" | "lagMs"> {
    const { store, clock } = this.#options;
    const [oldest] = store.readAll({ afterPosition: position, limit: 1 });
    if (oldest === undefined) return { lagEvents: 0, lagMs: 0 };
    const ageMs = Date.parse(clock.now()) - Date.parse(oldest.recordedAt);
    return { lagEvents: store.position() - position, lagMs: Math.max(0, ageMs) };
  }

  #progressOf(name: string, writtenPosition: number | undefined): Pick<ProjectionStatus, "progress"> {
    const own = this.#builder.progress(name);
    if (own !== undefined) return { progress: own };
    if (writtenPosition === undefined) return {};
    return { progress: { position: writtenPosition, of: this.#options.store.position() } };
  }

  #reasonOf(name: string): Pick<ProjectionStatus, "reason"> {
    if (this.#builder.failure !== undefined) return { reason: this.#builder.failure };
    if (this.#builder.progress(name) !== undefined) return {};
    return { reason: "it is built by the process that does the background work, when that has this version" };
  }
}

function oneRow(reader: TableReader, name: string, generation: number, key: string): Row[] {
  const value = reader.get("rows", rowKey(name, generation, key));
  return value === undefined ? [] : [{ key, value }];
}

function someRows(
  reader: TableReader,
  name: string,
  generation: number,
  { prefix, limit, after }: Extract<RowsQuery, { prefix: string }>,
): Row[] {
  const rows: Row[] = [];
  if (limit < 1) return rows;
  for (const row of scanRows(reader, { name, generation, prefix, ...(after === undefined ? {} : { after }) })) {
    rows.push(row);
    if (rows.length >= limit) break;
  }
  return rows;
}
