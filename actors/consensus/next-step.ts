/** What to do with a review when all the votes are cast that were asked for. */
import type { Parameters } from "./parameters.ts";
import { type ItemVote, mostProbable, type Posterior, posterior } from "./posterior.ts";
import type { ConsensusSettings } from "./settings.ts";

/** A review as it stands, what is known of its voters, and of its kind of task. */
export interface Standing {
  readonly votes: readonly ItemVote[];
  /** Votes asked for, and how many may be. */
  readonly k: number;
  readonly maxK: number;
  /** Empty is free text: labels are those voted for. */
  readonly options: readonly string[];
  readonly parameters: Parameters;
  readonly quality: { readonly closed: number; readonly alpha: number | undefined };
  readonly settings: Pick<ConsensusSettings, "acceptAt" | "minClosed" | "minAlpha">;
}

/** One of three. Its `k` is the number of votes to ask for from now on. */
export type Step =
  | { readonly step: "accept"; readonly label: string; readonly posterior: Posterior }
  | { readonly step: "ask-one-more"; readonly k: number }
  | { readonly step: "escalate"; readonly reason: EscalationReason; readonly posterior: Posterior };

/** `low-agreement`: the kind of task is answered as if by chance. `undecided`: no label is probable enough. */
export type EscalationReason = "low-agreement" | "undecided";

/** Accepts what is probable enough, else asks for one more vote, else leaves it to others. Waits while votes are missing. */
export function nextStep(standing: Standing): Step {
  const { votes, k, maxK, options, parameters, quality, settings } = standing;
  if (votes.length < k) return { step: "ask-one-more", k };
  const found = posterior(votes, options, parameters);
  // The review at hand is one of those that are counted.
  const isJudged = quality.closed + 1 >= settings.minClosed && quality.alpha !== undefined;
  if (isJudged && (quality.alpha as number) < settings.minAlpha) {
    return { step: "escalate", reason: "low-agreement", posterior: found };
  }
  const best = mostProbable(found);
  if (best !== undefined && best.probability >= settings.acceptAt) {
    return { step: "accept", label: best.label, posterior: found };
  }
  if (votes.length < maxK) return { step: "ask-one-more", k: votes.length + 1 };
  return { step: "escalate", reason: "undecided", posterior: found };
}
