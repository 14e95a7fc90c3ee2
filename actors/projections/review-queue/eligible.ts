/** Which review is whose to take, and which comes first: for those who assign, and for those who choose. */
import type { ReviewRow } from "./review-row.ts";

/** Whoever wants to take one. */
export interface Candidate {
  readonly name: string;
  readonly skills: readonly string[];
}

/** Whether it still wants votes. */
export function isOpen({ status }: Pick<ReviewRow, "status">): boolean {
  return status === "requested" || status === "voting" || status === "escalated";
}

/** The leases whose time is not over. `now` is ISO 8601. */
export function liveLeases({ leases }: Pick<ReviewRow, "leases">, now: string): ReviewRow["leases"] {
  return leases.filter(({ leaseUntil }) => leaseUntil > now);
}

/**
 * Whether there is a place for this reviewer: they have the skills, are not excluded, have neither voted nor skipped, and
 * hold no lease. The review itself has the last word, because others may be faster.
 */
export function mayTake(row: ReviewRow, { name, skills }: Candidate, now: string): boolean {
  const live = liveLeases(row, now);
  const isBarred = [row.excludedReviewers, row.votedBy, row.skippedBy].some((names) => names.includes(name));
  return (
    isOpen(row) &&
    row.votes + live.length < row.k &&
    !isBarred &&
    !live.some(({ reviewer }) => reviewer === name) &&
    row.requiredSkills.every((skill) => skills.includes(skill))
  );
}

/** The more urgent first: higher priority, then due earlier (what is never due comes last), then requested earlier. */
export function byUrgency(a: ReviewRow, b: ReviewRow): number {
  return (
    b.priority - a.priority || compare(a.dueAt ?? never, b.dueAt ?? never) || compare(a.requestedAt, b.requestedAt)
  );
}

/** After every time. */
const never = "~";

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
