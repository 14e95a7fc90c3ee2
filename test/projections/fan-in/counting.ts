/** Small tools of the checks: plain counting, and rows that are compared whole. */
import assert from "node:assert/strict";
import type { FanIn, Table } from "../fan-in.ts";

/** Looks at the rows of one projection. @throws AssertionError where they are not what the files say. */
export type Check = (fanIn: FanIn) => void;

/** The rows of a projection. */
export function rowsOf({ tables }: FanIn, name: string): Table {
  const table = tables.get(name);
  assert.ok(table, `there is no projection ${name}`);
  return table;
}

/** How often each value comes. */
export function countBy(values: Iterable<unknown>): Record<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(String(value), (counts.get(String(value)) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** In groups, in the order in which they first come. */
export function groupBy<Item>(items: Iterable<Item>, keyOf: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}

/** Names the first that differ, for there may be thousands. */
export function assertSameNames(found: Iterable<string>, expected: Iterable<string>, what: string): void {
  const [has, wants] = [new Set(found), new Set(expected)];
  const missing = [...wants].filter((name) => !has.has(name));
  const tooMany = [...has].filter((name) => !wants.has(name));
  assert.deepEqual({ missing: missing.slice(0, 5), tooMany: tooMany.slice(0, 5) }, { missing: [], tooMany: [] }, what);
}

/** To so many digits, as numbers that were added in another order are. */
export function assertClose(found: unknown, expected: number, what: string, within = 1e-9): void {
  const isClose = typeof found === "number" && Math.abs(found - expected) <= within * Math.max(1, Math.abs(expected));
  assert.ok(isClose, `${what}: ${found} and not ${expected}`);
}
