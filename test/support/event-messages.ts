/** What JetStream holds, read as any consumer reads it, and what PROTOCOL.md says it should hold. Free of vitest. */
import assert from "node:assert/strict";
import { jetstream, jetstreamManager, type StreamInfo } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import type { RecordedEvent } from "../../src/core/message.ts";

/** One message of an event stream. */
export interface EventMessage {
  readonly sequence: number;
  readonly subject: string;
  /** By name in lower case; without those in which the relay tells the server what to expect, which the server keeps, too. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** Everything in a stream, by an ordered consumer. */
export async function readEventMessages(nats: NatsConnection, stream = "RETRACE_EVENTS"): Promise<EventMessage[]> {
  const messages: EventMessage[] = [];
  const { state } = await streamInfo(nats, stream);
  if (state.messages === 0) return messages;
  const consumer = await jetstream(nats).consumers.get(stream);
  const incoming = await consumer.consume({ max_messages: 1_000 });
  for await (const message of incoming) {
    const { seq: sequence, subject } = message;
    const headers = [...(message.headers ?? [])]
      .map(([name, values]) => [name.toLowerCase(), values.join(",")] as const)
      .filter(([name]) => !name.startsWith("nats-"));
    messages.push({ sequence, subject, headers: Object.fromEntries(headers), body: message.json() });
    if (sequence >= state.last_seq) break;
  }
  return messages;
}

/** Configuration and counts of a stream. @throws JetStreamApiError when there is none. */
export async function streamInfo(nats: NatsConnection, stream = "RETRACE_EVENTS"): Promise<StreamInfo> {
  return (await jetstreamManager(nats)).streams.info(stream);
}

/** Fails unless the stream holds exactly these events, the whole log of a store, in order, each at its position. */
export async function assertStreamHolds(
  nats: NatsConnection,
  events: readonly RecordedEvent[],
  prefix = "retrace",
): Promise<void> {
  const stream = `${prefix.toUpperCase()}_EVENTS`;
  const { state } = await streamInfo(nats, stream);
  const { messages, first_seq, last_seq, num_deleted = 0 } = state;
  const count = events.length;
  assert.deepEqual({ messages, last_seq, num_deleted }, { messages: count, last_seq: count, num_deleted: 0 });
  if (count > 0) assert.equal(first_seq, 1);
  const found = await readEventMessages(nats, stream);
  assert.equal(found.length, count);
  const source = found[0]?.headers["ce-source"] ?? "";
  for (const [i, event] of events.entries()) assert.deepEqual(found[i], messageOf(event, prefix, source));
}

/** PROTOCOL.md, Events. */
function messageOf(event: RecordedEvent, prefix: string, source: string): EventMessage {
  const { category, stream, metadata } = event;
  const { actor, traceparent } = metadata;
  return {
    sequence: event.position,
    subject: `${prefix}.evt.${category}.${stream.slice(category.length + 1)}.${event.type}`,
    headers: {
      "ce-specversion": "1.0",
      "ce-id": event.id,
      "ce-source": source,
      "ce-type": event.type,
      "ce-subject": stream,
      "ce-time": event.occurredAt,
      "ce-datacontenttype": "application/json",
      "retrace-position": String(event.position),
      "retrace-version": String(event.version),
      "retrace-schema-version": String(event.schemaVersion),
      "retrace-recorded-at": event.recordedAt,
      "retrace-correlation-id": metadata.correlationId,
      "retrace-causation-id": metadata.causationId,
      "retrace-command-id": metadata.commandId,
      ...(actor === undefined ? {} : { "retrace-actor": actor.id }),
      ...(traceparent === undefined ? {} : { traceparent }),
    },
    body: JSON.parse(JSON.stringify(event.data)),
  };
}
