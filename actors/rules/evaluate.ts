/**
 * Evaluates a rule over one inference, and keeps for each of its terms what it saw: the answer to "why was this sent to a
 * person". Pure; it never throws on a rule that has passed its schema.
 */
import type { Rule, Term } from "../../schemas/rule.ts";
import type { Facts } from "./facts.ts";
import { type Reading, readTerm } from "./read-term.ts";

/** The rule as it was, each `and`, `or` and `not` with its result, and each term with the value that it saw. */
export type Evaluated =
  | (Term & Reading)
  | { readonly and: readonly Evaluated[]; readonly matched: boolean }
  | { readonly or: readonly Evaluated[]; readonly matched: boolean }
  | { readonly not: Evaluated; readonly matched: boolean };

/** Whether the rule matched, and why. */
export interface Evaluation {
  readonly matched: boolean;
  /** JSON. Every term is evaluated, also where the result was clear before. */
  readonly evaluated: Evaluated;
}

/**
 * A term whose value is missing does not match, so its `not` does: a rule that wants what is *not* known to be sure or
 * internal gets what says nothing of it, too.
 */
export function evaluate(rule: Rule, facts: Facts): Evaluation {
  const evaluated = evaluateRule(rule, facts);
  return { matched: evaluated.matched, evaluated };
}

function evaluateRule(rule: Rule, facts: Facts): Evaluated {
  if ("and" in rule) {
    const and = rule.and.map((part) => evaluateRule(part, facts));
    return { and, matched: and.every(({ matched }) => matched) };
  }
  if ("or" in rule) {
    const or = rule.or.map((part) => evaluateRule(part, facts));
    return { or, matched: or.some(({ matched }) => matched) };
  }
  if ("not" in rule) {
    const not = evaluateRule(rule.not, facts);
    return { not, matched: !not.matched };
  }
  return { ...rule, ...readTerm(rule, facts) };
}

/**
 * The confidence below which the rule matched: that of the first confidence term that made it match. Undefined when it
 * matched for other reasons, or for the lack of one (`not`).
 */
export function thresholdIn(evaluated: Evaluated): number | undefined {
  if (!evaluated.matched || "not" in evaluated) return undefined;
  if ("confidence" in evaluated) return evaluated.confidence.below;
  const parts = "and" in evaluated ? evaluated.and : "or" in evaluated ? evaluated.or : [];
  for (const part of parts) {
    const threshold = thresholdIn(part);
    if (threshold !== undefined) return threshold;
  }
  return undefined;
}

/** What a rule would have needed and did not find, each once. */
export function missingIn(evaluated: Evaluated): string[] {
  if ("and" in evaluated) return unique(evaluated.and.flatMap(missingIn));
  if ("or" in evaluated) return unique(evaluated.or.flatMap(missingIn));
  if ("not" in evaluated) return missingIn(evaluated.not);
  return evaluated.missing === undefined ? [] : [evaluated.missing];
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}
