/** What is drawn is distributed as it should be: chi-square bounds with fixed seeds, so these tests pass always or never. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Candidate } from "../../actors/replay/candidate.ts";
import { draw } from "../../actors/replay/draw.ts";
import { randomFrom } from "../../actors/replay/random.ts";
import { stratumSizes } from "../../actors/replay/strata.ts";
import { type Strategy, sampleSpec } from "../../schemas/sample-spec.ts";

const strategy = (given: object): Strategy => sampleSpec.parse({ strategy: given }).strategy;

const candidates = (count: number, more: (i: number) => Partial<Candidate> = () => ({})): Candidate[] =>
  Array.from({ length: count }, (_, i) => ({ position: i + 1, eventId: `e${i + 1}`, reward: 0, ...more(i) }));

const sum = (numbers: readonly number[]): number => numbers.reduce((all, number) => all + number, 0);

/** Fails when it is less likely than 1 in 1,000 that the counts come of these shares (Wilson and Hilferty). */
function assertDistributed(counts: readonly number[], shares: readonly number[]): void {
  const [drawn, whole] = [sum(counts), sum(shares)];
  const expected = shares.map((share) => (share / whole) * drawn);
  for (const number of expected) expect(number).toBeGreaterThan(5);
  const statistic = sum(counts.map((count, i) => (count - (expected[i] as number)) ** 2 / (expected[i] as number)));
  const freedom = counts.length - 1;
  const limit = freedom * (1 - 2 / (9 * freedom) + 3.09 * Math.sqrt(2 / (9 * freedom))) ** 3;
  expect(statistic).toBeLessThan(limit);
}

function countOf(size: number, indexes: Iterable<number>): number[] {
  const counts = new Array<number>(size).fill(0);
  for (const index of indexes) counts[index] = (counts[index] as number) + 1;
  return counts;
}

describe("numbers from a seed", () => {
  test("are even, below a bound and as fractions, and differ from seed to seed", () => {
    const random = randomFrom(1);
    assertDistributed(
      countOf(
        7,
        Array.from({ length: 20_000 }, () => random.below(7)),
      ),
      new Array(7).fill(1),
    );
    const tenths = Array.from({ length: 20_000 }, () => Math.floor(random.fraction() * 10));
    assertDistributed(countOf(10, tenths), new Array(10).fill(1));
    const firsts = Array.from({ length: 20_000 }, (_, seed) => randomFrom(seed).below(16));
    assertDistributed(countOf(16, firsts), new Array(16).fill(1));
    expect(randomFrom(2 ** 40).below(2 ** 53)).not.toBe(randomFrom(0).below(2 ** 53));
  });

  test("are these, here as on any machine", () => {
    const random = randomFrom(20_261_120);
    expect([random.below(1_000_000), random.below(2 ** 53), random.fraction()]).toEqual([
      484806, 8540888511283539, 0.11680859334928573,
    ]);
  });
});

test("uniform: each subset alike, none twice, in a random order", () => {
  const orders = Array.from({ length: 12_000 }, (_, seed) =>
    draw(candidates(4), strategy({ kind: "uniform" }), { count: 2, seed }).map(({ index }) => index),
  );
  const kinds = orders.map(([first = 0, second = 0]) => first * 4 + second);
  const counts = countOf(16, kinds);
  const possible = counts.filter((_, kind) => Math.floor(kind / 4) !== kind % 4);
  assertDistributed(possible, new Array(12).fill(1));
  expect(sum(possible)).toBe(12_000);
  expect(draw(candidates(3), strategy({ kind: "uniform" }), { count: 9, seed: 1 })).toHaveLength(3);
});

test("recency: half as likely after a half-life, and its weights make up for it", () => {
  const drawn = draw(candidates(40), strategy({ kind: "recency", halfLife: 10, beta: 1 }), { count: 50_000, seed: 3 });
  const shares = Array.from({ length: 40 }, (_, i) => 2 ** ((i - 39) / 10));
  assertDistributed(
    countOf(
      40,
      drawn.map(({ index }) => index),
    ),
    shares,
  );
  for (const { index, weight } of drawn.slice(0, 100)) {
    expect(weight).toBeCloseTo((shares[0] as number) / (shares[index] as number), 12);
  }
});

