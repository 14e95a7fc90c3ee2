/** From a review that is closed, or has turned out otherwise than it was counted, to the rows of those concerned. */
import type { Rows } from "retrace";
import { confusionKappa } from "../../consensus/agreement.ts";
import { alphaOf, fleissOf } from "../../consensus/coincidences.ts";
import { addReview, type KindRow, noReviews, type QualityRows, reviseReview } from "../../consensus/quality.ts";
import { kindKey, reviewerKey, voterKey } from "./keys.ts";
import { type CountedReview, truthOf } from "./known-review.ts";
import {
  type KindQuality,
  newReviewer,
  noShares,
  type ReviewerQuality,
  type Share,
  type Shares,
  type VoterQuality,
} from "./quality-rows.ts";

/** What has become of a review. */
export interface Change {
  readonly taskKind: string | undefined;
  /** As it was counted; undefined the first time. */
  readonly before: CountedReview | undefined;
  readonly after: CountedReview;
}

/** Writes the rows of the kind of task and of those who voted; nobody else's is looked at. */
export function countReview(rows: Rows, change: Change): void {
  const { taskKind, after } = change;
  const kind = rows.get(kindKey(taskKind)) as KindQuality | undefined;
  const voters = new Map(
    after.votes.map(({ voter }) => [voter, rows.get(voterKey(taskKind, voter)) as VoterQuality | undefined]),
  );
  const quality = qualityAfter(kind, voters, change);
  rows.put(kindKey(taskKind), kindAfter(kind, quality.kind, change));
  const countsOf = new Map(Object.entries(quality.voters));
  for (const { voter, label: said } of after.votes) {
    const counts = countsOf.get(voter);
    if (counts !== undefined) {
      const kappa = confusionKappa(counts.confusion);
      const shares = sharesAfter(voters.get(voter), said, change);
      rows.put(voterKey(taskKind, voter), { ...counts, ...shares, ...(kappa !== undefined && { kappa }) });
    }
    const all = rows.get(reviewerKey(voter)) as ReviewerQuality | undefined;
    rows.put(reviewerKey(voter), reviewerAfter(all, said, change));
  }
}

type Voters = ReadonlyMap<string, VoterQuality | undefined>;

/** The counts by which consensus is found. */
function qualityAfter(kind: KindRow = noReviews.kind, voters: Voters, { before, after }: Change): QualityRows {
  const known = [...voters].flatMap(([voter, row]) => (row === undefined ? [] : [[voter, countsIn(row)] as const]));
  const rows: QualityRows = { kind, voters: Object.fromEntries(known) };
  const truth = truthOf(after);
  if (before === undefined) return addReview(rows, { votes: after.votes, ...(truth !== undefined && { truth }) });
  const truthBefore = truthOf(before);
  if (truth === undefined) return rows;
  return reviseReview(rows, { votes: after.votes, ...(truthBefore !== undefined && { truth: truthBefore }) }, truth);
}

function countsIn({ agreements, total, confusion }: VoterQuality) {
  return { agreements, total, confusion };
}

function kindAfter(row: KindQuality | undefined, counts: KindRow, change: Change): KindQuality {
  const { closed, coincidences, classes } = counts;
  const isNewConsensus = change.before === undefined && change.after.label !== undefined;
  const votesEach = votesEachAfter(row, change);
  const alpha = alphaOf(coincidences);
  const kappa = votesEach === undefined ? undefined : fleissOf(coincidences);
  return {
    ...{ closed, consensus: (row?.consensus ?? 0) + (isNewConsensus ? 1 : 0), coincidences, classes },
    ...(alpha !== undefined && { alpha }),
    ...(votesEach !== undefined && { votesEach }),
    ...(kappa !== undefined && { kappa }),
  };
}

function votesEachAfter(row: KindQuality | undefined, { before, after }: Change): number | undefined {
  const { length } = after.votes;
  if (row === undefined) return length;
  return before !== undefined || row.votesEach === length ? row.votesEach : undefined;
}

function reviewerAfter(row: ReviewerQuality = newReviewer, said: string, change: Change): ReviewerQuality {
  const reviews = row.reviews + (change.before === undefined ? 1 : 0);
  return { ...row, reviews, ...sharesAfter(row, said, change) };
}

function sharesAfter({ withResult, withGold }: Shares = noShares, said: string, { before, after }: Change): Shares {
  const undone = before?.label === undefined ? withResult : withCase(withResult, said === before.label, -1);
  const isFirstOfGold = before === undefined && after.gold !== undefined;
  return {
    withResult: after.label === undefined ? undone : withCase(undone, said === after.label, 1),
    withGold: isFirstOfGold ? withCase(withGold, said === after.gold, 1) : withGold,
  };
}

function withCase({ agreed, of }: Share, hasAgreed: boolean, times: 1 | -1): Share {
  return { agreed: agreed + (hasAgreed ? times : 0), of: of + times };
}
