/** A store in memory in which values become what they would be on disk. */
import { type EventStore, type NewEvent, openMemoryStore, type Transaction } from "retrace";
import { pack, unpack } from "../../src/store/record.ts";
import { overStore } from "./over-store.ts";

export function openPackedStore(id: string): EventStore {
  const store = openMemoryStore(id);
  let running: Transaction | undefined;
  const append = (events: readonly NewEvent[], tx?: Transaction) =>
    tx === undefined ? store.append(packed(events)) : store.append(packed(events), running as Transaction);
  const withTransaction: EventStore["withTransaction"] = (work) =>
    store.withTransaction((tx) => {
      running = tx;
      return work({ ...tx, put: (table, key, value) => tx.put(table, key, packed(value)) });
    });
  return overStore(store, { append: append as unknown as EventStore["append"], withTransaction });
}

function packed<T>(value: T): T {
  return unpack(pack(value)) as T;
}
