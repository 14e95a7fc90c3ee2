/** When a review is accepted, goes on, or is left to others; and one policy on real crowds, vote by vote. */
import assert from "node:assert/strict";
import { describe, expect, test } from "vitest";
import { nextStep, type Standing } from "../../actors/consensus/next-step.ts";
import { qualityOf } from "../../actors/consensus/quality.ts";
import { defaultSettings } from "../../actors/consensus/settings.ts";
import { absentCrowds, readCrowdSet } from "./crowd-sets.ts";
import { type Outcome, voteByVote } from "./vote-by-vote.ts";

/** Votes of voters of whom nothing is known, by their initials. */
const standing = (labels: string, others: Partial<Standing> = {}): Standing => ({
  votes: [...labels].map((label, at) => ({ voter: `r${at}`, label })),
  k: labels.length,
  maxK: 5,
  options: ["a", "b"],
  parameters: { method: "one-coin", accuracies: {}, defaultAccuracy: 0.8 },
  quality: { closed: 0, alpha: undefined },
  settings: defaultSettings,
  ...others,
});

describe("the next step", () => {
  test("accepts a label that is probable enough, whatever the number of votes", () => {
    const accepted = nextStep(standing("aaa"));
    assert(accepted.step === "accept");
    expect(accepted.label).toBe("a");
    expect(accepted.posterior.a).toBeCloseTo(64 / 65, 12);
    expect(nextStep(standing("abaaa"))).toMatchObject({ step: "accept", label: "a" });
    expect(nextStep(standing("aaa", { settings: { ...defaultSettings, acceptAt: 0.99 } })).step).toBe("ask-one-more");
  });

  test("asks for one more while it may", () => {
    expect(nextStep(standing("a"))).toEqual({ step: "ask-one-more", k: 2 });
    expect(nextStep(standing("abab"))).toEqual({ step: "ask-one-more", k: 5 });
    expect(nextStep(standing("ababa"))).toMatchObject({ step: "escalate", reason: "undecided" });
    expect(nextStep(standing("abab", { maxK: 4 }))).toMatchObject({ step: "escalate", reason: "undecided" });
  });

  test("waits for the votes that were asked for", () => {
    expect(nextStep(standing("aaa", { k: 4 }))).toEqual({ step: "ask-one-more", k: 4 });
    expect(nextStep(standing("", { k: 1 }))).toEqual({ step: "ask-one-more", k: 1 });
  });

  test.each([
    [48, 0.09, "accept"],
    [49, 0.09, "escalate"],
    [49, 0.1, "accept"],
    [500, -0.2, "escalate"],
    [500, undefined, "accept"],
  ])("after %i closed reviews with an alpha of %s is to %s", (closed, alpha, step) => {
    const found = nextStep(standing("aaa", { quality: { closed, alpha } }));
    expect(found.step).toBe(step);
    if (found.step === "escalate") expect(found.reason).toBe("low-agreement");
  });

  test("of free text is about what was said", () => {
    const parameters = { method: "one-coin", accuracies: { r0: 0.99 }, defaultAccuracy: 0.6 } as const;
    expect(nextStep(standing("xy", { options: [], parameters }))).toMatchObject({ step: "accept", label: "x" });
    expect(nextStep(standing("xyy", { options: [] })).step).toBe("ask-one-more");
  });
});

describe.skipIf(absentCrowds !== undefined)("the default policy, vote by vote in the order of the file,", () => {
  const figuresOf = (outcomes: readonly Outcome[], gold: ReadonlyMap<string, string>) => {
    const accepted = outcomes.filter(({ label }) => label !== undefined);
    const right = accepted.filter(({ item, label }) => gold.get(item) === label);
    return { accepted: accepted.length / outcomes.length, accuracy: right.length / accepted.length };
  };

  test("accepts nothing more of a crowd that votes by chance, from the 50th review on", () => {
    const { outcomes, rows } = voteByVote(readCrowdSet("hitspam_mturk"));
    const after = outcomes.slice(49);
    expect(after.length).toBe(5791);
    expect(after.filter(({ label }) => label !== undefined)).toEqual([]);
    expect(new Set(after.map(({ reason }) => reason))).toEqual(new Set(["low-agreement"]));
    expect(qualityOf(rows.kind).alpha).toBeLessThan(0.1);
  });

  test("accepts nine of ten items of a crowd that can do its task, at 93 in 100 right and with fewer votes", () => {
    const set = readCrowdSet("snow_rte");
    const { outcomes } = voteByVote(set);
    const { accepted, accuracy } = figuresOf(outcomes, set.gold);
    expect(accepted).toBeGreaterThanOrEqual(0.9);
    expect(accuracy).toBeGreaterThanOrEqual(0.93);
    expect(outcomes.reduce((sum, { votes }) => sum + votes, 0)).toBeLessThan(0.6 * set.votes.length);
  });

  test("accepts less of a crowd that is wrong in a body, and more rightly than its majority", () => {
    const set = readCrowdSet("bluebirds");
    const { accepted, accuracy } = figuresOf(voteByVote(set).outcomes, set.gold);
    expect(accepted).toBeLessThan(0.75);
    expect(accuracy).toBeGreaterThan(0.76);
  });
});
