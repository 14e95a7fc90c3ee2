/** What has to be kept of a review, because what comes later says more of those who voted. */
import type { EventOf, RecordedEvent } from "retrace";
import type { review } from "../../../schemas/review.ts";
import { type ItemVote, type Posterior, posterior } from "../../consensus/posterior.ts";

/** An event of a review, as a projection gets it. */
export type ReviewEvent = RecordedEvent & EventOf<typeof review>;

type EventOfType<Type extends ReviewEvent["type"]> = Extract<ReviewEvent, { readonly type: Type }>;

/** A review that is not closed yet. One without gold need not be kept. */
export interface GoldReview {
  /** The label that is known to be right. */
  readonly gold: string;
}

/** A review whose votes are counted. */
export interface CountedReview {
  readonly votes: readonly ItemVote[];
  readonly gold?: string;
  /** What the votes say of the labels. */
  readonly byVotes?: Posterior;
  /** The result; none while it is disputed. */
  readonly label?: string;
  /** The result is somebody's word, and not that of the votes. */
  readonly isSettled: boolean;
}

/** What is kept of a review when it is requested. */
export function requested({ data: { gold } }: EventOfType<"HumanReviewRequested">): GoldReview | undefined {
  return gold === undefined ? undefined : { gold };
}

/** The review once it is closed. */
export function counted(
  before: GoldReview | undefined,
  { data }: EventOfType<"ReviewConsensusReached" | "ReviewDisputed">,
): CountedReview {
  const label = "label" in data ? (data.label as string) : undefined;
  const votes = data.votes.map(({ reviewer, label: said }) => ({ voter: reviewer, label: said }));
  const byVotes = data.posterior ?? byMethod(data.method, votes, label);
  return {
    ...before,
    votes,
    ...(byVotes !== undefined && { byVotes }),
    ...(label !== undefined && { label }),
    isSettled: false,
  };
}

/** Methods that are not known here say no more than their label. */
function byMethod(method: string, votes: readonly ItemVote[], label: string | undefined): Posterior | undefined {
  if (method === "majority") return posterior(votes, [], { method });
  return label === undefined ? undefined : { [label]: 1 };
}

/** The review with the label that somebody who did not vote has given, or accepted. */
export function settled(before: CountedReview, label: string): CountedReview {
  return { ...before, label, isSettled: true };
}

/** The review when its label was returned: it has none, and the votes are all that is known. */
export function returned({ label: _, ...before }: CountedReview): CountedReview {
  return { ...before, isSettled: false };
}

/** What is known of the true label; undefined when nothing is. */
export function truthOf({ gold, byVotes, label, isSettled }: CountedReview): Posterior | undefined {
  const known = gold ?? (isSettled ? label : undefined);
  return known === undefined ? byVotes : { [known]: 1 };
}
