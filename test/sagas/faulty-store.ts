/**
 * A store whose transactions fail when they are told to: before or after any of their steps, before the commit, or after
 * it, when everything has happened and nobody hears of it.
 */
import type { EventStore, RecordedEvent, Transaction } from "retrace";
import { Fault } from "../../src/core/fault.ts";
import type { Random } from "../support/random.ts";

/** What went wrong, and how often. */
export interface FaultCounts {
  transactions: number;
  failedReads: number;
  failedWrites: number;
  failedCommits: number;
  unheardCommits: number;
}

/** A store with the switch of its faults. */
export interface FaultyStore {
  readonly store: EventStore;
  readonly counts: FaultCounts;
  /** From now on this part of the transactions fails. */
  failing(share: number): void;
}

type Failure =
  | { readonly at: "step"; readonly step: number; readonly isAfter: boolean }
  | { readonly at: "commit" | "end" };

class Broken extends Error {}

/** Of the transactions of one saga most have fewer steps. */
const maxStep = 80;

export function faultyStore(inner: EventStore, random: Random): FaultyStore {
  const counts: FaultCounts = { transactions: 0, failedReads: 0, failedWrites: 0, failedCommits: 0, unheardCommits: 0 };
  let share = 0;
  let failure: Failure | undefined;
  let steps = 0;
  let isInside = false;
  /** A read that failed has seen nothing that could be acted on: nothing of its transaction is kept, as in LMDB. */
  let isPoisoned = false;
  let running: Transaction | undefined;

  const step = <T>(kind: "failedReads" | "failedWrites", work: () => T): T => {
    if (!isInside) return work();
    const isFailing = failure?.at === "step" && failure.step === steps;
    steps += 1;
    if (!isFailing) return work();
    const { isAfter } = failure as Extract<Failure, { at: "step" }>;
    if (isAfter) work();
    counts[kind] += 1;
    isPoisoned = kind === "failedReads";
    throw new Broken("the disk is gone");
  };
  const read = <T>(work: () => T): T => step("failedReads", work);
  const write = <T>(work: () => T): T => step("failedWrites", work);
  const reader: Pick<EventStore, "get" | "scan"> = {
    get: (table, key) => read(() => inner.get(table, key)),
    scan: (table, range) => read(() => inner.scan(table, range)),
  };

  const append = ((events: readonly RecordedEvent[], tx?: Transaction) => {
    if (tx === undefined) throw new Error("the simulation appends in transactions");
    return write(() => inner.append(events, running as Transaction));
  }) as EventStore["append"];

  const withTransaction = async <T>(fn: (tx: Transaction) => T): Promise<T> => {
    await pauses(random.integer(4));
    const planned = random.chance(share) ? anyFailure(random) : undefined;
    counts.transactions += 1;
    try {
      const result = await inner.withTransaction((tx) => {
        running = tx;
        failure = planned;
        steps = 0;
        isPoisoned = false;
        isInside = true;
        try {
          const value = fn({
            ...reader,
            put: (table, key, stored) => write(() => tx.put(table, key, stored)),
            delete: (table, key) => write(() => tx.delete(table, key)),
          });
          if (isPoisoned) throw new Broken("the disk was gone");
          if (planned?.at !== "commit") return value;
          counts.failedCommits += 1;
          throw new Broken("the disk is full");
        } finally {
          isInside = false;
        }
      });
      if (planned?.at === "end") {
        counts.unheardCommits += 1;
        throw new Broken("nobody knows");
      }
      await pauses(random.integer(4));
      return result;
    } catch (error) {
      if (!(error instanceof Broken)) throw error;
      throw new Fault("STORE_UNAVAILABLE", error.message);
    }
  };

  const store: EventStore = {
    ...reader,
    id: inner.id,
    append,
    withTransaction,
    position: () => inner.position(),
    head: (stream) => read(() => inner.head(stream)),
    readStream: (stream, range) => read(() => inner.readStream(stream, range)),
    readStreamSince: (stream, time) => read(() => inner.readStreamSince(stream, time)),
    versionAt: (stream, position) => read(() => inner.versionAt(stream, position)),
    readAll: (filter) => read(() => inner.readAll(filter)),
    positionAt: (time) => read(() => inner.positionAt(time)),
    subscribeAll: (handler, fromPosition) => inner.subscribeAll(handler, fromPosition),
    size: () => inner.size(),
    close: () => inner.close(),
  };
  return {
    store,
    counts,
    failing: (value) => {
      share = value;
    },
  };
}

function anyFailure(random: Random): Failure {
  const kind = random.integer(6);
  if (kind === 0) return { at: "commit" };
  if (kind === 1) return { at: "end" };
  return { at: "step", step: random.integer(random.chance(0.5) ? 10 : maxStep), isAfter: random.chance(0.5) };
}

/** Lets others go on, as often as told. */
async function pauses(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await Promise.resolve();
}
