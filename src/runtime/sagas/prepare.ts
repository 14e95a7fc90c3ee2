/** What has to be so before sagas react: a checkpoint to go on from, and every instance in the chart at hand. */
import type { EventStore } from "../../core/event-store.ts";
import { Fault, StartRefused } from "../../core/fault.ts";
import { readEvent } from "../../core/history.ts";
import type { NewEvent, RecordedEvent } from "../../core/message.ts";
import { type SagaEvents, sagaCategory, sagaStream } from "../../core/saga-events.ts";
import { type FoldedInstance, foldSaga, migrated, type SagaSource } from "../../core/saga-history.ts";
import type { LoadedAggregate } from "../loader.ts";
import { type Instance, type InstanceRow, instanceOf, storedContext, writeInstance } from "./instance.ts";
import type { LoadedSaga } from "./loaded-saga.ts";
import { reactCheckpoint } from "./reactor.ts";
import type { SagaTools } from "./tools.ts";

/** Sagas by the event types they listen to. */
export function listenersOf(sagas: ReadonlyMap<string, LoadedSaga>): ReadonlyMap<string, readonly LoadedSaga[]> {
  const listeners = new Map<string, LoadedSaga[]>();
  for (const loaded of sagas.values()) {
    for (const type of Object.keys(loaded.saga.correlate)) {
      listeners.set(type, [...(listeners.get(type) ?? []), loaded]);
    }
  }
  return listeners;
}

/** Brings events to the latest version of their data. What no aggregate at hand knows stays as it is. */
export function latestWith(aggregates: ReadonlyMap<string, LoadedAggregate>): (event: RecordedEvent) => RecordedEvent {
  return (event) => {
    const loaded = aggregates.get(event.category);
    if (loaded === undefined) return event;
    const read = readEvent(loaded.aggregate, event);
    if (read.outcome === "read") return read.event.data === event.data ? event : { ...event, data: read.event.data };
    const { stream, version, type } = event;
    throw new Fault("UNREADABLE_EVENT", read.message, { stream, version, type });
  };
}

/** A store that no saga has seen yet is followed from where its log ends now: what is there is history. */
export async function beginReacting(store: EventStore): Promise<void> {
  if (store.get("checkpoints", reactCheckpoint) !== undefined) return;
  await store.withTransaction((tx) => {
    if (tx.get("checkpoints", reactCheckpoint) === undefined) tx.put("checkpoints", reactCheckpoint, store.position());
  });
}

/**
 * Brings the instances under way into the charts at hand: folded again where the chart does what it did, migrated
 * where the saga says how.
 * @throws StartRefused naming the instances that neither works for.
 */
export async function prepareSagas(tools: SagaTools): Promise<void> {
  const problems: string[] = [];
  for (const { name, id, row } of instancesOfOldCharts(tools.store, tools.sagas)) {
    const loaded = tools.sagas.get(name) as LoadedSaga;
    const carried = carryOver(loaded, id, row, tools);
    if (carried.outcome === "refused") problems.push(`${sagaStream(name, id)}: ${carried.message}`);
    else await write(tools, loaded, { name, id, row }, carried);
  }
  if (problems.length === 0) return;
  const shown = problems.slice(0, 20).join("\n  ");
  const more = problems.length > 20 ? `\n  and ${problems.length - 20} more` : "";
  throw new StartRefused(
    `${problems.length} instances of sagas do not fit their changed charts; raise the saga's version and give it a ` +
      `migrate function, or run the old code until they have ended:\n  ${shown}${more}`,
  );
}

async function write(
  { store, decider, clock }: SagaTools,
  loaded: LoadedSaga,
  stored: StoredInstance,
  carried: Exclude<CarriedOver, { outcome: "refused" }>,
): Promise<void> {
  const { row, id } = stored;
  const instance = instanceOf(loaded, id, { ...row, state: null });
  instance.state = carried.instance?.state;
  instance.timers = carried.instance?.timers ?? new Map();
  await store.withTransaction((tx) => {
    if (carried.outcome === "migrated") {
      instance.version += 1;
      decider.append(tx, [migrationOf(instance, carried, clock)]);
    }
    writeInstance(tx, instance);
  });
}

