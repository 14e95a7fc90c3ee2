/**
 * The sagas of one runtime: events and timers come in, transactions go out. It keeps no time and follows no log by
 * itself (see follower.ts), so a simulation drives it as the runtime does.
 */
import type { EventStore, Transaction } from "../../core/event-store.ts";
import type { RecordedEvent } from "../../core/message.ts";
import type { LiveActors } from "../live-actors.ts";
import type { LoadedAggregate } from "../loader.ts";
import { Failures } from "./failures.ts";
import { Reaction } from "./reaction.ts";
import { type SagaTools, TooFarAway } from "./tools.ts";

/** What the reactor works with besides what sagas react with. */
export interface ReactorOptions extends SagaTools {
  readonly actors: LiveActors;
  readonly aggregates: ReadonlyMap<string, LoadedAggregate>;
  /** Applies events to the projections that are kept beside the sagas; the decider's `finish` writes their rows. */
  readonly project: (tx: Transaction, events: readonly RecordedEvent[]) => void;
  /** Of those projections: the event types they want. */
  readonly projected: ReadonlySet<string>;
}

/** Where the follower of the log is: sagas and asynchronous projections share it. */
export const reactCheckpoint = ["react"];

/** The position up to which sagas and asynchronous projections have seen the log. */
export function reactPosition(store: Pick<EventStore, "get">): number | undefined {
  return store.get("checkpoints", reactCheckpoint) as number | undefined;
}

/** Bounds how long one transaction holds the thread: as many events of its own, and it is committed. */
const maxAppended = 512;
const maxTimers = 256;
/** Events that concern nobody move the checkpoint in memory, and in the store only now and then. */
const maxUnsaved = 1_000;

/** Use it from one place at a time: each call is awaited before the next. */
export class Reactor {
  readonly #options: ReactorOptions;
  readonly #failures = new Failures();
  #position: number;
  #saved: number;

  constructor(options: ReactorOptions) {
    this.#options = options;
    this.#saved = reactPosition(options.store) ?? 0;
    this.#position = this.#saved;
  }

  /** Up to here everything has been reacted to. */
  get position(): number {
    return this.#position;
  }

