/** A process that opens a store and builds its projection's second version: `build-process.ts FOLDER`. It tells when it begins and ends. */
import { openLmdbStore } from "../../../src/store/lmdb.ts";
import { build, openProjections, pieces } from "./pieces.ts";

const store = openLmdbStore({ path: process.argv[2] as string, newId: () => "id" });
process.stdout.write("open\n");
await build(openProjections(store, [pieces({ version: 2, factor: 10 })]));
process.stdout.write("built\n");
await store.close();
