/** Reads the log through the client, page by page. */
import type { Client, LogFilter, RecordedEvent } from "retrace";

/** The events that match, in position order, up to `toPosition` (inclusive). */
export async function* readLog(client: Client, filter: LogFilter, toPosition: number): AsyncGenerator<RecordedEvent> {
  let afterPosition: number | null = filter.afterPosition ?? 0;
  while (afterPosition !== null) {
    const page = await client.events({ ...filter, afterPosition, limit: 1000 });
    for (const event of page.events) {
      if (event.position > toPosition) return;
      yield event;
    }
    afterPosition = page.next;
  }
}

/** All of them at once. */
export async function collectLog(client: Client, filter: LogFilter, toPosition: number): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for await (const event of readLog(client, filter, toPosition)) events.push(event);
  return events;
}
