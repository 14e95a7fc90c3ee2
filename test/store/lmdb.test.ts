import { storeConformance } from "retrace/testing";
import { test } from "vitest";
import { openLmdbStore } from "../../src/store/lmdb.ts";
import { tempDir } from "../support/temp.ts";

storeConformance({
  test,
  open: async () => {
    const path = tempDir();
    const open = () => openLmdbStore({ path, newId: () => path });
    let store = open();
    const reopen = async () => {
      await store.close();
      store = open();
      return store;
    };
    return { store, reopen, close: () => store.close() };
  },
});
