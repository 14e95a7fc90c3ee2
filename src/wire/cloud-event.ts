/** An event as a message on JetStream: CloudEvents 1.0, binary mode, with the fields of Retrace beside it. */
import type { MsgHdrs } from "@nats-io/nats-core";
import type { RecordedEvent } from "../core/message.ts";
import { streamId } from "../core/stream.ts";
import { eventSubject } from "./subjects.ts";

/** A message ready to publish; the headers are lines without the protocol's first. */
export interface EventMessage {
  readonly subject: string;
  readonly headerLines: string;
  readonly body: string;
}

/** `source` is the CloudEvents source: which store the event comes from. */
export function eventMessage(prefix: string, source: string, event: RecordedEvent): EventMessage {
  const { metadata } = event;
  let lines =
    "ce-specversion: 1.0\r\n" +
    `ce-id: ${event.id}\r\n` +
    `ce-source: ${source}\r\n` +
    `ce-type: ${event.type}\r\n` +
    `ce-subject: ${event.stream}\r\n` +
    `ce-time: ${event.occurredAt}\r\n` +
    "ce-datacontenttype: application/json\r\n" +
    `Retrace-Position: ${event.position}\r\n` +
    `Retrace-Version: ${event.version}\r\n` +
    `Retrace-Schema-Version: ${event.schemaVersion}\r\n` +
    `Retrace-Recorded-At: ${event.recordedAt}\r\n` +
    `Retrace-Correlation-Id: ${metadata.correlationId}\r\n` +
    `Retrace-Causation-Id: ${metadata.causationId}\r\n` +
    `Retrace-Command-Id: ${metadata.commandId}\r\n`;
  if (metadata.actor !== undefined) lines += `Retrace-Actor: ${metadata.actor.id}\r\n`;
  if (metadata.traceparent !== undefined) lines += `traceparent: ${metadata.traceparent}\r\n`;
  return {
    subject: eventSubject(prefix, event.category, streamId(event.stream, event.category), event.type),
    headerLines: lines,
    body: JSON.stringify(event.data),
  };
}

/** The CloudEvents source of a store. */
export function eventSource(storeId: string): string {
  return `urn:retrace:${storeId}`;
}

/** The recorded event that a message carries. The identity of its actor is as verified as the reader's trust in the broker. */
export function fromCloudEvent(subject: string, headers: MsgHdrs | undefined, data: unknown): RecordedEvent {
  const get = (name: string): string => headers?.get(name) ?? "";
  const stream = get("ce-subject");
  const actor = get("Retrace-Actor");
  const traceparent = get("traceparent");
  return {
    id: get("ce-id"),
    position: Number(get("Retrace-Position")),
    stream,
    category: subject.split(".")[2] ?? "",
    version: Number(get("Retrace-Version")),
    type: get("ce-type"),
    schemaVersion: Number(get("Retrace-Schema-Version")),
    data,
    occurredAt: get("ce-time"),
    recordedAt: get("Retrace-Recorded-At"),
    metadata: {
      correlationId: get("Retrace-Correlation-Id"),
      causationId: get("Retrace-Causation-Id"),
      commandId: get("Retrace-Command-Id"),
      ...(actor === "" ? {} : { actor: { id: actor, verified: false } }),
      ...(traceparent === "" ? {} : { traceparent }),
    },
  };
}
