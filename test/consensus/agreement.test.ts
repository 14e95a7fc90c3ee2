/** Coefficients of agreement: equal to what others computed, and what follows from their definitions. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cohenKappa, fleissKappa, krippendorffAlpha } from "../../actors/consensus/agreement.ts";
import { anyVotes } from "./any-votes.ts";
import { absentCrowds, readCrowdSet, referenceOf } from "./crowd-sets.ts";

/** The labels that each voter said of the items in turn; `-` where there is no vote. */
function votesOf(said: Readonly<Record<string, string>>) {
  return Object.entries(said).flatMap(([voter, labels]) =>
    [...labels].map((label, at) => ({ item: `i${at}`, voter, label })).filter(({ label }) => label !== "-"),
  );
}

describe.skipIf(absentCrowds !== undefined)("equal the reference on", () => {
  test.each(["bluebirds", "snow_rte", "hitspam_mturk"])("%s", (name) => {
    const { votes } = readCrowdSet(name);
    const reference = referenceOf(name);
    expect(krippendorffAlpha(votes)).toBeCloseTo(reference.krippendorff_alpha_nominal, 5);
    const kappa = fleissKappa(votes);
    if (reference.fleiss_kappa === null) expect(kappa).toBeUndefined();
    else expect(kappa).toBeCloseTo(reference.fleiss_kappa, 5);
  });
});

describe("Krippendorff's alpha", () => {
  test("counts pairs on items with votes missing", () => {
    // Items aa, ab, bb, b: 6 votes in pairs, of which 4 pairs are alike; by label 3 and 3.
    expect(krippendorffAlpha(votesOf({ ada: "aabb", bob: "abb-" }))).toBeCloseTo(1 - (5 * 2) / 18, 12);
  });

  test("is 1 when all agree, 0 for as much as chance gives, and undefined where nothing could differ", () => {
    expect(krippendorffAlpha(votesOf({ ada: "ab", bob: "ab" }))).toBe(1);
    expect(krippendorffAlpha(votesOf({ ada: "aa", bob: "aa" }))).toBeUndefined();
    expect(krippendorffAlpha(votesOf({ ada: "ab-", bob: "--b" }))).toBeUndefined();
    expect(krippendorffAlpha([])).toBeUndefined();
  });

  test("is the same whatever voters and labels are called, and in whatever order", () => {
    fc.assert(
      fc.property(anyVotes, (cast) => {
        const votes = [...new Map(cast.map((vote) => [`${vote.item} ${vote.voter}`, vote])).values()];
        const renamed = votes
          .map(({ item, voter, label }) => ({ item, voter: `${voter}!`, label: `<${label}>` }))
          .reverse();
        const [alpha, again] = [krippendorffAlpha(votes), krippendorffAlpha(renamed)];
        if (alpha === undefined) expect(again).toBeUndefined();
        else expect(again).toBeCloseTo(alpha, 9);
      }),
    );
  });
});

test("Fleiss' kappa wants as many votes on all items, and more than one", () => {
  // Pairs alike: 1, 0, 1 of 1; labels 3 and 3 of 6.
  expect(fleissKappa(votesOf({ ada: "aab", bob: "abb" }))).toBeCloseTo((2 / 3 - 1 / 2) / (1 / 2), 12);
  expect(fleissKappa(votesOf({ ada: "aab", bob: "ab-" }))).toBeUndefined();
  expect(fleissKappa(votesOf({ ada: "aab" }))).toBeUndefined();
  expect(fleissKappa(votesOf({ ada: "aaa", bob: "aaa" }))).toBeUndefined();
  expect(fleissKappa([])).toBeUndefined();
});

test("Cohen's kappa is of two voters, on what both voted on", () => {
  const votes = votesOf({ ada: "aabbb", bob: "abbb-", eve: "bbaa-" });
  // Of four items ada says 2 a and 2 b, bob 1 and 3; they agree on three.
  expect(cohenKappa(votes, "ada", "bob")).toBeCloseTo((3 / 4 - 1 / 2) / (1 / 2), 12);
  expect(cohenKappa(votes, "ada", "eve")).toBeCloseTo(-1, 12);
  expect(cohenKappa(votes, "ada", "zoe")).toBeUndefined();
  expect(cohenKappa(votesOf({ ada: "aa", bob: "aa" }), "ada", "bob")).toBeUndefined();
});
