/** What rules mean: each term, what is missing, the laws of and, or and not, and the tree that explains the result. */
import fc from "fast-check";
import { given } from "retrace/testing";
import { describe, expect, test } from "vitest";
import inference from "../../actors/aggregates/inference.ts";
import { type Evaluated, evaluate, missingIn, thresholdIn } from "../../actors/rules/evaluate.ts";
import { type Facts, factsOf } from "../../actors/rules/facts.ts";
import type { Rule } from "../../schemas/rule.ts";
import { arbitraryFacts, arbitraryRule } from "./arbitrary-rule.ts";

const facts: Facts = {
  id: "i1",
  output: { label: "spam", second: { label: "ham" }, again: { label: "spam" } },
  confidence: 0.6,
  scores: { spam: 0.6, ham: 0.3, news: 0.1 },
  userSegment: "eu",
  modelId: "m1",
  modelVersion: "v2",
  inputFeatures: { distance: 4.5, nested: { size: 10 } },
};

/** `rule` on the facts above, with some of them changed. */
function read(rule: Rule, changed: Partial<Facts> = {}) {
  return evaluate(rule, { ...facts, ...changed });
}

describe("a term", () => {
  test.each<[Rule, unknown, boolean]>([
    [{ always: true }, true, true],
    [{ confidence: { below: 0.7 } }, 0.6, true],
    [{ confidence: { below: 0.6 } }, 0.6, false],
    [{ confidence: { above: 0.6 } }, 0.6, false],
    [{ confidence: { above: 0.5, below: 0.7 } }, 0.6, true],
    [{ confidence: { above: 0.1, below: 0.5 } }, 0.6, false],
    [{ margin: { below: 0.31 } }, 0.3, true],
    [{ margin: { above: 0.5 } }, 0.3, false],
    [{ score: { label: "ham", above: 0.2 } }, 0.3, true],
    [{ novelty: { field: "inputFeatures.distance", above: 3 } }, 4.5, true],
    [{ novelty: { field: "inputFeatures.nested.size", above: 10 } }, 10, false],
    [{ segment: { in: ["us", "eu"] } }, "eu", true],
    [{ segment: { in: ["us"] } }, "eu", false],
    [{ model: { in: ["m1"] } }, "m1", true],
    [{ modelVersion: { in: ["v1"] } }, "v2", false],
    [{ disagreement: { fields: ["output.label", "output.second.label"] } }, ["spam", "ham"], true],
    [{ disagreement: { fields: ["output.label", "output.again.label"] } }, ["spam", "spam"], false],
    [{ disagreement: { fields: ["output.second", "output.second"] } }, [{ label: "ham" }, { label: "ham" }], false],
  ])("%j sees %j: %j", (rule, value, matched) => {
    expect(read(rule)).toEqual({ matched, evaluated: { ...rule, value, matched } });
  });

  test("margin and entropy are read from objects by label and from lists, whatever else is in them", () => {
    const margin: Rule = { margin: { below: 1 } };
    for (const scores of [[0.25, 0.5, 0.125], { a: 0.125, b: 0.5, c: "high", d: 0.25 }]) {
      expect(read(margin, { scores }).evaluated).toMatchObject({ value: 0.25 });
    }
    const entropyOf = (scores: unknown) => read({ entropy: { above: 0.5 } }, { scores }).evaluated;
    expect(entropyOf([1, 1, 1, 1])).toMatchObject({ value: 1, matched: true });
    expect(entropyOf({ a: 1, b: 0 })).toMatchObject({ value: 0, matched: false });
    // Shares, whatever they sum up to: H(3/4) in bits.
    expect(entropyOf([3, 1])).toMatchObject({ value: expect.closeTo(0.811278, 6) });
  });

  test.each<[Rule, Partial<Facts>, string]>([
    [{ confidence: { below: 0.7 } }, { confidence: undefined }, "confidence"],
    [{ confidence: { below: 0.7 } }, { confidence: "0.2" }, "confidence"],
    [{ margin: { below: 0.2 } }, { scores: { spam: 1 } }, "two scores"],
    [{ margin: { below: 0.2 } }, { scores: null }, "two scores"],
    [{ entropy: { above: 0 } }, { scores: [1.5, -1.5] }, "two scores, none negative"],
    [{ entropy: { above: 0 } }, { scores: [0, 0] }, "two scores, none negative"],
    [{ score: { label: "constructor", above: 0 } }, {}, "scores.constructor"],
    [
      { novelty: { field: "inputFeatures.distance", above: 3 } },
      { inputFeatures: undefined },
      "inputFeatures.distance",
    ],
    [
      { novelty: { field: "inputFeatures.distance", above: 3 } },
      { inputFeatures: { distance: null } },
      "inputFeatures.distance",
    ],
    [{ segment: { in: ["eu"] } }, { userSegment: undefined }, "userSegment"],
    [{ model: { in: ["m1"] } }, { modelId: undefined }, "modelId"],
    [{ modelVersion: { in: ["v2"] } }, { modelVersion: undefined }, "modelVersion"],
    [{ disagreement: { fields: ["output.label", "output.third"] } }, {}, "output.third"],
  ])("%j without its value does not match, and says what is missing", (rule, changed, missing) => {
    const { matched, evaluated } = read(rule, changed);
    expect(evaluated).toEqual({ ...rule, value: null, matched: false, missing });
    expect(matched).toBe(false);
    expect(missingIn({ or: [{ not: evaluated, matched: true }, evaluated], matched: true })).toEqual([missing]);
  });

  test("not of what is missing matches: what says nothing is not known to be otherwise", () => {
    const { matched, evaluated } = read({ not: { segment: { in: ["internal"] } } }, { userSegment: undefined });
    expect(matched).toBe(true);
    expect(evaluated).toEqual({
      not: { segment: { in: ["internal"] }, value: null, matched: false, missing: "userSegment" },
      matched: true,
    });
  });

  test("shows no more than the beginning of long outputs", () => {
    const rule: Rule = { disagreement: { fields: ["output.a", "output.b"] } };
    const a = "\u{1F600}".repeat(5_000);
    const { matched, evaluated } = read(rule, { output: { a, b: { text: a } } });
    expect(matched).toBe(true);
    const [first, second] = (evaluated as { readonly value: string[] }).value;
    expect(first).toBe(`${"\u{1F600}".repeat(100)}…`);
    expect(second?.length).toBeLessThan(250);
  });
});

