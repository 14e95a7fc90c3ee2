/** The terms of a rule: which value of an inference each looks at, and whether that is one it is for. */
import { isDeepStrictEqual } from "node:util";
import type { Term } from "../../schemas/rule.ts";
import { type Facts, valueAt } from "./facts.ts";
import { fractionOf } from "./sampling.ts";
import { entropyOf, marginOf } from "./scores.ts";

/** What a term found. */
export interface Reading {
  /** JSON; long values are cut. Null where there is none. */
  readonly value: unknown;
  readonly matched: boolean;
  /** What there would have to be, where there is no value. */
  readonly missing?: string;
}

/** Reads one term. Without a value it does not match. */
export function readTerm(term: Term, facts: Facts): Reading {
  if ("always" in term) return { value: true, matched: true };
  if ("confidence" in term) return within(term.confidence, facts.confidence, "confidence");
  if ("margin" in term) return within(term.margin, marginOf(facts.scores), "two scores");
  if ("entropy" in term) return within(term.entropy, entropyOf(facts.scores), "two scores, none negative");
  if ("score" in term) return within(term.score, scoreOf(term.score.label, facts), `scores.${term.score.label}`);
  if ("novelty" in term) return within(term.novelty, valueAt(facts, term.novelty.field), term.novelty.field);
  if ("disagreement" in term) return differing(term.disagreement.fields, facts);
  if ("sample" in term) {
    const value = fractionOf(facts.id, term.sample.salt);
    return { value, matched: value < term.sample.share };
  }
  if ("segment" in term) return among(term.segment.in, facts.userSegment, "userSegment");
  if ("model" in term) return among(term.model.in, facts.modelId, "modelId");
  return among(term.modelVersion.in, facts.modelVersion, "modelVersion");
}

function scoreOf(label: string, { scores }: Facts): unknown {
  const hasScore = typeof scores === "object" && scores !== null && Object.hasOwn(scores, label);
  return hasScore ? (scores as Readonly<Record<string, unknown>>)[label] : undefined;
}

interface Bounds {
  readonly below?: number | undefined;
  readonly above?: number | undefined;
}

function within({ below, above }: Bounds, value: unknown, name: string): Reading {
  if (typeof value !== "number" || !Number.isFinite(value)) return missing(name);
  return { value, matched: (below === undefined || value < below) && (above === undefined || value > above) };
}

function among(names: readonly string[], value: unknown, name: string): Reading {
  return typeof value === "string" ? { value, matched: names.includes(value) } : missing(name);
}

function differing(fields: readonly string[], facts: Facts): Reading {
  const values = fields.map((field) => valueAt(facts, field));
  const absent = values.indexOf(undefined);
  if (absent >= 0) return missing(fields[absent] as string);
  const [first, ...others] = values;
  return { value: values.map(shown), matched: others.some((value) => !isDeepStrictEqual(value, first)) };
}

function missing(name: string): Reading {
  return { value: null, matched: false, missing: name };
}

const maxShown = 100;

/** An output may be a whole text, and every flag would carry it. */
function shown(value: unknown): unknown {
  if (typeof value === "number" || typeof value === "boolean") return value;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  if (text.length <= maxShown) return value;
  return `${[...text.slice(0, 2 * maxShown)].slice(0, maxShown).join("")}…`;
}
