/** Opening the log of a data folder for verbs that only look at it. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { EventStore } from "../core/event-store.ts";
import { Fault } from "../core/fault.ts";
import { openLmdbStore } from "../store/lmdb.ts";

/**
 * Opens the store in a data folder, whether a runtime serves it or not. Unlike the store itself it never makes one: a
 * typing error would leave an empty log behind, and find everything in order there.
 * @throws Fault NOT_FOUND when there is none, STORE_UNAVAILABLE when it cannot be opened.
 */
export function openExistingStore(dataDir: string): EventStore {
  const data = resolve(dataDir);
  const none = (): Fault =>
    new Fault("NOT_FOUND", `there is no log in ${data}: name the folder that \`retrace start\` is given with --data`, {
      data,
    });
  const path = join(data, "log");
  if (!existsSync(join(path, "retrace.mdb"))) throw none();
  return openLmdbStore({
    path,
    newId: () => {
      throw none();
    },
  });
}
