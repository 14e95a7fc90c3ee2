/**
 * Sums without rounding: the same numbers give the same sum in any order, and what is added and subtracted again leaves
 * nothing behind. After Shewchuk, "Adaptive Precision Floating-Point Arithmetic and Fast Robust Geometric Predicates" (1997).
 */

/** An exact sum in one form only: the number nearest to it, then what is left of it likewise, until nothing is. */
export type ExactSum = readonly number[];

/** The sum and one number more. @throws RangeError when it is beyond what a number can hold. */
export function plus(sum: ExactSum, value: number): ExactSum {
  const [only = 0] = sum;
  // Most sums are of one part and stay so.
  if (sum.length <= 1 && Number.isSafeInteger(only) && Number.isSafeInteger(value)) {
    const next = only + value;
    if (Number.isSafeInteger(next)) return next === 0 ? [] : [next];
  }
  let rest = grown(sum.toReversed(), value);
  const parts: number[] = [];
  while (rest.length > 0) {
    const part = rounded(rest);
    if (!Number.isFinite(part)) throw new RangeError(`the sum with ${value} is beyond what a number can hold`);
    parts.push(part);
    rest = grown(rest, -part);
  }
  return parts;
}

/** The number nearest to it. */
export function nearest(sum: ExactSum): number {
  return sum[0] ?? 0;
}

/** Parts that do not overlap, the smallest first, whose sum is exact. */
function grown(parts: readonly number[], value: number): number[] {
  const next: number[] = [];
  let carried = value;
  for (const part of parts) {
    const sum = carried + part;
    const [large, small] = Math.abs(carried) < Math.abs(part) ? [part, carried] : [carried, part];
    const lost = small - (sum - large);
    if (lost !== 0) next.push(lost);
    carried = sum;
  }
  if (carried !== 0) next.push(carried);
  return next;
}

/** The parts added from the largest down; where the rest decides between two numbers, to the even one. */
function rounded(parts: readonly number[]): number {
  let i = parts.length - 1;
  let sum = parts[i] as number;
  let lost = 0;
  while (i > 0 && lost === 0) {
    i -= 1;
    const before = sum;
    const part = parts[i] as number;
    sum = before + part;
    lost = part - (sum - before);
  }
  const below = i > 0 ? (parts[i - 1] as number) : 0;
  if (lost === 0 || below === 0 || lost < 0 !== below < 0) return sum;
  const twice = lost * 2;
  return sum + twice - sum === twice ? sum + twice : sum;
}
