/**
 * What led to an event: a saga's step, or the event that a step or a client names as its cause. Where a client's command
 * is all there is, the story begins.
 */
import type { EventStore } from "../../core/event-store.ts";
import type { RecordedEvent } from "../../core/message.ts";
import { type SagaEvents, sagaCategory } from "../../core/saga-events.ts";
import { breathe } from "./query.ts";

/** Follows the causes of an event back, the nearest first; at most `max` of them, and whether there are more. */
export async function causesOf(
  store: EventStore,
  event: RecordedEvent,
  max: number,
): Promise<{ readonly causes: readonly RecordedEvent[]; readonly hasMore: boolean }> {
  const causes: RecordedEvent[] = [];
  let cause = await causeOf(store, event);
  while (cause !== undefined && causes.length < max) {
    causes.push(cause);
    cause = await causeOf(store, cause);
  }
  return { causes, hasMore: cause !== undefined };
}

/** Always an earlier event, so that following causes ends. */
async function causeOf(store: EventStore, event: RecordedEvent): Promise<RecordedEvent | undefined> {
  const cause =
    event.category === sagaCategory
      ? causeOfStep(store, event)
      : (stepThatSent(store, event.metadata.commandId) ?? (await namedCause(store, event)));
  return cause !== undefined && cause.position < event.position ? cause : undefined;
}

function causeOfStep(store: EventStore, event: RecordedEvent): RecordedEvent | undefined {
  const { type, stream, version } = event;
  if (type === "SagaStarted") return eventAt(store, (event.data as SagaEvents["SagaStarted"]).startedBy.position);
  if (type === "SagaAdvanced") return eventAt(store, (event.data as SagaEvents["SagaAdvanced"]).consumed.position);
  if (type === "SagaTimerFired") return stepThatSet(store, event, (event.data as SagaEvents["SagaTimerFired"]).timer);
  if (type === "SagaCommandRejected") {
    return stepThatSent(store, (event.data as SagaEvents["SagaCommandRejected"]).commandId);
  }
  return versionOf(store, stream, version - 1);
}

/** The ids of saga's commands say which step sent them; the step has to say so, too, because ids are anybody's to choose. */
function stepThatSent(store: EventStore, commandId: string): RecordedEvent | undefined {
  const [, stream, version] = /^(saga-.+)@(\d{1,15})\.\d+$/.exec(commandId) ?? [];
  const step = stream === undefined ? undefined : versionOf(store, stream, Number(version));
  const { commands = [] } = (step?.data ?? {}) as { readonly commands?: readonly { readonly commandId: string }[] };
  return commands.some((command) => command.commandId === commandId) ? step : undefined;
}

/** A timer that was carried over from another chart has no such step: then it is what came before. */
function stepThatSet(store: EventStore, { stream, version }: RecordedEvent, timer: string): RecordedEvent | undefined {
  const before = [...store.readStream(stream, { toVersion: version - 1 })];
  const setters = before.filter(({ data }) => {
    const { timers } = data as { readonly timers?: { readonly set?: readonly { readonly id: string }[] } };
    return timers?.set?.some(({ id }) => id === timer) === true;
  });
  return setters.at(-1) ?? before.at(-1);
}

const sliceEvents = 2_000;

/** The event of the same conversation that is named by its id, else the last one of the command that is named. */
async function namedCause(
  store: EventStore,
  { position, metadata }: RecordedEvent,
): Promise<RecordedEvent | undefined> {
  const { causationId, commandId, correlationId } = metadata;
  if (causationId === commandId) return undefined;
  let byCommand: RecordedEvent | undefined;
  for (let after = 0; after < position - 1; ) {
    const filter = { correlationId, afterPosition: after, toPosition: position - 1, limit: sliceEvents };
    let count = 0;
    for (const event of store.readAll(filter)) {
      if (event.id === causationId) return event;
      if (event.metadata.commandId === causationId) byCommand = event;
      after = event.position;
      count += 1;
    }
    if (count < sliceEvents) break;
    await breathe();
  }
  return byCommand;
}

function eventAt(store: EventStore, position: number): RecordedEvent | undefined {
  const [event] = store.readAll({ afterPosition: position - 1, toPosition: position });
  return event;
}

function versionOf(store: EventStore, stream: string, version: number): RecordedEvent | undefined {
  if (version < 1) return undefined;
  const [event] = store.readStream(stream, { fromVersion: version, toVersion: version });
  return event;
}
