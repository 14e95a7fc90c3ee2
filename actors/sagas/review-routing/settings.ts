/** What a policy `review-routing` may set: which inferences people review, how, and what happens when they do not decide. */
import { z } from "zod";
import { identifier, json, key, text } from "../../../schemas/fields.ts";
import { rule } from "../../../schemas/rule.ts";
import { type ConsensusSettings, consensusSettings } from "../../consensus/settings.ts";

const durationMs = z.int().min(1_000);
const votes = z.int().min(1).max(100);
const skills = z.array(identifier).max(64);

const hourMs = 60 * 60 * 1_000;

/** Inferences that match the rule are reviewed this way. */
const route = z.strictObject({
  name: identifier,
  rule,
  taskKind: identifier.default("prediction-label"),
  question: json.optional(),
  /** The labels to choose from. Absent: the labels of the scores, where the inference has them by label; else free text. */
  options: z.array(z.string().min(1).max(256)).max(1000).optional(),
  /** Absent: those of the consensus. */
  k: votes.optional(),
  maxK: votes.optional(),
  priority: z.number().default(0),
  dueInMs: durationMs.default(24 * hourMs),
  requiredSkills: skills.default([]),
});

/** Where nobody has decided when the review was due. */
const level = z.strictObject({ dueInMs: durationMs, priority: z.number().optional(), reason: text.optional() });

/** A question whose answer is known. */
const goldQuestion = z.strictObject({
  question: json,
  options: z.array(z.string().min(1).max(256)).max(1000).default([]),
  gold: z.string().min(1).max(256),
});

/** What is different for one kind of task. */
const taskKind = z.strictObject({
  consensus: consensusSettings.partial().optional(),
  /** Four eyes: a result counts when somebody who did not vote has accepted it. */
  secondLine: z.boolean().optional(),
});

export const settings = z.strictObject({
  /** The first whose rule matches. None: nothing is sent to people. */
  routes: z
    .array(route)
    .max(50)
    .default([route.parse({ name: "low-confidence", rule: { confidence: { below: 0.6 } } })]),
  /** Kinds of task of which reviews are conducted that somebody else has requested; `*` is all. Those of sagas always are. */
  conduct: z.array(identifier).max(100).default([]),
  consensus: consensusSettings.prefault({}),
  taskKinds: z.record(key, taskKind).default({}),
  /** Registered reviewers are asked, those with the least to do first. Anybody else may claim as well. */
  assign: z.boolean().default(true),
  levels: z
    .array(level)
    .max(10)
    .default([
      { dueInMs: 24 * hourMs, priority: 10 },
      { dueInMs: 24 * hourMs, priority: 100 },
    ]),
  /** When the last level was due, too: the prediction stands, or what most of the votes say is applied. */
  fallback: z.enum(["keep-prediction", "majority"]).default("keep-prediction"),
  /** Mixed in beside a share of the reviews that are requested, to find out how good reviewers are. */
  gold: z
    .strictObject({ share: z.number().min(0).max(1), questions: z.array(goldQuestion).max(500) })
    .default({ share: 0, questions: [] }),
});

export type Settings = z.output<typeof settings>;
export type Route = Settings["routes"][number];

/** People who approve something decide by the most votes; they are no crowd whose errors could be estimated. */
const approvals: Readonly<Record<string, z.output<typeof taskKind>>> = {
  "model-approval": { consensus: { method: "majority", acceptAt: 0.5, minAlpha: -1 } },
};

/** How consensus is found for a kind of task. */
export function consensusFor(all: Settings, kind: string | undefined): ConsensusSettings {
  const own = kind === undefined ? undefined : (all.taskKinds[kind]?.consensus ?? approvals[kind]?.consensus);
  const set = Object.fromEntries(Object.entries(own ?? {}).filter(([, value]) => value !== undefined));
  return { ...all.consensus, ...set };
}

/** Whether a result of this kind of task needs somebody else's word. */
export function needsSecondLine(all: Settings, kind: string | undefined): boolean {
  return kind !== undefined && all.taskKinds[kind]?.secondLine === true;
}
