/** What the events of a saga's stream carry, as schemas. Loose, as those of all events: later versions may add fields. */
import { z } from "zod";
import type { SagaEvents, SagaEventType } from "./saga-events.ts";

const name = z.string().min(1);
const time = z.iso.datetime();
const count = z.int().min(0);
const fromOne = z.int().min(1);
/** A state value of the chart: a name, or an object of them where states are nested; null before the first. */
const state = z.unknown();

const step = {
  from: state,
  to: state,
  commands: z.array(z.looseObject({ commandId: name, category: name, id: name, type: name })),
  timers: z.looseObject({
    set: z.array(z.looseObject({ id: name, dueAt: time })),
    cancelled: z.array(name),
  }),
  policyVersion: count,
};

const consumed = z.looseObject({ id: name, position: fromOne, stream: name, version: fromOne, type: name });
const timerEvent = z.looseObject({ type: name });
const command = z.looseObject({ category: name, id: z.string(), type: name, data: z.unknown().optional() });

/** By event type, all in version 1. */
export const sagaEventSchemas: { readonly [Type in SagaEventType]: z.ZodType<SagaEvents[Type]> } = {
  SagaStarted: z.looseObject({ ...step, saga: name, instance: name, sagaVersion: fromOne, startedBy: consumed }),
  SagaAdvanced: z.looseObject({ ...step, consumed }),
  SagaTimerFired: z.looseObject({ ...step, timer: name, dueAt: time, event: timerEvent }),
  SagaCommandRejected: z.looseObject({
    ...{ ...step, command, commandId: name },
    code: z.string().regex(/^[A-Z_]+$/),
    reason: z.string().optional(),
    message: z.string(),
  }),
  SagaAnswered: z.looseObject({
    ...step,
    question: z.looseObject({
      projection: name,
      keys: z.array(z.string()).optional(),
      prefix: z.string().optional(),
      after: z.string().optional(),
      limit: z.number().optional(),
    }),
    position: count,
    rows: z.array(z.looseObject({ key: name, value: z.unknown() })),
  }),
  SagaStuck: z.looseObject({ reason: name, message: z.string(), at: z.unknown(), state }),
  SagaResumed: z.looseObject({ how: z.enum(["retried", "skipped"]), by: name, reason: z.string().optional() }),
  SagaMigrated: z.looseObject({
    fromVersion: fromOne,
    toVersion: fromOne,
    from: state,
    to: state,
    context: z.unknown(),
    contextBytes: z.base64(),
    timers: z.array(z.looseObject({ id: name, dueAt: time, event: timerEvent })),
  }),
  SagaEnded: z.looseObject({
    how: z.enum(["done", "resolved"]),
    state,
    output: z.unknown().optional(),
    by: z.string().optional(),
    reason: z.string().optional(),
  }),
};
