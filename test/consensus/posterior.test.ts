/** What the votes on one item say of it: sums worked out by hand, and laws of any votes and parameters. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Parameters } from "../../actors/consensus/parameters.ts";
import { type ItemVote, mostProbable, posterior, votersUnknownTo } from "../../actors/consensus/posterior.ts";

const says = (voter: string, label: string): ItemVote => ({ voter, label });
const animals = ["cat", "dog", "cow"];
const votes = [says("ada", "cat"), says("bob", "dog"), says("eve", "cat")];

describe("by majority", () => {
  test("it is the share of the votes", () => {
    expect(posterior(votes, animals, { method: "majority" })).toEqual({ cat: 2 / 3, dog: 1 / 3, cow: 0 });
    expect(posterior(votes, [], { method: "majority" })).toEqual({ cat: 2 / 3, dog: 1 / 3 });
    expect(posterior([], ["cat", "dog"], { method: "majority" })).toEqual({ cat: 0.5, dog: 0.5 });
  });
});

describe("by accuracies", () => {
  test("each vote counts for its label, and a wrong one for all others alike", () => {
    const found = posterior(votes, animals, {
      method: "one-coin",
      prior: { cat: 0.5, dog: 0.25, cow: 0.25 },
      accuracies: { ada: 0.6, bob: 0.9 },
      defaultAccuracy: 0.8,
    });
    const [cat, dog, cow] = [0.5 * 0.6 * 0.05 * 0.8, 0.25 * 0.2 * 0.9 * 0.1, 0.25 * 0.2 * 0.05 * 0.1];
    expect(found.cat).toBeCloseTo(cat / (cat + dog + cow), 12);
    expect(found.cow).toBeCloseTo(cow / (cat + dog + cow), 12);
  });

  test("of voters whom nothing is known of, and without a default, votes are guesses", () => {
    const parameters = { method: "one-coin", accuracies: { bob: 0.9 } } as const;
    expect(posterior(votes, ["cat", "dog"], parameters).dog).toBeCloseTo(0.9, 12);
    expect(posterior([says("constructor", "cat")], ["cat", "dog"], parameters)).toEqual({ cat: 0.5, dog: 0.5 });
    expect(votersUnknownTo(parameters, votes)).toEqual(["ada", "eve"]);
    expect(votersUnknownTo({ ...parameters, defaultAccuracy: 0.6 }, votes)).toEqual([]);
    expect(votersUnknownTo({ method: "majority" }, votes)).toEqual([]);
  });
});

describe("by confusion", () => {
  test("each vote counts as often as its voter says so of each truth", () => {
    const ada = { cat: { cat: 0.7, dog: 0.3 }, dog: { cat: 0.4, dog: 0.6 } };
    const parameters = { method: "dawid-skene", prior: { cat: 0.5, dog: 0.5 }, confusion: { ada } } as const;
    expect(posterior([says("ada", "cat")], ["cat", "dog"], parameters).cat).toBeCloseTo(7 / 11, 12);
    const byDefault = { ...parameters, defaultAccuracy: 0.8 };
    const [cat, dog] = [0.7 * 0.2, 0.4 * 0.8];
    const both = posterior([says("ada", "cat"), says("bob", "dog")], ["cat", "dog"], byDefault);
    expect(both.cat).toBeCloseTo(cat / (cat + dog), 12);
  });

  test("of a truth that a voter never met, the default counts", () => {
    const confusion = { ada: { cat: { cat: 1 } } };
    const found = posterior([says("ada", "dog")], ["cat", "dog"], {
      method: "dawid-skene",
      confusion,
      defaultAccuracy: 0.8,
    });
    expect(found.dog).toBeGreaterThan(0.999);
    const guess = posterior([says("ada", "cat")], ["cat", "dog"], { method: "dawid-skene", confusion });
    expect(guess.cat).toBeCloseTo(1 / 1.5, 12);
  });
});

const probability = fc.double({ min: 0, max: 1, noNaN: true });
const label = fc.constantFrom("cat", "dog", "cow", "constructor", "7");
const voter = fc.constantFrom("ada", "bob", "eve", "toString");
const byLabel = fc.dictionary(label, probability);
const anyParameters: fc.Arbitrary<Parameters> = fc.oneof(
  fc.constant<Parameters>({ method: "majority" }),
  fc.record(
    {
      method: fc.constant("one-coin" as const),
      prior: byLabel,
      accuracies: fc.dictionary(voter, probability),
      defaultAccuracy: probability,
    },
    { requiredKeys: ["method", "accuracies"] },
  ),
  fc.record(
    {
      method: fc.constant("dawid-skene" as const),
      prior: byLabel,
      confusion: fc.dictionary(voter, fc.dictionary(label, byLabel)),
      defaultAccuracy: probability,
    },
    { requiredKeys: ["method", "confusion"] },
  ),
);
const anyVotes = fc.array(fc.record({ voter, label }), { minLength: 1, maxLength: 300 });
const anyOptions = fc.constantFrom<string[]>([], ["cat", "dog", "cow", "constructor", "7"]);

describe("whatever is known", () => {
  test("it is a probability of each label, and the order of the votes changes not a digit of it", () => {
    fc.assert(
      fc.property(
        anyVotes,
        anyOptions,
        anyParameters,
        fc.infiniteStream(fc.nat()),
        (cast, options, parameters, keys) => {
          const found = posterior(cast, options, parameters);
          const labels = options.length > 0 ? options : cast.map((vote) => vote.label);
          expect(new Set(Object.keys(found))).toEqual(new Set(labels));
          expect(Object.values(found).reduce((a, b) => a + b)).toBeCloseTo(1, 9);
          for (const value of Object.values(found)) expect(value >= 0 && value <= 1).toBe(true);
          const shuffled = cast.map((vote) => ({ vote, key: keys.next().value })).sort((a, b) => a.key - b.key);
          expect(
            posterior(
              shuffled.map(({ vote }) => vote),
              options,
              parameters,
            ),
          ).toEqual(found);
        },
      ),
    );
  });

  test("an option that is listed twice is one", () => {
    const parameters = { method: "one-coin", accuracies: {}, defaultAccuracy: 0.8 } as const;
    expect(posterior(votes, ["cat", "dog", "cat"], parameters)).toEqual(posterior(votes, ["cat", "dog"], parameters));
  });

  test("nothing is so certain that other votes cannot outweigh it", () => {
    const parameters = { method: "one-coin", accuracies: { ada: 1 }, defaultAccuracy: 0.9 } as const;
    const against = (count: number) => [
      says("ada", "cat"),
      ...Array.from({ length: count }, (_, i) => says(`r${i}`, "dog")),
    ];
    expect(posterior(against(1), ["cat", "dog"], parameters).cat).toBeGreaterThan(0.99);
    expect(posterior(against(50), ["cat", "dog"], parameters).dog).toBeGreaterThan(0.99);
    expect(posterior(against(20_000), ["cat", "dog"], parameters).dog).toBeCloseTo(1, 12);
  });
});

test("the most probable label is none where two are as likely, but for the last digits", () => {
  expect(mostProbable({ cat: 0.2, dog: 0.8 })).toEqual({ label: "dog", probability: 0.8 });
  expect(mostProbable({ cat: 0.5, dog: 0.5 })).toBeUndefined();
  expect(mostProbable({ cat: 0.1 + 0.2, dog: 0.3, cow: 0.1 })).toBeUndefined();
  expect(mostProbable({ cat: 1 })).toEqual({ label: "cat", probability: 1 });
  expect(mostProbable({})).toBeUndefined();
});
