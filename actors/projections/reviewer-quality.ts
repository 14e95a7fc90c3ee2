/**
 * How good reviewers are, from the reviews that are closed: how far they agree with each other, with the results, and
 * with labels that were known. Row keys: `kind/<taskKind>`; `voter/<taskKind>/<reviewer>`; `reviewer/<name>` for all kinds
 * together. See reviewer-quality/keys.ts.
 *
 * A review costs as much as it has votes, however many reviewers there are. What is kept of it, its gold above all, is in
 * the notes, by its id: reviewers may read rows.
 */
import { defineProjection, type Rows } from "retrace";
import type { review } from "../../schemas/review.ts";
import { countReview } from "./reviewer-quality/count-review.ts";
import { reviewerKey } from "./reviewer-quality/keys.ts";
import {
  type CountedReview,
  counted,
  type GoldReview,
  type ReviewEvent,
  requested,
  returned,
  settled,
} from "./reviewer-quality/known-review.ts";
import {
  type KindQuality,
  type ReviewerQuality,
  type VoterQuality,
  withVote,
} from "./reviewer-quality/quality-rows.ts";

type Row = KindQuality | VoterQuality | ReviewerQuality;

export default defineProjection<Row, typeof review>({
  name: "reviewer-quality",
  version: 1,
  mode: "async",
  description: "how far reviewers agree with each other, with results and with gold, by kind of task and in all",
  on: {
    HumanReviewRequested: (event, rows) => {
      const known = requested(event);
      if (known !== undefined) rows.notes.put(idOf(event), known);
    },
    HumanLabelSubmitted: {
      key: ({ data }) => reviewerKey(data.reviewer),
      apply: (row, { data }) => withVote(row as ReviewerQuality | undefined, data.effortMs),
    },
    ReviewConsensusReached: close,
    ReviewDisputed: close,
    ReviewAdjudicated: (event, rows) => revise(event, rows, (before) => settled(before, event.data.label)),
    ReviewReturned: (event, rows) => revise(event, rows, returned),
    ReviewAccepted: end,
    ReviewFixed: end,
    ReviewCancelled: (event, { notes }) => notes.delete(idOf(event)),
  },
});

function idOf({ stream, category }: ReviewEvent): string {
  return stream.slice(category.length + 1);
}

function close(
  event: Extract<ReviewEvent, { type: "ReviewConsensusReached" | "ReviewDisputed" }>,
  rows: Rows<Row>,
): void {
  const id = idOf(event);
  const after = counted(rows.notes.get(id) as GoldReview | undefined, event);
  rows.notes.put(id, after);
  countReview(rows, { taskKind: event.data.taskKind, before: undefined, after });
}

function revise(event: ReviewEvent, rows: Rows<Row>, change: (before: CountedReview) => CountedReview): void {
  const id = idOf(event);
  const before = rows.notes.get(id) as CountedReview | undefined;
  if (before === undefined) return;
  const after = change(before);
  rows.notes.put(id, after);
  countReview(rows, { taskKind: event.data.taskKind, before, after });
}

/** The second line has the last word. */
function end(event: Extract<ReviewEvent, { type: "ReviewAccepted" | "ReviewFixed" }>, rows: Rows<Row>): void {
  revise(event, rows, (before) => settled(before, event.data.label));
  rows.notes.delete(idOf(event));
}
