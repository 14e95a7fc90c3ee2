/**
 * A running subscription: waits for its place, works while it holds it, and comes back from whatever the broker does.
 *
 * A turn of the loop: take the place, see that the log is the one the position is of, read the dead letters, open the feed;
 * then renew the place and look after the feed until one of them fails. What is in hand stays in hand over such turns; only
 * when another process has taken the place is it given up.
 */
import { setTimeout as delay } from "node:timers/promises";
import { JetStreamApiCodes, type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { Fault } from "../core/fault.ts";
import type { DeadLetters } from "./dead-letters.ts";
import { isApiError } from "./own-stream.ts";
import { eventStreamName } from "./subjects.ts";
import { Feed } from "./subscription-feed.ts";
import { type Found, type Place, PlaceLost, type Standing } from "./subscription-place.ts";
import { Progress } from "./subscription-progress.ts";
import { Work, type WorkOptions } from "./subscription-work.ts";

/** How a subscription is, from memory. */
export interface SubscriptionStatus {
  /** `standby`: another process holds the name. `waiting`: for the broker or the log, see `reason`. */
  readonly state: "standby" | "active" | "waiting" | "ended";
  /** Everything up to here is handled or parked. */
  readonly position: number;
  /** Events of the log that are still to be handled, as far as the broker has told. */
  readonly pending: number;
  /** Handlers that run. */
  readonly inFlight: number;
  /** Deliveries that were not the first, since this process is active. */
  readonly redelivered: number;
  /** Dead letters of this subscription, those that are held up by another one included. */
  readonly parked: number;
  /** Why it waits, or has ended. */
  readonly reason?: string;
}

/** A subscription that was started with `client.subscribe`. */
export interface EventSubscription {
  readonly name: string;
  readonly status: SubscriptionStatus;
  /** Settles when the subscription has ended: resolves after `close`, rejects with a Fault when it cannot go on. */
  readonly done: Promise<void>;
  /**
   * Starts no handler any more, waits for those that run for at most `drainMs` (default 10,000), then aborts their signal,
   * and lets the next process go on at once.
   */
  close(options?: { readonly drainMs?: number }): Promise<void>;
}

/** What a subscription is made of. */
export interface RunOptions extends Omit<WorkOptions, "isHeld" | "onBug"> {
  readonly nats: NatsConnection;
  readonly prefix: string;
  readonly place: Place;
  readonly letters: DeadLetters;
  readonly leaseMs: number;
  /** What to write to the place that was found, which may be refused. @throws Fault INVALID_QUERY */
  readonly standing: (found: Found) => Standing;
  /** Asks a runtime where the log ends. */
  readonly logPosition: () => Promise<number>;
}

/** How often it is written what has changed: about what is delivered again after a crash. */
const tickMs = 250;
const renewsPerLease = 5;
const looksPerLease = 5;
const leasesPerAckWait = 6;
const minBackoffMs = 50;
const maxBackoffMs = 2_000;
const requestTimeoutMs = 2_000;
/** Events in hand for each that may be in flight: room for streams that wait for themselves. */
const waitingPerInFlight = 16;

/** One subscription; `run` it once. */
export class SubscriptionRun implements EventSubscription {
  readonly #options: RunOptions;
  /** Aborted when there is nothing left to wait for. */
  readonly #over = new AbortController();
  readonly done: Promise<void>;
  /** Resolves when it is known whether this process works, stands by, or waits. */
  readonly settled: Promise<void>;
  #onSettled: () => void = () => {};
  #state: SubscriptionStatus["state"] = "waiting";
  #reason: string | undefined;
  /** There while the place is, as far as is known, ours. */
  #work: Work | undefined;
  /** The one before, while its last handlers run. */
  #abandoned: Work | undefined;
  #feed: Feed | undefined;
  #standing: Standing;
  readonly #bugs: unknown[] = [];

  constructor(options: RunOptions, standing: Standing) {
    this.#options = options;
    this.#standing = standing;
    this.settled = new Promise((resolve) => {
      this.#onSettled = resolve;
    });
    this.done = this.#run();
    this.done.catch(() => {});
  }

  get name(): string {
    return this.#options.name;
  }

  get status(): SubscriptionStatus {
    const { running = 0, redelivered = 0, parked = 0 } = this.#work?.counts ?? {};
    const { position, open } = this.#work?.progress ?? new Progress(this.#standing);
    return {
      state: this.#state,
      position,
      pending: open + (this.#feed?.pending ?? 0),
      inFlight: running,
      redelivered,
      parked,
      ...(this.#reason === undefined ? {} : { reason: this.#reason }),
    };
  }

  async close({ drainMs = 10_000 } = {}): Promise<void> {
    this.#work?.end();
    const timeout = new AbortController();
    const isOver = delay(drainMs, undefined, { signal: timeout.signal }).catch(() => {});
    // The loop goes on meanwhile: it renews the place, and the feed takes the acknowledgements.
    await Promise.race([this.#work?.idle(), isOver]);
    timeout.abort();
    this.#work?.abandon();
    this.#over.abort();
    await this.done.catch(() => {});
  }

  async #run(): Promise<void> {
    const { nats } = this.#options;
    void nats.closed().then(() => this.#over.abort());
    try {
      let backoffMs = minBackoffMs;
      while (!this.#over.signal.aborted) {
        const hasServed = await this.#turn();
        backoffMs = hasServed ? minBackoffMs : Math.min(backoffMs * 2, maxBackoffMs);
        await this.#pause(backoffMs);
      }
      if (this.#bugs.length > 0) throw this.#bugs[0];
      this.#set("ended");
    } catch (error) {
      this.#set("ended", (error as Error).message);
      throw error;
    } finally {
      this.#work?.abandon();
      await this.#options.place.giveBack(this.#current()).catch(() => {});
    }
  }

  /** Works until something is wrong. Returns whether it came to work. @throws Fault when it is wrong for good. */
  async #turn(): Promise<boolean> {
    let hasServed = false;
    try {
      await this.#takePlace();
      if (this.#over.signal.aborted) return false;
      const { feed, work } = await this.#open();
      hasServed = true;
      this.#set("active");
      await this.#serve(feed, work);
    } catch (error) {
      if (error instanceof PlaceLost) this.#giveUp();
      else if (error instanceof Fault && error.code === "INVALID_QUERY") throw error;
      else if (!this.#over.signal.aborted) this.#wait(error);
    } finally {
      this.#feed?.stop();
      this.#work?.attach(undefined);
    }
    return hasServed;
  }

  async #takePlace(): Promise<void> {
    const { place, standing } = this.#options;
    const { signal } = this.#over;
    if (this.#abandoned !== undefined) {
      // A handler that was cut off may still run; nobody may handle the same stream beside it, not even this process.
      await Promise.race([this.#abandoned.idle(), aborted(signal)]);
      this.#abandoned = undefined;
    }
    const next = (found: Found | undefined): Standing => {
      if (this.#work !== undefined && found !== undefined && !place.isMine(found)) throw new PlaceLost();
      if (this.#work === undefined && found !== undefined) this.#standing = standing(found);
      // Where the place itself was lost, what is in memory is all there is.
      return this.#current();
    };
    const onWait = (found: Found | undefined): void => {
      if (this.#work === undefined && found !== undefined) this.#standing = standing(found);
      this.#set("standby");
    };
    await place.take(next, { signal, onWait });
  }

  /** Another process has, or had, the place: what is in hand is its business now. */
  #giveUp(): void {
    this.#standing = this.#current();
    this.#work?.abandon();
    this.#abandoned = this.#work;
    this.#work = undefined;
  }

  async #open(): Promise<{ readonly feed: Feed; readonly work: Work }> {
    const { nats, prefix, place, name, maxInFlight, leaseMs } = this.#options;
    const manager = await jetstreamManager(nats, { timeout: requestTimeoutMs, checkAPI: false });
    await this.#checkLog(manager);
    const isHeld = () => place.isHeld;
    const onBug = (error: unknown): void => {
      this.#bugs.push(error);
      this.#over.abort();
    };
    const work = this.#work ?? new Work({ ...this.#options, isHeld, onBug }, this.#standing);
    this.#work = work;
    await work.refresh();
    this.#over.signal.throwIfAborted();
    const feed = new Feed({
      manager,
      stream: eventStreamName(prefix),
      name,
      filters: this.#standing.filters,
      position: work.progress.position,
      maxWaiting: maxInFlight * waitingPerInFlight,
      ackWaitMs: leaseMs * leasesPerAckWait,
      onMessage: (message) => work.receive(message),
    });
    this.#feed = feed;
    work.attach(feed);
    await feed.open();
    return { feed, work };
  }

  /**
   * The stream has to carry the log that the position is of, and all of it up to there: while the stream is made again
   * from the log that takes a moment; a log that was restored from a backup never gets there in the same way.
   */
  async #checkLog(manager: JetStreamManager): Promise<void> {
    const { name, prefix, logPosition } = this.#options;
    const { upTo, store } = this.#current();
    const stream = eventStreamName(prefix);
    const { config, state } = await manager.streams.info(stream).catch((error) => {
      if (!isApiError(error, JetStreamApiCodes.StreamNotFound)) throw error;
      throw new Error(`there is no stream ${stream}: a runtime makes it`);
    });
    const found = config.metadata?.[storeKey];
    if (store !== undefined && found !== store) {
      throw refusal(`subscription ${name} is at position ${upTo} of store ${store}, and the events are of ${found}`);
    }
    if (found !== undefined) this.#standing = { ...this.#standing, store: found };
    if (state.last_seq >= upTo) return;
    const end = await logPosition();
    if (end < upTo) {
      throw refusal(`subscription ${name} is at position ${upTo}, and the log ends at ${end}: it is an older copy`);
    }
    throw new Error(`the event stream ends at ${state.last_seq} and is still made again up to ${upTo}`);
  }

  /** Keeps the place and looks after the feed. Returns when the subscription is over. @throws what is wrong with either */
  async #serve(feed: Feed, work: Work): Promise<void> {
    const { place, leaseMs, letters, name } = this.#options;
    const refreshed = { error: undefined as unknown };
    const stopListening = letters.onNotice(name, () => {
      work.refresh().catch((error) => {
        refreshed.error = error;
      });
    });
    try {
      let renewed = { at: Number.NEGATIVE_INFINITY, changes: -1 };
      let lookedAt = performance.now();
      while (!this.#over.signal.aborted && refreshed.error === undefined) {
        const now = performance.now();
        const { changes } = work.progress;
        if (changes !== renewed.changes || now - renewed.at >= leaseMs / renewsPerLease) {
          renewed = { at: now, changes };
          await place.renew(this.#current());
          work.look();
        }
        if (now - lookedAt >= leaseMs / looksPerLease) {
          lookedAt = now;
          await feed.look();
        }
        await this.#pause(tickMs);
      }
      if (refreshed.error !== undefined) throw refreshed.error;
    } finally {
      stopListening();
    }
  }

  #current(): Standing {
    return { ...this.#standing, ...this.#work?.progress.reached };
  }

  #wait(error: unknown): void {
    this.#set("waiting", (error as Error).message);
    this.#options.notice({ kind: "waiting", error });
  }

  #set(state: SubscriptionStatus["state"], reason?: string): void {
    const isNews = state !== this.#state;
    this.#state = state;
    this.#reason = reason;
    this.#onSettled();
    if (isNews) this.#options.notice({ kind: "state", state });
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#over.signal }).catch(() => {});
  }
}

/** In the metadata of the event stream; see PROTOCOL.md. */
const storeKey = "retrace-store";

/** What no waiting mends. */
function refusal(message: string): Fault {
  return new Fault("INVALID_QUERY", `${message}; subscribe under another name`);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
