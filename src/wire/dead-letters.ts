/**
 * The dead letters: events that a subscriber could not handle, kept with the reason until somebody decides. One JetStream
 * stream for all subscriptions of a prefix, one subject for each subscription and position; the last message on a subject
 * is the state of that letter. For subscribers and for the command line.
 *
 * Messages are removed by purging their subject and never by a limit: what nats-server removes because of
 * `max_msgs_per_subject` comes back after a SIGKILL, when what replaced it was purged.
 */
import { DeliverPolicy, JetStreamApiCodes, type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { headers, type MsgHdrs, type NatsConnection } from "@nats-io/nats-core";
import type { RecordedEvent } from "../core/message.ts";
import { fromCloudEvent } from "./cloud-event.ts";
import { json } from "./codec.ts";
import { ensureOwnStream, isApiError } from "./own-stream.ts";

/** `parked` waits for a person, `retry` for the subscriber, and `held` for an earlier letter of its stream to be resolved. */
export type DeadLetterState = "parked" | "retry" | "held";

/** One event that one subscription has not handled. */
export interface DeadLetter {
  readonly subscription: string;
  readonly position: number;
  readonly state: DeadLetterState;
  /** What the handler threw last, in one line; empty for what is held and was never tried. */
  readonly reason: string;
  /** Where it was thrown: the first line of the stack that names a place. */
  readonly thrownAt?: string;
  /** How often the handler got the event. */
  readonly deliveries: number;
  /** When the letter got its state; ISO 8601. */
  readonly since: string;
  /** Of the event. */
  readonly subject: string;
  readonly event: RecordedEvent;
}

/** What the broker tells of a letter without its body: enough to know which streams wait. */
export interface DeadLetterMark {
  readonly position: number;
  readonly stream: string;
  readonly state: DeadLetterState;
}

/** An event as it came from the broker: carried on byte for byte. */
interface CarriedEvent {
  readonly subject: string;
  readonly headers: MsgHdrs | undefined;
  readonly data: Uint8Array;
}

/** A letter as it is stored. `sequence` tells it from what comes after it on its subject. */
interface Stored extends CarriedEvent {
  readonly sequence: number;
}

/** What a letter says beside its event. */
interface DeadLetterNote {
  readonly state: DeadLetterState;
  readonly deliveries: number;
  readonly error?: unknown;
}

/** Whether `text` can be the name of a subscription: 1 to 64 of `A-Z a-z 0-9 _ -`. */
export function isSubscriptionName(text: unknown): text is string {
  return typeof text === "string" && /^[A-Za-z0-9_-]{1,64}$/.test(text);
}

const requestTimeoutMs = 2_000;
const fetchTimeoutMs = 1_000;
const maxFetched = 500;
const maxReasonLength = 1_000;
const maxPlaceLength = 300;

/** The dead letters of one prefix. */
export class DeadLetters {
  readonly #nats: NatsConnection;
  readonly #prefix: string;
  readonly #stream: string;

  constructor(nats: NatsConnection, prefix: string) {
    this.#nats = nats;
    this.#prefix = prefix;
    this.#stream = `${prefix.toUpperCase()}_DEAD`;
  }

  /** The letters of one subscription, or of all, by subscription and position. */
  async list(subscription = "*"): Promise<DeadLetter[]> {
    const letters = [...(await this.#read(subscription)).values()].map(letterOf);
    return letters.sort((a, b) => compare(a.subscription, b.subscription) || a.position - b.position);
  }

  /** Which events of a subscription are here, by position. */
  async marks(subscription: string): Promise<DeadLetterMark[]> {
    const found = await this.#read(subscription, { headersOnly: true });
    const marks = [...found].map(([subject, { headers: all }]) => {
      return { position: addressOf(subject).position, stream: all?.get("ce-subject") ?? "", state: stateOf(all) };
    });
    return marks.sort((a, b) => a.position - b.position);
  }

  /** One letter and its event; undefined when it is not, or no longer, here. */
  async get(subscription: string, position: number): Promise<(DeadLetter & { readonly carried: Stored }) | undefined> {
    const carried = await this.#last(this.#subject(subscription, position));
    return carried === undefined ? undefined : { ...letterOf(carried), carried };
  }

  /** Puts an event here that is not here yet; if it is, all is well, too. */
  async add(subscription: string, event: CarriedEvent, note: DeadLetterNote): Promise<void> {
    await ensureOwnStream(await this.#manager(), { name: this.#stream, subjects: `${this.#prefix}.dead.*.*` });
    const position = Number(event.headers?.get("Retrace-Position"));
    await this.#publish(this.#subject(subscription, position), 0, written(subscription, event, note));
  }

  /** Changes what a letter says. Returns false when it was changed or dropped since it was read. */
  replace(letter: DeadLetter & { readonly carried: Stored }, note: DeadLetterNote): Promise<boolean> {
    const { subscription, position, subject, carried } = letter;
    const message = written(subscription, { ...carried, subject }, note);
    return this.#publish(this.#subject(subscription, position), carried.sequence, message);
  }

  /**
   * Asks for another delivery: at once where the subscription runs, else when it does. What is held up comes when the letter
   * before it is resolved, and is not asked for.
   */
  async retry(subscription: string, position: number): Promise<"asked" | "held" | "missing"> {
    for (;;) {
      const letter = await this.get(subscription, position);
      if (letter === undefined) return "missing";
      if (letter.state !== "parked") return letter.state === "held" ? "held" : "asked";
      const all = marked(letter.carried.headers, { [stateHeader]: "retry" });
      const subject = this.#subject(subscription, position);
      if (await this.#publish(subject, letter.carried.sequence, { ...letter.carried, headers: all })) return "asked";
    }
  }

  /** Forgets a letter. Returns false when it is not here. */
  async drop(subscription: string, position: number): Promise<boolean> {
    try {
      const filter = this.#subject(subscription, position);
      const { purged } = await (await this.#manager()).streams.purge(this.#stream, { filter });
      return purged > 0;
    } catch (error) {
      if (isApiError(error, JetStreamApiCodes.StreamNotFound)) return false;
      throw error;
    }
  }

  /** Tells a running subscriber to look at its letters again. */
  notify(subscription: string): void {
    this.#nats.publish(this.#noticeSubject(subscription));
  }

  /** Calls back on every `notify`, until the returned function is called. */
  onNotice(subscription: string, callback: () => void): () => void {
    const listening = this.#nats.subscribe(this.#noticeSubject(subscription), { callback });
    return () => listening.unsubscribe();
  }

  #subject(subscription: string, position: number | "*"): string {
    return `${this.#prefix}.dead.${subscription}.${position}`;
  }

  /** One token shorter than the subjects of the stream: it is not stored. */
  #noticeSubject(subscription: string): string {
    return `${this.#prefix}.dead.${subscription}`;
  }

  #manager(): Promise<JetStreamManager> {
    return jetstreamManager(this.#nats, { timeout: requestTimeoutMs, checkAPI: false });
  }

  /** Appends when the last message on the subject is the one with `sequence`; 0 for none. */
  async #publish(subject: string, sequence: number, { headers: all, data }: Omit<CarriedEvent, "subject">) {
    const js = (await this.#manager()).jetstream();
    const options = { expect: { lastSubjectSequence: sequence }, timeout: requestTimeoutMs };
    try {
      await js.publish(subject, data, { ...options, ...(all === undefined ? {} : { headers: all }) });
      return true;
    } catch (error) {
      if (isApiError(error, JetStreamApiCodes.StreamWrongLastSequence)) return false;
      throw error;
    }
  }

  async #last(subject: string): Promise<Stored | undefined> {
    try {
      const found = await (await this.#manager()).streams.getMessage(this.#stream, { last_by_subj: subject });
      if (found === null) return undefined;
      return { subject, headers: found.header, data: found.data, sequence: found.seq };
    } catch (error) {
      if (isApiError(error, JetStreamApiCodes.StreamNotFound)) return undefined;
      throw error;
    }
  }

  /** The last message of each subject. */
  async #read(subscription: string, { headersOnly = false } = {}): Promise<Map<string, Stored>> {
    const found = new Map<string, Stored>();
    const js = (await this.#manager()).jetstream();
    const consumer = await js.consumers
      .get(this.#stream, {
        filter_subjects: this.#subject(subscription, "*"),
        deliver_policy: DeliverPolicy.LastPerSubject,
        headers_only: headersOnly,
      })
      .catch((error) => {
        if (isApiError(error, JetStreamApiCodes.StreamNotFound)) return undefined;
        throw error;
      });
    if (consumer === undefined) return found;
    const left = async () => (await consumer.info()).num_pending;
    // What is dropped meanwhile does not come: asked for what is left, the broker says when that is all.
    for (let count = await left(); count > 0; count = await left()) {
      const messages = await consumer.fetch({ max_messages: Math.min(count, maxFetched), expires: fetchTimeoutMs });
      for await (const { subject, headers: all, data, seq } of messages) {
        found.set(subject, { subject, headers: all, data, sequence: seq });
      }
    }
    await consumer.delete();
    return found;
  }
}

const stateHeader = "Retrace-Dead-State";
const dead = {
  subscription: "Retrace-Dead-Subscription",
  subject: "Retrace-Dead-Subject",
  deliveries: "Retrace-Dead-Deliveries",
  since: "Retrace-Dead-Since",
  reason: "Retrace-Dead-Reason",
  thrownAt: "Retrace-Dead-Thrown-At",
} as const;

function written(subscription: string, event: CarriedEvent, note: DeadLetterNote): Omit<CarriedEvent, "subject"> {
  const { reason, thrownAt } = "error" in note ? describeError(note.error) : { reason: "", thrownAt: "" };
  const all = marked(event.headers, {
    [dead.subscription]: subscription,
    [dead.subject]: event.subject,
    [stateHeader]: note.state,
    [dead.deliveries]: String(note.deliveries),
    [dead.since]: new Date().toISOString(),
    [dead.reason]: reason,
    [dead.thrownAt]: thrownAt,
  });
  return { headers: all, data: event.data };
}

/** The headers of a message with some changed, without those that speak to the broker. */
function marked(before: MsgHdrs | undefined, changes: Readonly<Record<string, string>>): MsgHdrs {
  const all = headers();
  for (const [name, values] of before ?? []) {
    if (!/^nats-/i.test(name)) for (const value of values) all.append(name, value);
  }
  for (const [name, value] of Object.entries(changes)) {
    if (value === "") all.delete(name);
    else all.set(name, value);
  }
  return all;
}

/** An error in two lines, as headers can carry them. */
function describeError(error: unknown): { readonly reason: string; readonly thrownAt: string } {
  const { message = String(error), stack = "" } = error instanceof Error ? error : {};
  const place = stack.split("\n").find((line) => /^\s+at /.test(line)) ?? "";
  return {
    reason: line(message, maxReasonLength) || "an error without a message",
    thrownAt: line(place, maxPlaceLength),
  };
}

function line(text: string, maxLength: number): string {
  const flat = text.replace(/[\p{Cc}\s]+/gu, " ").trim();
  return flat.slice(0, maxLength).trim();
}

function letterOf({ subject: at, headers: all, data }: Stored): DeadLetter {
  const get = (name: string): string => all?.get(name) ?? "";
  const subject = get(dead.subject);
  const thrownAt = get(dead.thrownAt);
  return {
    ...addressOf(at),
    state: stateOf(all),
    reason: get(dead.reason),
    ...(thrownAt === "" ? {} : { thrownAt }),
    deliveries: Number(get(dead.deliveries)),
    since: get(dead.since),
    subject,
    event: fromCloudEvent(subject, all, json.decode(data)),
  };
}

function stateOf(all: MsgHdrs | undefined): DeadLetterState {
  const state = all?.get(stateHeader);
  return state === "retry" || state === "held" ? state : "parked";
}

function addressOf(subject: string): { readonly subscription: string; readonly position: number } {
  const [, , subscription = "", position] = subject.split(".");
  return { subscription, position: Number(position) };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
