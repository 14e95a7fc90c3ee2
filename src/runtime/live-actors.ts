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

  /** The actor at the head of its stream, as the open transaction sees it; undefined when it is too far to fold there. */
  current(loaded: LoadedAggregate, stream: string, headVersion: number): LiveActor | undefined {
    const known = this.#actors.get(stream);
    // What is kept is durable, so only a log that was put back to an older state ends before it.
    const isUsable = known !== undefined && known.version <= headVersion;
    const from = isUsable ? known : this.#fromSnapshot(loaded, stream, headVersion);
    if (from.version === headVersion) return from;
    return headVersion - from.version > maxTailInCommit ? undefined : this.#foldTail(loaded, stream, from, headVersion);
  }

  /** Brings a far actor near, a slice at a time between other work. */
  async warm(loaded: LoadedAggregate, stream: string): Promise<void> {
    let current = this.#actors.get(stream) ?? this.#fromSnapshot(loaded, stream, this.#store.head(stream).version);
    while (this.#store.head(stream).version - current.version > maxTailInCommit) {
      current = this.#foldTail(loaded, stream, current, current.version + sliceEvents);
      await new Promise(setImmediate);
    }
    this.keep(new Map([[stream, current]]));
  }

  #fromSnapshot(loaded: LoadedAggregate, stream: string, headVersion: number): LiveActor {
    const snapshot = readSnapshot(this.#store, loaded, stream, headVersion);
    return { ...snapshot, snapshotVersion: snapshot.version };
  }

  #foldTail(loaded: LoadedAggregate, stream: string, from: LiveActor, toVersion: number): LiveActor {
    let { state, version } = from;
    for (const event of this.#store.readStream(stream, { fromVersion: version + 1, toVersion })) {
      state = foldEvent(loaded.aggregate, state, event);
      version = event.version;
    }
    return { state, version, snapshotVersion: from.snapshotVersion };
  }
}
