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
  readGenerations,
  writeGenerations,
  writeProgress,
} from "./generations.ts";
import { indexedFields } from "./indexes.ts";
import { CurrentRows } from "./stored-rows.ts";

/** What builds work with. */
export interface BuildContext extends ApplyContext {
  readonly store: EventStore;
  readonly spanEvents: number;
}

/** Events that the transaction of the switch may still have to apply. */
const maxEventsInSwitch = 1_000;
/** What may be in memory until it is written: each bounds how long a transaction holds the thread. */
const maxChanges = 4_000;
const maxEventsUnwritten = 100_000;
const maxWeight = 32 * 1024 * 1024;

/** Another process has taken this build over, or it was cancelled, or begun anew. */
export class BuildLost extends Error {
  override readonly name = "BuildLost";
  /** There is a new build, for whoever takes it. */
  readonly isBegunAnew: boolean;

  constructor(name: string, isBegunAnew: boolean) {
    super(`the build of ${name} was taken over or given up`);
    this.isBegunAnew = isBegunAnew;
  }
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
    const { store, spanEvents } = context;
    const { name, indexes } = projection;
    const { generation, position } = building;
    this.#context = context;
    this.projection = projection;
    this.types = Object.keys(projection.on);
    this.#building = building;
    this.#position = position;
    const of = { name, generation, indexes: indexedFields(indexes), spanEvents };
    this.#rows = new GenerationRows(of, new CurrentRows(store, name, generation));
    this.#listeners = listenersOf([[projection, this.#rows]]);
  }

  get generation(): number {
    return this.#building.generation;
  }

  /** All events up to here are applied, in memory at least. */
  get position(): number {
    return this.#position;
  }

  /** Up to where it can build now: what is behind is for those who append, or follow the log, once it is complete. */
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
    const building = { ...this.#building, position: this.#position };
    await this.#context.store.withTransaction((tx) => {
      const generations = this.#generations(tx);
      this.#rows.flush(tx);
      writeProgress(tx, this.projection.name, { ...generations, building });
    });
    this.#building = building;
    if (this.#rows.weight >= maxWeight) this.#rows.forget();
  }

  /**
   * Applies what is left and makes this the live generation, or the one beside it, in one transaction. Returns false when
   * too much is left.
   * @throws BuildLost
   */
  async complete(): Promise<boolean> {
    const { store, clock } = this.#context;
    if (this.#isFar) return false;
    return store.withTransaction((tx) => {
      const { building: _, ...rest } = this.#generations(tx);
      if (this.#isFar) return false;
      const { end, types } = this;
      this.apply(store.readAll({ afterPosition: this.#position, toPosition: end, types }), end);
      this.#rows.flush(tx);
      const { generation, version, mode, isHeld } = this.#building;
      const made = { generation, version, mode };
      const complete = isHeld ? { ...rest, standby: made } : { ...rest, live: made };
      writeGenerations(tx, this.projection.name, complete, clock.newId());
      return true;
    });
  }

  get #isFar(): boolean {
    return this.end - this.#position > maxEventsInSwitch;
  }

  /** Of the projection, as long as this build is the one under way. */
  #generations(tx: Transaction): Generations {
    const generations = readGenerations(tx, this.projection.name);
    const { builder, position, generation } = this.#building;
    const found = generations?.building;
    if (generations !== undefined && found?.builder === builder && found.position === position) return generations;
    throw new BuildLost(this.projection.name, found !== undefined && found.generation !== generation);
  }
}
