/**
 * The queue of reviews, for those who take and assign them. Row keys: the id of a review that waits for votes or for
 * somebody to settle it; `decided/<id>` for one with a result that the second line has not accepted; `reviewer/<name>`
 * for what a registered reviewer can do and has to do, `visitor/<name>` for anybody else, of whom a crowd may be made. What
 * is over has no row.
 */
import { defineProjection, type Rows } from "retrace";
import type { review } from "../../schemas/review.ts";
import type { reviewer } from "../../schemas/reviewer.ts";
import { idOf } from "../stream-id.ts";
import { type ReviewEvent, type ReviewRow, reviewAfter } from "./review-queue/review-row.ts";
import {
  changed,
  changesBetween,
  type ReviewerEvent,
  type ReviewerRow,
  reviewerAfter,
} from "./review-queue/reviewer-row.ts";

type Row = ReviewRow | ReviewerRow;

export default defineProjection<Row, typeof review & typeof reviewer>({
  name: "review-queue",
  version: 1,
  mode: "async",
  description: "reviews that wait, with their leases and votes, and the load of each reviewer",
  on: {
    HumanReviewRequested: foldReview,
    ReviewAssigned: foldReview,
    ReviewClaimed: foldReview,
    ReviewReleased: foldReview,
    ReviewClaimExpired: foldReview,
    ReviewSkipped: foldReview,
    HumanLabelSubmitted: foldReview,
    ReviewExtended: foldReview,
    ReviewEscalated: foldReview,
    ReviewConsensusReached: foldReview,
    ReviewDisputed: foldReview,
    ReviewAdjudicated: foldReview,
    ReviewReturned: foldReview,
    ReviewAccepted: foldReview,
    ReviewFixed: foldReview,
    ReviewCancelled: foldReview,
    ReviewerRegistered: foldReviewer,
    ReviewerChanged: foldReviewer,
    ReviewerRetired: foldReviewer,
  },
});

function foldReview(event: ReviewEvent, rows: Rows<Row>): void {
  const id = idOf(event);
  const before = (rows.get(id) ?? rows.get(decidedKey(id))) as ReviewRow | undefined;
  const after = reviewAfter(before, event);
  if (before !== undefined) rows.delete(keyOf(id, before));
  if (after !== undefined) rows.put(keyOf(id, after), after);
  for (const [name, change] of changesBetween(before, after)) {
    putReviewer(rows, name, (row) => changed(row, change));
  }
}

function foldReviewer(event: ReviewerEvent, rows: Rows<Row>): void {
  putReviewer(rows, idOf(event), (row) => reviewerAfter(row, event));
}

/** Only those who are registered are read whenever somebody is to be asked. */
function putReviewer(rows: Rows<Row>, name: string, change: (row: ReviewerRow | undefined) => ReviewerRow): void {
  const [registered, visiting] = [reviewerKey(name), visitorKey(name)];
  const before = (rows.get(registered) ?? rows.get(visiting)) as ReviewerRow | undefined;
  const after = change(before);
  if (before !== undefined && before.isRegistered !== after.isRegistered) {
    rows.delete(before.isRegistered ? registered : visiting);
  }
  rows.put(after.isRegistered ? registered : visiting, after);
}

function keyOf(id: string, { label }: ReviewRow): string {
  return label === undefined ? id : decidedKey(id);
}

function decidedKey(id: string): string {
  return `decided/${id}`;
}

function reviewerKey(name: string): string {
  return `reviewer/${name}`;
}

function visitorKey(name: string): string {
  return `visitor/${name}`;
}
