/** The stores over which the tests of projections run. */
import type { EventStore } from "retrace";
import { openLmdbStore } from "../../../src/store/lmdb.ts";
import { openMemoryStore } from "../../../src/store/memory.ts";
import { tempDir } from "../../support/temp.ts";

/** A store, and how to open what it has kept a second time, like another process. */
export interface OpenedStore {
  readonly store: EventStore;
  again(): EventStore;
}

/** Opens an empty store of each kind; close it behind the test. */
export const stores: readonly (readonly [kind: string, open: () => OpenedStore])[] = [
  [
    "memory",
    () => {
      const store = openMemoryStore("id");
      return { store, again: () => store };
    },
  ],
  [
    "lmdb",
    () => {
      const path = tempDir();
      const open = () => openLmdbStore({ path, newId: () => "id", pollMs: 5 });
      return { store: open(), again: open };
    },
  ],
];
