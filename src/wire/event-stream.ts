/**
 * The JetStream stream of events: made so that sequence equals position, and written in atomic batches that name the
 * sequence they follow. Knows JetStream's interface, nothing of stores.
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

/** The outcome of publishing a batch: published whole, or not at all because the stream ends elsewhere. */
export type PublishResult = { readonly outcome: "published" } | { readonly outcome: "moved" };

/** JetStream's limit for one atomic batch, with room to spare. */
export const maxBatchMessages = 900;
const maxBatchBytes = 4 * 1024 * 1024;
const metadataKey = "retrace-store";
const streamNotFound = 10_059;
const wrongLastSequence = 10_071;
const requestTimeoutMs = 5_000;
const encoder = new TextEncoder();

/** The stream of one store on one broker. */
export class EventStream {
  readonly #options: EventStreamOptions;
  readonly #batchPrefix: string;
  #batches = 0;

  constructor(options: EventStreamOptions, batchPrefix: string) {
    this.#options = options;
    this.#batchPrefix = batchPrefix;
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
        allow_atomic: true,
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
   * Publishes as many of `messages`, from the first, as fit one atomic batch, at `afterSequence + 1` and following.
   * Resolves with their number once the broker has taken the batch, or with "moved" when the stream ends elsewhere.
   */
  async publish(messages: readonly EventMessage[], afterSequence: number): Promise<number | "moved"> {
    const { nats } = this.#options;
    const batch = fitting(messages);
    const last = batch.length - 1;
    this.#batches += 1;
    const batchId = `${this.#batchPrefix}-${this.#batches}`;
    let acknowledged: Promise<{ json<T>(): T }> | undefined;
    for (const [i, { subject, headerLines, body }] of batch.entries()) {
      let lines = headerLines;
      if (i === 0) lines += `Nats-Expected-Last-Sequence: ${afterSequence}\r\n`;
      if (last > 0) lines += `Nats-Batch-Id: ${batchId}\r\nNats-Batch-Sequence: ${i + 1}\r\n`;
      if (last > 0 && i === last) lines += "Nats-Batch-Commit: 1\r\n";
      const headers = rawHeaders(lines);
      if (i < last) nats.publish(subject, encoder.encode(body), { headers });
      else acknowledged = nats.request(subject, encoder.encode(body), { headers, timeout: requestTimeoutMs });
    }
    const reply = (await (acknowledged as Promise<{ json<T>(): T }>)).json<PublishAck>();
    if (reply.error === undefined) {
      if (reply.seq !== afterSequence + batch.length) return "moved";
      return batch.length;
    }
    if (reply.error.err_code === wrongLastSequence) return "moved";
    throw new Fault("BUS_UNAVAILABLE", `JetStream refused a batch: ${reply.error.description}`, {
      code: reply.error.err_code,
    });
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
function rawHeaders(lines: string): MsgHdrs {
  const bytes = encoder.encode(`NATS/1.0\r\n${lines}\r\n`);
  return { encode: () => bytes } as unknown as MsgHdrs;
}
