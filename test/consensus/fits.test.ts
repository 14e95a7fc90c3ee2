/** The joint fits: equal to what others computed of real crowds, and what has to hold of any votes. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fitDawidSkene } from "../../actors/consensus/dawid-skene.ts";
import type { Fit } from "../../actors/consensus/fit.ts";
import { fitMajority } from "../../actors/consensus/majority.ts";
import { fitOneCoin } from "../../actors/consensus/one-coin.ts";
import { parametersSchema } from "../../actors/consensus/parameters.ts";
import { posterior } from "../../actors/consensus/posterior.ts";
import { tableOf } from "../../actors/consensus/vote-table.ts";
import { seededRandom } from "../support/random.ts";
import { anyVotes } from "./any-votes.ts";
import { absentCrowds, type CrowdSet, readCrowdSet, referenceOf } from "./crowd-sets.ts";

const methods: [string, (votes: Parameters<typeof fitMajority>[0]) => Fit][] = [
  ["majority", fitMajority],
  ["one-coin", fitOneCoin],
  ["dawid-skene", fitDawidSkene],
];

/** The expected share of items with the right label, when ties are broken at random. */
function accuracyOf({ posteriors }: Fit, { gold }: CrowdSet): number {
  const right = [...gold].map(([item, label]) => {
    const probabilities = posteriors.get(item) ?? {};
    const highest = Math.max(...Object.values(probabilities));
    const best = Object.keys(probabilities).filter((candidate) => probabilities[candidate] === highest);
    return best.includes(label) ? 1 / best.length : 0;
  });
  return right.reduce((a, b) => a + b, 0) / right.length;
}

describe.skipIf(absentCrowds !== undefined)("equals the reference on", () => {
  test.each(["bluebirds", "snow_rte", "hitspam_mturk"])("%s", (name) => {
    const set = readCrowdSet(name);
    const reference = referenceOf(name);
    const expectAccuracy = (fit: Fit, expected: number | null): void => {
      if (expected !== null) expect(accuracyOf(fit, set)).toBeCloseTo(expected, 5);
    };
    const dawidSkene = fitDawidSkene(set.votes);
    expect(dawidSkene.logLikelihood).toBeCloseTo(reference.dawid_skene_loglik, 4);
    expect(dawidSkene.iterations).toBe(reference.dawid_skene_iters);
    expectAccuracy(dawidSkene, reference.dawid_skene_accuracy);
    expectAccuracy(fitMajority(set.votes), reference.majority_vote_accuracy_expected_ties);
    expectAccuracy(fitOneCoin(set.votes), reference.onecoin_ds_accuracy);
  });
});

describe("of any votes", () => {
  test.each(methods)("%s finds probabilities, and parameters that lead to the same for each item", (_name, fitOf) => {
    fc.assert(
      fc.property(anyVotes, (votes) => {
        const fit = fitOf(votes);
        const { items, labels } = tableOf(votes);
        expect([...fit.posteriors.keys()]).toEqual(items);
        const parameters = parametersSchema.parse(JSON.parse(JSON.stringify(fit.parameters)));
        for (const [item, found] of fit.posteriors) {
          const said = new Map(votes.filter((vote) => vote.item === item).map(({ voter, label }) => [voter, label]));
          const alone = posterior(
            [...said].map(([voter, label]) => ({ voter, label })),
            labels,
            parameters,
          );
          expect(Object.keys(found).sort()).toEqual(labels);
          for (const label of labels) expect(alone[label]).toBeCloseTo(found[label] as number, 9);
          expect(Object.values(found).reduce((a, b) => a + b)).toBeCloseTo(1, 9);
        }
      }),
    );
  });

  test.each(methods)("%s takes the last vote of whoever votes twice", (_name, fitOf) => {
    const vote = (voter: string, label: string, item = "i") => ({ item, voter, label });
    const others = [vote("bob", "cat"), vote("eve", "dog"), vote("bob", "dog", "j"), vote("eve", "dog", "j")];
    const fit = fitOf([vote("ada", "dog"), ...others, vote("ada", "cat")]);
    const once = fitOf([vote("ada", "cat"), ...others]);
    expect(fit).toEqual(once);
  });

  test.each(methods.slice(1))("%s learns who is to be believed", (_name, fitOf) => {
    const random = seededRandom(7);
    const truth = (at: number) => (at % 3 === 0 ? "dog" : "cat");
    const accuracies = { ada: 0.95, bob: 0.9, eve: 0.9, tom: 0.4, kim: 0.4, sam: 0.4, zoe: 0.4 };
    const votes = Array.from({ length: 300 }, (_, at) => {
      const wrong = truth(at) === "cat" ? "dog" : "cat";
      return Object.entries(accuracies).map(([voter, accuracy]) => {
        return { item: `${at}`, voter, label: random.chance(accuracy) ? truth(at) : wrong };
      });
    }).flat();
    const rightIn = ({ posteriors }: Fit) => {
      return [...posteriors].filter(([item, found]) => (found[truth(Number(item))] as number) > 0.5).length;
    };
    expect(rightIn(fitMajority(votes))).toBeLessThan(270);
    expect(rightIn(fitOf(votes))).toBeGreaterThan(285);
  });

  test("there may be none", () => {
    for (const [, fitOf] of methods) expect(fitOf([]).posteriors.size).toBe(0);
  });
});
