/** The log as the store has it, opened directly. Only for stores that no runtime holds at the moment. Free of vitest. */
import { join } from "node:path";
import type { RecordedEvent } from "../../src/core/message.ts";
import { openLmdbStore } from "../../src/store/lmdb.ts";

/** All events of the store in a data folder, in position order. */
export async function storedEvents(dataDir: string): Promise<RecordedEvent[]> {
  const newId = (): string => {
    throw new Error(`there is no store in ${dataDir}`);
  };
  const store = openLmdbStore({ path: join(dataDir, "log"), newId });
  try {
    return [...store.readAll()];
  } finally {
    await store.close();
  }
}
