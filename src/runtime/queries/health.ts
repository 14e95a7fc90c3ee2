/** The query `health`: is everything that was accepted also where it belongs, and if not, why. */
import { z } from "zod";
import type { EventStore } from "../../core/event-store.ts";
import type { Clock } from "../clock.ts";
import type { RelayStatus } from "../relay.ts";
import { type Query, query } from "./query.ts";

/** What health is made of. */
export interface HealthSource {
  readonly store: EventStore;
  readonly clock: Clock;
  readonly relay: () => Promise<RelayStatus>;
  /** Commands waiting, actors in memory. */
  readonly load: () => { readonly queued: number; readonly liveActors: number };
}

/** Makes the query. */
export function healthQuery({ store, clock, relay, load }: HealthSource): Query {
  return query("health", z.strictObject({}), async () => {
    const relayStatus = await relay();
    const position = store.position();
    const lagEvents = Math.max(0, position - relayStatus.position);
    return {
      status: relayStatus.status === "relaying" ? "ok" : "degraded",
      position,
      relay: { ...relayStatus, lagEvents, lagMs: lagEvents === 0 ? 0 : ageMs(store, clock, relayStatus.position) },
      projections: [],
      sagas: [],
      timers: { pending: 0 },
      store: { id: store.id, ...store.size() },
      commands: load(),
      process: {
        pid: process.pid,
        uptimeMs: Math.round(process.uptime() * 1_000),
        memoryBytes: process.memoryUsage.rss(),
      },
    };
  });
}

function ageMs(store: EventStore, clock: Clock, afterPosition: number): number {
  const [oldest] = store.readAll({ afterPosition, limit: 1 });
  return oldest === undefined ? 0 : Math.max(0, Date.parse(clock.now()) - Date.parse(oldest.recordedAt));
}
