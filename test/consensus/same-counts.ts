/** Comparing rows of counts that were added up in different orders. */
import { expect } from "vitest";

/** The same counts, but for last digits; a count of zero is none. */
export function expectSameCounts(one: unknown, other: unknown): void {
  const [counts, expected] = [countsIn(one), countsIn(other)];
  expect([...counts.keys()].sort()).toEqual([...expected.keys()].sort());
  for (const [path, count] of counts) expect(count).toBeCloseTo(expected.get(path) as number, 6);
}

function countsIn(value: unknown, path = ""): Map<string, number> {
  if (typeof value === "number") return new Map(Math.abs(value) < 1e-6 ? [] : [[path, value]]);
  return new Map(Object.entries(value as object).flatMap(([name, held]) => [...countsIn(held, `${path}/${name}`)]));
}
