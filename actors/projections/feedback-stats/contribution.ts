/** What one event says about a version of a model: the part of it that windows count. */
import type { EventData } from "retrace";
import type { feedback } from "../../../schemas/feedback.ts";
import type { inference } from "../../../schemas/inference.ts";

type FeedbackData<Type extends keyof (typeof feedback)["events"]> = EventData<typeof feedback, Type>;
type InferenceData<Type extends keyof (typeof inference)["events"]> = EventData<typeof inference, Type>;

/** What happened to a version in an environment. */
export type DeploymentChange = "deployed" | "adjusted" | "rolledBack" | "restored";

/** What one event adds to each window that it lies in. */
export interface Contribution {
  readonly modelId: string;
  readonly modelVersion?: string;
  /** When it happened. */
  readonly at: string;
  readonly tags: readonly string[];
  /** The event's type. */
  readonly type: string;
  readonly rating?: { readonly value: number; readonly min: number; readonly max: number };
  readonly reward?: number;
  /** Whether somebody was content; absent where nothing tells. */
  readonly isNegative?: boolean;
  readonly isCorrection?: boolean;
  readonly isInference?: boolean;
  readonly doesAgree?: boolean;
  readonly deployment?: { readonly environment: string; readonly change: DeploymentChange };
}

/** An event, or one that a retraction has kept. */
export interface Told {
  readonly type: string;
  readonly occurredAt: string;
  readonly data: unknown;
}

type Signal = Partial<FeedbackData<"UserRatedOutput">> & Partial<FeedbackData<"RewardModelScored">>;

/** Of a signal in a feedback thread. Undefined where it names no model. */
export function ofSignal({ type, occurredAt, data }: Told): Contribution | undefined {
  const signal = data as Signal & { readonly gold?: boolean };
  const { modelId, modelVersion } = signal.context ?? {};
  if (modelId === undefined) return undefined;
  const tags = [...new Set(signal.tags ?? [])];
  const about = { modelId, ...(modelVersion !== undefined && { modelVersion }), at: occurredAt, tags, type };
  switch (type) {
    case "UserRatedOutput":
      return { ...about, ...ratingIn(signal.rating, signal.scale), ...negativeIn(signal.negative) };
    case "RewardModelScored":
      return signal.score === undefined ? about : { ...about, reward: signal.score };
    case "OutputApproved":
    case "OutputRejected":
      return { ...about, isNegative: type === "OutputRejected" };
    case "CorrectionSubmitted":
      // The known answer of a data set corrects nobody.
      return { ...about, isCorrection: signal.gold !== true };
    default:
      return about;
  }
}

type Inferred = InferenceData<"InferenceCompleted"> &
  Pick<InferenceData<"HumanLabelApplied">, "agreement"> &
  Partial<Pick<InferenceData<"InferenceFeedback">, "value" | "scale" | "negative">>;

/** Of something about an inference. Undefined where it names no model. */
export function ofInference({ type, occurredAt, data }: Told): Contribution | undefined {
  const { modelId, modelVersion, agreement, value, scale, negative, tags } = data as Inferred;
  if (modelId === undefined) return undefined;
  const about = {
    modelId,
    ...(modelVersion !== undefined && { modelVersion }),
    at: occurredAt,
    tags: namesIn(tags),
    type,
  };
  if (type === "InferenceCompleted") return { ...about, isInference: true };
  if (type === "HumanLabelApplied") return { ...about, ...(agreement !== undefined && { doesAgree: agreement }) };
  return { ...about, ...ratingIn(value, scale), ...negativeIn(negative) };
}

/** Inferences have no tags of their own; who sends some has them counted. */
function namesIn(tags: unknown): string[] {
  return Array.isArray(tags) ? [...new Set(tags.filter((tag) => typeof tag === "string"))] : [];
}

function ratingIn(value: unknown, scale: { readonly min: number; readonly max: number } | undefined) {
  if (typeof value !== "number" || scale === undefined) return {};
  return { rating: { value, min: scale.min, max: scale.max } };
}

function negativeIn(negative: boolean | undefined) {
  return negative === undefined ? {} : { isNegative: negative };
}