function migrationOf(
  instance: Instance,
  carried: Extract<CarriedOver, { outcome: "migrated" }>,
  clock: SagaTools["clock"],
): NewEvent {
  const { stream, version, correlationId, loaded, timers } = instance;
  const now = clock.now();
  const { state } = carried.instance;
  const data: SagaEvents["SagaMigrated"] = {
    fromVersion: carried.from.version,
    toVersion: loaded.saga.version,
    from: carried.from.value,
    to: state.value,
    context: state.context,
    timers: Array.from(timers, ([id, { dueMs, event }]) => ({ id, dueAt: new Date(dueMs).toISOString(), event })),
  };
  return {
    id: clock.newId(),
    stream,
    category: sagaCategory,
    version,
    type: "SagaMigrated",
    schemaVersion: 1,
    data,
    occurredAt: now,
    recordedAt: now,
    metadata: {
      correlationId,
      causationId: correlationId,
      commandId: `${stream}@${version}`,
      actor: { id: `saga:${loaded.saga.name}`, verified: true },
    },
  };
}

interface StoredInstance {
  readonly name: string;
  readonly id: string;
  readonly row: InstanceRow;
}

/** Instances whose state belongs to another chart than the one at hand. */
export function* instancesOfOldCharts(
  store: Pick<EventStore, "scan">,
  sagas: ReadonlyMap<string, LoadedSaga>,
): Iterable<StoredInstance> {
  for (const { key, value } of store.scan("sagas", {})) {
    const [name, id] = key as unknown as readonly [string, string];
    const row = value as InstanceRow;
    const loaded = sagas.get(name);
    if (loaded !== undefined && row.chart !== loaded.fingerprint) yield { name, id, row };
  }
}

/** What becomes of an instance under a changed chart. */
export type CarriedOver =
  | { readonly outcome: "same"; readonly instance: FoldedInstance | undefined }
  | {
      readonly outcome: "migrated";
      readonly instance: FoldedInstance;
      readonly from: { readonly version: number; readonly value: unknown };
    }
  | { readonly outcome: "refused"; readonly message: string };

/** Pure but for reading the log. */
export function carryOver(loaded: LoadedSaga, id: string, row: InstanceRow, tools: CarryTools): CarriedOver {
  const { saga } = loaded;
  const stream = sagaStream(saga.name, id);
  let folded: ReturnType<typeof foldSaga>;
  try {
    folded = foldSaga(saga, tools.store.readStream(stream), sagaSource(loaded, tools));
  } catch (error) {
    folded = { outcome: "differs", version: 0, type: "", message: (error as Error).message };
  }
  if (folded.outcome === "folded") return { outcome: "same", instance: folded.instance };
  const { version: at, type, message } = folded;
  if (saga.migrate === undefined) return { outcome: "refused", message: `${type} at version ${at}: ${message}` };
  const old = instanceOf(loaded, id, { ...row, state: null });
  try {
    const target = saga.migrate({ id, version: row.sagaVersion, value: row.value, context: storedContext(row) });
    const { settings } = tools.policies.current(saga);
    const info = { now: tools.clock.now(), settings };
    const instance = migrated(saga, old.timers, { ...target, version: row.version + 1 }, info);
    return { outcome: "migrated", instance, from: { version: row.sagaVersion, value: row.value } };
  } catch (error) {
    return { outcome: "refused", message: `migrate failed: ${(error as Error).message}` };
  }
}

/** What carrying over needs to read. */
export type CarryTools = Pick<SagaTools, "store" | "policies" | "latest" | "clock">;

/** Where a fold of a saga's stream finds the events and the settings that it names. */
export function sagaSource(loaded: LoadedSaga, tools: CarryTools): SagaSource {
  return {
    eventAt: (position) => {
      for (const event of tools.store.readAll({ afterPosition: position - 1, limit: 1 })) return tools.latest(event);
      throw new Error(`the log has no position ${position}`);
    },
    settingsAt: (version) => tools.policies.at(loaded.saga, version),
  };
}
