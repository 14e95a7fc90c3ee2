/**
 * Every decision, with who made it, what caused it and why. Under the key of a subject (`model-m1`) stands how many there
 * are and the newest; under `model-m1/000000000123` each of them, by its position in the log.
 */
import { defineProjection, type RecordedEvent, type Rows } from "retrace";
import type { agentSession } from "../../schemas/agent-session.ts";
import type { dataset } from "../../schemas/dataset.ts";
import type { document } from "../../schemas/document.ts";
import type { featureSet } from "../../schemas/feature-set.ts";
import type { feedback } from "../../schemas/feedback.ts";
import type { inference } from "../../schemas/inference.ts";
import type { model } from "../../schemas/model.ts";
import type { policy } from "../../schemas/policy.ts";
import type { review } from "../../schemas/review.ts";
import type { reviewer } from "../../schemas/reviewer.ts";
import type { trainingRun } from "../../schemas/training-run.ts";
import { given } from "../given-fields.ts";

type Schemas = typeof agentSession &
  typeof dataset &
  typeof document &
  typeof featureSet &
  typeof feedback &
  typeof inference &
  typeof model &
  typeof policy &
  typeof review &
  typeof reviewer &
  typeof trainingRun;

interface Decision {
  readonly position: number;
  /** What was decided: the type of the event. */
  readonly type: string;
  readonly stream: string;
  readonly at: string;
  readonly recordedAt: string;
  /** Who asked for it; absent when nobody said. */
  readonly actor?: string;
  /** Whether the connection proved who that is. */
  readonly isVerified?: boolean;
  /** Whose judgement it is, where the event names one: a reviewer, an agent, those who approved. */
  readonly by?: readonly string[];
  readonly reason?: string;
  /** The event or command that led to it, and the conversation it belongs to. */
  readonly causationId: string;
  readonly correlationId: string;
  /** The short fields of the event. */
  readonly details: Readonly<Record<string, string | number | boolean | null>>;
}

interface Subject {
  readonly decisions: number;
  readonly firstAt: string;
  readonly lastAt: string;
  /** The newest last. */
  readonly latest: readonly Decision[];
}

const maxLatest = 20;

export default defineProjection<Decision | Subject, Schemas>({
  name: "audit",
  version: 1,
  mode: "async",
  description: "Decisions about each subject, with their actor, cause and reason",
  indexes: ["type", "actor", "at", "correlationId", "decisions"],
  on: {
    DataRejected: decided,
    DatasetVersioned: decided,
    DatasetVersionRetracted: decided,
    DatasetRetired: decided,
    FeatureVersioned: decided,
    TrainingRequested: decided,
    TrainingResumed: decided,
    TrainingCancelled: decided,
    ModelVersionApproved: decided,
    ModelVersionRejected: decided,
    ModelDeployed: decided,
    TrafficAdjusted: decided,
    DeploymentRolledBack: decided,
    AliasMoved: decided,
    ModelRetired: decided,
    PipelineCutOver: decided,
    DocumentDeleted: decided,
    ModelPredictionLowConfidenceFlagged: decided,
    HumanLabelApplied: decided,
    PredictionSuperseded: decided,
    CorrectionSubmitted: decided,
    OutputApproved: decided,
    OutputRejected: decided,
    FeedbackRetracted: decided,
    HumanReviewRequested: decided,
    ReviewAssigned: decided,
    ReviewExtended: decided,
    ReviewConsensusReached: decided,
    ReviewDisputed: decided,
    ReviewAdjudicated: decided,
    ReviewAccepted: decided,
    ReviewFixed: decided,
    ReviewReturned: decided,
    ReviewEscalated: decided,
    ReviewCancelled: decided,
    DecisionMade: decided,
    DecisionRejected: decided,
    SessionRolledBack: decided,
    CompensationRequested: decided,
    PolicySet: decided,
    ReviewerRegistered: decided,
    ReviewerChanged: decided,
    ReviewerRetired: decided,
  },
});

function decided(event: RecordedEvent, rows: Rows<Decision | Subject>): void {
  const subject = subjectOf(event);
  const decision = decisionIn(event);
  const before = rows.get(subject) as Subject | undefined;
  rows.put(`${subject}/${String(event.position).padStart(12, "0")}`, decision);
  rows.put(subject, {
    decisions: (before?.decisions ?? 0) + 1,
    firstAt: earlier(before?.firstAt, decision.at),
    lastAt: later(before?.lastAt, decision.at),
    latest: [...(before?.latest ?? []).slice(1 - maxLatest), decision],
  });
}

interface AboutSomething {
  readonly subject?: { readonly category: string; readonly id: string };
  readonly context?: { readonly requestId?: string };
  readonly signal?: { readonly data: { readonly context?: { readonly requestId?: string } } };
}

/** A review decides about what is reviewed, a signal about the inference that it names, all else about its own stream. */
function subjectOf({ category, stream, data }: RecordedEvent): string {
  const { subject, context, signal } = data as AboutSomething;
  if (category === "review" && subject !== undefined) return nameOf(subject.category, subject.id);
  const requestId = context?.requestId ?? signal?.data.context?.requestId;
  return category === "feedback" && requestId !== undefined ? nameOf("inference", requestId) : stream;
}

/** As much of it as a key has room for. */
function nameOf(category: string, id: string): string {
  return `${category}-${id}`.slice(0, 480);
}

interface NamesPeople {
  readonly reviewer?: string;
  readonly approvers?: readonly string[];
  readonly by?: unknown;
  readonly agent?: string;
  readonly reason?: string;
}

function decisionIn({ position, type, stream, occurredAt, recordedAt, metadata, data }: RecordedEvent): Decision {
  const { reviewer, approvers = [], by, agent, reason } = data as NamesPeople;
  const judges = [...approvers, reviewer, by, agent].filter((one) => typeof one === "string");
  const { actor, causationId, correlationId } = metadata;
  return {
    position,
    type,
    stream,
    at: occurredAt,
    recordedAt,
    ...given({ actor: actor?.id, isVerified: actor?.verified, by: judges.length > 0 ? judges : undefined, reason }),
    causationId,
    correlationId,
    details: shortFields(data as Readonly<Record<string, unknown>>),
  };
}

const maxText = 256;
/** The reason has its own place, and the right answer to a review is shown to nobody. */
const leftOut: readonly string[] = ["reason", "gold"];

function shortFields(data: Readonly<Record<string, unknown>>): Decision["details"] {
  const short = Object.entries(data).filter(([name, value]) => {
    const isShort = typeof value === "string" ? value.length <= maxText : typeof value !== "object" || value === null;
    return !leftOut.includes(name) && value !== undefined && isShort;
  });
  return Object.fromEntries(short) as Decision["details"];
}

function earlier(a: string | undefined, b: string): string {
  return a === undefined || b < a ? b : a;
}

function later(a: string | undefined, b: string): string {
  return a === undefined || b > a ? b : a;
}
