/** An instance of a saga as it is stored between steps. Only instances that are under way have a row. */
import { type ChartState, persist, restore } from "../../core/chart.ts";
import type { TableReader, Transaction } from "../../core/event-store.ts";
import type { SagaEvents } from "../../core/saga-events.ts";
import { sagaStream } from "../../core/saga-events.ts";
import type { PendingTimer } from "../../core/saga-history.ts";
import { packState, unpackState } from "../../core/saga-state.ts";
import type { LoadedSaga } from "./loaded-saga.ts";
import { type Work, WorkQueue } from "./work.ts";

/** Why and since when an instance cannot go on. */
export interface Stuck extends Pick<SagaEvents["SagaStuck"], "reason" | "message"> {
  /** ISO 8601. */
  readonly since: string;
}

/** An instance under way, in the hands of one transaction. */
export interface Instance {
  readonly loaded: LoadedSaga;
  readonly id: string;
  readonly stream: string;
  readonly correlationId: string;
  readonly traceparent?: string;
  readonly startedAt: string;
  /** Of its stream. */
  version: number;
  /** Undefined until its chart is started. */
  state: ChartState | undefined;
  timers: ReadonlyMap<string, PendingTimer>;
  readonly queue: WorkQueue;
  stuck: Stuck | undefined;
  isEnded: boolean;
  /** The last event of its stream that the transaction has appended: the cause of what follows without another one. */
  lastEventId?: string;
  /** As stored, to find what has changed. */
  readonly stored: { readonly timers: ReadonlyMap<string, PendingTimer>; readonly status: InstanceStatus | undefined };
}

export type InstanceStatus = "running" | "stuck";

/** What the table holds. */
export interface InstanceRow {
  readonly version: number;
  /** Fingerprint of the chart that the state belongs to. */
  readonly chart: string;
  readonly sagaVersion: number;
  /** By `packState`. Null until the chart is started. */
  readonly state: Uint8Array | null;
  readonly value: unknown;
  readonly correlationId: string;
  readonly traceparent?: string;
  readonly startedAt: string;
  readonly timers: readonly (readonly [id: string, dueMs: number, event: PendingTimer["event"]])[];
  readonly stuck?: Stuck;
  readonly queue?: readonly Work[];
}

/** What is stored of an instance. */
export function readRow(tx: TableReader, name: string, id: string): InstanceRow | undefined {
  return tx.get("sagas", [name, id]) as InstanceRow | undefined;
}

/** The context of a stored state, whatever chart it belongs to. */
export function storedContext({ state }: InstanceRow): unknown {
  return state === null ? undefined : (unpackState(state) as { readonly context?: unknown }).context;
}

/** The instance of a row. */
export function instanceOf(loaded: LoadedSaga, id: string, row: InstanceRow): Instance {
  const timers = new Map(row.timers.map(([timer, dueMs, event]) => [timer, { dueMs, event }]));
  return {
    loaded,
    id,
    stream: sagaStream(loaded.saga.name, id),
    correlationId: row.correlationId,
    ...(row.traceparent !== undefined && { traceparent: row.traceparent }),
    startedAt: row.startedAt,
    version: row.version,
    state: row.state === null ? undefined : restore(loaded.saga.machine, unpackState(row.state)),
    timers,
    queue: new WorkQueue(row.queue),
    stuck: row.stuck,
    isEnded: false,
    stored: { timers, status: row.stuck === undefined ? "running" : "stuck" },
  };
}

/** An instance that is about to start. */
export function newInstance(
  loaded: LoadedSaga,
  id: string,
  start: Pick<Instance, "correlationId" | "traceparent" | "startedAt">,
): Instance {
  const stream = sagaStream(loaded.saga.name, id);
  const stored = { timers: new Map(), status: undefined };
  const queue = new WorkQueue();
  const nothingYet = { version: 0, state: undefined, timers: new Map(), stuck: undefined, isEnded: false };
  return { loaded, id, stream, ...start, ...nothingYet, queue, stored };
}

/** Writes what a transaction has made of an instance: its row and its timers. */
export function writeInstance(tx: Transaction, instance: Instance): void {
  const { loaded, id, stored, isEnded } = instance;
  const { name } = loaded.saga;
  const timers = isEnded ? new Map<string, PendingTimer>() : instance.timers;
  for (const [timer, { dueMs }] of stored.timers) {
    if (timers.get(timer)?.dueMs !== dueMs) tx.delete("timers", [dueMs, name, id, timer]);
  }
  for (const [timer, { dueMs }] of timers) {
    if (stored.timers.get(timer)?.dueMs !== dueMs) tx.put("timers", [dueMs, name, id, timer], true);
  }
  if (isEnded) tx.delete("sagas", [name, id]);
  else tx.put("sagas", [name, id], rowOf(instance, timers));
}

function rowOf(instance: Instance, timers: ReadonlyMap<string, PendingTimer>): InstanceRow {
  const { loaded, version, state, correlationId, traceparent, startedAt, stuck, queue } = instance;
  return {
    version,
    chart: loaded.fingerprint,
    sagaVersion: loaded.saga.version,
    state: state === undefined ? null : packState(persist(loaded.saga.machine, state)),
    value: state?.value ?? null,
    correlationId,
    ...(traceparent !== undefined && { traceparent }),
    startedAt,
    timers: Array.from(timers, ([timer, { dueMs, event }]) => [timer, dueMs, event]),
    ...(stuck !== undefined && { stuck }),
    ...(queue.items.length > 0 && { queue: queue.items }),
  };
}