test("the facts are those of the completion, and of its request where there is one", () => {
  const completed = { output: "spam", confidence: 0.6, modelId: "m1", userSegment: "eu", latencyMs: 3 };
  expect(factsOf("i1", completed, { inputFeatures: { length: 3 } })).toMatchObject({
    ...{ id: "i1", output: "spam", confidence: 0.6, modelId: "m1", userSegment: "eu" },
    inputFeatures: { length: 3 },
  });
  expect(evaluate({ novelty: { field: "inputFeatures.length", above: 1 } }, factsOf("i1", completed)).matched).toBe(
    false,
  );
});

describe("the threshold", () => {
  test.each<[Rule, number | undefined]>([
    [{ confidence: { below: 0.7 } }, 0.7],
    [{ confidence: { below: 0.5 } }, undefined],
    [{ or: [{ confidence: { below: 0.5 } }, { confidence: { below: 0.8 } }] }, 0.8],
    [{ or: [{ and: [{ confidence: { below: 0.9 } }, { segment: { in: ["us"] } }] }, { always: true }] }, undefined],
    [{ and: [{ segment: { in: ["eu"] } }, { confidence: { below: 0.9 } }] }, 0.9],
    [{ not: { confidence: { below: 0.5 } } }, undefined],
    [{ always: true }, undefined],
  ])("of %j is %j", (rule, threshold) => {
    expect(thresholdIn(read(rule).evaluated)).toBe(threshold);
  });
});

describe("for every rule and inference", () => {
  const anyCase = [arbitraryRule, arbitraryFacts] as const;

  test("de Morgan's laws hold, and not twice is nothing", () => {
    const parts = fc.array(arbitraryRule, { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(parts, arbitraryFacts, (rules, facts) => {
        const matched = (rule: Rule): boolean => evaluate(rule, facts).matched;
        const negated = rules.map((not) => ({ not }));
        expect(matched({ not: { and: rules } })).toBe(matched({ or: negated }));
        expect(matched({ not: { or: rules } })).toBe(matched({ and: negated }));
        expect(matched({ not: { not: { or: rules } } })).toBe(matched({ or: rules }));
      }),
    );
  });

  test("the tree is the rule with values, and its results bear one another out", () => {
    fc.assert(
      fc.property(...anyCase, (rule, facts) => {
        const { matched, evaluated } = evaluate(rule, facts);
        expect(evaluated.matched).toBe(matched);
        expect(ruleIn(evaluated)).toEqual(rule);
        expectConsistent(evaluated);
      }),
    );
  });

  test("the result is the same every time, as JSON too, and fits into the event of a flag", () => {
    fc.assert(
      fc.property(...anyCase, (rule, facts) => {
        const first = evaluate(rule, facts);
        expect(evaluate(structuredClone(rule), structuredClone(facts))).toEqual(first);
        const evaluated: unknown = JSON.parse(JSON.stringify(first.evaluated));
        expect(evaluated).toEqual(first.evaluated);
        given(inference, [
          { type: "InferenceRequested", data: {} },
          { type: "InferenceCompleted", data: {} },
        ])
          .when({ type: "FlagLowConfidence", data: { rule, evaluated } })
          .then([{ type: "ModelPredictionLowConfidenceFlagged", data: { rule, evaluated } }]);
      }),
      { numRuns: 50 },
    );
  });
});

/** The tree without what the evaluation added. */
function ruleIn(evaluated: Evaluated): unknown {
  if ("and" in evaluated) return { and: evaluated.and.map(ruleIn) };
  if ("or" in evaluated) return { or: evaluated.or.map(ruleIn) };
  if ("not" in evaluated) return { not: ruleIn(evaluated.not) };
  const { value: _value, matched: _matched, missing: _missing, ...term } = evaluated;
  return term;
}

function expectConsistent(evaluated: Evaluated): void {
  if ("and" in evaluated) {
    evaluated.and.forEach(expectConsistent);
    expect(evaluated.matched).toBe(!evaluated.and.some(({ matched }) => !matched));
  } else if ("or" in evaluated) {
    evaluated.or.forEach(expectConsistent);
    expect(evaluated.matched).toBe(evaluated.or.filter(({ matched }) => matched).length > 0);
  } else if ("not" in evaluated) {
    expectConsistent(evaluated.not);
    expect(evaluated.matched).toBe(!evaluated.not.matched);
  } else {
    expect(evaluated.missing === undefined).toBe(evaluated.value !== null);
    if (evaluated.missing !== undefined) expect(evaluated.matched).toBe(false);
  }
}
