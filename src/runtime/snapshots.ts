/**
 * Snapshots: folded states kept beside the log so that no cost grows with the length of a stream. A cache: void when
 * the fingerprint of chart and schemas changes, deletable without loss.
 */

import { type ChartState, initialState, persist, restore } from "../core/chart.ts";
import type { EventStore, TableReader, Transaction } from "../core/event-store.ts";
import type { LoadedAggregate } from "./loader.ts";

/** A state and the version it belongs to. */
export interface VersionedState {
  readonly state: ChartState;
  /** 0 for the empty stream. */
  readonly version: number;
}

/** Events between two snapshots of a stream: what a cold start folds at most. */
export const snapshotEvery = 100;
/** One snapshot in this many versions is kept for states as of the past. */
const keepEvery = 1_000;

/** The latest usable snapshot at or before a version; the empty state when there is none. */
export function readSnapshot(
  store: EventStore | TableReader,
  actor: LoadedAggregate,
  stream: string,
  atVersion: number = Number.MAX_SAFE_INTEGER - 1,
): VersionedState {
  const empty = { state: initialState(actor.aggregate.machine), version: 0 };
  if (atVersion < snapshotEvery) return empty;
  const rows = store.scan("snapshots", { prefix: [stream], after: [stream, atVersion + 1], reverse: true, limit: 4 });
  for (const { key, value } of rows) {
    const stored = value as { readonly fingerprint: string; readonly state: unknown };
    if (stored.fingerprint !== actor.fingerprint) continue;
    return { state: restore(actor.aggregate.machine, stored.state), version: key[1] as number };
  }
  return empty;
}

/** Writes a snapshot when one is due, in the transaction of the events that made it due. Returns its version. */
export function writeSnapshotWhenDue(
  tx: Transaction,
  actor: LoadedAggregate,
  stream: string,
  current: VersionedState & { readonly snapshotVersion: number },
): number {
  const { version, snapshotVersion: previous, state } = current;
  if (bucket(version, snapshotEvery) === bucket(previous, snapshotEvery)) return previous;
  tx.put("snapshots", [stream, version], {
    fingerprint: actor.fingerprint,
    state: persist(actor.aggregate.machine, state),
  });
  if (previous > 0 && bucket(version, keepEvery) === bucket(previous, keepEvery)) {
    tx.delete("snapshots", [stream, previous]);
  }
  return version;
}

function bucket(version: number, size: number): number {
  return Math.floor(version / size);
}
