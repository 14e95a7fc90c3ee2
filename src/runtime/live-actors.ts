/**
 * The actors in memory: the current state of the streams used most recently. The version check against the log, made
 * on every command, is what keeps them true when another process writes to the same store.
 */
import type { EventStore } from "../core/event-store.ts";
import { foldEvent } from "../core/history.ts";
import type { LoadedAggregate } from "./loader.ts";
import { readSnapshot, type VersionedState } from "./snapshots.ts";

/** One actor: its state, and the version of its last snapshot in the store. */
export interface LiveActor extends VersionedState {
  readonly snapshotVersion: number;
}

/** Longer tails are folded outside of the commit, in slices, so that one cold stream does not hold up the others. */
const maxTailInCommit = 1_000;
const sliceEvents = 2_000;

/** A bounded map of actors, least recently used out first. */
export class LiveActors {
  readonly #actors = new Map<string, LiveActor>();
  readonly #store: EventStore;
  readonly #max: number;

  constructor(store: EventStore, max: number) {
    this.#store = store;
    this.#max = max;
  }

  get size(): number {
    return this.#actors.size;
  }

  /** Remembers states that have become durable. */
  keep(states: ReadonlyMap<string, LiveActor>): void {
    for (const [stream, actor] of states) {
      this.#actors.delete(stream);
      this.#actors.set(stream, actor);
    }
    for (const oldest of this.#actors.keys()) {
      if (this.#actors.size <= this.#max) break;
      this.#actors.delete(oldest);
    }
  }

  /** Forgets states that may not have become durable. */
  drop(streams: Iterable<string>): void {
    for (const stream of streams) this.#actors.delete(stream);
  }

  /** Whether `current` would be quick: in memory, or with a short tail behind the last snapshot. */
  isNear(actor: LoadedAggregate, stream: string): boolean {
    if (this.#actors.has(stream)) return true;
    const { version } = this.#store.head(stream);
    return version <= maxTailInCommit || version - readSnapshot(this.#store, actor, stream).version <= maxTailInCommit;
  }

  /** The actor at the head of its stream, as the open transaction sees it. */
  current(actor: LoadedAggregate, stream: string, headVersion: number): LiveActor {
    const known = this.#actors.get(stream) ?? this.#fromSnapshot(actor, stream, headVersion);
    if (known.version === headVersion) return known;
    // A head behind memory cannot happen: states are kept only once durable. Start over from what the log has.
    const from = known.version < headVersion ? known : this.#fromSnapshot(actor, stream, headVersion);
    return this.#foldTail(actor, stream, from, headVersion);
  }

  /** Brings a far actor near, a slice at a time between other work. */
  async warm(actor: LoadedAggregate, stream: string): Promise<void> {
    let current = this.#actors.get(stream) ?? this.#fromSnapshot(actor, stream, this.#store.head(stream).version);
    while (this.#store.head(stream).version - current.version > maxTailInCommit) {
      current = this.#foldTail(actor, stream, current, current.version + sliceEvents);
      await new Promise(setImmediate);
    }
    this.keep(new Map([[stream, current]]));
  }

  #fromSnapshot(actor: LoadedAggregate, stream: string, headVersion: number): LiveActor {
    const snapshot = readSnapshot(this.#store, actor, stream, headVersion);
    return { ...snapshot, snapshotVersion: snapshot.version };
  }

  #foldTail(actor: LoadedAggregate, stream: string, from: LiveActor, toVersion: number): LiveActor {
    let { state, version } = from;
    for (const event of this.#store.readStream(stream, { fromVersion: version + 1, toVersion })) {
      state = foldEvent(actor.aggregate, state, event);
      version = event.version;
    }
    return { state, version, snapshotVersion: from.snapshotVersion };
  }
}
