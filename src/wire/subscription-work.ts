/**
 * What the process that holds a subscription does with its events: hands each to the handler, in order within a stream,
 * again after a while when it throws, and to the dead letters when it keeps throwing. Begins when a place is taken and
 * ends when it is lost or given back; feeds may come and go meanwhile.
 */
import { setMaxListeners } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { JsMsg } from "@nats-io/jetstream";
import type { RecordedEvent } from "../core/message.ts";
import { fromCloudEvent } from "./cloud-event.ts";
import type { DeadLetters } from "./dead-letters.ts";
import type { Feed } from "./subscription-feed.ts";
import { Ended, Lanes, Slots } from "./subscription-lanes.ts";
import { type AfterPark, Parked } from "./subscription-parked.ts";
import { Progress, type Reached } from "./subscription-progress.ts";

/** What a handler is told beside the event. */
export interface Delivery {
  /** Of the event in the log. Whoever keeps it with the effect, in one transaction, makes the effect happen once. */
  readonly position: number;
  /** 1 for the first time. Counts over restarts what was seen to fail, and goes on counting when a dead letter is retried. */
  readonly deliveries: number;
  /** Aborted when the outcome no longer counts: the subscription is closed for good, or another process has taken over. */
  readonly signal: AbortSignal;
}

/** Handles one event. What it throws makes the event come again. */
export type EventHandler<Event = RecordedEvent> = (event: Event, delivery: Delivery) => unknown;

/** What happens beside the handling, for logs and figures. */
export type SubscriptionNotice =
  | {
      readonly kind: "failed";
      readonly position: number;
      readonly deliveries: number;
      readonly error: unknown;
      readonly againInMs: number;
    }
  | { readonly kind: "parked"; readonly position: number; readonly deliveries: number; readonly error: unknown }
  /** The broker or the log is not as it has to be; it is tried again. */
  | { readonly kind: "waiting"; readonly error: unknown }
  | { readonly kind: "state"; readonly state: "standby" | "active" | "waiting" | "ended" };

/** How to deliver. */
export interface WorkOptions {
  readonly name: string;
  readonly handler: EventHandler;
  readonly letters: DeadLetters;
  readonly maxInFlight: number;
  readonly maxDeliver: number;
  readonly backoffMs: readonly number[];
  readonly afterPark: AfterPark;
  /** Whether the place is ours beyond doubt: without that no handler is started. */
  readonly isHeld: () => boolean;
  readonly notice: (notice: SubscriptionNotice) => void;
  /** Something threw that should not. */
  readonly onBug: (error: unknown) => void;
}

/** Between attempts to write to the dead letters. */
const brokerPauseMs = 500;

interface Failure {
  readonly error: unknown;
  readonly deliveries: number;
}

/** The deliveries of one holder of a place. */
export class Work {
  readonly #options: WorkOptions;
  readonly #lanes: Lanes;
  readonly #slots: Slots;
  readonly #parked: Parked;
  readonly #progress: Progress;
  /** Of the handlers that run. */
  readonly #running = new Set<AbortController>();
  readonly #ended = new AbortController();
  /** Streams that have a job for their dead letters in their lane. */
  readonly #queued = new Set<string>();
  #feed: Feed | undefined;
  #redelivered = 0;
  /** The change of dead letters that others wait for. */
  #change: Promise<unknown> = Promise.resolve();

