/**
 * A rule that says which inferences people review: nested data, so that it can be stored, compared and explained. What
 * its terms mean is in `actors/rules/`.
 */
import { z } from "zod";
import { identifier } from "./fields.ts";

/** How deep `and`, `or` and `not` may nest, the term at the bottom included. */
const maxDepth = 16;

/** Terms, `and`, `or` and `not` together. */
const maxNodes = 200;

/** Each flag that a rule raises carries the rule and the same again with its values. */
const maxCharacters = 8192;

/** Both exclusive; with both, the number has to lie between them. */
const bounds = { below: z.number().optional(), above: z.number().optional() };

interface Bounds {
  readonly below?: number | undefined;
  readonly above?: number | undefined;
}

function checkBounds({ below, above }: Bounds, context: z.RefinementCtx): void {
  const message = whatIsWrong(below, above);
  if (message !== undefined) context.addIssue({ code: "custom", message });
}

function whatIsWrong(below: number | undefined, above: number | undefined): string | undefined {
  if (below === undefined && above === undefined) return "needs below or above";
  if (below === undefined || above === undefined || above < below) return undefined;
  return `no number is above ${above} and below ${below}; for one or the other, use or`;
}

const oneOf = z.strictObject({ in: z.array(identifier).min(1).max(500) });

/** Where a value lies in what is known of the inference, with dots between the names. */
const field = z
  .string()
  .max(256)
  .regex(
    /^(?:output|scores|inputFeatures)(?:\.[^.]+)*$/,
    "begins with output, scores or inputFeatures, like scores.spam",
  );

const bounded = z.strictObject(bounds).superRefine(checkBounds);

/** By name, what each term takes. */
const terms = {
  always: z.literal(true),
  /** Least confidence. */
  confidence: bounded,
  /** The highest of the scores less the second. */
  margin: bounded,
  /** Of the scores as shares of their sum: from 0, all on one label, to 1, all labels alike. */
  entropy: bounded,
  /** That of one label. In a list of scores, labels are indexes from 0. */
  score: z.strictObject({ label: identifier, ...bounds }).superRefine(checkBounds),
  /**
   * How unlike the training data the input is: a number, such as a distance, that the model or its caller has computed
   * and put into this field.
   */
  novelty: z.strictObject({ field, ...bounds }).superRefine(checkBounds),
  /** The values of these fields are not all the same: of two models, or of one that was asked twice. */
  disagreement: z.strictObject({ fields: z.array(field).min(2).max(10) }),
  /** A share of all inferences, the same ones every time. Another salt chooses others. */
  sample: z.strictObject({ share: z.number().min(0).max(1), salt: z.string().max(256).optional() }),
  segment: oneOf,
  model: oneOf,
  modelVersion: oneOf,
};

type Terms = { readonly [Name in keyof typeof terms]: z.output<(typeof terms)[Name]> };

/** A rule without `and`, `or` and `not`: one object with one field. */
export type Term = { readonly [Name in keyof Terms]: Readonly<Record<Name, Terms[Name]>> }[keyof Terms];

/** One object with one field: `and`, `or`, `not` or a term. */
export type Rule = Term | { readonly and: readonly Rule[] } | { readonly or: readonly Rule[] } | { readonly not: Rule };

/** At most 16 levels deep, 200 terms, `and`, `or` and `not`, and 8,192 characters as JSON. */
export const rule = z.custom<Rule>().superRefine((value, context) => {
  const issues = issuesIn(value);
  for (const { path, message } of issues) context.addIssue({ code: "custom", path: [...path], message });
  if (issues.length === 0 && JSON.stringify(value).length > maxCharacters) {
    context.addIssue({ code: "custom", message: `at most ${maxCharacters} characters as JSON` });
  }
});

type Path = readonly (string | number)[];

interface Issue {
  readonly path: Path;
  readonly message: string;
}

interface Node {
  readonly value: unknown;
  readonly path: Path;
  readonly depth: number;
}

/** Not by a union of schemas: that could only say that none of a dozen fits. */
function issuesIn(rule: unknown): Issue[] {
  const issues: Issue[] = [];
  const nodes: Node[] = [{ value: rule, path: [], depth: 1 }];
  for (let count = 1; ; count++) {
    const node = nodes.pop();
    if (node === undefined) return issues;
    if (count > maxNodes) return [{ path: [], message: `at most ${maxNodes} terms, and, or and not` }];
    if (node.depth > maxDepth) return [{ path: node.path, message: `at most ${maxDepth} levels deep` }];
    const found = look(node);
    issues.push(...(found.issues ?? []));
    nodes.push(...(found.below ?? []).toReversed());
  }
}

/** What is wrong with a node itself, or what lies below it. */
function look({ value, path, depth }: Node): { readonly issues?: readonly Issue[]; readonly below?: readonly Node[] } {
  const names = isObject(value) ? Object.keys(value) : [];
  const [name, ...others] = names;
  if (!isObject(value) || name === undefined || others.length > 0) {
    const found = others.length > 0 ? `, and this has ${names.length}: ${names.slice(0, 5).join(", ")}` : "";
    return {
      issues: [{ path, message: `a rule is an object with one field, like {"confidence": {"below": 0.7}}${found}` }],
    };
  }
  const inner = value[name];
  const at = [...path, name];
  if (name === "not") return { below: [{ value: inner, path: at, depth: depth + 1 }] };
  if (name === "and" || name === "or") {
    if (!Array.isArray(inner) || inner.length === 0)
      return { issues: [{ path: at, message: "a list of rules, at least one" }] };
    return {
      below: inner.slice(0, maxNodes + 1).map((item, i) => ({ value: item, path: [...at, i], depth: depth + 1 })),
    };
  }
  if (!isTerm(name)) {
    const known = ["and", "or", "not", ...Object.keys(terms)].join(", ");
    return { issues: [{ path: at, message: `no such term; there are ${known}` }] };
  }
  return { issues: issuesOfTerm(name, inner, at) };
}

function issuesOfTerm(name: keyof typeof terms, value: unknown, path: Path): Issue[] {
  const { error } = terms[name].safeParse(value);
  return (error?.issues ?? []).map((issue) => {
    const message = issue.code === "unrecognized_keys" ? `unknown field ${issue.keys.join(", ")}` : issue.message;
    return { path: [...path, ...(issue.path as (string | number)[])], message };
  });
}

function isTerm(name: string): name is keyof typeof terms {
  return Object.hasOwn(terms, name);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
