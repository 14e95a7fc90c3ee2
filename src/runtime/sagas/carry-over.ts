/**
 * An instance whose state belongs to another chart than the one at hand: folded again where the chart does what the
 * other did, migrated where the saga says how, or left alone.
 */
import type { SagaEvents } from "../../core/saga-events.ts";
import { sagaStream } from "../../core/saga-events.ts";
import { type FoldedInstance, foldSaga, migrated, type SagaSource } from "../../core/saga-history.ts";
import { packState } from "../../core/saga-state.ts";
import { type Instance, type InstanceRow, instanceOf, storedContext } from "./instance.ts";
import type { LoadedSaga } from "./loaded-saga.ts";
import type { SagaTools } from "./tools.ts";

/** What becomes of an instance under a changed chart. */
export type CarriedOver =
  | { readonly outcome: "same"; readonly instance: FoldedInstance | undefined }
  | {
      readonly outcome: "migrated";
      readonly instance: FoldedInstance;
      readonly from: { readonly version: number; readonly value: unknown };
    }
  | Refused;

interface Refused {
  readonly outcome: "refused";
  readonly message: string;
}

/** Pure but for reading the log. */
export function carryOver(loaded: LoadedSaga, id: string, row: InstanceRow, tools: CarryTools): CarriedOver {
  const { saga } = loaded;
  const stream = sagaStream(saga.name, id);
  const folded = foldSaga(saga, tools.store.readStream(stream), sagaSource(loaded, tools));
  if (folded.outcome === "folded") return { outcome: "same", instance: folded.instance };
  const { version: at, type, message } = folded;
  if (saga.migrate === undefined) return { outcome: "refused", message: `${type} at version ${at}: ${message}` };
  const { settings } = tools.policies.current(saga);
  const info = { now: tools.clock.now(), settings };
  const { timers } = instanceOf(loaded, id, { ...row, state: null });
  try {
    const target = saga.migrate({ id, version: row.sagaVersion, value: row.value, context: storedContext(row) });
    const instance = migrated(saga, timers, { ...target, version: row.version + 1 }, info);
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

/** An instance in the chart at hand, with what its stream is to record of how it came there. */
export interface Carried {
  readonly instance: Instance;
  readonly migration?: SagaEvents["SagaMigrated"];
}

/** The instance of a row, whatever chart has written it. @throws Error when the chart at hand cannot go on with it. */
export function carriedInstance(loaded: LoadedSaga, id: string, row: InstanceRow, tools: CarryTools): Carried {
  if (row.chart === loaded.fingerprint) return { instance: instanceOf(loaded, id, row) };
  const { saga } = loaded;
  const stream = sagaStream(saga.name, id);
  if (row.sagaVersion > saga.version) {
    const versions = `version ${row.sagaVersion} of its saga, and this process has version ${saga.version}`;
    throw new Error(`${stream} belongs to ${versions}: stop this process`);
  }
  const carried = carryOver(loaded, id, row, tools);
  if (carried.outcome === "refused") throw new Error(`${stream} does not fit its changed chart: ${carried.message}`);
  const instance = instanceOf(loaded, id, { ...row, state: null });
  instance.state = carried.instance?.state;
  if (carried.outcome === "same") return { instance };
  instance.timers = carried.instance.timers;
  return { instance, migration: migrationOf(saga.version, carried) };
}

function migrationOf(
  toVersion: number,
  { from, instance: { state, timers } }: Extract<CarriedOver, { outcome: "migrated" }>,
): SagaEvents["SagaMigrated"] {
  return {
    fromVersion: from.version,
    toVersion,
    from: from.value,
    to: state.value,
    context: state.context,
    contextBytes: Buffer.from(packState(state.context)).toString("base64"),
    timers: Array.from(timers, ([id, { dueMs, event }]) => ({ id, dueAt: new Date(dueMs).toISOString(), event })),
  };
}