  constructor(options: WorkOptions, reached: Reached) {
    this.#options = options;
    this.#lanes = new Lanes(options.onBug);
    this.#slots = new Slots(options.maxInFlight, options.isHeld);
    this.#parked = new Parked(options.afterPark);
    this.#progress = new Progress(reached);
    // Every stream that waits for its next try listens.
    setMaxListeners(0, this.#ended.signal);
  }

  get progress(): Omit<Progress, "give" | "settle" | "fail"> {
    return this.#progress;
  }

  /** Figures for `status`. */
  get counts(): { readonly running: number; readonly redelivered: number; readonly parked: number } {
    return { running: this.#slots.running, redelivered: this.#redelivered, parked: this.#parked.count };
  }

  /** Acknowledgements go to this feed from now on: what an older one delivered, this one delivers again. */
  attach(feed: Feed | undefined): void {
    this.#feed = feed;
  }

  /** Takes what a feed delivers. */
  receive(message: JsMsg): void {
    const position = message.seq;
    const event = fromCloudEvent(message.subject, message.headers, message.json());
    const known = this.#progress.give(position);
    if (known === "settled") this.#feed?.acknowledge(position);
    if (known !== "new") return;
    this.#lanes.add(event.stream, () => this.#handle(event, message));
  }

  /** Reads anew which dead letters there are, and takes up those that are due. */
  async refresh(): Promise<void> {
    await this.#exclusively(async () => {
      this.#parked.replaceAll(await this.#options.letters.marks(this.#options.name));
    });
    for (const stream of this.#parked.streams) this.#release(stream);
  }

  /** The place may be ours beyond doubt again. */
  look(): void {
    this.#slots.look();
  }

  /** Starts no handler any more. */
  end(): void {
    this.#ended.abort();
    this.#lanes.end();
    this.#slots.end();
  }

  /** Ends it, and tells the handlers that run that they run in vain. */
  abandon(): void {
    this.end();
    const reason = new Ended("the subscription goes on without this handler");
    for (const controller of this.#running) controller.abort(reason);
  }

  /** Resolves when no handler runs. */
  idle(): Promise<void> {
    return this.#lanes.idle();
  }

  async #handle(event: RecordedEvent, message: JsMsg): Promise<void> {
    const { letters, name, notice } = this.#options;
    const { position, stream } = event;
    if (this.#parked.has(position)) {
      this.#settle(position);
      return;
    }
    const isHeldUp = this.#parked.isHeldUp(stream, position);
    const failure = isHeldUp ? undefined : await this.#deliver(event);
    if (isHeldUp || failure !== undefined) {
      const state = isHeldUp ? "held" : "parked";
      await this.#write(async () => {
        await letters.add(name, message, { state, deliveries: 0, ...failure });
        this.#parked.set({ position, stream, state });
      });
      if (failure !== undefined) notice({ kind: "parked", position, ...failure });
    }
    this.#settle(position);
  }

  #settle(position: number): void {
    this.#progress.settle(position);
    this.#feed?.acknowledge(position);
  }

  /** Puts the next dead letter of a stream that is due before all else in its lane. */
  #release(stream: string): void {
    if (this.#queued.has(stream) || this.#parked.due(stream) === undefined) return;
    this.#queued.add(stream);
    this.#lanes.addFirst(stream, async () => {
      this.#queued.delete(stream);
      const position = this.#parked.due(stream);
      if (position !== undefined) await this.#handleAgain(position, stream);
      this.#release(stream);
    });
  }

  async #handleAgain(position: number, stream: string): Promise<void> {
    const { letters, name, notice } = this.#options;
    const letter = await this.#write(() => letters.get(name, position));
    if (letter === undefined) {
      this.#parked.delete(position);
      return;
    }
    const failure = await this.#deliver(letter.event, letter.deliveries);
    await this.#write(async () => {
      if (failure === undefined) {
        await letters.drop(name, position);
        this.#parked.delete(position);
      } else if (await letters.replace(letter, { state: "parked", ...failure })) {
        this.#parked.set({ position, stream, state: "parked" });
      } else {
        const changed = await letters.get(name, position);
        if (changed === undefined) this.#parked.delete(position);
        else this.#parked.set({ position, stream, state: changed.state });
      }
    });
    if (failure !== undefined) notice({ kind: "parked", position, ...failure });
  }

  /**
   * Calls the handler until it does not throw, at most `maxDeliver` times. `before` counts the deliveries of a dead letter;
   * for an event of the feed, what it has failed so far counts towards the `maxDeliver`. Returns the last failure, or
   * undefined when it was handled.
   */
  async #deliver(event: RecordedEvent, before?: number): Promise<Failure | undefined> {
    const { maxDeliver, backoffMs, notice } = this.#options;
    const { position } = event;
    const isFromFeed = before === undefined;
    for (let attempt = isFromFeed ? this.#progress.failures(position) + 1 : 1; ; attempt++) {
      const deliveries = (before ?? 0) + attempt;
      await this.#slots.enter();
      if (deliveries > 1) this.#redelivered += 1;
      const thrown = await this.#call(event, deliveries);
      if (thrown === undefined) return undefined;
      if (isFromFeed) this.#progress.fail(position);
      if (attempt >= maxDeliver) return { error: thrown.error, deliveries };
      const againInMs = backoffMs[Math.min(attempt, backoffMs.length) - 1] ?? 0;
      notice({ kind: "failed", position, deliveries, error: thrown.error, againInMs });
      await this.#pause(againInMs);
    }
  }

  /** Holds a slot, which it leaves. */
  async #call(event: RecordedEvent, deliveries: number): Promise<{ readonly error: unknown } | undefined> {
    const controller = new AbortController();
    const { signal } = controller;
    this.#running.add(controller);
    try {
      await this.#options.handler(event, { position: event.position, deliveries, signal });
      return undefined;
    } catch (error) {
      if (signal.aborted) throw new Ended();
      return { error };
    } finally {
      this.#running.delete(controller);
      this.#slots.leave();
    }
  }

  /** Does something with the dead letters, again and again until the broker has done it. @throws Ended */
  async #write<Result>(change: () => Promise<Result>): Promise<Result> {
    for (;;) {
      try {
        return await this.#exclusively(change);
      } catch (error) {
        this.#options.notice({ kind: "waiting", error });
        await this.#pause(brokerPauseMs);
      }
    }
  }

  /** One at a time: what is read from the broker must not undo in memory what has been written since. */
  #exclusively<Result>(change: () => Promise<Result>): Promise<Result> {
    const result = this.#change.then(change);
    this.#change = result.catch(() => {});
    return result;
  }

  async #pause(ms: number): Promise<void> {
    try {
      await delay(ms, undefined, { signal: this.#ended.signal });
    } catch {
      throw new Ended();
    }
  }
}
