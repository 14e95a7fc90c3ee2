/** The rows that tell of quality. Plain JSON; none grows with the number of reviews. */
import type { KindRow, VoterRow } from "../../consensus/quality.ts";

/** How often somebody said what turned out to be so, of the times when that is known. */
export interface Share {
  readonly agreed: number;
  readonly of: number;
}

/** How far somebody agreed with what is said of a review from elsewhere. */
export interface Shares {
  /** With the labels of reviews: those of consensus, or what somebody settled. */
  readonly withResult: Share;
  /** With labels that were known before. */
  readonly withGold: Share;
}

/** A kind of task. */
export interface KindQuality extends KindRow {
  /** Of those that are closed, how many got a label by their votes; the others were disputed. */
  readonly consensus: number;
  /** Krippendorff's alpha of all votes; absent where nothing could differ. */
  readonly alpha?: number;
  /** Votes on each review; absent where not all have as many. */
  readonly votesEach?: number;
  /** Fleiss' kappa of all votes; absent without `votesEach`, and where nothing could differ. */
  readonly kappa?: number;
}

/** A reviewer in a kind of task. */
export interface VoterQuality extends VoterRow, Shares {
  /** Cohen's kappa of what they say with what is thought to be true; absent where nothing could differ. */
  readonly kappa?: number;
}

/** A reviewer in all kinds of task. */
export interface ReviewerQuality extends Shares {
  /** Votes cast. */
  readonly votes: number;
  /** Reviews that are closed and have a vote of theirs. */
  readonly reviews: number;
  /** Of the votes that say how long they took. */
  readonly effort: { readonly votes: number; readonly totalMs: number };
  readonly meanEffortMs?: number;
}

/** Before the first review. */
export const noShares: Shares = { withResult: { agreed: 0, of: 0 }, withGold: { agreed: 0, of: 0 } };

/** Before the first vote. */
export const newReviewer: ReviewerQuality = { votes: 0, reviews: 0, ...noShares, effort: { votes: 0, totalMs: 0 } };

/** The row after a vote. */
export function withVote(row: ReviewerQuality = newReviewer, effortMs: number | undefined): ReviewerQuality {
  const votes = row.votes + 1;
  if (effortMs === undefined) return { ...row, votes };
  const effort = { votes: row.effort.votes + 1, totalMs: row.effort.totalMs + effortMs };
  return { ...row, votes, effort, meanEffortMs: Math.round(effort.totalMs / effort.votes) };
}
