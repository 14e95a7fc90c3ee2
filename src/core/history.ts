/** From recorded events to state: upcasters, then the chart. Nothing stored is ever skipped. */
import { type Aggregate, evolve } from "./aggregate.ts";
import { type ChartState, initialState } from "./chart.ts";
import { Fault } from "./fault.ts";
import type { ChartEvent, RecordedEvent } from "./message.ts";
import { type Upcast, upcast, type VersionedSchema } from "./schema.ts";

/** A recorded event as the chart receives it, its data at the latest version; or why this code cannot read it. */
export type ReadEvent =
  | { readonly outcome: "read"; readonly event: ChartEvent; readonly schema: VersionedSchema }
  | {
      readonly outcome: "unreadable";
      readonly reason: Extract<Upcast, { outcome: "unreadable" }>["reason"] | "UNKNOWN_TYPE";
      readonly message: string;
    };

/** Brings a recorded event to what the code at hand writes today. */
export function readEvent(aggregate: Aggregate, stored: RecordedEvent): ReadEvent {
  const { id, type, version, occurredAt, metadata } = stored;
  const schema = Object.hasOwn(aggregate.eventSchemas, type) ? aggregate.eventSchemas[type] : undefined;
  if (schema === undefined) {
    return {
      outcome: "unreadable",
      reason: "UNKNOWN_TYPE",
      message: `${aggregate.category} has no event of this type`,
    };
  }
  const upcasted = upcast(schema, stored.schemaVersion, stored.data);
  if (upcasted.outcome === "unreadable") return upcasted;
  const event = { id, type, data: upcasted.data, version, occurredAt, actor: metadata.actor };
  return { outcome: "read", event, schema };
}

/**
 * The state after one more recorded event.
 * @throws Fault UNREADABLE_EVENT naming stream, version and state: no upcaster leads to today's schema, or today's
 * chart refuses the event.
 */
export function foldEvent(aggregate: Aggregate, state: ChartState, stored: RecordedEvent): ChartState {
  const read = readEvent(aggregate, stored);
  if (read.outcome === "unreadable") throw unreadable(stored, read.message);
  const next = evolve(aggregate, state, read.event);
  if (next.outcome === "evolved") return next.state;
  throw unreadable(stored, `the chart refuses it in state ${JSON.stringify(next.state)}`, { state: next.state });
}

/** The state after a whole history, from the empty stream. */
export function fold(aggregate: Aggregate, events: Iterable<RecordedEvent>): ChartState {
  let state = initialState(aggregate.machine);
  for (const event of events) state = foldEvent(aggregate, state, event);
  return state;
}

function unreadable(event: RecordedEvent, reason: string, details: Record<string, unknown> = {}): Fault {
  const { stream, version, type } = event;
  return new Fault("UNREADABLE_EVENT", `${type} at ${stream}@${version} cannot be read: ${reason}`, {
    stream,
    version,
    type,
    ...details,
  });
}
