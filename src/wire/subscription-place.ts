/**
 * The place of a subscription: who holds its name, and how far it has come. One message in a JetStream stream of ours, so
 * that it outlives the event stream, which may be made again, and with it all consumers.
 *
 * Whoever holds the name renews the message; every write names the revision it follows, so of two that believe to hold it
 * one learns better. A place that was not renewed for `leaseMs`, by the clock of the one who waits, is free.
 */
import { setTimeout as delay } from "node:timers/promises";
import { JetStreamApiCodes, type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { json } from "./codec.ts";
import { ensureOwnStream, isApiError } from "./own-stream.ts";
import type { Reached } from "./subscription-progress.ts";
import { ulids } from "./ulid.ts";

/** What is kept under a name. */
export interface Standing extends Reached {
  /** The filter subjects, sorted. */
  readonly filters: readonly string[];
  /** The store whose log the positions are in. */
  readonly store?: string;
}

interface Stored extends Standing {
  /** null when the last one has given it back. */
  readonly holder: string | null;
}

/** What was found under a name, and as of which revision. */
export interface Found extends Stored {
  readonly revision: number;
}

/** Somebody else holds the name now. */
export class PlaceLost extends Error {
  override readonly name = "PlaceLost";

  constructor() {
    super("another process has taken over this subscription");
  }
}

const requestTimeoutMs = 2_000;
/** Of those that wait for a place, within the time after which it is free. */
const looksPerLease = 5;
const newHolder = ulids(Date.now);

/** The place of one subscriber. */
export class Place {
  readonly #nats: NatsConnection;
  readonly #stream: string;
  readonly #subject: string;
  readonly #subjects: string;
  readonly #leaseMs: number;
  readonly #holder = newHolder();
  #revision = 0;
  #heldUntil = 0;

  constructor(options: { nats: NatsConnection; prefix: string; name: string; leaseMs: number }) {
    this.#nats = options.nats;
    this.#stream = `${options.prefix.toUpperCase()}_SUBSCRIPTIONS`;
    this.#subject = `${options.prefix}.sub.${options.name}`;
    this.#subjects = `${options.prefix}.sub.*`;
    this.#leaseMs = options.leaseMs;
  }

  /** Whether nobody else can have taken it by now. */
  get isHeld(): boolean {
    return performance.now() < this.#heldUntil;
  }

  /** Whether nobody has had it since this subscriber. */
  isMine(found: Found): boolean {
    return found.holder === this.#holder;
  }

  /** Looks without touching it. */
  async find(): Promise<Found | undefined> {
    try {
      const query = { last_by_subj: this.#subject };
      const message = await (await this.#manager()).streams.getMessage(this.#stream, query);
      return message === null ? undefined : { ...(json.decode(message.data) as Stored), revision: message.seq };
    } catch (error) {
      if (isApiError(error, JetStreamApiCodes.StreamNotFound)) return undefined;
      throw error;
    }
  }

  /** Makes the place of a new name. Returns false when somebody else was faster. */
  async make(standing: Standing): Promise<boolean> {
    await ensureOwnStream(await this.#manager(), { name: this.#stream, subjects: this.#subjects, kept: 1 });
    return this.#write({ ...standing, holder: this.#holder }, 0);
  }

  /**
   * Resolves once this process holds the place, or `signal` is aborted. `standing` says what to write there, from what
   * is found; what it throws ends the wait. `onWait` is told what every look finds that finds somebody else.
   */
  async take(
    standing: (found: Found | undefined) => Standing,
    { signal, onWait }: { readonly signal: AbortSignal; readonly onWait: (found: Found | undefined) => void },
  ): Promise<void> {
    let seen = { revision: -1, at: 0 };
    while (!signal.aborted) {
      const found = await this.find();
      if (found?.revision !== seen.revision) seen = { revision: found?.revision ?? 0, at: performance.now() };
      const isFree = !found?.holder || found.holder === this.#holder || performance.now() - seen.at >= this.#leaseMs;
      if (isFree && (await this.#claim(found, standing(found)))) return;
      onWait(found);
      await delay(this.#leaseMs / looksPerLease, undefined, { signal }).catch(() => {});
    }
  }

  #claim(found: Found | undefined, standing: Standing): Promise<boolean> {
    if (found === undefined) return this.make(standing);
    return this.#write({ ...standing, holder: this.#holder }, found.revision);
  }

  /** Writes how far it has come, and holds the place for another `leaseMs`. @throws PlaceLost */
  async renew(standing: Standing): Promise<void> {
    const mine = { ...standing, holder: this.#holder };
    if (await this.#write(mine, this.#revision)) return;
    // The acknowledgement of the write before may have been lost on the way.
    const found = await this.find();
    if (found?.holder === this.#holder && (await this.#write(mine, found.revision))) return;
    this.#heldUntil = 0;
    throw new PlaceLost();
  }

  /** Gives it back, for others to take at once, if it was ever ours and still is. */
  async giveBack(standing: Standing): Promise<void> {
    this.#heldUntil = 0;
    if (this.#revision > 0) await this.#write({ ...standing, holder: null }, this.#revision);
  }

  async #write(stored: Stored, revision: number): Promise<boolean> {
    const sentAt = performance.now();
    const js = (await this.#manager()).jetstream();
    try {
      const options = { expect: { lastSubjectSequence: revision }, timeout: requestTimeoutMs };
      const { seq } = await js.publish(this.#subject, json.encode(stored), options);
      this.#revision = seq;
      this.#heldUntil = stored.holder === null ? 0 : sentAt + this.#leaseMs;
      return true;
    } catch (error) {
      if (isApiError(error, JetStreamApiCodes.StreamWrongLastSequence)) return false;
      throw error;
    }
  }

  #manager(): Promise<JetStreamManager> {
    return jetstreamManager(this.#nats, { timeout: requestTimeoutMs, checkAPI: false });
  }
}
