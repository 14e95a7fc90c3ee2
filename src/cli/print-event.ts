/** One event as a line for people. */
import type { RecordedEvent } from "../core/message.ts";
import { colors } from "./colors.ts";

const maxDataLength = 160;
/** An event that occurred this much before or after it was recorded was backfilled, and is told with both times. */
const apartMs = 1_000;

/** What helps say of the times in such lines. */
export const timesHelp = `
Times are those at which events were recorded; where they occurred at another time, that follows in brackets.
`;

/** When it was recorded, and when it occurred if that was not then. */
export function timeText({ recordedAt, occurredAt }: Pick<RecordedEvent, "recordedAt" | "occurredAt">): string {
  const isApart = Math.abs(Date.parse(recordedAt) - Date.parse(occurredAt)) >= apartMs;
  return isApart ? `${recordedAt} (occurred ${occurredAt})` : recordedAt;
}

/** Position, time, where, what, who, data. */
export function eventLine(event: RecordedEvent): string {
  const data = JSON.stringify(event.data);
  const shown = data.length > maxDataLength ? `${data.slice(0, maxDataLength)}…` : data;
  const actor = event.metadata.actor === undefined ? "" : ` by ${event.metadata.actor.id}`;
  const where = `${event.stream}@${event.version}`;
  return `${colors.dim(String(event.position).padStart(6))} ${colors.dim(timeText(event))} ${colors.cyan(where)} ${colors.bold(event.type)}${actor} ${shown}`;
}
