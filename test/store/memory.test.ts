import { storeConformance } from "retrace/testing";
import { test } from "vitest";
import { openMemoryStore } from "../../src/store/memory.ts";

storeConformance({
  test,
  open: async () => {
    const store = openMemoryStore("memory");
    return { store, close: () => store.close() };
  },
});
