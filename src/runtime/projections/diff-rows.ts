/** Two generations row by row, in the order of keys: what only one of them has, and what they have differently. */
import { isDeepStrictEqual } from "node:util";
import type { TableReader } from "../../core/event-store.ts";
import type { ReadableGeneration } from "./read-rows.ts";
import { byCodePoint, CurrentRows, type KeyedRow } from "./stored-rows.ts";

/** A row that is not the same; a side that does not have it is left out. */
export interface RowDifference {
  readonly key: string;
  readonly a?: unknown;
  readonly b?: unknown;
}

/** A difference, and how many keys the slice had looked at with it. */
export interface FoundDifference {
  readonly difference: RowDifference;
  readonly compared: number;
}

/** What a slice found; `next` is the key behind which the next goes on, undefined when there is no more. */
export interface DiffSlice {
  readonly found: readonly FoundDifference[];
  /** Keys that were looked at. */
  readonly compared: number;
  readonly next: string | undefined;
}

/** It bounds how long a slice holds the thread. */
const maxCompared = 1_000;

/** Where to begin, and when it is enough. */
export interface DiffRange {
  readonly after: string | undefined;
  /** Differences. */
  readonly limit: number;
}

/** Compares the next thousand keys. */
export function diffRows(
  reader: TableReader,
  [a, b]: readonly [ReadableGeneration, ReadableGeneration],
  { after, limit }: DiffRange,
): DiffSlice {
  const found: FoundDifference[] = [];
  let compared = 0;
  let last: string | undefined;
  const [rowsA, rowsB] = [a, b].map(({ name, generation }) =>
    new CurrentRows(reader, name, generation).scan({ kind: "row", prefix: "", after }),
  );
  for (const pair of paired(rowsA as Iterable<KeyedRow>, rowsB as Iterable<KeyedRow>)) {
    if (compared === maxCompared || found.length === limit) return { found, compared, next: last };
    compared += 1;
    last = pair.key;
    if (!("a" in pair) || !("b" in pair) || !isDeepStrictEqual(pair.a, pair.b))
      found.push({ difference: pair, compared });
  }
  return { found, compared, next: undefined };
}

/** Every key of either side, once. */
function* paired(rowsA: Iterable<KeyedRow>, rowsB: Iterable<KeyedRow>): Iterable<RowDifference> {
  const [left, right] = [rowsA[Symbol.iterator](), rowsB[Symbol.iterator]()];
  try {
    let [a, b] = [left.next(), right.next()];
    while (a.done !== true || b.done !== true) {
      const order = a.done === true ? 1 : b.done === true ? -1 : byCodePoint(a.value.key, b.value.key);
      const key = order <= 0 ? (a.value as KeyedRow).key : (b.value as KeyedRow).key;
      yield {
        key,
        ...(order <= 0 && { a: (a.value as KeyedRow).row.value }),
        ...(order >= 0 && { b: (b.value as KeyedRow).row.value }),
      };
      if (order <= 0) a = left.next();
      if (order >= 0) b = right.next();
    }
  } finally {
    left.return?.();
    right.return?.();
  }
}
