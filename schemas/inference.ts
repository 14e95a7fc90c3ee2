/** What the commands and events of an inference carry. */
import { z } from "zod";
import {
  count,
  identifier,
  imported,
  json,
  jsonObject,
  key,
  nested,
  ratingScale,
  reference,
  streamId,
  text,
} from "./fields.ts";

/** By what readers group inferences: each event from the request on carries what is known of it. */
const session = {
  sessionId: identifier.optional(),
  userSegment: identifier.optional(),
  sourceApplication: identifier.optional(),
};

const servedBy = { modelId: identifier.optional(), modelVersion: key.optional() };

const grouping = { ...servedBy, ...session };

const query = {
  queryRef: reference.optional(),
  queryHash: identifier.optional(),
  userId: identifier.optional(),
  ...session,
};

const retrieval = {
  chunks: z
    .array(
      nested({
        documentId: identifier,
        revision: json.optional(),
        chunkId: identifier.optional(),
        score: z.number().optional(),
      }),
    )
    .max(1000),
};

const request = {
  ...servedBy,
  promptRef: reference.optional(),
  promptHash: identifier.optional(),
  inputFeatures: jsonObject.optional(),
  userId: identifier.optional(),
  ...session,
  ...imported,
};

const completion = {
  output: json.optional(),
  confidence: z.number().optional(),
  scores: json.optional(),
  tokensUsed: z.union([count, nested({})]).optional(),
  latencyMs: z.number().min(0).optional(),
  ...imported,
};

/** Events may have another number, from before this was checked. */
const told = {
  ...completion,
  /** How sure the model is; what has another scale belongs in `scores`. */
  confidence: z.number().min(0).max(1).optional(),
};

const flag = {
  confidence: z.number().optional(),
  threshold: z.number().optional(),
  rule: json.optional(),
  /** The rule with the value of each of its terms. */
  evaluated: json.optional(),
  /** The review that it is sent to; absent: one of its own. */
  reviewId: streamId.optional(),
};

const label = { label: json, reviewId: identifier.optional(), ...imported };

const supersession = { by: json.optional(), reason: text.optional() };

const feedback = {
  kind: identifier,
  value: json.optional(),
  scale: ratingScale.optional(),
  /** Computed where kind, value or scale tell. */
  negative: z.boolean().optional(),
};

export const inference = {
  commands: {
    ReceiveQuery: z.strictObject(query),
    RetrieveContext: z.strictObject(retrieval),
    RequestInference: z.strictObject(request),
    /** Names the model only if another answered than was asked. */
    CompleteInference: z.strictObject({ ...told, ...servedBy }),
    /** One that is over when it is told: the request, the completion and, where it is known, the human label. */
    RecordInference: z.strictObject({ ...request, ...told, label: json.optional() }),
    FlagLowConfidence: z.strictObject(flag),
    ApplyHumanLabel: z.strictObject(label),
    SupersedePrediction: z.strictObject(supersession),
    RecordInferenceFeedback: z.strictObject(feedback),
  },
  events: {
    QueryReceived: z.looseObject(query),
    ContextRetrieved: z.looseObject(retrieval),
    InferenceRequested: z.looseObject(request),
    /** With the features of its request, so that rules can look at them. */
    InferenceCompleted: z.looseObject({ ...completion, inputFeatures: jsonObject.optional(), ...grouping }),
    ModelPredictionLowConfidenceFlagged: z.looseObject({ ...flag, ...grouping }),
    HumanLabelApplied: z.looseObject({
      ...label,
      predicted: json.optional(),
      agreement: z.boolean().optional(),
      ...grouping,
    }),
    PredictionSuperseded: z.looseObject({ ...supersession, ...grouping }),
    InferenceFeedback: z.looseObject({ ...feedback, ...grouping }),
  },
};
