/**
 * The record of one event as it lies in a store: a msgpack array without field names. The position is the key, so it
 * is not repeated; ids that equal the command id are left out, because most do.
 */
import { Packr } from "msgpackr";
import type { Metadata, NewEvent, RecordedEvent } from "../core/message.ts";

const packr = new Packr({ useRecords: false });

/** What `encodeEvent` needs: an event whose version is settled. */
export type EventToStore = NewEvent & { readonly version: number };

/** Plain data to bytes. */
export function pack(value: unknown): Buffer {
  return packr.pack(value);
}

/** The inverse of `pack`. */
export function unpack(bytes: Uint8Array): unknown {
  return packr.unpack(bytes);
}

/** Bytes of an event, without its position. */
export function encodeEvent(event: EventToStore): Buffer {
  const { commandId, correlationId, causationId, actor, traceparent } = event.metadata;
  return packr.pack([
    event.id,
    event.stream,
    event.category.length,
    event.version,
    event.type,
    event.schemaVersion,
    event.data,
    Date.parse(event.occurredAt),
    Date.parse(event.recordedAt),
    commandId,
    correlationId === commandId ? 0 : correlationId,
    causationId === commandId ? 0 : causationId,
    actor === undefined ? 0 : [actor.id, actor.verified],
    traceparent === undefined ? 0 : traceparent,
  ]);
}

type StoredEvent = [
  id: string,
  stream: string,
  categoryLength: number,
  version: number,
  type: string,
  schemaVersion: number,
  data: unknown,
  occurredAt: number,
  recordedAt: number,
  commandId: string,
  correlationId: string | 0,
  causationId: string | 0,
  actor: [id: string, verified: boolean] | 0,
  traceparent: string | 0,
];

/** An event from its bytes and its position. */
export function decodeEvent(bytes: Uint8Array, position: number): RecordedEvent {
  const stored = packr.unpack(bytes) as StoredEvent;
  const stream = stored[1];
  return {
    id: stored[0],
    position,
    stream,
    category: stream.slice(0, stored[2]),
    version: stored[3],
    type: stored[4],
    schemaVersion: stored[5],
    data: stored[6],
    occurredAt: isoTime(stored[7]),
    recordedAt: isoTime(stored[8]),
    metadata: decodeMetadata(stored),
  };
}

function decodeMetadata(stored: StoredEvent): Metadata {
  const commandId = stored[9];
  const actor = stored[12];
  return {
    correlationId: stored[10] === 0 ? commandId : stored[10],
    causationId: stored[11] === 0 ? commandId : stored[11],
    commandId,
    ...(actor === 0 ? undefined : { actor: { id: actor[0], verified: actor[1] } }),
    ...(stored[13] === 0 ? undefined : { traceparent: stored[13] }),
  };
}

let lastTime = Number.NaN;
let lastText = "";

/** Neighbouring events share their times more often than not, and formatting a date costs as much as the rest. */
function isoTime(time: number): string {
  if (time !== lastTime) {
    lastText = new Date(time).toISOString();
    lastTime = time;
  }
  return lastText;
}
