/** What has to be so before sagas react: a checkpoint to go on from, and every instance in the chart at hand. */
import type { EventStore, Transaction } from "../../core/event-store.ts";
import { Fault, StartRefused } from "../../core/fault.ts";
import { readEvent } from "../../core/history.ts";
import type { RecordedEvent } from "../../core/message.ts";
import { sagaStream } from "../../core/saga-events.ts";
import type { LoadedAggregate } from "../loader.ts";
import { carryOver } from "./carry-over.ts";
import type { InstanceRow } from "./instance.ts";
import type { LoadedSaga } from "./loaded-saga.ts";
import { Reaction } from "./reaction.ts";
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
 * where the saga says how. All of them, or, when one is refused, none is migrated.
 * @throws StartRefused naming the instances that neither works for.
 */
export async function prepareSagas(tools: SagaTools): Promise<void> {
  const keys: InstanceKey[] = [];
  const problems: string[] = [];
  for (const { name, id, row } of instancesOfOldCharts(tools.store, tools.sagas)) {
    const carried = carryOver(tools.sagas.get(name) as LoadedSaga, id, row, tools);
    keys.push({ name, id });
    if (carried.outcome === "refused") problems.push(`${sagaStream(name, id)}: ${carried.message}`);
  }
  refuseOn(problems);
  for (let first = 0; first < keys.length; first += perTransaction) {
    const some = keys.slice(first, first + perTransaction);
    await tools.store.withTransaction((tx) => bringOver(tx, some, tools));
  }
}

const perTransaction = 100;

function refuseOn(problems: readonly string[]): void {
  if (problems.length === 0) return;
  const shown = problems.slice(0, 20).join("\n  ");
  const more = problems.length > 20 ? `\n  and ${problems.length - 20} more` : "";
  throw new StartRefused(
    `${problems.length} instances of sagas do not fit their changed charts; raise the saga's version and give it a ` +
      `migrate function, or run the old code until they have ended:\n  ${shown}${more}`,
  );
}

/** As they are now: another process may have gone on with them. */
function bringOver(tx: Transaction, keys: readonly InstanceKey[], tools: SagaTools): void {
  const reaction = new Reaction(tx, tools, new Map());
  for (const { name, id } of keys) reaction.find(tools.sagas.get(name) as LoadedSaga, id);
  reaction.finish();
}

interface InstanceKey {
  readonly name: string;
  readonly id: string;
}

interface StoredInstance extends InstanceKey {
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
