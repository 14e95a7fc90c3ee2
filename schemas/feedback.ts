/** What the commands and events of a feedback thread carry. */
import { z } from "zod";
import { identifier, json, jsonObject, key, nested, ratingScale, text, time } from "./fields.ts";

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

const rating = { rating: z.number(), comment: text.optional(), ...about };

const correction = { original: json.optional(), corrected: json, reviewId: identifier.optional(), ...about };

const preference = {
  prompt: json.optional(),
  chosen: json,
  rejected: json,
  annotator: identifier.optional(),
  ...about,
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
    UserRatedOutput: z.looseObject({ ...rating, scale: ratingScale, negative: z.boolean() }),
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
