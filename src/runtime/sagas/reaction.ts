/**
 * One transaction of the sagas: events and timers become steps of instances, steps become commands, and all of it is
 * written together. A saga that cannot go on is set aside with its reason; it never holds up the others.
 */
import type { TableReader, Transaction } from "../../core/event-store.ts";
import { Fault } from "../../core/fault.ts";
import type { RecordedEvent } from "../../core/message.ts";
import { SagaFault } from "../../core/saga-chart.ts";
import { type SagaEvents, sagaStream } from "../../core/saga-events.ts";
import { isStreamId } from "../../core/stream.ts";
import { carriedInstance } from "./carry-over.ts";
import { type Instance, newInstance, readRow, writeInstance } from "./instance.ts";
import type { LoadedSaga } from "./loaded-saga.ts";
import { asSagaFault, type SetAside, Steps } from "./steps.ts";
import type { SagaTools } from "./tools.ts";

/** Up to this position the log was imported: what sagas did about it is a part of it, and not done again. */
export const importedCheckpoint = ["imported"];

/** One transaction; use it once. */
export class Reaction {
  readonly #tx: Transaction;
  readonly #tools: SagaTools;
  readonly #now: string;
  readonly #importedUpTo: number;
  readonly #instances = new Map<string, Instance>();
  readonly steps: Steps;

