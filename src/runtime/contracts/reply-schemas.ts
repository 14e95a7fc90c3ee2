/** What queries and verbs answer, as schemas. PROTOCOL.md is their source. Loose: later versions may add fields. */
import { z } from "zod";
import type { EventsReply, HistoryReply, ProjectionReply, SagasReply, WhyReply } from "../../wire/replies.ts";
import type { HelpReply } from "../admin/help-saga.ts";
import type { ImportEventsReply } from "../admin/import-events.ts";

const name = z.string();
const count = z.int().min(0);
const fromOne = z.int().min(1);
const time = z.iso.datetime({ precision: 3 });
const status = z.enum(["active", "done", "error", "stopped"]);
const byName = z.record(z.string(), z.looseObject({}));

const eventMention = z.looseObject({
  id: name,
  position: fromOne,
  stream: name,
  version: fromOne,
  type: name,
  occurredAt: time,
  recordedAt: time,
  metadata: z.looseObject({
    correlationId: name,
    causationId: name,
    commandId: name,
    actor: z.looseObject({ id: name, verified: z.boolean() }).optional(),
    traceparent: name.optional(),
  }),
});

const recordedEvent = eventMention.extend({ category: name, schemaVersion: fromOne, data: z.unknown() });

const history: z.ZodType<HistoryReply> = z.looseObject({ events: z.array(recordedEvent), next: fromOne.nullable() });
const events: z.ZodType<EventsReply> = z.looseObject({ events: z.array(recordedEvent), next: fromOne.nullable() });

const why: z.ZodType<WhyReply> = z.looseObject({
  ...{ stream: name, version: fromOne, position: fromOne, recordedAt: time, field: name },
  ...{ value: z.unknown().optional(), before: z.unknown().optional() },
  setBy: eventMention.nullable(),
  causes: z.array(eventMention),
  hasMoreCauses: z.boolean(),
});

const sagas: z.ZodType<SagasReply> = z.looseObject({
  instances: z.array(
    z.looseObject({
      ...{ saga: name, id: name, stream: name, status: z.enum(["running", "stuck"]), state: z.unknown() },
      ...{ version: count, startedAt: time, correlationId: name },
      timers: z.array(z.looseObject({ id: name, dueAt: z.iso.datetime() })),
      stuck: z
        .looseObject({
          ...{ reason: name, message: name, since: time, ageMs: count },
          at: name.optional(),
          waiting: count,
        })
        .optional(),
    }),
  ),
  next: z.tuple([name, name]).nullable(),
});

const projection: z.ZodType<ProjectionReply> = z.looseObject({
  ...{ name, version: fromOne, position: count },
  rows: z.array(z.looseObject({ key: name, value: z.unknown() })),
  next: name.nullable(),
});

const parkedEvent = z.looseObject({ position: fromOne, type: name, stream: name, reason: name, at: time });
const place = z.looseObject({ name, version: fromOne, position: count });

/** By the names of the queries. */
export const queryReplies = {
  state: z.looseObject({
    ...{ stream: name, version: fromOne, position: fromOne, recordedAt: time },
    state: z.looseObject({ value: z.unknown(), context: z.looseObject({}).nullable(), status }),
  }),
  history,
  why,
  events,
  health: z.looseObject({
    status: z.enum(["ok", "degraded"]),
    position: count,
    relay: z.looseObject({ status: z.enum(["relaying", "waiting", "refused"]), position: count, lagEvents: count }),
    projections: z.array(place.extend({ status: z.enum(["live", "building"]), lagEvents: count, parked: count })),
    sagas: z.array(z.looseObject({ name, version: fromOne, running: count, stuck: count, timers: count })),
    timers: z.looseObject({ pending: count, nextDueAt: z.iso.datetime().nullable(), overdueMs: count }),
    store: z.looseObject({ id: name, events: count, bytes: count }),
    commands: z.looseObject({ queued: count, liveActors: count }),
    process: z.looseObject({ pid: fromOne, uptimeMs: count, memoryBytes: count }),
  }),
  catalog: z.looseObject({
    categories: z.record(
      z.string(),
      z.looseObject({
        commands: byName,
        events: z.record(z.string(), z.looseObject({ version: fromOne, schema: z.looseObject({}) })),
      }),
    ),
    sagas: byName,
    projections: byName,
  }),
  sagas,
  projection,
  "projection-parked": z.looseObject({
    ...{ name, version: count },
    parked: z.array(parkedEvent),
    next: fromOne.nullable(),
  }),
  "projection-diff": z.looseObject({
    ...{ a: place, b: place, compared: count },
    differences: z.array(z.looseObject({ key: name, a: z.unknown().optional(), b: z.unknown().optional() })),
    next: name.nullable(),
  }),
};

const help: z.ZodType<HelpReply> = z.looseObject({
  ...{ saga: name, id: name, status: z.enum(["running", "stuck", "ended"]), state: z.unknown(), version: count },
});

const imported: z.ZodType<ImportEventsReply> = z.looseObject({ position: count });

/** By the names of the verbs. */
export const verbReplies = {
  "import-events": imported,
  rebuild: place.extend({ generation: fromOne, of: count }),
  "cancel-build": place,
  switch: z.looseObject({ name, from: fromOne, to: fromOne }),
  "drop-standby": z.looseObject({ name, version: fromOne }),
  "retry-parked": z.looseObject({
    name,
    outcomes: z.array(
      z.looseObject({ outcome: z.enum(["applied", "parked"]), position: fromOne, reason: name.optional() }),
    ),
  }),
  "skip-parked": z.looseObject({ name, positions: z.array(fromOne) }),
  retry: help,
  skip: help,
  resolve: help,
};
