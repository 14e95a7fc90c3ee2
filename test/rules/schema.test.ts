/** Which rules are accepted, and what is said of the others: the place, and what would be right there. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { rule } from "../../schemas/rule.ts";
import { arbitraryRule } from "./arbitrary-rule.ts";

/** `path: message` of each issue. */
function issuesOf(value: unknown): string[] {
  const { error } = rule.safeParse(value);
  return (error?.issues ?? []).map(({ path, message }) => `${path.join(".")}: ${message}`);
}

function nested(levels: number): unknown {
  return levels === 1 ? { always: true } : { not: nested(levels - 1) };
}

test("every rule that can be evaluated is accepted, and stays as it was written", () => {
  fc.assert(
    fc.property(arbitraryRule, (written) => {
      expect(rule.parse(structuredClone(written))).toEqual(written);
    }),
  );
});

test("whatever else it is given, it says what is wrong and does not throw", () => {
  const name = fc.constantFrom("and", "or", "not", "confidence", "sample", "below", "share", "in", "__proto__");
  const { node } = fc.letrec<{ node: unknown }>((tie) => ({
    node: fc.oneof({ maxDepth: 5 }, fc.jsonValue(), fc.dictionary(name, tie("node")), fc.array(tie("node"))),
  }));
  fc.assert(
    fc.property(node, (value) => {
      expect(typeof rule.safeParse(value).success).toBe("boolean");
    }),
  );
});

describe("refused with the place and the reason:", () => {
  const oneField = 'a rule is an object with one field, like {"confidence": {"below": 0.7}}';

  test.each<[unknown, readonly string[]]>([
    [undefined, [`: ${oneField}`]],
    [[], [`: ${oneField}`]],
    [{}, [`: ${oneField}`]],
    [{ confidence: { below: 0.5 }, always: true }, [`: ${oneField}, and this has 2: confidence, always`]],
    [{ and: [] }, ["and: a list of rules, at least one"]],
    [{ or: { always: true } }, ["or: a list of rules, at least one"]],
    [{ not: [{ always: true }] }, [`not: ${oneField}`]],
    [{ and: [{ always: true }, { not: { confidence: {} } }] }, ["and.1.not.confidence: needs below or above"]],
    [
      { or: [{ confidence: { above: 0.8, below: 0.3 } }, { sample: {} }] },
      [
        "or.0.confidence: no number is above 0.8 and below 0.3; for one or the other, use or",
        "or.1.sample.share: Invalid input: expected number, received undefined",
      ],
    ],
    [{ confidence: { under: 0.5 } }, ["confidence: unknown field under", "confidence: needs below or above"]],
    [{ sample: { share: 5 } }, ["sample.share: Too big: expected number to be <=1"]],
    [
      { novelty: { field: "features.x", above: 1 } },
      ["novelty.field: begins with output, scores or inputFeatures, like scores.spam"],
    ],
    [{ always: false }, ["always: Invalid input: expected true"]],
  ])("%j", (value, issues) => {
    expect(issuesOf(value)).toEqual(issues);
  });

  test("a term that there is not, with those that there are", () => {
    const [issue] = issuesOf({ and: [{ uncertainty: { below: 1 } }] });
    expect(issue).toMatch(
      /^and\.0\.uncertainty: no such term; there are and, or, not, always, confidence, margin, .*model/,
    );
    expect(issuesOf({ toString: {} })[0]).toMatch(/^toString: no such term/);
  });

  test("one that is too deep, too wide, too long, or never ends", () => {
    expect(issuesOf(nested(16))).toEqual([]);
    expect(issuesOf(nested(17))).toEqual([expect.stringMatching(/^not\..*: at most 16 levels deep$/)]);
    const wide = (terms: number) => ({ or: Array.from({ length: terms }, () => ({ always: true })) });
    expect(issuesOf(wide(199))).toEqual([]);
    expect(issuesOf(wide(200))).toEqual([": at most 200 terms, and, or and not"]);
    expect(issuesOf(wide(1_000_000))).toEqual([": at most 200 terms, and, or and not"]);
    const segments = Array.from({ length: 500 }, (_, i) => `segment-of-users-${i}`);
    expect(issuesOf({ segment: { in: segments } })).toEqual([": at most 8192 characters as JSON"]);
    const endless: { and: unknown[] } = { and: [] };
    endless.and.push(endless, endless, endless);
    expect(issuesOf(endless)).toEqual([expect.stringMatching(/at most 16 levels deep$/)]);
  });
});
