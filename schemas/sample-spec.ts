/** What a sample for experience replay is drawn from, and how. */
import { z } from "zod";
import { eventField } from "./conditions.ts";
import { selection } from "./dataset-spec.ts";

/** Without replacement, all alike. */
const uniform = z.strictObject({ kind: z.literal("uniform") });

/** How strongly importance is corrected: 0 not at all, 1 in full. */
const beta = z.number().min(0).max(1);

/** With replacement; after so many newer transitions, a transition is half as likely. */
const recency = z.strictObject({
  kind: z.literal("recency"),
  halfLife: z.number().min(1).max(1e12),
  beta: beta.default(0),
});

/**
 * With replacement, in proportion to (priority + epsilon) to the power of alpha (Schaul and others, Prioritized Experience
 * Replay, 2016). One without a priority has the highest of all, as new ones have there.
 */
const prioritised = z.strictObject({
  kind: z.literal("prioritised"),
  /** The `priority` of the transition, or the amount of its reward. */
  by: z.enum(["priority", "reward"]).default("priority"),
  alpha: z.number().min(0).max(1).default(0.6),
  beta: beta.default(0.4),
  epsilon: z.number().min(0).max(1e12).default(0),
});

/** Without replacement, from groups by a field: in proportion to their sizes, or from all of them alike. */
const stratified = z.strictObject({
  kind: z.literal("stratified"),
  by: eventField,
  shares: z.enum(["proportional", "equal"]).default("proportional"),
});

/** A number, or that in a field of the signal's data, times and plus something. */
const reward = z.union([
  z.number(),
  z.strictObject({
    field: z.string().regex(/^[A-Za-z][A-Za-z0-9]{0,63}$/, "a field of the signal's data, like rating"),
    times: z.number().default(1),
    plus: z.number().default(0),
  }),
]);

const signalTypes = [
  ...(["UserRatedOutput", "CorrectionSubmitted", "ImplicitEngagementLogged", "RewardModelScored"] as const),
  ...(["OutputApproved", "OutputRejected", "InferenceFeedback", "HumanLabelApplied"] as const),
] as const;

/** A spec. */
export const sampleSpec = z
  .strictObject({
    /** TransitionRecorded, or made of the inferences of each session in the order of their completion. */
    transitions: z.enum(["recorded", "derived"]).default("recorded"),
    /** Of the event of the transition: TransitionRecorded, or InferenceCompleted. */
    ...selection,
    /** Of derived transitions: what each signal on the inference is worth; what several are worth is added up. */
    rewards: z.partialRecord(z.enum(signalTypes), reward).optional(),
    /** Of derived transitions on which there is no such signal. Default: 0. */
    defaultReward: z.number().optional(),
    strategy: z.discriminatedUnion("kind", [uniform, recency, prioritised, stratified], {
      error: 'uniform, recency, prioritised or stratified, like {"kind": "uniform"}',
    }),
  })
  .superRefine(({ transitions, rewards, defaultReward }, context) => {
    const isDerived = transitions === "derived";
    if (isDerived && rewards === undefined) {
      context.addIssue({ code: "custom", path: ["rewards"], message: "derived transitions need them" });
    }
    for (const [field, given] of Object.entries({ rewards, defaultReward })) {
      if (isDerived || given === undefined) continue;
      context.addIssue({ code: "custom", path: [field], message: "only derived transitions take it" });
    }
  });

/** A checked spec. */
export type SampleSpec = z.output<typeof sampleSpec>;

/** How to draw. */
export type Strategy = SampleSpec["strategy"];

/** What one signal is worth. */
export type RewardRule = z.output<typeof reward>;
