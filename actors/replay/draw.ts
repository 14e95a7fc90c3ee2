/** Drawing from candidates: the same seed draws the same ones, on every machine. */
import type { Strategy } from "../../schemas/sample-spec.ts";
import type { Candidate } from "./candidate.ts";
import { power } from "./power.ts";
import { type Random, randomFrom } from "./random.ts";
import { stratumSizes } from "./strata.ts";

/** One that was drawn. */
export interface Drawn {
  /** Of the candidate. */
  readonly index: number;
  /** What its gradient is to be multiplied by so that the sample is as good as an even one; above 0, at most 1. */
  readonly weight: number;
}

/** How many to draw, and by which seed, an integer from 0 below 2^53. */
export interface Lot {
  readonly count: number;
  readonly seed: number;
}

/**
 * Draws, in a random order. Without replacement (uniform, stratified) there are no more than candidates; with replacement
 * (recency, prioritised) there are as many as asked for, unless nothing can be drawn.
 */
export function draw(candidates: readonly Candidate[], strategy: Strategy, { count, seed }: Lot): Drawn[] {
  const random = randomFrom(seed);
  switch (strategy.kind) {
    case "uniform":
      return pick(candidates.length, count, random).map((index) => ({ index, weight: 1 }));
    case "stratified":
      return drawStratified(candidates, strategy.shares, { count, random });
    case "recency":
      return drawWeighted(recencies(candidates.length, strategy.halfLife), { count, random, beta: strategy.beta });
    case "prioritised":
      return drawWeighted(priorities(candidates, strategy), { count, random, beta: strategy.beta });
  }
}

/** Some of the integers below `size`, each at most once: Fisher and Yates, of whose list only what was swapped is kept. */
function pick(size: number, count: number, random: Random): number[] {
  const swapped = new Map<number, number>();
  return Array.from({ length: Math.min(size, count) }, (_, i) => {
    const other = i + random.below(size - i);
    const picked = swapped.get(other) ?? other;
    swapped.set(other, swapped.get(i) ?? i);
    return picked;
  });
}

type Shares = Extract<Strategy, { readonly kind: "stratified" }>["shares"];

function drawStratified(
  candidates: readonly Candidate[],
  shares: Shares,
  { count, random }: { readonly count: number; readonly random: Random },
): Drawn[] {
  const strata = new Map<string, number[]>();
  for (const [index, { stratum = "" }] of candidates.entries()) {
    const members = strata.get(stratum);
    if (members === undefined) strata.set(stratum, [index]);
    else members.push(index);
  }
  const ordered = [...strata].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, members]) => members);
  const sizes = stratumSizes(
    ordered.map(({ length }) => length),
    shares,
    count,
  );
  const picked = ordered.flatMap((members, i) => {
    return pick(members.length, sizes[i] as number, random).map((at) => members[at] as number);
  });
  return pick(picked.length, picked.length, random).map((at) => ({ index: picked[at] as number, weight: 1 }));
}

/** How likely each is, compared with the newest. */
function recencies(size: number, halfLife: number): Float64Array {
  const factor = power(0.5, 1 / halfLife);
  const likely = new Float64Array(size);
  let share = 1;
  for (let index = size - 1; index >= 0; index--) {
    likely[index] = share;
    share *= factor;
  }
  return likely;
}

type Prioritised = Extract<Strategy, { readonly kind: "prioritised" }>;

/** How likely each is, compared with the one of the highest priority. */
function priorities(candidates: readonly Candidate[], { by, alpha, epsilon }: Prioritised): Float64Array {
  const known = candidates.map(({ priority, reward }) => (by === "reward" ? Math.abs(reward) : priority));
  let highest: number | undefined;
  for (const priority of known) {
    if (priority !== undefined && (highest === undefined || priority > highest)) highest = priority;
  }
  const scale = (highest ?? 1) + epsilon;
  return Float64Array.from(known, (priority = highest ?? 1) => {
    return power(scale === 0 ? 0 : (priority + epsilon) / scale, alpha);
  });
}

interface Weighting {
  readonly count: number;
  readonly random: Random;
  readonly beta: number;
}

/** With replacement, in proportion. Nothing when all are 0. */
function drawWeighted(likely: Float64Array, { count, random, beta }: Weighting): Drawn[] {
  const sums = new Float64Array(likely.length);
  let total = 0;
  let least = Number.POSITIVE_INFINITY;
  for (const [index, share] of likely.entries()) {
    total += share;
    sums[index] = total;
    if (share > 0 && share < least) least = share;
  }
  if (total === 0) return [];
  return Array.from({ length: count }, () => {
    const index = firstAbove(sums, random.fraction() * total);
    return { index, weight: power(least / (likely[index] as number), beta) };
  });
}

/** The first index whose sum is above the number; of a number that was rounded up to the total, the first that has it. */
function firstAbove(sums: Float64Array, number: number): number {
  const total = sums.at(-1) as number;
  let [low, high] = [0, sums.length - 1];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const sum = sums[middle] as number;
    if (sum > number || sum === total) high = middle;
    else low = middle + 1;
  }
  return low;
}