  constructor(tx: Transaction, tools: SagaTools, setAside: SetAside) {
    this.#tx = tx;
    this.#tools = tools;
    this.#now = tools.clock.now();
    this.#importedUpTo = (tx.get("checkpoints", importedCheckpoint) as number | undefined) ?? 0;
    this.steps = new Steps(tx, tools, this.#now, setAside);
  }

  /** Of the instances at hand. */
  get streams(): Iterable<string> {
    return this.#instances.keys();
  }

  /** One event of the log, for all sagas that listen to it. */
  take(stored: RecordedEvent): void {
    this.steps.current = stored;
    if (stored.position <= this.#importedUpTo) return;
    for (const loaded of this.#tools.listeners.get(stored.type) ?? []) {
      if (isHistory(stored, loaded, this.#now)) continue;
      for (const id of this.#concerned(loaded, stored)) this.#give(loaded, id, stored);
    }
  }

  /** A timer that is due, if it is still set. */
  fire(name: string, id: string, timer: string, dueMs: number): void {
    const loaded = this.#tools.sagas.get(name);
    if (loaded === undefined) return;
    const instance = this.#instance(loaded, id);
    const pending = instance?.timers.get(timer);
    if (instance === undefined || pending?.dueMs !== dueMs) {
      // Taken back a moment ago, it may be set again in another: what is stored of it is written at the end.
      const isStored = instance?.stored.timers.get(timer)?.dueMs === dueMs;
      if (!isStored) this.#tx.delete("timers", [dueMs, name, id, timer]);
      return;
    }
    instance.timers = new Map([...instance.timers].filter(([one]) => one !== timer));
    instance.queue.add({ kind: "timer", id: timer, dueMs, event: pending.event });
    this.steps.run(instance);
  }

  /** The instance under way, where there is one. */
  find(loaded: LoadedSaga, id: string): Instance | undefined {
    return this.#instance(loaded, id);
  }

  /** Helps a stuck instance on: what it is stuck at is tried again, or left out. */
  resume(instance: Instance, help: SagaEvents["SagaResumed"]): void {
    const { queue } = instance;
    this.steps.append(instance, "SagaResumed", help);
    const work = queue.first;
    instance.stuck = undefined;
    if (help.how === "skipped") queue.removeFirst();
    else if (instance.id.startsWith(uncorrelated) && work?.kind === "event") {
      this.#correlateAgain(instance, this.steps.eventAt(work.position));
      return;
    }
    const wasNeverStarted = instance.state === undefined && queue.first === undefined;
    if (wasNeverStarted) this.resolve(instance, help);
    else this.steps.run(instance);
  }

  /** Ends an instance from outside of its chart. */
  resolve(instance: Instance, { by, reason }: { readonly by: string; readonly reason?: string }): void {
    this.steps.end(instance, { how: "resolved", by, ...(reason !== undefined && { reason }) });
  }

  /** Writes what has become of the instances. */
  finish(): void {
    for (const instance of this.#instances.values()) {
      this.steps.at = instance.stream;
      writeInstance(this.#tx, instance);
      this.#count(instance);
    }
  }

  /** For health. */
  #count({ loaded, stored, isEnded, stuck, timers }: Instance): void {
    const status = isEnded ? undefined : stuck === undefined ? "running" : "stuck";
    const moreTimers = (isEnded ? 0 : timers.size) - stored.timers.size;
    if (status === stored.status && moreTimers === 0) return;
    const counts = instanceCounts(this.#tx, loaded.saga.name);
    if (stored.status !== undefined) counts[stored.status] -= 1;
    if (status !== undefined) counts[status] += 1;
    counts.timers += moreTimers;
    this.#tx.put("checkpoints", ["saga", loaded.saga.name], counts);
  }

  /** What cannot be correlated gets an instance of its own, stuck from the start, so that it is seen. */
  #concerned(loaded: LoadedSaga, stored: RecordedEvent): readonly string[] {
    try {
      return this.#correlated(loaded, stored);
    } catch (error) {
      if (isUnavailable(error)) throw error;
      const instance = this.#begin(loaded, `${uncorrelated}${stored.position}`, stored);
      instance.queue.add({ kind: "event", position: stored.position });
      this.steps.stop(instance, asSagaFault(error, "CORRELATE_FAILED"));
      return [];
    }
  }

  #correlated(loaded: LoadedSaga, stored: RecordedEvent): readonly string[] {
    const { settings } = this.#tools.policies.current(loaded.saga);
    const read = (projection: string, key: string): unknown => this.steps.rows({ projection, keys: [key] })[0]?.value;
    const event = this.#tools.latest(stored) as RecordedEvent<string, never>;
    const ids = new Set([loaded.saga.correlate[stored.type]?.(event, { settings, read }) ?? []].flat());
    const wrong = [...ids].find((id) => typeof id !== "string" || !isStreamId(id));
    if (wrong === undefined) return [...ids];
    throw new SagaFault("NOT_AN_ID", `"${wrong}" is no instance id: 1 to 128 of A-Z a-z 0-9 _ - ~`);
  }

  #correlateAgain(instance: Instance, stored: RecordedEvent): void {
    let ids: readonly string[];
    try {
      ids = this.#correlated(instance.loaded, stored);
    } catch (error) {
      if (isUnavailable(error)) throw error;
      this.steps.stop(instance, asSagaFault(error, "CORRELATE_FAILED"));
      return;
    }
    this.steps.end(instance, { how: "done" });
    for (const id of ids) this.#give(instance.loaded, id, stored);
  }

  #give(loaded: LoadedSaga, id: string, stored: RecordedEvent): void {
    const known = this.#instance(loaded, id);
    if (known === undefined && !this.#mayStart(loaded, id, stored)) return;
    const instance = known ?? this.#begin(loaded, id, stored);
    instance.queue.add({ kind: "event", position: stored.position });
    this.steps.run(instance);
  }

  /** What has ended once is not started again. */
  #mayStart({ saga }: LoadedSaga, id: string, { type }: RecordedEvent): boolean {
    return saga.startedBy.has(type) && this.#tools.store.head(sagaStream(saga.name, id)).version === 0;
  }

  #begin(loaded: LoadedSaga, id: string, { metadata }: RecordedEvent): Instance {
    const { correlationId, traceparent } = metadata;
    const start = { correlationId, ...(traceparent !== undefined && { traceparent }), startedAt: this.#now };
    const instance = newInstance(loaded, id, start);
    this.#instances.set(instance.stream, instance);
    return instance;
  }

  #instance(loaded: LoadedSaga, id: string): Instance | undefined {
    const stream = sagaStream(loaded.saga.name, id);
    const known = this.#instances.get(stream);
    if (known !== undefined) return known.isEnded ? undefined : known;
    const row = readRow(this.#tx, loaded.saga.name, id);
    if (row === undefined) return undefined;
    const { instance, migration } = carriedInstance(loaded, id, row, this.#tools);
    this.#instances.set(stream, instance);
    if (migration === undefined) return instance;
    this.steps.append(instance, "SagaMigrated", migration);
    this.steps.run(instance);
    return instance.isEnded ? undefined : instance;
  }
}

/** Whether it may be otherwise in a moment. */
function isUnavailable(error: unknown): boolean {
  return error instanceof Fault && error.isRetryable;
}

/** Instances of one saga. */
export interface InstanceCounts {
  running: number;
  stuck: number;
  /** Timers that are set. */
  timers: number;
}

/** Begins the id of an instance that stands for an event of which nobody could say whom it concerns. */
const uncorrelated = "~";

/** How many instances of a saga are under way, and how many of them are stuck. */
export function instanceCounts(reader: Pick<TableReader, "get">, name: string): InstanceCounts {
  return { ...noInstances, ...(reader.get("checkpoints", ["saga", name]) as InstanceCounts | undefined) };
}

const noInstances: InstanceCounts = { running: 0, stuck: 0, timers: 0 };

/**
 * Recorded long after it occurred: an import, not something that has just happened. A clock that has jumped back is held
 * where events are recorded, and not where they occur.
 */
function isHistory({ recordedAt, occurredAt }: RecordedEvent, { saga }: LoadedSaga, now: string): boolean {
  const known = recordedAt < now ? recordedAt : now;
  return Date.parse(known) - Date.parse(occurredAt) > saga.maxAgeMs;
}
