/** The logs that can be checked: a store that was opened here, and one that a runtime serves. */
import type { EventStore } from "../core/event-store.ts";
import type { RecordedEvent } from "../core/message.ts";
import { streamId } from "../core/stream.ts";
import type { Client } from "../wire/client.ts";
import type { LogToCheck } from "./check-log.ts";

/** Which part of a log to check. */
export interface PartOfLog {
  /** All of them when left out. */
  readonly categories?: readonly string[];
}

/** Long reads let signals through, and other processes' pages go, at least this often. */
const sliceEvents = 2_000;
const pageEvents = 1_000;

/** Reads a store directly, also while a runtime appends to it. */
export function storeToCheck(store: EventStore, part: PartOfLog = {}): LogToCheck {
  let sinceBreath = 0;
  const breathe = async (events: number): Promise<void> => {
    sinceBreath += events;
    if (sinceBreath < sliceEvents) return;
    sinceBreath = 0;
    await new Promise(setImmediate);
  };
  return {
    events: async (afterPosition) => {
      await breathe(sliceEvents);
      const end = afterPosition + sliceEvents;
      const events = store.readAll({ ...part, afterPosition, toPosition: end });
      return { events, next: end < store.position() ? end : null };
    },
    history: async ({ stream }, fromVersion) => {
      const end = Math.min(store.head(stream).version, fromVersion + sliceEvents - 1);
      await breathe(end - fromVersion + 1);
      const events = store.readStream(stream, { fromVersion, toVersion: end });
      return { events, next: end < store.head(stream).version ? end + 1 : null };
    },
    eventAt: async (position) => {
      for (const event of store.readAll({ afterPosition: position - 1, limit: 1 })) return event;
      throw new Error(`the log has no position ${position}`);
    },
  };
}

/** Asks a runtime for its log, page by page. */
export function servedLogToCheck(client: Client, part: PartOfLog = {}): LogToCheck {
  return {
    events: (afterPosition) => client.events({ ...part, afterPosition, limit: pageEvents }),
    history: ({ stream, category }, fromVersion) =>
      client.history(category, streamId(stream, category), { fromVersion, limit: pageEvents }),
    eventAt: async (position) => {
      const { events } = await client.events({ afterPosition: position - 1, limit: 1 });
      return events[0] as RecordedEvent;
    },
  };
}
