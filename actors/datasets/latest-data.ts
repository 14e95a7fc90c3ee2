/** Signals that were stored under an older version of their schema, read as today's. */
import type { RecordedEvent } from "retrace";
import { feedback } from "../../schemas/feedback.ts";

/** The data of an event as the latest version has it. */
export function latestData({ type, schemaVersion, data }: RecordedEvent): Readonly<Record<string, unknown>> {
  const stored = data as Record<string, unknown>;
  if (type !== "UserRatedOutput" || schemaVersion !== 1) return stored;
  return feedback.events.UserRatedOutput.upcasters[1](stored) as Readonly<Record<string, unknown>>;
}
