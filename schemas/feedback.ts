/** What the commands and events of a feedback thread carry. */
import { z } from "zod";
import { identifier, imported, json, jsonObject, key, nested, ratingScale, text, time } from "./fields.ts";

/** What every signal carries: the interaction it is about, and by what readers group it. */
const about = {
  context: nested({
    /** The id of the inference. */
    requestId: identifier.optional(),
    modelId: identifier.optional(),
    modelVersion: key.optional(),
    inputFeatures: jsonObject.optional(),
  }).optional(),
  sessionId: identifier.optional(),
  sourceApplication: identifier.optional(),
  userSegment: identifier.optional(),
  tags: z.array(identifier).max(16).optional(),
};

/** Who gave it, where many are asked about the same thing, and how long it took. */
const annotation = { annotator: identifier.optional(), effortMs: z.number().min(0).optional() };

const rating = { rating: z.number(), comment: text.optional(), ...annotation, ...about, ...imported };

/**
 * Version 1 left the scale to its readers, who had to know that it went from 1 to 5, and each of them decided for
 * itself which ratings were bad ones. The last to write it named both, still under version 1: what is there is kept.
 */
function nameTheScale(data: Record<string, unknown>): Record<string, unknown> {
  const { rating, scale = { min: 1, max: 5 }, negative } = data;
  const { min, max } = scale as { readonly min: number; readonly max: number };
  return { ...data, scale, negative: negative ?? (rating as number) < (min + max) / 2 };
}

const correction = {
  original: json.optional(),
  corrected: json,
  reviewId: identifier.optional(),
  /** The true answer of a data set, by which those of annotators are measured. */
  gold: z.boolean().optional(),
  ...annotation,
  ...about,
  ...imported,
};

const preference = {
  prompt: json.optional(),
  chosen: json,
  rejected: json,
  /** Neither was better: a vote too, with the two in the order in which they were shown. Datasets leave ties out. */
  tie: z.boolean().optional(),
  comment: text.optional(),
  ...annotation,
  ...about,
  ...imported,
};

const engagement = { kind: identifier, dwellTimeMs: z.number().min(0).optional(), ...about };

const reward = { score: z.number(), rewardModel: identifier.optional(), ...about };

const verdict = { producer: identifier.optional(), reason: text.optional(), ...about };

const transition = {
  state: json,
  action: json,
  reward: z.number(),
  nextState: json.optional(),
  done: z.boolean().optional(),
  priority: z.number().min(0).optional(),
  ...about,
};

const retraction = { eventId: identifier, reason: text.optional() };

const closing = { reason: text.optional() };

export const feedback = {
  commands: {
    /** On a scale from 1 to 5, unless it names another. */
    RateOutput: z.strictObject({ ...rating, scale: ratingScale.optional() }),
    SubmitCorrection: z.strictObject(correction),
    LogPreference: z.strictObject(preference),
    LogEngagement: z.strictObject(engagement),
    ScoreReward: z.strictObject(reward),
    ApproveOutput: z.strictObject(verdict),
    RejectOutput: z.strictObject(verdict),
    RecordTransition: z.strictObject(transition),
    RetractFeedback: z.strictObject(retraction),
    CloseFeedback: z.strictObject(closing),
  },
  events: {
    UserRatedOutput: {
      version: 2,
      schema: z.looseObject({ ...rating, scale: ratingScale, negative: z.boolean() }),
      upcasters: { 1: nameTheScale },
    },
    CorrectionSubmitted: z.looseObject(correction),
    PreferenceLogged: z.looseObject(preference),
    ImplicitEngagementLogged: z.looseObject(engagement),
    RewardModelScored: z.looseObject(reward),
    OutputApproved: z.looseObject(verdict),
    OutputRejected: z.looseObject(verdict),
    TransitionRecorded: z.looseObject(transition),
    FeedbackRetracted: z.looseObject({
      ...retraction,
      /** The signal that no longer counts: what readers counted of it, under the names of its own event. */
      signal: nested({ type: identifier, occurredAt: time, data: nested(about) }),
    }),
    FeedbackClosed: z.looseObject(closing),
  },
};
