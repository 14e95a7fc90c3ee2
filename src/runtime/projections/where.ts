/** Conditions on the fields of rows, and how an index leads to the rows that may fulfil them. */
import type { Key, TableReader } from "../../core/event-store.ts";
import { indexPrefix } from "./generations.ts";
import { fieldOf, type Indexable, type IndexedFields, indexedValue } from "./indexes.ts";
import type { ReadableGeneration } from "./read-rows.ts";
import { byCodePoint } from "./stored-rows.ts";

/** What a field is to be: equal to something, or all of what is given here. */
export type Wanted =
  | Indexable
  | {
      readonly eq?: Indexable;
      readonly gt?: string | number;
      readonly gte?: string | number;
      readonly lt?: string | number;
      readonly lte?: string | number;
      readonly prefix?: string;
    };

/** By field, dotted where nested. */
export type Where = Readonly<Record<string, Wanted>>;

type Bounds = Exclude<Wanted, Indexable>;

interface Condition {
  readonly path: readonly string[];
  readonly bounds: Bounds;
}

/** The conditions on a row's fields, all of which hold together. */
export class Conditions {
  readonly #all: readonly Condition[];

  constructor(where: Where) {
    this.#all = Object.entries(where).map(([field, wanted]) => {
      const bounds = typeof wanted === "object" && wanted !== null ? wanted : { eq: wanted };
      return { path: field.split("."), bounds };
    });
  }

  get isEmpty(): boolean {
    return this.#all.length === 0;
  }

  /** Whether a row fulfils them. A field that is not there fulfils none; texts and numbers do not compare. */
  holdFor(row: unknown): boolean {
    return this.#all.every(({ path, bounds }) => isWithin(fieldOf(row, path), bounds));
  }

  /** The index that narrows most: by equality if possible. Undefined when none helps. */
  leadingIndex(indexes: IndexedFields): IndexRange | undefined {
    const found = this.#all.flatMap(({ path, bounds }) => {
      const index = indexes.findIndex((indexed) => indexed.join(".") === path.join("."));
      const range = index < 0 ? undefined : rangeOf(bounds);
      return range === undefined ? [] : [{ index, ...range }];
    });
    return found.find(({ isOneValue }) => isOneValue) ?? found[0];
  }
}

function isWithin(value: unknown, { eq, gt, gte, lt, lte, prefix }: Bounds): boolean {
  if (value === undefined) return false;
  if (eq !== undefined && value !== eq) return false;
  if (prefix !== undefined && !(typeof value === "string" && value.startsWith(prefix))) return false;
  if (gt !== undefined && !((compared(value, gt) ?? 0) > 0)) return false;
  if (gte !== undefined && !((compared(value, gte) ?? -1) >= 0)) return false;
  if (lt !== undefined && !((compared(value, lt) ?? 0) < 0)) return false;
  return lte === undefined || (compared(value, lte) ?? 1) <= 0;
}

/** Texts by code point, as the index has them. Undefined for values of different kinds. */
function compared(value: unknown, bound: string | number): number | undefined {
  if (typeof value === "number" && typeof bound === "number") return value - bound;
  return typeof value === "string" && typeof bound === "string" ? byCodePoint(value, bound) : undefined;
}

/** A part of an index, which holds all rows that fulfil a condition, and perhaps more. */
export interface IndexRange {
  /** The number of the index. */
  readonly index: number;
  /** The kind of values, as `indexedValue` puts it first. */
  readonly kind: number;
  /** Inclusive. */
  readonly from?: string | number;
  /** Inclusive. */
  readonly to?: string | number;
  readonly prefix?: string;
  /** Then the rows come in the order of their keys. */
  readonly isOneValue: boolean;
}

function rangeOf({ eq, gt, gte, lt, lte, prefix }: Bounds): Omit<IndexRange, "index"> | undefined {
  const one = eq === undefined ? undefined : indexedValue(eq);
  if (one !== undefined) {
    const [kind, value] = one as [number, string | number];
    return { kind, from: value, to: value, isOneValue: true };
  }
  if (prefix !== undefined) {
    const [kind, text] = indexedValue(prefix) as [number, string];
    return { kind, from: text, prefix: text, isOneValue: false };
  }
  const [low, high] = [gte ?? gt, lte ?? lt].map((bound) => (bound === undefined ? undefined : indexedValue(bound)));
  const kind = (low ?? high)?.[0] as number | undefined;
  if (kind === undefined) return undefined;
  const [from, to] = [low?.[1], high?.[1]];
  return { kind, ...(from !== undefined && { from }), ...(to !== undefined && { to }), isOneValue: false };
}

/** A row's key as an index leads to it, and where to go on behind it. */
export interface IndexEntry {
  readonly key: string;
  readonly value: string | number;
}

/** The entries of a part of an index, in the order of values and then of keys, behind `after`. */
export function* indexEntries(
  reader: TableReader,
  { name, generation }: ReadableGeneration,
  range: IndexRange,
  after?: IndexEntry,
): Iterable<IndexEntry> {
  const { index, kind, from, isOneValue } = range;
  const all: Key = [...indexPrefix(name, generation), index, kind];
  const start: Key = after !== undefined ? [...all, after.value, after.key] : from === undefined ? all : [...all, from];
  const prefix = isOneValue && from !== undefined ? [...all, from] : all;
  for (const { key } of reader.scan("rows", { prefix, after: start })) {
    const [value, row] = key.slice(all.length) as [string | number, string];
    if (isPast(value, range)) return;
    yield { key: row, value };
  }
}

function isPast(value: string | number, { to, prefix }: IndexRange): boolean {
  if (prefix !== undefined) return !String(value).startsWith(prefix);
  return to !== undefined && (compared(value, to) ?? 0) > 0;
}
