/** A row of the queue: one review and all that matters for who takes it. It never holds the gold label. */
import type { EventOf, RecordedEvent } from "retrace";
import type { review } from "../../../schemas/review.ts";

/** An event of a review, as a projection gets it. */
export type ReviewEvent = RecordedEvent & EventOf<typeof review>;

/** A review that is not over. Names are each once, in the order in which they came. */
export interface ReviewRow {
  /** As in the review's chart. */
  readonly status: "requested" | "voting" | "escalated" | "voted" | "disputed" | "consensus" | "adjudicated";
  readonly taskKind?: string;
  readonly subject?: { readonly category: string; readonly id: string; readonly version?: string | undefined };
  /** Higher comes first; 0 where nobody said. */
  readonly priority: number;
  readonly dueAt?: string;
  readonly requestedAt: string;
  readonly requiredSkills: readonly string[];
  readonly excludedReviewers: readonly string[];
  /** The only labels; empty is free text. */
  readonly options: readonly string[];
  readonly k: number;
  readonly maxK: number;
  /** How many were cast; what they say is nobody's business before the result. */
  readonly votes: number;
  readonly votedBy: readonly string[];
  readonly skippedBy: readonly string[];
  /** Those without a record of their end; whether their time is over is for the reader to say. */
  readonly leases: readonly { readonly reviewer: string; readonly leaseUntil: string }[];
  readonly assigned: readonly string[];
  /** Who settled a dispute: they do not accept what they said themselves. */
  readonly adjudicatedBy: readonly string[];
  /** 0 until it is escalated. */
  readonly level: number;
  /** Why it was requested. */
  readonly reason?: string;
  /** The result, once there is one: for the second line. */
  readonly label?: string;
}

/** The row after an event; undefined when the review is over, or was never requested here. */
export function reviewAfter(row: ReviewRow | undefined, event: ReviewEvent): ReviewRow | undefined {
  if (event.type === "HumanReviewRequested") return requested(event);
  if (row === undefined) return undefined;
  switch (event.type) {
    case "ReviewAssigned":
      return { ...without(row, event.data.reviewer), assigned: [...row.assigned, event.data.reviewer] };
    case "ReviewClaimed": {
      const { reviewer, leaseUntil } = event.data;
      const rest = without(row, reviewer);
      return { ...rest, status: "voting", leases: [...rest.leases, { reviewer, leaseUntil }] };
    }
    case "ReviewReleased":
    case "ReviewClaimExpired":
      return without(row, event.data.reviewer);
    case "ReviewSkipped":
      return { ...without(row, event.data.reviewer), skippedBy: [...row.skippedBy, event.data.reviewer] };
    case "HumanLabelSubmitted": {
      const votes = row.votes + 1;
      const status = votes === row.k ? "voted" : "voting";
      const { reviewer } = event.data;
      return { ...without(row, reviewer), status, votes, votedBy: [...row.votedBy, reviewer] };
    }
    case "ReviewExtended":
      return { ...row, k: event.data.k, status: row.status === "voted" ? "voting" : row.status };
    case "ReviewEscalated":
      return escalated(row, event.data);
    case "ReviewConsensusReached":
      return { ...row, status: "consensus", label: event.data.label };
    case "ReviewDisputed":
      return { ...row, status: "disputed" };
    case "ReviewAdjudicated": {
      const { reviewer, label } = event.data;
      const adjudicatedBy = [...new Set([...row.adjudicatedBy, reviewer])];
      return { ...without(row, reviewer), status: "adjudicated", adjudicatedBy, label };
    }
    case "ReviewReturned": {
      const { label: _, ...unlabelled } = row;
      return { ...unlabelled, status: "disputed" };
    }
    case "ReviewAccepted":
    case "ReviewFixed":
    case "ReviewCancelled":
      return undefined;
  }
}

/** Field by field: what is not named here, the gold above all, is shown to nobody. */
function requested({ data, occurredAt }: Extract<ReviewEvent, { readonly type: "HumanReviewRequested" }>): ReviewRow {
  const { subject, taskKind, priority = 0, dueAt, reason, k, maxK } = data;
  return {
    status: "requested",
    ...(taskKind !== undefined && { taskKind }),
    ...(subject !== undefined && { subject: named(subject) }),
    priority,
    ...(dueAt !== undefined && { dueAt }),
    requestedAt: occurredAt,
    requiredSkills: data.requiredSkills ?? [],
    excludedReviewers: data.excludedReviewers ?? [],
    options: data.options ?? [],
    ...{ k, maxK, votes: 0, votedBy: [], skippedBy: [], leases: [], assigned: [], adjudicatedBy: [], level: 0 },
    ...(reason !== undefined && { reason }),
  };
}

function named({ category, id, version }: NonNullable<ReviewRow["subject"]>): NonNullable<ReviewRow["subject"]> {
  return { category, id, ...(version !== undefined && { version }) };
}

type Escalation = Extract<ReviewEvent, { readonly type: "ReviewEscalated" }>["data"];

function escalated(row: ReviewRow, { level, priority, dueAt }: Escalation): ReviewRow {
  return {
    ...row,
    level,
    status: row.status === "voted" || row.status === "disputed" ? row.status : "escalated",
    ...(priority !== undefined && { priority }),
    ...(dueAt !== undefined && { dueAt }),
  };
}

/** The row in which this reviewer holds no lease and is not asked. */
function without(row: ReviewRow, reviewer: string): ReviewRow {
  return {
    ...row,
    leases: row.leases.filter((lease) => lease.reviewer !== reviewer),
    assigned: row.assigned.filter((name) => name !== reviewer),
  };
}
