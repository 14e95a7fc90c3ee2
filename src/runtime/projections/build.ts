/**
 * One build: the rows of a projection made from the log, as a generation of their own beside the live one. Its place in
 * the log is written together with its rows, so whoever finds it half-done goes on from there.
 */
import type { EventStore, Transaction } from "../../core/event-store.ts";
import type { RecordedEvent } from "../../core/message.ts";
import type { Projection } from "../../core/projection.ts";
import { type ApplyContext, applyEvents, type Listeners, listenersOf } from "./apply-events.ts";
import { GenerationRows } from "./generation-rows.ts";
import {
  type BuildingGeneration,
  followerPosition,
  type Generations,
  isMadeBy,
  isUpToDate,
  readGenerations,
  writeGenerations,
} from "./generations.ts";

/** What builds work with. */
export interface BuildContext extends ApplyContext {
  readonly store: EventStore;
}

/** Events that the transaction of the switch may still have to apply. */
const maxEventsInSwitch = 1_000;
/** What may be in memory until it is written: each bounds how long a transaction holds the thread. */
const maxChanges = 4_000;
const maxEventsUnwritten = 100_000;
const maxWeight = 32 * 1024 * 1024;

/** Another process has taken this build over, or it was cancelled. */
export class BuildLost extends Error {
  override readonly name = "BuildLost";
}

/** A build at work. */
export class Build {
  readonly projection: Projection;
  readonly types: readonly string[];
  readonly #context: BuildContext;
  readonly #rows: GenerationRows;
  readonly #listeners: Listeners;
  #building: BuildingGeneration;
  #position: number;

  constructor(context: BuildContext, projection: Projection, building: BuildingGeneration) {
    this.#context = context;
    this.projection = projection;
    this.types = Object.keys(projection.on);
    this.#building = building;
    this.#position = building.position;
    this.#rows = new GenerationRows(projection.name, building.generation, context.store);
    this.#listeners = listenersOf([[projection, this.#rows]]);
  }

  /** All events up to here are applied, in memory at least. */
  get position(): number {
    return this.#position;
  }

  /** Up to where it can build now: what is behind is for those who append, or follow the log, until the switch. */
  get end(): number {
    const { store } = this.#context;
    return this.projection.mode === "sync" ? store.position() : Math.min(followerPosition(store), store.position());
  }

  /** Applies the next events, up to `position`; those that it does not listen to may be left out. */
  apply(events: Iterable<RecordedEvent>, position: number): void {
    applyEvents(this.#listeners, events, this.#context);
    this.#position = position;
  }

  /** Whether enough is in memory to be written. */
  get isDue(): boolean {
    const unwritten = this.#position - this.#building.position;
    return this.#rows.changes >= maxChanges || this.#rows.weight >= maxWeight || unwritten >= maxEventsUnwritten;
  }

  /** Writes what was built so far. @throws BuildLost */
  async write(): Promise<void> {
    const position = this.#position;
    await this.#context.store.withTransaction((tx) => this.#write(tx, this.#generations(tx), position));
    this.#building = { ...this.#building, position };
    if (this.#rows.weight >= maxWeight) this.#rows.forget();
  }

  #write(tx: Transaction, generations: Generations, position: number): void {
    this.#rows.flush(tx);
    const building = { ...this.#building, position };
    writeGenerations(tx, this.projection.name, { ...generations, building }, this.#context.clock.newId());
  }

  /**
   * Applies what is left and makes this the live generation, in one transaction. Returns false when too much is left.
   * @throws BuildLost
   */
  async switch(): Promise<boolean> {
    const { store, clock } = this.#context;
    if (this.#isFar) return false;
    return store.withTransaction((tx) => {
      const { building: _, ...rest } = this.#generations(tx);
      if (this.#isFar) return false;
      const { end } = this;
      const { types } = this;
      this.apply(store.readAll({ afterPosition: this.#position, toPosition: end, types }), end);
      this.#rows.flush(tx);
      const { generation, version, mode } = this.#building;
      writeGenerations(tx, this.projection.name, { ...rest, live: { generation, version, mode } }, clock.newId());
      return true;
    });
  }

  get #isFar(): boolean {
    return this.end - this.#position > maxEventsInSwitch;
  }

  /** Of the projection, as long as this build is the one under way. */
  #generations(tx: Transaction): Generations {
    const generations = readGenerations(tx, this.projection.name);
    const { builder, position } = this.#building;
    if (generations?.building?.builder === builder && generations.building.position === position) return generations;
    throw new BuildLost(`the build of ${this.projection.name} was taken over or cancelled`);
  }
}

/**
 * Takes over a half-done build of this version, or begins one; undefined when none is needed. What another version
 * had begun is left behind, to be removed.
 */
export function takeBuild(tx: Transaction, projection: Projection, builder: string): BuildingGeneration | undefined {
  const { name, version, mode } = projection;
  const { building, ...generations } = readGenerations(tx, name) ?? { last: 0 };
  if (building !== undefined && isMadeBy(building, projection)) {
    const taken = { ...building, builder };
    writeGenerations(tx, name, { ...generations, building: taken }, builder);
    return taken;
  }
  if (isUpToDate(generations, projection)) {
    if (building !== undefined) writeGenerations(tx, name, generations, builder);
    return undefined;
  }
  const generation = generations.last + 1;
  const begun = { generation, version, mode, position: 0, builder };
  writeGenerations(tx, name, { ...generations, building: begun, last: generation }, builder);
  return begun;
}
