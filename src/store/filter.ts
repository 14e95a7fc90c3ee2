/** What a log filter means, event by event: shared by the stores, whatever index led them there. */
import type { LogFilter } from "../core/event-store.ts";
import type { RecordedEvent } from "../core/message.ts";

/** Whether an event passes all conditions but `limit`. */
export function matches(event: RecordedEvent, filter: LogFilter): boolean {
  const { afterPosition, toPosition, categories, types, correlationId, since, until } = filter;
  if (afterPosition !== undefined && event.position <= afterPosition) return false;
  if (toPosition !== undefined && event.position > toPosition) return false;
  if (categories !== undefined && !categories.includes(event.category)) return false;
  if (types !== undefined && !types.includes(event.type)) return false;
  if (correlationId !== undefined && event.metadata.correlationId !== correlationId) return false;
  if (since === undefined && until === undefined) return true;
  const time = filter.by === "occurred" ? event.occurredAt : event.recordedAt;
  return (since === undefined || time >= since) && (until === undefined || time < until);
}
