/** Keeps the reactor going: events as they become durable, timers as they fall due, one after the other. */
import { setTimeout as delay } from "node:timers/promises";
import type { EventStore, Subscription } from "../../core/event-store.ts";
import type { RecordedEvent } from "../../core/message.ts";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { Reactor } from "./reactor.ts";

/** What it works with. */
export interface FollowerOptions {
  readonly store: EventStore;
  readonly reactor: Reactor;
  readonly clock: Clock;
  readonly log: Log;
}

const minBackoffMs = 50;
const maxBackoffMs = 2_000;
/**
 * Events that only projections want wait: a commit for each command would cost the commands as much as their own. The more
 * there is to do, the longer, so that many events change a row once and most of the thread is left to the commands. They
 * wait no longer when a saga listens to the next one, or when there are this many.
 */
const minLingerMs = 10;
const maxLingerMs = 250;
const lingerPerWork = 16;
const maxPending = 4_000;
/** Events that concern nobody move the checkpoint only when there is time for it. */
const saveAfterMs = 50;
/** A clock that is set forward is noticed within this time. */
const maxSleepMs = 1_000;
/** Timers due one after the other share a commit: the more there is to do, the later the next ones. */
const minRestMs = 10;
const maxRestMs = 50;
const restPerWork = 2;

/** One follower; `run` it once. */
export class Follower {
  readonly #options: FollowerOptions;
  #subscription: Subscription | undefined;
  #timer: NodeJS.Timeout | undefined;
  #save: NodeJS.Timeout | undefined;
  #restUntilMs = 0;
  /** Seen, and not yet reacted to. */
  #pending: RecordedEvent[] = [];
  /** When they are reacted to at the latest, as `performance.now()` has it. */
  #reactAtMs = 0;
  #linger: NodeJS.Timeout | undefined;
  #failure: unknown;
  #isOpen = true;
  /** The work at hand: one thing at a time. */
  #work: Promise<unknown> = Promise.resolve();
  #running: Promise<void> | undefined;

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  /** Follows until closed; what goes wrong is waited out and tried again. */
  run(): void {
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    const { store, reactor, log } = this.#options;
    for (let backoffMs = minBackoffMs; this.#isOpen; backoffMs = Math.min(backoffMs * 2, maxBackoffMs)) {
      try {
        reactor.reload();
        await this.exclusive(() => this.#fireDue());
        if (!this.#isOpen) return;
        this.#pending = [];
        this.#failure = undefined;
        const onReacted = (): void => {
          backoffMs = minBackoffMs;
        };
        this.#subscription = store.subscribeAll((events) => this.#take(events, onReacted), reactor.position);
        await this.#subscription.done;
        if (this.#failure !== undefined) throw this.#failure;
      } catch (error) {
        if (!this.#isOpen) return;
        log.warn({ err: error, position: reactor.position }, "the sagas wait and go on in a moment");
        await delay(backoffMs, undefined, { ref: false });
      }
    }
  }

  /** Reacts to events, or has them wait for those that follow. */
  async #take(events: readonly RecordedEvent[], onReacted: () => void): Promise<void> {
    this.#pending.push(...events);
    const leftMs = this.#reactAtMs - performance.now();
    const isUrgent = this.#options.reactor.concernsSagas(events) || this.#pending.length >= maxPending;
    if (isUrgent || leftMs <= 0) return this.#react(onReacted);
    this.#linger ??= setTimeout(() => {
      this.#react(onReacted).catch((error: unknown) => {
        this.#failure = error;
        void this.#subscription?.close();
      });
    }, leftMs).unref();
  }

  #react(onReacted: () => void): Promise<void> {
    clearTimeout(this.#linger);
    this.#linger = undefined;
    return this.exclusive(async () => {
      const beganMs = performance.now();
      await this.#options.reactor.react(this.#pending.splice(0));
      const endedMs = performance.now();
      const lingerMs = Math.min(Math.max(minLingerMs, lingerPerWork * (endedMs - beganMs)), maxLingerMs);
      this.#reactAtMs = endedMs + lingerMs;
      onReacted();
      this.#sleep();
      this.#saveSoon();
    });
  }

  /** Runs something between two steps of the reactor. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#work.then(work);
    this.#work = result.catch(() => {});
    return result;
  }

  async #fireDue(): Promise<void> {
    if (!this.#isOpen) return;
    const { reactor } = this.#options;
    const beganMs = this.#nowMs();
    const from = performance.now();
    const fired = await reactor.fireDue();
    const isBehind = (reactor.nextDueMs() ?? Number.POSITIVE_INFINITY) <= beganMs;
    const restMs = Math.min(Math.max(minRestMs, restPerWork * (performance.now() - from)), maxRestMs);
    this.#restUntilMs = fired === 0 || isBehind ? 0 : this.#nowMs() + restMs;
    this.#sleep();
  }

  #nowMs(): number {
    return Date.parse(this.#options.clock.now());
  }

  /** Until the next timer is due. */
  #sleep(): void {
    clearTimeout(this.#timer);
    if (!this.#isOpen) return;
    const dueMs = this.#options.reactor.nextDueMs();
    if (dueMs === undefined) return;
    const ms = Math.max(0, Math.max(dueMs, this.#restUntilMs) - this.#nowMs());
    this.#timer = setTimeout(() => void this.#wake(), Math.min(ms, maxSleepMs));
    this.#timer.unref();
  }

  /** Others see from the checkpoint how far the sagas and the projections are. */
  #saveSoon(): void {
    this.#save ??= setTimeout(() => {
      this.#save = undefined;
      this.exclusive(() => this.#options.reactor.save()).catch((error: unknown) => {
        this.#options.log.warn(
          { err: error },
          "the checkpoint of the sagas could not be saved; saved with the next event",
        );
      });
    }, saveAfterMs).unref();
  }

  async #wake(): Promise<void> {
    try {
      await this.exclusive(() => this.#fireDue());
    } catch (error) {
      this.#options.log.warn({ err: error }, "timers could not be fired; tried again in a moment");
      this.#timer = setTimeout(() => void this.#wake(), maxSleepMs);
      this.#timer.unref();
    }
  }

  /** Ends it after the work at hand, and writes down how far it came. */
  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    clearTimeout(this.#timer);
    clearTimeout(this.#save);
    clearTimeout(this.#linger);
    await this.#subscription?.close();
    await this.#running;
    await this.exclusive(() => this.#options.reactor.save()).catch(() => {});
  }
}
