/** A crowd set as it would come in: each item a review that begins with k votes and asks for one more until it is over. */
import { nextStep } from "../../actors/consensus/next-step.ts";
import { parametersFrom } from "../../actors/consensus/parameters-from.ts";
import { addReview, noReviews, type QualityRows, qualityOf } from "../../actors/consensus/quality.ts";
import { type ConsensusSettings, defaultSettings } from "../../actors/consensus/settings.ts";
import type { CrowdItem, CrowdSet } from "./crowd-sets.ts";

/** How a review ended. */
export interface Outcome {
  readonly item: string;
  /** None: it was escalated. */
  readonly label?: string;
  readonly reason?: string;
  readonly votes: number;
}

/** Runs the reviews one after another; the quality of the voters is updated after each. */
export function voteByVote({ items, labels }: CrowdSet, settings: ConsensusSettings = defaultSettings) {
  let rows = noReviews;
  const outcomes = items.map((item): Outcome => {
    const end = review(item, { labels, rows, settings });
    rows = end.rows;
    return end.outcome;
  });
  return { outcomes, rows };
}

interface Setting {
  readonly labels: readonly string[];
  readonly rows: QualityRows;
  readonly settings: ConsensusSettings;
}

function review({ item, votes: available }: CrowdItem, { labels: options, rows, settings }: Setting) {
  const maxK = Math.min(settings.maxK, available.length);
  let k = Math.min(settings.k, maxK);
  for (;;) {
    const votes = available.slice(0, k);
    const voters = votes.map(({ voter }) => voter);
    const parameters = parametersFrom(rows, { voters, options }, settings);
    const step = nextStep({ votes, k, maxK, options, parameters, quality: qualityOf(rows.kind), settings });
    if (step.step === "ask-one-more") {
      k = step.k;
      continue;
    }
    const result = step.step === "accept" ? { label: step.label } : { reason: step.reason };
    const after = addReview(rows, { votes, truth: step.posterior });
    return { rows: after, outcome: { item, votes: votes.length, ...result } };
  }
}
