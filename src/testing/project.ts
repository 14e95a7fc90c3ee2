/** The rows that a projection makes of events: its test, without a runtime, a store or a clock. */
import type { Metadata, RecordedEvent } from "../core/message.ts";
import type { Projection } from "../core/projection.ts";
import { streamName } from "../core/stream.ts";
import { memoryRows, rowsByKey } from "./memory-rows.ts";

/** An event as the test of a projection writes it, its data at the latest version. */
export interface ProjectedEvent {
  readonly category: string;
  /** Of the aggregate. */
  readonly id: string;
  readonly type: string;
  readonly data: unknown;
  /** ISO 8601. Default: a second for each event from the beginning of 2026 on. */
  readonly occurredAt?: string;
  /** Default: when it occurred by default. */
  readonly recordedAt?: string;
  readonly metadata?: Partial<Metadata>;
}

/**
 * The rows after these events, by key, in the order of keys. What the projection does not listen to is passed over.
 * @throws Error naming the first event that a handler cannot take, and why: a runtime would park it.
 */
export function project<Row = unknown>(
  projection: Projection,
  events: readonly ProjectedEvent[],
): Readonly<Record<string, Row>> {
  const { name, on } = projection;
  const rows = memoryRows(projection);
  for (const event of recorded(events)) {
    const handler = Object.hasOwn(on, event.type) ? on[event.type] : undefined;
    const reason = handler && rows.apply(handler, event);
    if (reason !== undefined) {
      throw new Error(`${name} cannot take ${event.type}, event ${event.position} of the test: ${reason}`);
    }
  }
  return rowsByKey<Row>(rows);
}

function* recorded(events: readonly ProjectedEvent[]): Iterable<RecordedEvent> {
  const versions = new Map<string, number>();
  for (const [i, { category, id, type, data, occurredAt, recordedAt, metadata }] of events.entries()) {
    const stream = streamName(category, id);
    const version = (versions.get(stream) ?? 0) + 1;
    versions.set(stream, version);
    const position = i + 1;
    const eventId = `e${position}`;
    const time = new Date(startMs + position * 1_000).toISOString();
    yield {
      ...{ id: eventId, position, stream, category, version, type, schemaVersion: 1, data },
      ...{ occurredAt: occurredAt ?? time, recordedAt: recordedAt ?? time },
      metadata: { correlationId: eventId, causationId: eventId, commandId: eventId, ...metadata },
    };
  }
}

const startMs = Date.parse("2026-01-01T00:00:00Z");