test("prioritised: in proportion to the priority to the power of alpha; one without has the highest", () => {
  const priorities = [0, 0.5, 1, 2, undefined, 8];
  const some = candidates(6, (i) => ({ priority: priorities[i] as number }));
  const alpha = 0.6;
  const drawn = draw(some, strategy({ kind: "prioritised", alpha, beta: 0.5 }), { count: 40_000, seed: 4 });
  const shares = [0.5, 1, 2, 8, 8].map((priority) => priority ** alpha);
  const counts = countOf(
    6,
    drawn.map(({ index }) => index),
  );
  expect(counts[0]).toBe(0);
  assertDistributed(counts.slice(1), shares);
  for (const { index, weight } of drawn.slice(0, 100)) {
    expect(weight).toBeCloseTo(((shares[0] as number) / (shares[index - 1] as number)) ** 0.5, 12);
  }
});

test("prioritised: with beta 1 the weights make any mean what it is over all", () => {
  const some = candidates(50, (i) => ({ priority: 1 + (i % 9), reward: i }));
  const drawn = draw(some, strategy({ kind: "prioritised", alpha: 1, beta: 1 }), { count: 100_000, seed: 5 });
  const weighted = sum(drawn.map(({ index, weight }) => weight * index)) / sum(drawn.map(({ weight }) => weight));
  expect(Math.abs(weighted - 24.5)).toBeLessThan(0.3);
});

test("prioritised: by the reward, with epsilon; nothing is drawn of nothing, and huge priorities do no harm", () => {
  const some = candidates(3, (i) => ({ reward: [-4, 0, 1][i] as number }));
  const byReward = { kind: "prioritised", by: "reward", alpha: 1 };
  const counts = (given: object) =>
    countOf(
      3,
      draw(some, strategy(given), { count: 9_000, seed: 6 }).map(({ index }) => index),
    );
  const plain = counts(byReward);
  expect(plain[1]).toBe(0);
  assertDistributed([plain[0] as number, plain[2] as number], [4, 1]);
  assertDistributed(counts({ ...byReward, epsilon: 1 }), [5, 1, 2]);
  const nothing = candidates(3, () => ({ priority: 0 }));
  expect(draw(nothing, strategy({ kind: "prioritised" }), { count: 5, seed: 1 })).toEqual([]);
  expect(draw([], strategy({ kind: "recency", halfLife: 5 }), { count: 5, seed: 1 })).toEqual([]);
  const huge = candidates(4, () => ({ priority: Number.MAX_VALUE }));
  expect(draw(huge, strategy({ kind: "prioritised", alpha: 1 }), { count: 5, seed: 1 })).toHaveLength(5);
});

test("stratified: from each group what is due to it, evenly within", () => {
  const groups = (i: number) => ({ stratum: i < 60 ? '"us"' : i < 90 ? '"eu"' : "" });
  const some = candidates(100, groups);
  const sizes = (shares: string, count: number) => {
    const drawn = draw(some, strategy({ kind: "stratified", by: "data.userSegment", shares }), { count, seed: 7 });
    expect(new Set(drawn.map(({ index }) => index)).size).toBe(drawn.length);
    return ['"us"', '"eu"', ""].map((name) => drawn.filter(({ index }) => some[index]?.stratum === name).length);
  };
  expect(sizes("proportional", 20)).toEqual([12, 6, 2]);
  expect(sizes("equal", 24)).toEqual([8, 8, 8]);
  expect(sizes("equal", 60)).toEqual([25, 25, 10]);
  expect(sizes("equal", 1_000)).toEqual([60, 30, 10]);
  const seeds = Array.from({ length: 400 }, (_, seed) => seed);
  const drawn = seeds.flatMap((seed) =>
    draw(some, strategy({ kind: "stratified", by: "type" }), { count: 20, seed }).filter(({ index }) => index < 60),
  );
  assertDistributed(
    countOf(
      60,
      drawn.map(({ index }) => index),
    ),
    new Array(60).fill(1),
  );
});

test("strata give together what is asked for, and none more than it has", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(
      sizes,
      fc.nat({ max: 700 }),
      fc.constantFrom("equal" as const, "proportional" as const),
      (all, n, shares) => {
        const taken = stratumSizes(all, shares, n);
        expect(sum(taken)).toBe(Math.min(n, sum(all)));
        for (const [i, size] of taken.entries()) expect(size).toBeLessThanOrEqual(all[i] as number);
        if (shares === "proportional" && n <= sum(all)) {
          for (const [i, size] of taken.entries()) {
            expect(Math.abs(size - ((all[i] as number) * n) / sum(all))).toBeLessThan(1);
          }
        }
      },
    ),
  );
});
