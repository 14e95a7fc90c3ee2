/** What has come of a simulation: the part of all states that must not depend on who was faster. */
import { type EventStore, fold, type RecordedEvent } from "retrace";
import type { SagaEvents } from "../../src/core/saga-events.ts";
import { market } from "./market.ts";

/** By stream; carriers together, because any of them may have been chosen. */
export type EndState = Readonly<Record<string, unknown>>;

export function endState(store: EventStore): EndState {
  const streams = new Map<string, RecordedEvent[]>();
  for (const event of store.readAll()) streams.set(event.stream, [...(streams.get(event.stream) ?? []), event]);
  const end: Record<string, unknown> = {};
  const booked: string[] = [];
  for (const [stream, events] of streams) {
    const { category } = events[0] as RecordedEvent;
    if (category === "saga") end[stream] = sagaEnd(events);
    else if (category === "carrier") booked.push(...(contextOf(category, events).orders as string[]));
    else if (category !== "policy") end[stream] = sorted(contextOf(category, events));
  }
  return { ...end, booked: booked.sort() };
}

function contextOf(category: string, events: readonly RecordedEvent[]): Readonly<Record<string, unknown>> {
  const aggregate = market.find((one) => one.category === category);
  if (aggregate === undefined) throw new Error(`there is no ${category}`);
  return fold(aggregate, events).context;
}

/** Which of several orders came first is anybody's guess. */
function sorted(context: Readonly<Record<string, unknown>>): unknown {
  return Object.fromEntries(
    Object.entries(context).map(([name, value]) => [name, Array.isArray(value) ? [...value].sort() : value]),
  );
}

function sagaEnd(events: readonly RecordedEvent[]): unknown {
  const last = events.at(-1) as RecordedEvent<string, SagaEvents["SagaEnded"]>;
  const times = events.filter(({ type }) => type === "SagaEnded").length;
  return { type: last.type, times, how: last.data.how, state: last.data.state, output: last.data.output };
}
