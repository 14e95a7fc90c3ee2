/** `import-events`: a log that was exported comes back, event by event the same. */
import { z } from "zod";
import type { EventStore, Transaction } from "../../core/event-store.ts";
import { Fault } from "../../core/fault.ts";
import type { NewEvent, RecordedEvent } from "../../core/message.ts";
import { isCategory, isStreamId } from "../../core/stream.ts";
import type { Projections } from "../projections/projections.ts";
import { type Query, query } from "../queries/query.ts";
import { importedCheckpoint } from "../sagas/reaction.ts";

/** As stored: UTC with milliseconds, so that it comes back as the same text. */
const time = z.iso.datetime({ precision: 3 });
const text = z.string().min(1).max(256);

/** An event as it was exported. */
export const recordedEvent = z.strictObject({
  id: text,
  position: z.int().min(1),
  stream: z.string(),
  category: z.string().refine(isCategory, "a category"),
  version: z.int().min(1),
  type: z.string().regex(/^[A-Z][A-Za-z0-9]{0,127}$/, "an event type in PascalCase"),
  schemaVersion: z.int().min(1),
  data: z.unknown(),
  occurredAt: time,
  recordedAt: time,
  metadata: z.strictObject({
    correlationId: text,
    causationId: text,
    commandId: text,
    actor: z.strictObject({ id: text, verified: z.boolean() }).optional(),
    traceparent: text.optional(),
  }),
});

type Exported = z.output<typeof recordedEvent>;

/** Events in one request. */
export const maxImportedEvents = 1_000;

/** What it is asked with. */
export const body = z.strictObject({
  /** Where the log must end: the events follow behind it. */
  afterPosition: z.int().min(0),
  events: z.array(recordedEvent).min(1).max(maxImportedEvents),
});

/** What it answers. */
export interface ImportEventsReply {
  /** Of the log, now. */
  readonly position: number;
}

/**
 * Appends events with the ids, positions, versions and times they had: all of a request, or none.
 * Refused with REJECTED: LOG_ENDS_ELSEWHERE, NOT_AN_EXPORT.
 */
export function importEvents(store: EventStore, projections: Pick<Projections, "apply" | "flush">): Query {
  const answer = (request: z.output<typeof body>): Promise<ImportEventsReply> =>
    store.withTransaction((tx) => {
      projections.apply(tx, "sync", append(store, tx, request));
      projections.flush(tx);
      return { position: store.position() };
    });
  return query("import-events", body, answer, { invalid: "INVALID_COMMAND" });
}

function append(
  store: EventStore,
  tx: Transaction,
  { afterPosition, events }: z.output<typeof body>,
): readonly RecordedEvent[] {
  const position = store.position();
  if (position !== afterPosition) throw endsElsewhere(position, afterPosition);
  const [last] = position === 0 ? [] : store.readAll({ afterPosition: position - 1, limit: 1 });
  let before = { position, recordedAt: last?.recordedAt ?? "" };
  for (const event of events) {
    assertFollows(event, before);
    before = event;
  }
  const appended = store.append(events.map(newEvent), tx);
  if (appended.outcome === "appended") {
    // What sagas made of them is among them.
    tx.put("checkpoints", importedCheckpoint, before.position);
    return appended.events;
  }
  const { stream, expected, actual } = appended;
  throw notAnExport(`${stream} goes on with version ${expected + 1} where it has ${actual}`, { stream });
}

/** The position is what the log gives it again. */
function newEvent({ position: _, metadata, ...event }: Exported): NewEvent {
  const { actor, traceparent, ...ids } = metadata;
  return { ...event, metadata: { ...ids, ...(actor && { actor }), ...(traceparent && { traceparent }) } };
}

function assertFollows(event: Exported, before: { readonly position: number; readonly recordedAt: string }): void {
  const { position, stream, category, recordedAt } = event;
  const details = { position };
  if (position !== before.position + 1) throw notAnExport(`position ${position} follows ${before.position}`, details);
  if (recordedAt < before.recordedAt)
    throw notAnExport(`position ${position} was recorded before the one before`, details);
  const isOfCategory = stream.startsWith(`${category}-`) && isStreamId(stream.slice(category.length + 1));
  if (!isOfCategory) throw notAnExport(`position ${position} names a stream that is not of its category`, details);
}

function notAnExport(what: string, details: Readonly<Record<string, unknown>>): Fault {
  return new Fault("REJECTED", `${what}: this is not the export of a whole log`, {
    reason: "NOT_AN_EXPORT",
    ...details,
  });
}

function endsElsewhere(position: number, afterPosition: number): Fault {
  const message = `the log ends at position ${position}, not ${afterPosition}: import into an empty store, and let nobody write meanwhile`;
  return new Fault("REJECTED", message, { reason: "LOG_ENDS_ELSEWHERE", position, afterPosition });
}
