/** The key-value tables of the LMDB store: one database each, keys as ordered arrays, values in msgpack. */
import type { Database, RootDatabase } from "lmdb";
import { type Key, type KeyRange, type Table, type TableReader, tables } from "../core/event-store.ts";
import { compareKeys, hasPrefix } from "./keys.ts";
import { pack, unpack } from "./record.ts";

/** A key as lmdb wants it: the same array, not readonly to the type checker. */
export type LmdbKey = (string | number)[];

/** Sorts behind everything that shares the parts before it. */
const behindAll = Buffer.from([0xff]) as unknown as string;

/** Reads see the open transaction, where there is one; writes need one. */
export class LmdbTables implements TableReader {
  readonly #databases: ReadonlyMap<Table, Database<Buffer, LmdbKey>>;

  constructor(env: RootDatabase) {
    this.#databases = new Map(
      tables.map((table) => [table, env.openDB<Buffer, LmdbKey>(table, { encoding: "binary", cache: false })]),
    );
  }

  get(table: Table, key: Key): unknown {
    const bytes = this.#of(table).getBinaryFast(key as LmdbKey);
    return bytes === undefined ? undefined : unpack(bytes);
  }

  put(table: Table, key: Key, value: unknown): void {
    this.#of(table).put(key as LmdbKey, pack(value));
  }

  delete(table: Table, key: Key): void {
    this.#of(table).remove(key as LmdbKey);
  }

  *scan(table: Table, range: KeyRange): Iterable<{ key: Key; value: unknown }> {
    const { prefix = [], reverse = false, limit = Number.POSITIVE_INFINITY } = range;
    let { after } = range;
    if (after !== undefined && !hasPrefix(after, prefix)) {
      // Outside of the prefix: all of it lies behind, or nothing.
      if (compareKeys(after, prefix) < 0 === reverse) return;
      after = undefined;
    }
    const first: Key = reverse ? [...prefix, behindAll] : prefix;
    const start = (after ?? (first.length === 0 ? undefined : first)) as LmdbKey | undefined;
    const entries = this.#of(table).getRange({
      reverse,
      exclusiveStart: after !== undefined,
      ...(start === undefined ? {} : { start }),
    });
    let found = 0;
    for (const entry of entries) {
      // A key of one part comes back bare.
      const key: Key = Array.isArray(entry.key) ? entry.key : [entry.key];
      if (found >= limit || !hasPrefix(key, prefix)) return;
      yield { key, value: unpack(entry.value) };
      found += 1;
    }
  }

  #of(table: Table): Database<Buffer, LmdbKey> {
    return this.#databases.get(table) as Database<Buffer, LmdbKey>;
  }
}
