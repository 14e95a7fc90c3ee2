/** Events on their way into rows: whoever listens gets them at the latest version of their data, in order. */
import { readEvent } from "../../core/history.ts";
import type { RecordedEvent } from "../../core/message.ts";
import type { Projection, ProjectionHandler } from "../../core/projection.ts";
import type { Clock } from "../clock.ts";
import type { LoadedAggregate } from "../loader.ts";
import type { Log } from "../log.ts";
import type { GenerationRows } from "./generation-rows.ts";

/** What a projection does on one type of event, and to which rows. */
export interface Listener {
  readonly handler: ProjectionHandler;
  readonly rows: GenerationRows;
}

/** A handler that fails always must not flood the log; `parked` in health counts all. */
const maxParkedLogged = 10;
const note = "a projection parked an event";

/** By event type. */
export type Listeners = ReadonlyMap<string, readonly Listener[]>;

/** What events are applied with. */
export interface ApplyContext {
  readonly aggregates: ReadonlyMap<string, LoadedAggregate>;
  readonly clock: Clock;
  /** Where parked events are told; left out where that has been done before. */
  readonly log?: Log;
}

/** Who listens to what, of several projections with the rows that each is to change. */
export function listenersOf(targets: readonly (readonly [projection: Projection, rows: GenerationRows])[]): Listeners {
  const listeners = new Map<string, Listener[]>();
  for (const [projection, rows] of targets) {
    for (const [type, handler] of Object.entries(projection.on)) {
      const known = listeners.get(type);
      if (known === undefined) listeners.set(type, [{ handler, rows }]);
      else known.push({ handler, rows });
    }
  }
  return listeners;
}

/** Applies events to the rows in memory, and parks those that a handler could not take. `flush` them afterwards. */
export function applyEvents(listeners: Listeners, events: Iterable<RecordedEvent>, context: ApplyContext): void {
  for (const event of events) {
    const listening = listeners.get(event.type);
    if (listening === undefined) continue;
    const latest = atLatestVersion(event, context.aggregates);
    for (const { handler, rows } of listening) {
      const reason = typeof latest === "string" ? latest : rows.apply(handler, latest);
      if (reason === undefined) continue;
      const parked = rows.park(event, reason, context.clock.now());
      const { position, type, stream } = event;
      if (parked <= maxParkedLogged) context.log?.warn({ projection: rows.name, position, type, stream, reason }, note);
    }
  }
}

/** The event with its data as today's code writes it, or why that cannot be. Of categories without schemas: as stored. */
export function atLatestVersion(
  event: RecordedEvent,
  aggregates: ReadonlyMap<string, LoadedAggregate>,
): RecordedEvent | string {
  const aggregate = aggregates.get(event.category)?.aggregate;
  if (aggregate === undefined || aggregate.eventSchemas[event.type]?.version === event.schemaVersion) return event;
  const read = readEvent(aggregate, event);
  if (read.outcome === "unreadable") return `the event cannot be read: ${read.message}`;
  return { ...event, schemaVersion: read.schema.version, data: read.event.data };
}
