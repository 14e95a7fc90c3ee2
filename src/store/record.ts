/**
 * The record of one event as it lies in a store: a msgpack array without field names. The position is the key, so it
 * is not repeated; ids that equal the command id are left out, because most do.
 */
import { Packr } from "msgpackr";
import type { Metadata, NewEvent, RecordedEvent } from "../core/message.ts";

/** Bytes are copied out, because lmdb reads every value into one and the same buffer. */
const packr = new Packr({ useRecords: false, copyBuffers: true });

/** What `encodeEvent` needs: an event whose version is settled. */
export type EventToStore = NewEvent & { readonly version: number };

/** An event and the position of the one before it in its stream, 0 for the first. */
export interface LinkedEvent {
  readonly event: RecordedEvent;
  readonly previous: number;
}

/** Plain data to bytes. */
export function pack(value: unknown): Buffer {
  return packr.pack(value);
}

/** The inverse of `pack`. */
export function unpack(bytes: Uint8Array): unknown {
  return packr.unpack(bytes);
}

/** Bytes of an event, without its position; `previous` is the position of the event before it in its stream, or 0. */
export function encodeEvent(event: EventToStore, previous: number): Buffer {
  const { commandId, correlationId, causationId, actor, traceparent } = event.metadata;
  return packr.pack([
    previous,
    event.id,
    event.stream,
    event.category.length,
    event.version,
    event.type,
    event.schemaVersion,
    event.data,
    milliseconds(event.occurredAt),
    milliseconds(event.recordedAt),
    commandId,
    correlationId === commandId ? 0 : correlationId,
    causationId === commandId ? 0 : causationId,
    actor === undefined ? 0 : [actor.id, actor.verified],
    traceparent === undefined ? 0 : traceparent,
  ]);
}

/** A time that could be written but not read would end every read of the log. */
function milliseconds(time: string): number {
  const value = Date.parse(time);
  if (Number.isNaN(value)) throw new Error(`not a time: ${time}`);
  return value;
}

type StoredEvent = [
  previous: number,
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

/** An event from its bytes and its position, with the position of the one before it in its stream. */
export function decodeEvent(bytes: Uint8Array, position: number): LinkedEvent {
  const stored = packr.unpack(bytes) as StoredEvent;
  const stream = stored[2];
  const event: RecordedEvent = {
    id: stored[1],
    position,
    stream,
    category: stream.slice(0, stored[3]),
    version: stored[4],
    type: stored[5],
    schemaVersion: stored[6],
    data: stored[7],
    occurredAt: isoTime(stored[8]),
    recordedAt: isoTime(stored[9]),
    metadata: decodeMetadata(stored),
  };
  return { event, previous: stored[0] };
}

function decodeMetadata(stored: StoredEvent): Metadata {
  const [, , , , , , , , , , commandId, correlationId, causationId, actor, traceparent] = stored;
  return {
    correlationId: correlationId === 0 ? commandId : correlationId,
    causationId: causationId === 0 ? commandId : causationId,
    commandId,
    ...(actor === 0 ? undefined : { actor: { id: actor[0], verified: actor[1] } }),
    ...(traceparent === 0 ? undefined : { traceparent }),
  };
}

/** Formatting a date costs as much as the rest of decoding, and neighbours share their second more often than not. */
const seconds = Array.from({ length: 64 }, () => ({ second: Number.NaN, prefix: "" }));

function isoTime(time: number): string {
  const second = Math.floor(time / 1_000);
  const known = seconds[second & 63] as (typeof seconds)[number];
  if (known.second !== second) {
    known.second = second;
    known.prefix = new Date(second * 1_000).toISOString().slice(0, -"000Z".length);
  }
  const milliseconds = time - second * 1_000;
  return `${known.prefix}${milliseconds < 10 ? "00" : milliseconds < 100 ? "0" : ""}${milliseconds}Z`;
}
