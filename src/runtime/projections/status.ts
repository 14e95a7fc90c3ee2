/** How projections are: for health, and for whoever waits for a build. */
import type { EventStore } from "../../core/event-store.ts";
import type { ProjectionMode } from "../../core/projection.ts";
import type { Clock } from "../clock.ts";
import type { Builder, BuildProgress } from "./builder.ts";
import { readGenerations } from "./generations.ts";
import { readParkedCount } from "./parked.ts";
import { type ReadableGeneration, type ReadContext, readableGeneration } from "./read-rows.ts";

/** For health. */
export interface ProjectionStatus {
  readonly name: string;
  /** As it is defined now. */
  readonly version: number;
  readonly mode: ProjectionMode;
  /** Of the rows that are read: another number whenever they were made anew. 0 when there are none. */
  readonly generation: number;
  /** `building`: its rows are not there yet, or those of before are read meanwhile. */
  readonly status: "live" | "building";
  /** All events up to here are in the rows that are read; 0 when there are none. */
  readonly position: number;
  readonly lagEvents: number;
  /** Age of the oldest event that is not in the rows. */
  readonly lagMs: number;
  /** Events that a handler could not take. */
  readonly parked: number;
  /** Of the build under way. */
  readonly progress?: BuildProgress;
  /** What is complete, and can be switched to. */
  readonly standby?: StandbyStatus;
  /** Why it is not as it should be. */
  readonly reason?: string;
}

/** Of a generation that can be switched to. */
export interface StandbyStatus {
  readonly version: number;
  readonly generation: number;
  readonly position: number;
  readonly parked: number;
}

/** What the status is made of. */
export interface StatusContext extends ReadContext {
  readonly clock: Clock;
  readonly builder: Builder;
}

/** Of all projections that are defined. */
export function projectionStatus(context: StatusContext): ProjectionStatus[] {
  return context.definitions.names.map((name) => statusOf(context, name));
}

function statusOf(context: StatusContext, name: string): ProjectionStatus {
  const { store, definitions } = context;
  const live = readableGeneration(context, store, { name, which: "live" });
  const standby = readableGeneration(context, store, { name, which: "standby" });
  const isLive = live?.isKeptUp === true && live.maker !== undefined;
  const defined = (isLive ? live.maker : undefined) ?? definitions.of(name)?.main;
  if (defined === undefined) throw new Error(`${name} is not defined`);
  const { version, mode } = defined;
  const position = live?.position ?? 0;
  const progress = progressOf(context, name);
  const reason = isLive ? undefined : reasonOf(context, name, live);
  return {
    name,
    version,
    mode,
    generation: live?.generation ?? 0,
    status: isLive ? "live" : "building",
    position,
    ...lagBehind(context, position),
    parked: live === undefined ? 0 : readParkedCount(store, live),
    ...(progress && { progress }),
    ...(standby && { standby: standbyOf(store, standby) }),
    ...(reason && { reason }),
  };
}

function standbyOf(store: EventStore, standby: ReadableGeneration): StandbyStatus {
  const { version, generation, position } = standby;
  return { version, generation, position, parked: readParkedCount(store, standby) };
}

function lagBehind({ store, clock }: StatusContext, position: number): Pick<ProjectionStatus, "lagEvents" | "lagMs"> {
  const [oldest] = store.readAll({ afterPosition: position, limit: 1 });
  if (oldest === undefined) return { lagEvents: 0, lagMs: 0 };
  const ageMs = Date.parse(clock.now()) - Date.parse(oldest.recordedAt);
  return { lagEvents: store.position() - position, lagMs: Math.max(0, ageMs) };
}

/** What another process builds is known as far as it is written. */
function progressOf({ store, builder }: StatusContext, name: string): BuildProgress | undefined {
  const building = readGenerations(store, name)?.building;
  if (building === undefined) return undefined;
  const { version, generation, position } = building;
  const own = builder.progress(name);
  return own?.generation === generation ? own : { version, generation, position, of: store.position() };
}

function reasonOf({ builder }: StatusContext, name: string, live: ReadableGeneration | undefined): string | undefined {
  if (builder.failure !== undefined) return builder.failure;
  if (builder.progress(name) !== undefined) return undefined;
  if (live?.maker !== undefined) {
    return `a process without this version appended events behind position ${live.position}: rebuild it when none is left`;
  }
  return "it is built by the process that does the background work, once that has this version";
}
