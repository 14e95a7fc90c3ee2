/**
 * The relay: brings every event of the log to JetStream, once, in order, at the sequence that equals its position.
 * It keeps no position of its own: where the stream ends is the checkpoint, and the log can fill any gap.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { EventStore, Subscription } from "../core/event-store.ts";
import type { RecordedEvent } from "../core/message.ts";
import { eventMessage, eventSource } from "../wire/cloud-event.ts";
import { type EventStream, StreamRefused } from "../wire/event-stream.ts";
import type { Log } from "./log.ts";

/** What the relay works with. */
export interface RelayOptions {
  readonly store: EventStore;
  readonly stream: EventStream;
  readonly prefix: string;
  readonly log: Log;
}

/** For health. */
export interface RelayStatus {
  readonly status: "relaying" | "waiting" | "refused";
  /** Up to here JetStream has the events. */
  readonly position: number;
  /** Why it waits or refuses. */
  readonly reason?: string;
}

const minBackoffMs = 50;
const maxBackoffMs = 2_000;
/** Events that follow one another closely travel together: a batch costs the broker, and this thread, little more than one. */
const lingerMs = 5;
/** How often an idle relay looks whether the stream is still there. */
const checkEveryMs = 1_000;

/** The stream that a process relays to. */
export interface RelayTarget {
  readonly pid: number;
  /** As in `StreamEnd`. */
  readonly madeAt: string;
}

const targetKey = ["relay", "target"];

/** Where the last relay on this store brought the events, and which process it was. */
export function relayTarget(store: EventStore): RelayTarget | undefined {
  return store.get("checkpoints", targetKey) as RelayTarget | undefined;
}

/** One relay; `run` it once. */
export class Relay {
  readonly #options: RelayOptions;
  readonly #source: string;
  #position = 0;
  #status: RelayStatus["status"] = "waiting";
  #reason: string | undefined;
  #subscription: Subscription | undefined;
  #isOpen = true;
  #backoffMs = minBackoffMs;
  #onProgress: (() => void)[] = [];

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#source = eventSource(options.store.id);
  }

  get status(): RelayStatus {
    const { position } = this;
    return { status: this.#status, position, ...(this.#reason === undefined ? {} : { reason: this.#reason }) };
  }

  get position(): number {
    return this.#position;
  }

  /** Compares stream and log. @throws StreamRefused when the stream holds what this log does not. */
  async synchronise(): Promise<void> {
    const { store, stream } = this.#options;
    const { lastSequence, lastEventId, madeAt, isHollow } = await stream.open();
    const [event] = lastSequence === 0 ? [] : store.readAll({ afterPosition: lastSequence - 1, limit: 1 });
    if (lastSequence > 0 && (event === undefined || (lastEventId !== undefined && event.id !== lastEventId))) {
      const what = event === undefined ? `only ${store.position()} events` : "another event there";
      throw new StreamRefused(
        `the JetStream stream ends at sequence ${lastSequence}, but this store has ${what}: it is older than the stream, ` +
          "or somebody else wrote to it. Restore the store, or delete the stream (of an embedded broker, while it is stopped: in the " +
          "data folder, jetstream/jetstream/$G/streams/<name of the stream>): it is rebuilt from the log",
      );
    }
    if (isHollow) {
      this.#options.log.warn(
        { lastSequence },
        "the JetStream stream has lost its messages; it is made again from the log",
      );
      await stream.remake();
      await this.synchronise();
      return;
    }
    await this.#announce(madeAt);
    this.#position = lastSequence;
  }

  /** Tells the other processes on this store where the events go. */
  async #announce(madeAt: string): Promise<void> {
    const { store } = this.#options;
    const known = relayTarget(store);
    if (known?.pid === process.pid && known.madeAt === madeAt) return;
    await store.withTransaction((tx) => tx.put("checkpoints", targetKey, { pid: process.pid, madeAt }));
  }

  /** Relays until closed; whatever goes wrong is waited out and tried again from where the stream ends. */
  async run(): Promise<void> {
    while (this.#isOpen) {
      try {
        await this.synchronise();
        await this.#follow();
      } catch (error) {
        if (!this.#isOpen) return;
        const refused = error instanceof StreamRefused;
        this.#set(refused ? "refused" : "waiting", (error as Error).message);
        this.#options.log.warn({ err: error, position: this.#position }, "the relay waits and tries again");
        await delay(this.#backoffMs, undefined, { ref: false });
        this.#backoffMs = Math.min(this.#backoffMs * 2, maxBackoffMs);
      }
    }
  }

  async #follow(): Promise<void> {
    const { store, stream } = this.#options;
    if (this.#position >= store.position()) this.#prosper();
    const subscription = store.subscribeAll((events) => this.#publish(events), this.#position);
    this.#subscription = subscription;
    let isChecking = false;
    let lost: ((error: Error) => void) | undefined;
    const streamLost = new Promise<never>((_, reject) => {
      lost = reject;
    });
    streamLost.catch(() => {});
    const check = setInterval(async () => {
      if (isChecking) return;
      isChecking = true;
      try {
        const relayed = this.#position;
        const end = await stream.end();
        if (end === undefined || end.isHollow || end.lastSequence < relayed) {
          lost?.(new Error("the JetStream stream has lost events; they are brought back from the log"));
        }
      } catch {
        // The broker is away; the next publish or the next check will tell.
      }
      isChecking = false;
    }, checkEveryMs);
    check.unref();
    try {
      await Promise.race([subscription.done, streamLost]);
    } finally {
      clearInterval(check);
      await subscription.close();
    }
  }

  async #publish(events: readonly RecordedEvent[]): Promise<void> {
    const { prefix, stream } = this.#options;
    const messages = events.map((event) => eventMessage(prefix, this.#source, event));
    for (let done = 0; done < messages.length; ) {
      const published = await stream.publish(messages.slice(done), this.#position);
      if (published === "moved") throw new Error("the JetStream stream does not end where the relay left it");
      done += published;
      this.#position += published;
      this.#prosper();
    }
    await delay(lingerMs, undefined, { ref: false });
  }

  /** The broker takes events, or has all of them: whatever went wrong is over. */
  #prosper(): void {
    this.#set("relaying", undefined);
    this.#backoffMs = minBackoffMs;
    for (const resolve of this.#onProgress.splice(0)) resolve();
  }

  /** Resolves when JetStream has everything up to `position`, when the relay is closed, or after `timeoutMs`. */
  async drain(position: number, timeoutMs: number): Promise<boolean> {
    const timeout = new AbortController();
    const isOver = delay(timeoutMs, true, { signal: timeout.signal }).catch(() => true);
    while (this.#position < position && this.#isOpen) {
      const progress = new Promise<boolean>((resolve) => this.#onProgress.push(() => resolve(false)));
      if (await Promise.race([progress, isOver])) break;
    }
    timeout.abort();
    return this.#position >= position;
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    for (const resolve of this.#onProgress.splice(0)) resolve();
    await this.#subscription?.close();
  }

  #set(status: RelayStatus["status"], reason: string | undefined): void {
    this.#status = status;
    this.#reason = reason;
  }
}
