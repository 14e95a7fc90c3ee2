/** What a promotion knows of its version, and what it takes from events. */
import type { Correlate, RejectedCommand, SagaEventOf, SagaReplies } from "retrace";
import type { model } from "../../../schemas/model.ts";
import type { review } from "../../../schemas/review.ts";
import type { trainingRun } from "../../../schemas/training-run.ts";
import { isInstanceId, shortened } from "../../instance-id.ts";
import type { Metrics } from "./gate.ts";
import type { Settings } from "./settings.ts";

/** What the chart takes. */
export type PromotionEvent =
  | Completed
  | SagaEventOf<
      typeof model,
      | "ModelVersioned"
      | "ModelVersionApproved"
      | "ModelVersionRejected"
      | "ModelDeployed"
      | "AliasMoved"
      | "DeploymentRolledBack"
      | "ModelRetired",
      Settings
    >
  | Outcome
  | SagaReplies<Settings>;

type Completed = SagaEventOf<typeof trainingRun, "TrainingCompleted", Settings>;

/** How a review comes out. */
export type Outcome = SagaEventOf<
  typeof review,
  | "ReviewConsensusReached"
  | "ReviewDisputed"
  | "ReviewAdjudicated"
  | "ReviewAccepted"
  | "ReviewFixed"
  | "ReviewReturned"
  | "ReviewCancelled",
  Settings
>;

/** The context of the chart. */
export interface Promotion {
  readonly run: string;
  readonly model: string;
  readonly version: string;
  /** Once a review is requested. */
  readonly reviewId?: string;
  /** Who may not approve: whose run it is. */
  readonly owner?: string;
  /** Empty once the version is deployed: nobody asks any more, and it may serve for years. */
  readonly metrics: Metrics;
  readonly artifactRef?: Reference;
  /** What the evaluation gate found. */
  readonly gate: string;
  readonly approvers: readonly string[];
  /** Where it was deployed. */
  readonly environment: string;
  readonly alias: string;
  /** Where the alias pointed before it was moved here for the first time; null: nowhere. */
  readonly previous?: string | null;
  /** Why it ends. */
  readonly reason: string;
  /** What could not be done on the way back, and why. */
  readonly notUndone: readonly string[];
}

type Artifact = NonNullable<Completed["data"]["modelArtifact"]>;
type Reference = Artifact & { readonly ref: string };

const reviewPrefix = "promotion~";

/** Of a promotion: the run's id, shortened where the review's id would become too long. */
export function promotionOf(run: unknown): string | undefined {
  return isInstanceId(run) ? shortened(run, reviewPrefix.length) : undefined;
}

/** The review of a run's promotion. */
export function reviewIdOf(run: string): string {
  return `${reviewPrefix}${promotionOf(run)}`;
}

/** A run that has ended here; what an import brings is history, also where it bears no times. */
export const byCompletion: Correlate<Settings> = ({ stream, category, data }, { settings }) => {
  const { sourceLine } = data as { readonly sourceLine?: number };
  if (!settings.enabled || sourceLine !== undefined) return undefined;
  return promotionOf(stream.slice(category.length + 1));
};

/** By the run that an event of a model names. */
export const byRun: Correlate<Settings> = ({ data }) => {
  return promotionOf((data as { readonly trainingRunId?: string }).trainingRunId);
};

/** By the review that a promotion has requested. */
export const byReview: Correlate<Settings> = ({ stream, category }) => {
  const id = stream.slice(category.length + 1);
  return id.startsWith(reviewPrefix) ? id.slice(reviewPrefix.length) : undefined;
};

/** Before anything is known. */
export const newPromotion: Promotion = {
  run: "",
  model: "",
  version: "",
  metrics: {},
  gate: "",
  approvers: [],
  environment: "",
  alias: "",
  reason: "",
  notUndone: [],
};

/** What a completed run says about the version that it is to become. */
export function fromRun({ data, streamId: run, actor }: Completed): Partial<Promotion> {
  const { modelArtifact = {}, finalMetrics = {}, userId } = data;
  const { id = run, version = run, ...artifact } = modelArtifact;
  const owner = userId ?? actor?.id;
  return {
    run,
    model: id,
    version,
    metrics: finalMetrics,
    ...(owner !== undefined && { owner }),
    ...(isReference(artifact) && { artifactRef: artifact }),
  };
}

function isReference(artifact: Artifact): artifact is Reference {
  return artifact.ref !== undefined;
}

/** The version's own events, among those of the run: a person may have made another version of it. */
export function isOurs({ model, version }: Promotion, event: PromotionEvent): boolean {
  if (!("streamId" in event) || event.streamId !== model) return false;
  if (event.type === "DeploymentRolledBack") return event.data.fromVersion === version;
  if (event.type === "AliasMoved") return event.data.toVersion === version;
  return "version" in event.data && event.data.version === version;
}

/** Whether a review says what it says in this event to the version: yes. Undefined for events without a label. */
export function isApproval(event: PromotionEvent): boolean | undefined {
  const isLabel =
    event.type === "ReviewConsensusReached" ||
    event.type === "ReviewAdjudicated" ||
    event.type === "ReviewAccepted" ||
    event.type === "ReviewFixed";
  return isLabel ? event.data.label === "approve" : undefined;
}

const maxApprovers = 100;

/** Who stands behind the label of an event: those who voted for it, or who set it; who accepts it joins them. */
export function approversIn(before: readonly string[], event: PromotionEvent): readonly string[] {
  if (event.type === "ReviewConsensusReached") {
    const { votes, label } = event.data;
    return votes.filter((vote) => vote.label === label).map(({ reviewer }) => reviewer);
  }
  if (event.type === "ReviewAdjudicated" || event.type === "ReviewFixed") return [event.data.reviewer];
  if (event.type === "ReviewAccepted") return [...before, event.data.reviewer].slice(-maxApprovers);
  return before;
}

/** Why an event ends a promotion, for people. */
export function reasonIn({ reviewId, gate }: Promotion, event: PromotionEvent): string {
  const why = (reason: string | undefined): string => (reason === undefined || reason === "" ? "" : `: ${reason}`);
  if (event.type === "SagaCommandRejected") return refusalText(event.data);
  if (event.type === "ReviewCancelled") {
    const how = event.data.expired === true ? "expired before anybody decided" : "was cancelled";
    return bounded(`review ${reviewId} ${how}${why(event.data.reason)}`);
  }
  if (isApproval(event) === false) return bounded(`review ${reviewId} says reject${why(commentIn(event))}`);
  if (event.type === "DeploymentRolledBack") {
    return bounded(`rolled back in ${event.data.environment}${why(event.data.reason)}`);
  }
  if (event.type === "ModelRetired") return bounded(`the model was retired${why(event.data.reason)}`);
  if (event.type === "ModelVersionRejected") return bounded(`it was rejected by hand${why(event.data.reason)}`);
  return bounded(`the evaluation gate: ${gate}`);
}

function commentIn(event: PromotionEvent): string | undefined {
  return "data" in event && "comment" in event.data ? (event.data.comment as string | undefined) : undefined;
}

/** A refused command and what was said against it. */
export function refusalText({ command, message }: RejectedCommand): string {
  return bounded(`${command.type} was refused: ${message}`);
}

/** A reason has at most 4,096 characters; what quotes others stays well below. */
export function bounded(text: string): string {
  return text.length <= maxReasonLength ? text : `${text.slice(0, maxReasonLength - 1)}…`;
}

const maxReasonLength = 2_000;
