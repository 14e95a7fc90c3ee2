/** Stores with a long past: valid events of training runs, appended directly through the store in large transactions. */
import type { EventStore } from "../../src/core/event-store.ts";
import type { NewEvent } from "../../src/core/message.ts";
import { openLmdbStore } from "../../src/store/lmdb.ts";
import { ulids } from "../../src/wire/ulid.ts";
import { progress } from "./training-runs.ts";

/** The stream of event `index` of the log, from 0, and which version of that stream it is. */
export interface Place {
  readonly id: string;
  readonly version: number;
}

const eventsPerTransaction = 10_000;
/** As if ten thousand events a second had been recorded. */
const eventsPerMs = 10;
const firstMs = Date.UTC(2026, 0, 1);

/** The stream of one training run. */
export function streamOf(id: string): string {
  return `training-run-${id}`;
}

/** Appends `count` events to a new store in `path`. */
export async function buildStore(path: string, count: number, placeOf: (index: number) => Place): Promise<void> {
  const store = openStore(path);
  let nowMs = firstMs;
  const newId = ulids(() => nowMs);
  for (let from = 0; from < count; from += eventsPerTransaction) {
    const events: NewEvent[] = [];
    for (let index = from; index < Math.min(count, from + eventsPerTransaction); index++) {
      nowMs = firstMs + Math.floor(index / eventsPerMs);
      events.push(event(placeOf(index), newId, new Date(nowMs).toISOString()));
    }
    const { outcome } = await store.append(events);
    if (outcome !== "appended") throw new Error(`the large store could not be built: ${outcome}`);
  }
  await store.close();
}

/** Opens a store as the runtime does. */
export function openStore(path: string): EventStore {
  return openLmdbStore({ path, newId: ulids(Date.now) });
}

function event({ id, version }: Place, newId: () => string, time: string): NewEvent {
  const commandId = newId();
  return {
    id: newId(),
    stream: streamOf(id),
    category: "training-run",
    version,
    type: version === 1 ? "TrainingStarted" : "TrainingProgress",
    schemaVersion: 1,
    data: version === 1 ? {} : progress(version - 1),
    occurredAt: time,
    recordedAt: time,
    metadata: { correlationId: commandId, causationId: commandId, commandId },
  };
}
