/** What is kept of closed reviews, and the parameters that come of it. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { krippendorffAlpha } from "../../actors/consensus/agreement.ts";
import { parametersSchema } from "../../actors/consensus/parameters.ts";
import { parametersFrom } from "../../actors/consensus/parameters-from.ts";
import { mostProbable, posterior } from "../../actors/consensus/posterior.ts";
import {
  addReview,
  type ClosedReview,
  noReviews,
  type QualityRows,
  qualityOf,
  reviseReview,
} from "../../actors/consensus/quality.ts";
import { consensusSettings, defaultSettings } from "../../actors/consensus/settings.ts";
import { expectSameCounts } from "./same-counts.ts";

const says = (voter: string, label: string) => ({ voter, label });
const rowsOf = (...reviews: ClosedReview[]): QualityRows => reviews.reduce(addReview, noReviews);
const pets = ["cat", "dog"];

/** Each voter once in a review. */
const anyReview: fc.Arbitrary<ClosedReview> = fc.record(
  {
    votes: fc.uniqueArray(
      fc.record({
        voter: fc.constantFrom("ada", "bob", "eve", "toString"),
        label: fc.constantFrom(...pets, "valueOf"),
      }),
      { selector: ({ voter }) => voter, minLength: 1 },
    ),
    truth: fc.double({ min: 0, max: 1, noNaN: true }).map((cat) => ({ cat, dog: 1 - cat })),
  },
  { requiredKeys: ["votes"] },
);

describe("the rows", () => {
  test("count votes as far as they are likely to be right", () => {
    const { kind, voters } = rowsOf(
      { votes: [says("ada", "cat"), says("bob", "dog")], truth: { cat: 0.75, dog: 0.25 } },
      { votes: [says("ada", "dog")], truth: { dog: 1 } },
      { votes: [says("ada", "dog"), says("eve", "dog")] },
    );
    expect(voters).toEqual({
      ada: { agreements: 1.75, total: 2, confusion: { cat: { cat: 0.75 }, dog: { cat: 0.25, dog: 1 } } },
      bob: { agreements: 0.25, total: 1, confusion: { cat: { dog: 0.75 }, dog: { dog: 0.25 } } },
    });
    expect(kind).toEqual({
      closed: 3,
      coincidences: { pairs: 4, alike: 2, labels: { cat: 1, dog: 3 } },
      classes: { cat: 0.75, dog: 1.25 },
    });
  });

  test("are the same in whatever order reviews come, survive JSON, and give the agreement of all votes", () => {
    fc.assert(
      fc.property(fc.array(anyReview, { maxLength: 12 }), (reviews) => {
        const rows = rowsOf(...reviews);
        expectSameCounts(rowsOf(...[...reviews].reverse()), rows);
        expect(JSON.parse(JSON.stringify(rows))).toEqual(rows);
        const votes = reviews.flatMap((review, at) => review.votes.map((vote) => ({ ...vote, item: `${at}` })));
        const { closed, alpha } = qualityOf(rows.kind);
        expect(closed).toBe(reviews.length);
        const expected = krippendorffAlpha(votes);
        if (expected === undefined) expect(alpha).toBeUndefined();
        else expect(alpha).toBeCloseTo(expected, 9);
      }),
    );
  });

  test("may take back what a settled dispute has shown to be wrong", () => {
    fc.assert(
      fc.property(fc.array(anyReview, { maxLength: 5 }), anyReview, (before, disputed) => {
        const settled = { cat: 1 };
        const rows = reviseReview(rowsOf(...before, disputed), disputed, settled);
        expectSameCounts(rows, rowsOf(...before, { ...disputed, truth: settled }));
      }),
    );
  });

  test("do not grow with the number of labels", () => {
    const reviews = Array.from({ length: 500 }, (_, at) => {
      const votes = [says("ada", `text ${at}`), says("bob", `text ${at % 2 === 0 ? at : at + 1000}`)];
      return { votes, truth: { [`text ${at}`]: 1 } };
    });
    const rows = rowsOf(...reviews);
    expect(JSON.stringify(rows).length).toBeLessThan(8_000);
    expect(rows.voters.ada).toMatchObject({ agreements: 500, total: 500 });
    expect(qualityOf(rows.kind).alpha).toBeCloseTo(0.5, 2);
  });
});

describe("parameters", () => {
  const many = Array.from({ length: 96 }, (_, at) => ({
    votes: [says("ada", "cat"), says("bob", at < 48 ? "cat" : "dog"), says("eve", "cat")],
    truth: { cat: 1, dog: 0 },
  }));
  const rows = rowsOf(...many);
  const settings = { ...defaultSettings, defaultAccuracy: 0.75, defaultVotes: 4 };

  test("are of the voters that are asked for, and move away from the default with what was counted", () => {
    const ballot = { voters: ["ada", "bob", "zoe", "constructor"], options: pets };
    expect(parametersFrom(rows, ballot, settings)).toEqual({
      method: "dawid-skene",
      confusion: {
        ada: { cat: { cat: 0.99, dog: 0.01 }, dog: { cat: 0.25, dog: 0.75 } },
        bob: { cat: { cat: 0.51, dog: 0.49 }, dog: { cat: 0.25, dog: 0.75 } },
      },
      defaultAccuracy: 0.75,
    });
    const twice = { ...ballot, options: [...pets, ...pets] };
    expect(parametersFrom(rows, twice, settings)).toEqual(parametersFrom(rows, ballot, settings));
    expect(parametersFrom(rows, ballot, { ...settings, method: "one-coin" })).toEqual({
      method: "one-coin",
      accuracies: { ada: 0.99, bob: 0.51 },
      defaultAccuracy: 0.75,
    });
    expect(parametersFrom(rows, ballot, { ...settings, method: "majority" })).toEqual({ method: "majority" });
  });

  test("are accuracies where labels are free, or too many for an event", () => {
    const voters = ["ada", "bob"];
    const animals = (count: number) => Array.from({ length: count }, (_, at) => `${at} ${"x".repeat(200)}`);
    expect(parametersFrom(rows, { voters, options: [] }, settings).method).toBe("one-coin");
    expect(parametersFrom(rows, { voters, options: animals(4) }, settings).method).toBe("dawid-skene");
    expect(parametersFrom(rows, { voters, options: animals(33) }, settings).method).toBe("one-coin");
    expect(parametersFrom(rows, { voters, options: animals(20) }, settings).method).toBe("one-coin");
  });

  test("of any rows lead to a result with any votes", () => {
    fc.assert(
      fc.property(
        fc.array(anyReview, { maxLength: 8 }),
        anyReview,
        fc.constantFrom([], [...pets, "valueOf"]),
        (seen, review, options) => {
          const voters = review.votes.map(({ voter }) => voter);
          for (const method of consensusSettings.shape.method.unwrap().options) {
            const parameters = parametersFrom(rowsOf(...seen), { voters, options }, { ...defaultSettings, method });
            expect(parametersSchema.parse(parameters)).toEqual(parameters);
            const found = posterior(review.votes, options, parameters);
            expect(Object.values(found).reduce((a, b) => a + b)).toBeCloseTo(1, 9);
            expect((mostProbable(found)?.probability ?? 0) <= 1).toBe(true);
          }
        },
      ),
    );
  });
});
