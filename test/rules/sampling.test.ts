/** Sampling by a hash of the id: the published function, uniform, monotone, and independent under another salt. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { evaluate } from "../../actors/rules/evaluate.ts";
import { fractionOf, murmur3 } from "../../actors/rules/sampling.ts";

describe("the hash", () => {
  test.each([
    ["", 0],
    ["test", 0xba6bd213],
    ["Hello, world!", 0xc0363e43],
    ["The quick brown fox jumps over the lazy dog", 0x2e4ff723],
  ])("of %j is what MurmurHash3 gives", (text, hash) => {
    expect(murmur3(new TextEncoder().encode(text))).toBe(hash);
  });
});

function sampled(share: number, id: string, salt?: string): boolean {
  return evaluate({ sample: { share, ...(salt !== undefined && { salt }) } }, { id }).matched;
}

const count = 50_000;
const ids: Readonly<Record<string, (i: number) => string>> = {
  numbered: (i) => `inference-${i}`,
  "in hexadecimal": (i) => i.toString(16).padStart(32, "0"),
  "of rows of a file": (i) => `verdicts~${Math.floor(i / 8)}~judge-${i % 8}`,
};

describe.each(Object.entries(ids))("ids that are %s", (_kind, idOf) => {
  test("are sampled by the share asked for", () => {
    for (const share of [0.01, 0.05, 0.2, 0.5, 0.9]) {
      const hits = Array.from({ length: count }, (_, i) => sampled(share, idOf(i))).filter(Boolean).length;
      // Five standard deviations of a binomial.
      expect(Math.abs(hits - share * count)).toBeLessThan(5 * Math.sqrt(count * share * (1 - share)));
    }
  });

  test("spread evenly", () => {
    const bins = new Array<number>(100).fill(0);
    for (let i = 0; i < count; i++) bins[Math.floor(fractionOf(idOf(i)) * bins.length)]! += 1;
    const expected = count / bins.length;
    const chiSquare = bins.reduce((sum, found) => sum + (found - expected) ** 2 / expected, 0);
    // 99 degrees of freedom: above 160 with a probability of 1 in 10,000.
    expect(chiSquare).toBeLessThan(160);
  });

  test("are sampled anew under another salt", () => {
    const both = Array.from({ length: count }, (_, i) => i).filter(
      (i) => sampled(0.2, idOf(i), "first/") && sampled(0.2, idOf(i), "second/"),
    ).length;
    expect(Math.abs(both - 0.04 * count)).toBeLessThan(5 * Math.sqrt(count * 0.04 * 0.96));
  });
});

test("a larger share holds the smaller one; nothing is in none, everything in all", () => {
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  const salt = fc.option(fc.string(), { nil: undefined });
  fc.assert(
    fc.property(fc.string(), salt, share, share, (id, salt, one, other) => {
      const [small, large] = [Math.min(one, other), Math.max(one, other)];
      if (sampled(small, id, salt)) expect(sampled(large, id, salt)).toBe(true);
      expect([sampled(0, id, salt), sampled(1, id, salt)]).toEqual([false, true]);
    }),
    { numRuns: 1_000 },
  );
});
