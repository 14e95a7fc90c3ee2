/** The query `health`: is everything that was accepted also where it belongs, and if not, why. */
import { z } from "zod";
import type { EventStore } from "../../core/event-store.ts";
import type { Clock } from "../clock.ts";
import type { ProjectionStatus } from "../projections/status.ts";
import type { RelayStatus } from "../relay.ts";
import type { LoadedSaga } from "../sagas/loaded-saga.ts";
import type { Policies } from "../sagas/policy-settings.ts";
import { instanceCounts } from "../sagas/reaction.ts";
import type { Reactor } from "../sagas/reactor.ts";
import { type Query, query } from "./query.ts";

/** What health is made of. */
export interface HealthSource {
  readonly store: EventStore;
  readonly clock: Clock;
  readonly relay: () => Promise<RelayStatus>;
  readonly projections: () => readonly ProjectionStatus[];
  /** Commands waiting, actors in memory. */
  readonly load: () => { readonly queued: number; readonly liveActors: number };
  readonly sagas: ReadonlyMap<string, LoadedSaga>;
  readonly reactor: Pick<Reactor, "nextDueMs">;
  readonly policies: Policies;
}

/** Makes the query. */
export function healthQuery(source: HealthSource): Query {
  const { store, clock, relay, projections, load } = source;
  return query("health", z.strictObject({}), async () => {
    const relayStatus = await relay();
    const position = store.position();
    const projectionStatus = projections();
    const isWell = relayStatus.status === "relaying" && projectionStatus.every(({ parked }) => parked === 0);
    const lagEvents = Math.max(0, position - relayStatus.position);
    return {
      status: isWell ? "ok" : "degraded",
      position,
      relay: { ...relayStatus, lagEvents, lagMs: lagEvents === 0 ? 0 : ageMs(store, clock, relayStatus.position) },
      projections: projectionStatus,
      sagas: sagaHealth(source),
      timers: timerHealth(source),
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

function sagaHealth({ store, sagas, policies }: HealthSource) {
  return Array.from(sagas.values(), ({ saga }) => {
    const { version, refused } = policies.current(saga);
    return {
      name: saga.name,
      version: saga.version,
      ...instanceCounts(store, saga.name),
      policy: { version, ...(refused !== undefined && { refused }) },
    };
  });
}

/** Something stays overdue only where the process that fires timers is gone. */
function timerHealth({ store, sagas, reactor, clock }: HealthSource) {
  const pending = [...sagas.keys()].reduce((sum, name) => sum + instanceCounts(store, name).timers, 0);
  const nextDueMs = reactor.nextDueMs();
  if (nextDueMs === undefined) return { pending, nextDueAt: null, overdueMs: 0 };
  const overdueMs = Math.max(0, Date.parse(clock.now()) - nextDueMs);
  return { pending, nextDueAt: new Date(nextDueMs).toISOString(), overdueMs };
}

function ageMs(store: EventStore, clock: Clock, afterPosition: number): number {
  const [oldest] = store.readAll({ afterPosition, limit: 1 });
  return oldest === undefined ? 0 : Math.max(0, Date.parse(clock.now()) - Date.parse(oldest.recordedAt));
}
