/** What people call the things of a lineage, and what is to be known of each at a glance. */
import { fieldIn } from "../../given-fields.ts";
import type { Node } from "../../projections/lineage/graph.ts";
import { printable } from "../review/printable.ts";

/** One, and many. */
const words: Readonly<Record<string, readonly [string, string]>> = {
  dataset: ["dataset version", "dataset versions"],
  "feature-set": ["feature set version", "feature set versions"],
  code: ["code version", "code versions"],
  "training-run": ["run", "runs"],
  model: ["model version", "model versions"],
  deployment: ["deployment", "deployments"],
  document: ["document revision", "document revisions"],
  inference: ["prediction", "predictions"],
  review: ["review", "reviews"],
  feedback: ["feedback thread", "feedback threads"],
  "agent-session": ["agent session", "agent sessions"],
};

/** What things of a category are called, so many of them. */
export function kindWord(category: string, count: number): string {
  const [one, many] = fieldIn(words, category) ?? [category, category];
  return count === 1 ? one : many;
}

/** The categories that the lineage knows; the subjects of reviews may be of others. */
export const categories: readonly string[] = Object.keys(words);

/** How a thing came of another, by how that led to it. */
const origins: Readonly<Record<string, string>> = {
  "computed into": "computed from",
  trained: "trained on",
  "ran as": "ran",
  produced: "produced by",
  "deployed as": "deployed from",
  "updated to": "updated from",
  "retrieved for": "retrieved",
  answered: "answered by",
  "reviewed in": "reviews",
  "corrected in": "corrects",
  "rated in": "rates",
  "led to": "came of",
  "forked into": "forked from",
  "parent of": "derived from",
  "built into": "built from",
};

/** The way from the effect to the cause, in words: `produced` read backwards is `produced by`. */
export function originWord(kind: string): string {
  return fieldIn(origins, kind) ?? `${kind}, from`;
}

/** What a thing is called, on one line. */
export function titleOf({ category, id, version }: Node): string {
  const whole = version === undefined ? `${category} ${id}` : `${category} ${id}@${version}`;
  return printable(whole).replaceAll(/\s+/g, " ");
}

/** What became of a thing, or that it is not of this log. */
export type Mark = "external" | "retracted" | "rolled back";

/** Undefined for what is as it was made. */
export function markOf({ external, facts = {} }: Node): Mark | undefined {
  if (external === true) return "external";
  if (facts.retractedAt !== undefined) return "retracted";
  const { rolledBackAt, deployedAt = "" } = facts;
  return rolledBackAt !== undefined && String(rolledBackAt) >= String(deployedAt) ? "rolled back" : undefined;
}
