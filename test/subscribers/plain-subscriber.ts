/**
 * A subscriber that is not ours: what SUBSCRIBERS.md says under "Without our client", step by step, on a plain socket. Its
 * position and its effects would be in one database; here they are in one object.
 */
import { setTimeout as delay } from "node:timers/promises";
import { type RawMessage, RawNats } from "../protocol/raw-nats.ts";

const stream = "RETRACE_EVENTS";
const deadStream = "RETRACE_DEAD";
const nanosPerMs = 1_000_000;

/** What becomes of an event: it returns, or throws. */
export type PlainHandler = (position: number, stream: string, data: unknown) => void;

/** How to subscribe. */
export interface PlainOptions {
  readonly url: string;
  readonly name: string;
  readonly filter: string;
  readonly maxDeliver: number;
  readonly nakMs: number;
  readonly handler: PlainHandler;
}

interface Reply {
  readonly error?: { readonly err_code: number };
  readonly state?: { readonly subjects?: Readonly<Record<string, number>> };
  readonly message?: { readonly hdrs: string; readonly data: string };
}

/** One such subscriber. */
export class PlainSubscriber {
  readonly #options: PlainOptions;
  #nats: RawNats | undefined;
  #isOpen = true;
  #isAsked = false;
  #onMessage: (message: RawMessage) => void = () => {};
  /** Of the last event that is handled or put aside. */
  position = 0;
  readonly ended: Promise<void>;

  constructor(options: PlainOptions) {
    this.#options = options;
    this.ended = this.#run();
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    await this.ended;
  }

  async #run(): Promise<void> {
    while (this.#isOpen) {
      try {
        const nats = await this.#connect();
        await this.#ensureConsumer(nats);
        while (this.#isOpen && (await this.#next(nats))) if (this.#isAsked) await this.#retryLetters(nats);
      } catch {
        // Step 5: whatever it was, begin with step 1.
        this.#nats?.close();
      }
      await delay(50);
    }
    this.#nats?.close();
  }

  async #connect(): Promise<RawNats> {
    this.#nats?.close();
    const nats = await RawNats.connect(this.#options.url);
    this.#nats = nats;
    nats.subscribe("inbox.plain", (message) => this.#onMessage(message));
    nats.subscribe(`retrace.dead.${this.#options.name}`, () => {
      this.#isAsked = true;
    });
    return nats;
  }

  /** Step 1. */
  async #ensureConsumer(nats: RawNats): Promise<void> {
    const { name, filter } = this.#options;
    if ((await this.#api(nats, `CONSUMER.INFO.${stream}.${name}`)).error === undefined) return;
    const config = { durable_name: name, filter_subjects: [filter], ack_policy: "explicit", max_ack_pending: 1 };
    const start = {
      deliver_policy: "by_start_sequence",
      opt_start_seq: this.position + 1,
      ack_wait: 2_000 * nanosPerMs,
    };
    const made = await this.#api(nats, `CONSUMER.CREATE.${stream}.${name}`, {
      stream_name: stream,
      config: { ...config, ...start },
    });
    if (made.error !== undefined) throw new Error("there is no stream at the moment");
  }

  /** Steps 2 to 4, for one event. Returns false when there was no answer but that there is nothing. */
  async #next(nats: RawNats): Promise<boolean> {
    const message = await new Promise<RawMessage | undefined>((resolve) => {
      const timeout = setTimeout(() => resolve(undefined), 1_500);
      void nats.closed.then(() => resolve(undefined));
      this.#onMessage = (arrived) => {
        clearTimeout(timeout);
        resolve(arrived);
      };
      const body = JSON.stringify({ batch: 1, expires: 1_000 * nanosPerMs });
      nats.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${this.#options.name}`, body, { reply: "inbox.plain" });
    });
    if (message === undefined) return false;
    // A status, not an event: 408 that the request is over, anything else that something is wrong.
    if (message.reply === undefined) return message.statusLine.startsWith("NATS/1.0 408");
    await this.#take(nats, message, message.reply);
    return true;
  }

  async #take(nats: RawNats, message: RawMessage, reply: string): Promise<void> {
    const { handler, maxDeliver, nakMs } = this.#options;
    const position = Number(message.headers.get("Retrace-Position"));
    const deliveries = Number(reply.split(".")[4]);
    try {
      if (position > this.position)
        handler(position, message.headers.get("ce-subject") ?? "", JSON.parse(`${message.body}`));
    } catch (error) {
      if (deliveries < maxDeliver) {
        nats.publish(reply, `-NAK {"delay":${nakMs * nanosPerMs}}`);
        return;
      }
      await this.#park(nats, message, { position, deliveries, reason: (error as Error).message });
    }
    this.position = Math.max(this.position, position);
    nats.publish(reply, "");
  }

  async #park(
    nats: RawNats,
    message: RawMessage,
    { position, deliveries, reason }: { position: number; deliveries: number; reason: string },
  ): Promise<void> {
    const { name } = this.#options;
    await this.#api(nats, `STREAM.CREATE.${deadStream}`, {
      ...{
        name: deadStream,
        subjects: ["retrace.dead.*.*"],
        storage: "file",
        allow_direct: true,
      },
    });
    const own = [...message.headers].filter(([header]) => !header.startsWith("Nats-"));
    await nats.request(`retrace.dead.${name}.${position}`, message.body, {
      ...Object.fromEntries(own),
      "Retrace-Dead-Subscription": name,
      "Retrace-Dead-Subject": message.subject,
      "Retrace-Dead-State": "parked",
      "Retrace-Dead-Deliveries": String(deliveries),
      "Retrace-Dead-Since": new Date().toISOString(),
      "Retrace-Dead-Reason": reason,
      "Nats-Expected-Last-Subject-Sequence": "0",
    });
  }

  /** Handles what a person wants to have handled again. */
  async #retryLetters(nats: RawNats): Promise<void> {
    this.#isAsked = false;
    const subjects = { subjects_filter: `retrace.dead.${this.#options.name}.*` };
    const { state } = await this.#api(nats, `STREAM.INFO.${deadStream}`, subjects);
    for (const subject of Object.keys(state?.subjects ?? {})) {
      const { message } = await this.#api(nats, `STREAM.MSG.GET.${deadStream}`, { last_by_subj: subject });
      const headers = Buffer.from(message?.hdrs ?? "", "base64").toString();
      if (!headers.includes("Retrace-Dead-State: retry")) continue;
      const of = /ce-subject: (.*)/.exec(headers)?.[1]?.trim() ?? "";
      const data = JSON.parse(Buffer.from(message?.data ?? "", "base64").toString()) as unknown;
      this.#options.handler(Number(subject.split(".").at(-1)), of, data);
      await this.#api(nats, `STREAM.PURGE.${deadStream}`, { filter: subject });
    }
  }

  async #api(nats: RawNats, verb: string, body: unknown = {}): Promise<Reply> {
    const answer = nats.request(`$JS.API.${verb}`, JSON.stringify(body));
    const closed = nats.closed.then(() => {
      throw new Error("the connection is gone");
    });
    closed.catch(() => {});
    const { body: bytes } = await Promise.race([answer, closed]);
    return JSON.parse(`${bytes}`) as Reply;
  }
}
