/** One synced LMDB commit, bare: what the disk charges for durability. */
import { join } from "node:path";
import { open } from "lmdb";
import { percentile } from "./figures.ts";

const valueBytes = 200;

/** An LMDB environment of its own, opened like the store's. */
export class SyncedCommit {
  readonly #env;
  readonly #value = Buffer.alloc(valueBytes, 7);
  #key = 0;

  constructor(folder: string) {
    const path = join(folder, "commit.mdb");
    this.#env = open<Buffer, number>({ path, noSubdir: true, overlappingSync: false, encoding: "binary" });
  }

  /** The median duration, in milliseconds, of so many commits of one put each. */
  p50Ms(count: number): number {
    const durations: number[] = [];
    for (let i = 0; i < count; i++) {
      const from = performance.now();
      this.once();
      durations.push(performance.now() - from);
    }
    return percentile(durations, 0.5);
  }

  /** One of them. */
  once(): void {
    this.#env.transactionSync(() => {
      // A callback that returned the put's promise would make the transaction asynchronous.
      this.#env.put(this.#key, this.#value);
    });
    this.#key += 1;
  }

  close(): Promise<void> {
    return this.#env.close();
  }
}