  /** Whether some saga listens to one of them. */
  concernsSagas(events: readonly RecordedEvent[]): boolean {
    return events.some(({ type }) => this.#options.listeners.has(type));
  }

  /** Begins again where the store says, after another process may have gone on. */
  reload(): void {
    this.#saved = reactPosition(this.#options.store) ?? 0;
    this.#position = this.#saved;
  }

  /** Reacts to events of the log, in order. What has been seen is left out; what is missing is read from the log. */
  async react(events: readonly RecordedEvent[]): Promise<void> {
    const last = events.reduce((end, { position }) => Math.max(end, position), 0);
    let rest = events.filter(({ position }) => position > this.#position);
    while (this.#position < last) {
      if (!this.#comesNext(rest)) rest = this.#read(last);
      rest = await this.#slice(rest);
    }
  }

  #comesNext(events: readonly RecordedEvent[]): boolean {
    return events.length > 0 && events.every(({ position }, i) => position === this.#position + 1 + i);
  }

  #read(toPosition: number): RecordedEvent[] {
    const events = [...this.#options.store.readAll({ afterPosition: this.#position, toPosition, limit: maxUnsaved })];
    if (events.length === 0) throw new Error(`the log has no position ${this.#position + 1}`);
    return events;
  }

  /** Reacts to the first events in one transaction, or passes over those that concern nobody. Returns the others. */
  async #slice(events: readonly RecordedEvent[]): Promise<RecordedEvent[]> {
    const firstOfInterest = events.findIndex((event) => this.#concernsSomebody(event));
    const idle = firstOfInterest < 0 ? events.length : firstOfInterest;
    if (firstOfInterest < 0) {
      this.#position += idle;
      if (this.#position - this.#saved >= maxUnsaved) await this.save();
      return [];
    }
    const from = this.#position;
    const taken = await this.#transaction((tx, reaction) => {
      const saved = (tx.get("checkpoints", reactCheckpoint) as number | undefined) ?? 0;
      // Somebody else has been here: another process, or this one before a command's stream was brought near.
      if (saved > from) return saved;
      let position = from + idle;
      let unprojected: RecordedEvent[] = [];
      const project = (): void => {
        if (unprojected.length > 0) this.#options.project(tx, unprojected);
        unprojected = [];
      };
      for (const event of events.slice(idle)) {
        if (reaction.steps.appended >= maxAppended) break;
        if (this.#options.projected.has(event.type)) unprojected.push(event);
        // Rows are as of the event that a saga reacts to; as long as none does, many events change a row once.
        if (this.#options.listeners.has(event.type)) project();
        reaction.take(event);
        position = event.position;
      }
      project();
      tx.put("checkpoints", reactCheckpoint, position);
      return position;
    });
    this.#position = taken;
    this.#saved = taken;
    return events.filter(({ position }) => position > taken);
  }

  #concernsSomebody({ type }: RecordedEvent): boolean {
    return this.#options.listeners.has(type) || this.#options.projected.has(type);
  }

  /** Fires timers that are due, the earliest first. Returns how many: call it until there are none. */
  async fireDue(): Promise<number> {
    const { clock } = this.#options;
    const nowMs = Date.parse(clock.now());
    if ((this.nextDueMs() ?? Number.POSITIVE_INFINITY) > nowMs) return 0;
    return this.#transaction((tx, reaction) => {
      const due: TimerKey[] = [];
      for (const timer of this.#timers(tx)) {
        if (timer[0] > nowMs || due.length >= maxTimers) break;
        due.push(timer);
      }
      let fired = 0;
      for (const [dueMs, name, id, timer] of due) {
        if (reaction.steps.appended >= maxAppended) break;
        reaction.fire(name, id, timer, dueMs);
        fired += 1;
      }
      return fired;
    });
  }

  /** When the next timer is due, in milliseconds since 1970. */
  nextDueMs(): number | undefined {
    for (const [dueMs] of this.#timers(this.#options.store)) return dueMs;
    return undefined;
  }

  /** Those of a saga that is not there wait until it is. */
  *#timers(reader: Pick<EventStore, "scan">): Iterable<TimerKey> {
    for (const { key } of reader.scan("timers", {})) {
      const timer = key as unknown as TimerKey;
      if (this.#options.sagas.has(timer[1])) yield timer;
    }
  }

  /** Runs something of the sagas in a transaction, for those who help them on. */
  async transaction<T>(work: (reaction: Reaction, tx: Transaction) => T): Promise<T> {
    return this.#transaction((tx, reaction) => work(reaction, tx));
  }

  async #transaction<T>(work: (tx: Transaction, reaction: Reaction) => T): Promise<T> {
    const { store, actors, policies, decider } = this.#options;
    for (;;) {
      let reaction: Reaction | undefined;
      try {
        const result = await store.withTransaction((tx) => {
          reaction = new Reaction(tx, this.#options, this.#failures.setAside);
          const done = work(tx, reaction);
          reaction.finish();
          decider.finish(tx);
          return done;
        });
        const { steps, streams } = reaction as unknown as Reaction;
        actors.keep(steps.touched);
        this.#failures.forget(streams);
        return result;
      } catch (error) {
        actors.drop(reaction?.steps.touched.keys() ?? []);
        policies.forget();
        if (!(error instanceof TooFarAway)) {
          this.#failures.add(reaction?.steps.at, error);
          throw error;
        }
        await actors.warm(this.#options.aggregates.get(error.category) as LoadedAggregate, error.stream);
      }
    }
  }

  /** Writes the checkpoint down. */
  async save(): Promise<void> {
    if (this.#saved === this.#position) return;
    const position = this.#position;
    await this.#options.store.withTransaction((tx) => {
      const saved = (tx.get("checkpoints", reactCheckpoint) as number | undefined) ?? 0;
      if (saved < position) tx.put("checkpoints", reactCheckpoint, position);
    });
    this.#saved = position;
  }
}

type TimerKey = readonly [dueMs: number, saga: string, id: string, timer: string];
