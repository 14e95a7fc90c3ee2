/** From recorded events to state: upcasters, then the chart. Nothing stored is ever skipped. */
import { type Aggregate, evolve } from "./aggregate.ts";
import { type ChartState, initialState } from "./chart.ts";
import { Fault } from "./fault.ts";
import type { RecordedEvent } from "./message.ts";
import { upcast } from "./schema.ts";

/**
 * The state after one more recorded event.
 * @throws Fault UNREADABLE_EVENT naming stream, version and state: no upcaster leads to today's schema, or today's
 * chart refuses the event.
 */
export function foldEvent(aggregate: Aggregate, state: ChartState, event: RecordedEvent): ChartState {
  const data = upcastData(aggregate, event);
  const next = evolve(aggregate, state, {
    id: event.id,
    type: event.type,
    data,
    version: event.version,
    occurredAt: event.occurredAt,
    actor: event.metadata.actor,
  });
  if (next.outcome === "evolved") return next.state;
  throw unreadable(event, `the chart refuses it in state ${JSON.stringify(next.state)}`, { state: next.state });
}

/** The state after a whole history, from the empty stream. */
export function fold(aggregate: Aggregate, events: Iterable<RecordedEvent>): ChartState {
  let state = initialState(aggregate.machine);
  for (const event of events) state = foldEvent(aggregate, state, event);
  return state;
}

function upcastData(aggregate: Aggregate, event: RecordedEvent): unknown {
  const schema = Object.hasOwn(aggregate.eventSchemas, event.type) ? aggregate.eventSchemas[event.type] : undefined;
  if (schema === undefined) throw unreadable(event, `${aggregate.category} has no event of this type`);
  const data = upcast(schema, event.schemaVersion, event.data);
  if (data === undefined) throw unreadable(event, `no upcaster leads from schema version ${event.schemaVersion}`);
  return data;
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
