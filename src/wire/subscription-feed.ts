/**
 * The feed of a subscription: its durable consumer, made anew, to begin behind the subscription's position, whenever a
 * process takes the subscription up: on a start, after a reconnect, after the event stream was made again.
 *
 * A consumer that is taken over as it is would redeliver what its last client left unacknowledged in any order and up to
 * the ack wait later, and what follows at once; the same goes for a pinned client of a priority group. Made anew, it
 * delivers in the order of the log, and the subscriber drops what it knows. What the consumer remembers of
 * acknowledgements is for the broker (how much may be under way) and for those who look at it with NATS tools.
 */
import { AckPolicy, DeliverPolicy, JetStreamApiCodes, type JetStreamManager, type JsMsg } from "@nats-io/jetstream";
import { Fault } from "../core/fault.ts";
import { isApiError } from "./own-stream.ts";

/** What to consume. */
export interface FeedOptions {
  readonly manager: JetStreamManager;
  readonly stream: string;
  /** Of the durable consumer. */
  readonly name: string;
  readonly filters: readonly string[];
  /** Behind this one it begins. */
  readonly position: number;
  /** Bounds what is delivered and not acknowledged. */
  readonly maxWaiting: number;
  /** After this time without a word the broker delivers again: more than twice the time between two `look`s. */
  readonly ackWaitMs: number;
  readonly onMessage: (message: JsMsg) => void;
}

/** In the metadata of the consumers that are made here. */
const ownKey = "retrace-subscription";
/** How often, within the ack wait, the broker is told that what was delivered is still being worked on. */
const extensionsPerAckWait = 3;
const nanosPerMs = 1_000_000;

/** A running feed: sends events until something is wrong, and then says so in `look`. */
export class Feed {
  readonly #options: FeedOptions;
  /** What is not acknowledged, by position. */
  readonly #unacknowledged = new Map<number, JsMsg>();
  #stopMessages: () => void = () => {};
  #problem: unknown;
  /** By the count of the consumer, which has no gaps. */
  #seen = 0;
  #seenBefore = 0;
  #extendedAt = performance.now();
  #pending = 0;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** Makes the consumer and begins. @throws JetStreamApiError when there is no such stream; Fault when the name is taken. */
  async open(): Promise<void> {
    const { manager, stream, name, filters, position, maxWaiting, ackWaitMs } = this.#options;
    await this.#deleteOld();
    const { num_pending } = await manager.consumers.add(stream, {
      durable_name: name,
      metadata: { [ownKey]: name },
      ack_policy: AckPolicy.Explicit,
      ack_wait: ackWaitMs * nanosPerMs,
      max_deliver: -1,
      max_ack_pending: maxWaiting,
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: position + 1,
      filter_subjects: [...filters],
    });
    this.#pending = num_pending;
    const consumer = await manager.jetstream().consumers.get(stream, name);
    const messages = await consumer.consume({
      max_messages: maxWaiting,
      abort_on_missing_resource: true,
      callback: (message) => this.#receive(message),
    });
    this.#stopMessages = () => messages.stop();
    if (this.#problem !== undefined) messages.stop();
    void messages.closed().then((error) => {
      this.#problem ??= error ?? new Error("the consumer has ended");
    });
  }

  /** Not one that somebody else has made, for a subscriber without our library, say. */
  async #deleteOld(): Promise<void> {
    const { manager, stream, name } = this.#options;
    try {
      const { config } = await manager.consumers.info(stream, name);
      if (config.metadata?.[ownKey] === undefined) {
        const message = `the stream ${stream} has a consumer ${name} that is not one of client.subscribe`;
        throw new Fault("INVALID_QUERY", `${message}: subscribe under another name`, { stream, name });
      }
      await manager.consumers.delete(stream, name);
    } catch (error) {
      if (!isApiError(error, JetStreamApiCodes.ConsumerNotFound)) throw error;
    }
  }

  /** What the broker has for this subscription and has not sent, as of the last look. */
  get pending(): number {
    return this.#pending;
  }

  #receive(message: JsMsg): void {
    if (this.#problem !== undefined) return;
    const { deliverySequence, streamSequence, pending } = message.info;
    if (deliverySequence !== this.#seen + 1) {
      this.#problem = new Error("a message was lost on the way");
      return;
    }
    this.#seen = deliverySequence;
    this.#pending = pending;
    this.#unacknowledged.set(streamSequence, message);
    this.#options.onMessage(message);
  }

  /** Tells the broker that a position needs no more. Of one that this feed has not delivered it will be told then. */
  acknowledge(position: number): void {
    this.#unacknowledged.get(position)?.ack();
    this.#unacknowledged.delete(position);
  }

  /**
   * Asks the broker how it goes, and extends the time for what takes long. Called about every second.
   * @throws Error when the feed has ended: the consumer is gone, or what it delivered has not arrived.
   */
  async look(): Promise<void> {
    const { manager, stream, name, ackWaitMs } = this.#options;
    const info = await manager.consumers.info(stream, name);
    this.#pending = info.num_pending;
    // What was under way at the last look must have arrived by now.
    if (this.#seen < this.#seenBefore) this.#problem ??= new Error("a message was lost on the way");
    this.#seenBefore = info.delivered.consumer_seq;
    if (this.#problem !== undefined) throw this.#problem;
    if (performance.now() - this.#extendedAt < ackWaitMs / extensionsPerAckWait) return;
    this.#extendedAt = performance.now();
    for (const message of this.#unacknowledged.values()) message.working();
  }

  /** Receives nothing any more. The consumer stays, for the next feed and for those who ask how far behind it is. */
  stop(): void {
    this.#problem ??= new Error("stopped");
    this.#stopMessages();
  }
}
