/** A log over several days: events as an export would have them, imported with the times they tell. */
import type { Client, RecordedEvent } from "retrace";

/** Of one run, `perDay` events on each of `days` days from 2026-02-27 on; behind positions that are there already. */
export function eventsOverDays(days: number, perDay: number, { after = 0 } = {}): RecordedEvent[] {
  return Array.from({ length: days * perDay }, (_, i) => {
    const position = after + i + 1;
    const day = Math.floor((position - 1) / perDay);
    const recordedAt = new Date(Date.UTC(2026, 1, 27 + day, 23, 59, 59, 999)).toISOString();
    const isStart = position === 1;
    const actor = position % 2 === 0 ? { actor: { id: "ada \"the 'first'\"", verified: false } } : {};
    return {
      ...{
        id: `E${String(position).padStart(25, "0")}`,
        position,
        stream: "training-run-r1",
        category: "training-run",
      },
      ...{ version: position, type: isStart ? "TrainingStarted" : "TrainingProgress", schemaVersion: 1 },
      data: isStart ? { config: { läuft: 'ja\u2028\\\n,"' } } : { step: position, loss: position / 8 },
      ...{ occurredAt: "2020-02-29T12:00:00.001Z", recordedAt },
      metadata: { correlationId: "c", causationId: `k${position}`, commandId: `k${position}`, ...actor },
    };
  });
}

/** Brings them into the log. */
export async function recordAll(client: Client, events: readonly RecordedEvent[]): Promise<void> {
  for (let i = 0; i < events.length; i += 500) {
    const chunk = events.slice(i, i + 500);
    await client.admin("import-events", { afterPosition: (chunk[0] as RecordedEvent).position - 1, events: chunk });
  }
}
