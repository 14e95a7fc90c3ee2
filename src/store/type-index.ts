/** Where the events of each type lie in the log: entries of many positions, because types are few. */
import type { Database, RootDatabase } from "lmdb";
import type { RecordedEvent } from "../core/message.ts";
import type { LmdbKey } from "./lmdb-tables.ts";
import { mergeAscending } from "./merge.ts";
import { pack, unpack } from "./record.ts";

/** Keeps an entry well within one page. */
const positionsPerEntry = 200;

/** Which types to look for; what is left out does not limit. */
export interface TypeFilter {
  readonly categories?: readonly string[];
  readonly types?: readonly string[];
}

/** Positions by category and type. */
export class TypeIndex {
  /** [category/type, first position] -> ascending positions */
  readonly #entries: Database<Buffer, LmdbKey>;

  constructor(env: RootDatabase) {
    this.#entries = env.openDB("types", { encoding: "binary", cache: false });
  }

  /** Adds events behind all that were added before, in position order. */
  add(events: readonly RecordedEvent[]): void {
    const byKey = new Map<string, number[]>();
    for (const { category, type, position } of events) {
      const key = `${category}/${type}`;
      const positions = byKey.get(key);
      if (positions === undefined) byKey.set(key, [position]);
      else positions.push(position);
    }
    for (const [key, positions] of byKey) this.#put(key, positions);
  }

  #put(key: string, positions: readonly number[]): void {
    for (let from = 0; from < positions.length; from += positionsPerEntry) {
      const part = positions.slice(from, from + positionsPerEntry);
      this.#entries.put([key, part[0] as number], pack(part));
    }
  }

  /** Ascending positions after `after`, of all types that pass. */
  positions(filter: TypeFilter, after: number): Iterable<number> {
    return mergeAscending(this.#keys(filter).map((key) => this.#of(key, after)));
  }

  *#of(key: string, after: number): Iterable<number> {
    const [before] = this.#entries.getKeys({ start: [key, after], end: [key], reverse: true, limit: 1 });
    const start = before === undefined ? [key, after] : before;
    for (const { value } of this.#entries.getRange({ start, end: [key, Number.MAX_SAFE_INTEGER] })) {
      for (const position of unpack(value) as number[]) if (position > after) yield position;
    }
  }

  /** The distinct first parts of the keys: few, so each is one seek. */
  #keys({ categories, types }: TypeFilter): string[] {
    const keys: string[] = [];
    let start: LmdbKey | undefined;
    while (true) {
      const [next] = this.#entries.getKeys({ ...(start === undefined ? {} : { start }), limit: 1 });
      if (next === undefined) break;
      const key = next[0] as string;
      const [category, type] = key.split("/") as [string, string];
      if ((categories?.includes(category) ?? true) && (types?.includes(type) ?? true)) keys.push(key);
      start = [key, Number.MAX_SAFE_INTEGER];
    }
    return keys;
  }
}
