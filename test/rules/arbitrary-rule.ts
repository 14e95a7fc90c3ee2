/** Random rules that pass their schema, and random inferences for them: from small pools, so that terms match now and then. */
import fc from "fast-check";
import type { Facts } from "../../actors/rules/facts.ts";
import type { Rule, Term } from "../../schemas/rule.ts";

const number = fc.constantFrom(0, 0.1, 0.25, 0.5, 0.75, 0.9, 1, -2, 1e9);
const name = fc.constantFrom("a", "b", "c", "constructor");
const field = fc.constantFrom(
  "output",
  "output.label",
  "output.second",
  "scores.a",
  "inputFeatures.x",
  "inputFeatures.x.y",
);

const bounds = fc.oneof(
  number.map((below) => ({ below })),
  number.map((above) => ({ above })),
  fc
    .tuple(number, number)
    .filter(([a, b]) => a !== b)
    .map(([a, b]) => ({ above: Math.min(a, b), below: Math.max(a, b) })),
);
const among = fc.uniqueArray(name, { minLength: 1, maxLength: 3 }).map((names) => ({ in: names }));

const term: fc.Arbitrary<Term> = fc.oneof(
  fc.constant({ always: true as const }),
  bounds.map((confidence) => ({ confidence })),
  bounds.map((margin) => ({ margin })),
  bounds.map((entropy) => ({ entropy })),
  fc.tuple(name, bounds).map(([label, rest]) => ({ score: { label, ...rest } })),
  fc.tuple(field, bounds).map(([path, rest]) => ({ novelty: { field: path, ...rest } })),
  fc.array(field, { minLength: 2, maxLength: 4 }).map((fields) => ({ disagreement: { fields } })),
  fc
    .record(
      { share: fc.double({ min: 0, max: 1, noNaN: true }), salt: fc.string({ maxLength: 8 }) },
      { requiredKeys: ["share"] },
    )
    .map((sample) => ({ sample })),
  among.map((segment) => ({ segment })),
  among.map((model) => ({ model })),
  among.map((modelVersion) => ({ modelVersion })),
);

/** Rules of a few levels. */
export const arbitraryRule: fc.Arbitrary<Rule> = fc.letrec<{ rule: Rule }>((tie) => {
  const parts = fc.array(tie("rule"), { minLength: 1, maxLength: 3 });
  return {
    rule: fc.oneof(
      { maxDepth: 4, depthSize: "small" },
      term,
      parts.map((and) => ({ and })),
      parts.map((or) => ({ or })),
      tie("rule").map((not) => ({ not })),
    ),
  };
}).rule;

const value = fc.oneof(number, name, fc.constant(null), fc.constant(true));
const scores = fc.oneof(
  fc.dictionary(name, fc.oneof(number, name)),
  fc.array(number, { maxLength: 4 }),
  fc.jsonValue(),
);

/** Inferences of which anything may be absent or of another shape than expected. */
export const arbitraryFacts: fc.Arbitrary<Facts> = fc.record(
  {
    id: fc.string({ minLength: 1, maxLength: 12 }),
    output: fc.oneof(name, fc.record({ label: name, second: name }), fc.jsonValue()),
    confidence: value,
    scores,
    userSegment: value,
    modelId: value,
    modelVersion: value,
    inputFeatures: fc.oneof(fc.record({ x: value }), fc.record({ x: fc.record({ y: number }) }), fc.jsonValue()),
  },
  { requiredKeys: ["id"] },
);
