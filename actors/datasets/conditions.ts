/** Whether an event fulfils the conditions of a spec. */
import type { RecordedEvent } from "retrace";
import type { Conditions, Wanted } from "../../schemas/conditions.ts";

type Bounds = Exclude<Wanted, string | number | boolean | null>;

/** Which events, by everything but their type. */
export interface Selection {
  readonly categories?: readonly string[] | undefined;
  readonly where?: Conditions | undefined;
  /** Inclusive, against `occurredAt`. */
  readonly since?: string | undefined;
  /** Exclusive, likewise. */
  readonly until?: string | undefined;
}

/** Whether the event is among those that are meant. */
export function isSelected(event: RecordedEvent, { categories, where = {}, since, until }: Selection): boolean {
  if (categories !== undefined && !categories.includes(event.category)) return false;
  if (since !== undefined && event.occurredAt < since) return false;
  if (until !== undefined && event.occurredAt >= until) return false;
  return Object.entries(where).every(([path, wanted]) => fulfils(valueAt(event, path), wanted));
}

/** The value at a path with dots; undefined where there is none. */
export function valueAt(holder: unknown, path: string): unknown {
  let value = holder;
  for (const name of path.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[name];
  }
  return value;
}

/** What is not there fulfils nothing; a list fulfils what one of its items does. */
function fulfils(value: unknown, wanted: Wanted): boolean {
  if (Array.isArray(value)) return value.some((item) => fulfils(item, wanted));
  if (value === undefined) return false;
  return typeof wanted === "object" && wanted !== null ? isWithin(value, wanted) : value === wanted;
}

function isWithin(value: unknown, { eq, in: among, gt, gte, lt, lte, prefix }: Bounds): boolean {
  if (eq !== undefined && value !== eq) return false;
  if (among !== undefined && !among.some((one) => one === value)) return false;
  if (prefix !== undefined && !(typeof value === "string" && value.startsWith(prefix))) return false;
  if (gt !== undefined && !((compared(value, gt) ?? 0) > 0)) return false;
  if (gte !== undefined && !((compared(value, gte) ?? -1) >= 0)) return false;
  if (lt !== undefined && !((compared(value, lt) ?? 0) < 0)) return false;
  return lte === undefined || (compared(value, lte) ?? 1) <= 0;
}

/** Texts by code point. Undefined for values of different kinds. */
function compared(value: unknown, bound: string | number): number | undefined {
  if (typeof value === "number" && typeof bound === "number") return value - bound;
  if (typeof value !== "string" || typeof bound !== "string") return undefined;
  return Buffer.compare(Buffer.from(value), Buffer.from(bound));
}
