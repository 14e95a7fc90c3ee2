/** One event as a line for people. */
import type { RecordedEvent } from "../core/message.ts";
import { colors } from "./colors.ts";

const maxDataLength = 160;

/** Position, time, where, what, who, data. */
export function eventLine(event: RecordedEvent): string {
  const data = JSON.stringify(event.data);
  const shown = data.length > maxDataLength ? `${data.slice(0, maxDataLength)}…` : data;
  const actor = event.metadata.actor === undefined ? "" : ` by ${event.metadata.actor.id}`;
  const where = `${event.stream}@${event.version}`;
  return `${colors.dim(String(event.position).padStart(6))} ${colors.dim(event.occurredAt)} ${colors.cyan(where)} ${colors.bold(event.type)}${actor} ${shown}`;
}
