/**
 * The JetStream stream of events: made so that sequence equals position, because every message names the sequence it
 * follows. Knows JetStream's interface, nothing of stores.
 */
import { JetStreamApiError, type JetStreamManager, jetstreamManager, type StreamInfo } from "@nats-io/jetstream";
import type { MsgHdrs, NatsConnection } from "@nats-io/nats-core";
import { Fault } from "../core/fault.ts";
import type { EventMessage } from "./cloud-event.ts";

/** What the stream must be like. */
export interface EventStreamOptions {
  readonly nats: NatsConnection;
  readonly name: string;
  readonly subjects: string;
  /** The store whose events it carries, kept in the stream's metadata. */
  readonly storeId: string;
}

/** Where the stream ends. */
export interface StreamEnd {
  readonly lastSequence: number;
  /** When the stream was made: tells it from one of the same name on another broker. */
  readonly madeAt: string;
  /** It counts up to its last sequence, but its messages are gone: it cannot be filled, only made again. */
  readonly isHollow: boolean;
}

/** Far below what JetStream holds back for a stream (10,000 messages, 128 MB): above that it drops without a word. */
const maxBatchMessages = 1_000;
const maxBatchBytes = 4 * 1024 * 1024;
const metadataKey = "retrace-store";
const streamNotFound = 10_059;
const wrongLastSequence = 10_071;
const requestTimeoutMs = 5_000;

/** The stream of one store on one broker. */
export class EventStream {
  readonly #options: EventStreamOptions;

  constructor(options: EventStreamOptions) {
    this.#options = options;
  }

  /** Finds or makes the stream, and says where it ends. @throws Fault BUS_UNAVAILABLE, or a StreamRefused sentence. */
  async open(): Promise<StreamEnd & { readonly lastEventId: string | undefined }> {
    const manager = await this.#manager();
    const end = this.#endOf((await this.#info(manager)) ?? (await this.#create(manager)));
    return { ...end, lastEventId: await this.#lastEventId(manager, end.lastSequence) };
  }

  /** Where the stream ends, without making it; undefined when there is none. @throws as `open`. */
  async end(): Promise<StreamEnd | undefined> {
    const info = await this.#info(await this.#manager());
    return info === undefined ? undefined : this.#endOf(info);
  }

  /** Deletes the stream and makes it anew, empty. */
  async remake(): Promise<void> {
    const manager = await this.#manager();
    await manager.streams.delete(this.#options.name);
    await this.#create(manager);
  }

  #manager(): Promise<JetStreamManager> {
    return jetstreamManager(this.#options.nats, { timeout: requestTimeoutMs, checkAPI: false });
  }

  #endOf({ config, state, created }: StreamInfo): StreamEnd {
    const { name, storeId } = this.#options;
    const owner = config.metadata?.[metadataKey];
    if (owner !== storeId) {
      const whose = owner === undefined ? "was not made by Retrace" : `carries the events of store ${owner}`;
      throw new StreamRefused(
        `JetStream stream ${name} ${whose}, not of this store ${storeId}: use another --prefix, or delete the stream`,
      );
    }
    // Where an age was set by hand, an empty stream is what was wanted.
    const isHollow = state.messages === 0 && state.last_seq > 0 && config.max_age === 0;
    return { lastSequence: state.last_seq, madeAt: created, isHollow };
  }

  async #info(manager: JetStreamManager): Promise<StreamInfo | undefined> {
    try {
      return await manager.streams.info(this.#options.name);
    } catch (error) {
      if (error instanceof JetStreamApiError && error.code === streamNotFound) return undefined;
      throw error;
    }
  }

  /** A stream deleted a moment ago can come back with its messages: what was made is checked, and made again. */
  async #create(manager: JetStreamManager): Promise<StreamInfo> {
    const { name, subjects, storeId } = this.#options;
    for (let attempt = 1; ; attempt++) {
      await manager.streams.add({
        name,
        subjects: [subjects],
        storage: "file",
        retention: "limits",
        discard: "new",
        allow_direct: true,
        metadata: { [metadataKey]: storeId },
      });
      const info = await manager.streams.info(name);
      if (info.state.messages === 0 && info.state.last_seq === 0) return info;
      if (attempt >= 10) throw new Fault("BUS_UNAVAILABLE", `JetStream stream ${name} could not be made empty`);
      await manager.streams.delete(name);
      await new Promise((resolve) => setTimeout(resolve, 100 * attempt));
    }
  }

  async #lastEventId(manager: JetStreamManager, sequence: number): Promise<string | undefined> {
    if (sequence === 0) return undefined;
    const message = await manager.streams.getMessage(this.#options.name, { seq: sequence });
    return message?.header.get("ce-id");
  }

  /**
   * Publishes as many of `messages`, from the first, as fit one batch, at `afterSequence + 1` and following. Resolves
   * with their number once the broker has taken them all, or with "moved" when the stream ends elsewhere.
   *
   * Each message names the sequence before its own, so one that is lost or refused takes all behind it along, and
   * the acknowledgement of the last stands for all. What came through before a failure is a right beginning.
   */
  async publish(messages: readonly EventMessage[], afterSequence: number): Promise<number | "moved"> {
    const { nats } = this.#options;
    const batch = fitting(messages);
    const last = batch.length - 1;
    for (const [i, message] of batch.slice(0, last).entries()) {
      nats.publish(message.subject, Buffer.from(message.body), { headers: following(message, afterSequence + i) });
    }
    const { subject, body } = batch[last] as EventMessage;
    const headers = following(batch[last] as EventMessage, afterSequence + last);
    const reply = await nats.request(subject, Buffer.from(body), { headers, timeout: requestTimeoutMs });
    const { seq, error } = reply.json<PublishAck>();
    if (error === undefined) return seq === afterSequence + batch.length ? batch.length : "moved";
    if (error.err_code === wrongLastSequence) return "moved";
    throw new Fault("BUS_UNAVAILABLE", `JetStream refused events: ${error.description}`, { code: error.err_code });
  }
}

interface PublishAck {
  readonly seq: number;
  readonly error?: { readonly err_code: number; readonly description: string };
}

/** The stream on the broker is not this store's: nothing may be written to it. */
export class StreamRefused extends Error {
  override readonly name = "StreamRefused";
}

function fitting(messages: readonly EventMessage[]): readonly EventMessage[] {
  let bytes = 0;
  let count = 0;
  for (const { headerLines, body } of messages) {
    bytes += headerLines.length + body.length;
    if (count === maxBatchMessages || (count > 0 && bytes > maxBatchBytes)) break;
    count += 1;
  }
  return messages.slice(0, count);
}

/** Header bytes as the client writes them out: its own header objects cost more than all the rest of a publish. */
function following({ headerLines }: EventMessage, sequence: number): MsgHdrs {
  const bytes = Buffer.from(`NATS/1.0\r\n${headerLines}Nats-Expected-Last-Sequence: ${sequence}\r\n\r\n`);
  return { encode: () => bytes } as unknown as MsgHdrs;
}
