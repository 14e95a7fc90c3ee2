/**
 * What people do to projections: begin a build, give one up, switch to what stands by, deal with parked events. Each is
 * one transaction, and holds for all processes on the store.
 */
import type { EventStore, Transaction } from "../../core/event-store.ts";
import { Fault } from "../../core/fault.ts";
import type { RecordedEvent } from "../../core/message.ts";
import type { Projection } from "../../core/projection.ts";
import { type ApplyContext, atLatestVersion } from "./apply-events.ts";
import type { Definitions, Versions } from "./definitions.ts";
import { GenerationRows } from "./generation-rows.ts";
import {
  type BuildingGeneration,
  type Generations,
  readGenerations,
  writeGenerations,
  writeStamp,
} from "./generations.ts";
import { indexedFields } from "./indexes.ts";
import { readParked, removeParked, writeReason } from "./parked.ts";
import { type ReadableGeneration, readableGeneration } from "./read-rows.ts";
import { CurrentRows } from "./stored-rows.ts";
import { begun, isKeptUp } from "./take-build.ts";

/** What changes are made with. */
export interface ChangeContext extends ApplyContext {
  readonly store: EventStore;
  readonly definitions: Definitions;
  readonly spanEvents: number;
}

/**
 * Begins a build of the version that is live, or of the one that is defined; one under way is begun anew. Held, it will
 * stand by until somebody switches; where there is a next version, it is the other one that is built.
 */
export function beginBuild(context: ChangeContext, name: string, isHeld: boolean): Promise<BuildingGeneration> {
  const { definitions } = context;
  return change(context, name, (generations) => {
    const { main, next } = definitions.of(name) as Versions;
    const live = definitions.makerOf(name, generations.live) ?? main;
    const other = live === main ? next : main;
    const projection = isHeld ? (other ?? live) : live;
    const building = begun(projection, generations.last, isHeld);
    return { changed: { ...generations, building, last: building.generation }, result: building };
  });
}

/** Gives up the build under way. @throws Fault REJECTED: NO_BUILD */
export function cancelBuild(context: ChangeContext, name: string): Promise<BuildingGeneration> {
  return change(context, name, ({ building, ...generations }) => {
    if (building === undefined) throw refused("NO_BUILD", `nothing is being built of ${name}`, { name });
    return { changed: generations, result: building };
  });
}

/** What was live before a switch, and what is now. */
export interface Switched {
  readonly from: number;
  readonly to: number;
}

/**
 * Makes what stands by the live generation. The one that was live stands by from then on, as long as it can be kept up.
 * @throws Fault REJECTED: NO_STANDBY, STANDBY_BEHIND
 */
export function switchToStandby(context: ChangeContext, name: string): Promise<Switched> {
  return change(context, name, ({ live, standby, ...generations }) => {
    if (standby === undefined) throw refused("NO_STANDBY", `nothing of ${name} stands by: rebuild it held`, { name });
    if (!isKeptUp(context.definitions, name, standby)) {
      const message = `what stands by of ${name} has missed events since position ${standby.frozenAt}: rebuild it held`;
      throw refused("STANDBY_BEHIND", message, { name, position: standby.frozenAt });
    }
    const isKept = isKeptUp(context.definitions, name, live);
    const changed = { ...generations, live: standby, ...(isKept && { standby: live }) };
    return { changed, result: { from: live?.version ?? 0, to: standby.version } };
  });
}

/** Gives up what stands by. @throws Fault REJECTED: NO_STANDBY */
export function dropStandby(context: ChangeContext, name: string): Promise<number> {
  return change(context, name, ({ standby, ...generations }) => {
    if (standby === undefined) throw refused("NO_STANDBY", `nothing of ${name} stands by`, { name });
    return { changed: generations, result: standby.version };
  });
}

/** What came of trying a parked event again. */
export type Retried =
  | { readonly outcome: "applied"; readonly position: number }
  | { readonly outcome: "parked"; readonly position: number; readonly reason: string };

/**
 * Applies a parked event to the rows as they are now, out of its order: right for handlers that need no order, else
 * rebuild. @throws Fault NOT_FOUND when it is not parked, PROJECTION_BEHIND when the rows cannot be changed.
 */
export function retryParked(context: ChangeContext, name: string, position: number): Promise<Retried> {
  return context.store.withTransaction((tx) => {
    const { readable, maker } = changeable(context, tx, name);
    if (readParked(tx, readable, position) === undefined) throw notParked(name, position);
    const reason = applyNow(context, tx, { readable, maker, position });
    if (reason === undefined) {
      removeParked(tx, readable, position);
      return { outcome: "applied", position };
    }
    writeReason(tx, readable, { position, reason, at: context.clock.now() });
    return { outcome: "parked", position, reason };
  });
}

/** Takes note that a parked event stays out of the rows. @throws Fault NOT_FOUND when it is not parked. */
export function skipParked({ store, definitions }: ChangeContext, name: string, position: number): Promise<void> {
  return store.withTransaction((tx) => {
    const readable = readableGeneration({ store, definitions }, tx, { name, which: "live" });
    if (readable === undefined || !removeParked(tx, readable, position)) throw notParked(name, position);
  });
}

function change<Result>(
  { store, clock }: ChangeContext,
  name: string,
  make: (generations: Generations) => { readonly changed: Generations; readonly result: Result },
): Promise<Result> {
  return store.withTransaction((tx) => {
    const { changed, result } = make(readGenerations(tx, name) ?? { last: 0 });
    writeGenerations(tx, name, changed, clock.newId());
    return result;
  });
}

interface Changeable {
  readonly readable: ReadableGeneration;
  readonly maker: Projection;
}

function changeable({ store, definitions }: ChangeContext, tx: Transaction, name: string): Changeable {
  const readable = readableGeneration({ store, definitions }, tx, { name, which: "live" });
  const { maker } = readable ?? {};
  if (readable !== undefined && maker !== undefined && readable.isKeptUp) return { readable, maker };
  throw new Fault("PROJECTION_BEHIND", `${name} is being built: its rows cannot be changed now`, { name });
}

/** The change belongs to the time behind everything that is applied. */
function applyNow(
  { store, aggregates, spanEvents, clock }: ChangeContext,
  tx: Transaction,
  { readable, maker, position }: Changeable & { readonly position: number },
): string | undefined {
  const { name, generation } = readable;
  const [event] = store.readAll({ afterPosition: position - 1, limit: 1 });
  const handler = maker.on[(event as RecordedEvent).type];
  const latest = atLatestVersion(event as RecordedEvent, aggregates);
  if (typeof latest === "string") return latest;
  if (handler === undefined) return undefined;
  const of = { name, generation, indexes: indexedFields(maker.indexes), spanEvents };
  const rows = new GenerationRows(of, new CurrentRows(tx, name, generation));
  const reason = rows.apply(handler, latest, readable.position + 1);
  if (reason === undefined) {
    rows.flush(tx);
    writeStamp(tx, maker.mode, clock.newId());
  }
  return reason;
}

function refused(reason: string, message: string, details: Readonly<Record<string, unknown>>): Fault {
  return new Fault("REJECTED", message, { ...details, reason });
}

function notParked(name: string, position: number): Fault {
  return new Fault("NOT_FOUND", `no event at position ${position} is parked by ${name}`, { name, position });
}
