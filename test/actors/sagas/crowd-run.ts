/**
 * A crowd set as it would come in: each item a review that `review-routing` conducts, each vote a claim and a submission,
 * until the saga has closed the review. In process, with the projections kept beside the saga.
 */
import type { ActorDefinition, EventData } from "retrace";
import feedback from "../../../actors/aggregates/feedback.ts";
import inference from "../../../actors/aggregates/inference.ts";
import policy from "../../../actors/aggregates/policy.ts";
import reviewAggregate from "../../../actors/aggregates/review.ts";
import reviewer from "../../../actors/aggregates/reviewer.ts";
import type { ItemVote } from "../../../actors/consensus/posterior.ts";
import { defaultSettings } from "../../../actors/consensus/settings.ts";
import reviewQueue from "../../../actors/projections/review-queue.ts";
import reviewerQuality from "../../../actors/projections/reviewer-quality.ts";
import reviewRouting from "../../../actors/sagas/review-routing.ts";
import type { review } from "../../../schemas/review.ts";
import { Fault } from "../../../src/core/fault.ts";
import type { CrowdItem, CrowdSet } from "../../consensus/crowd-sets.ts";
import type { Outcome } from "../../consensus/vote-by-vote.ts";
import { openSagas, type SagaSetting, type SagaSettings } from "../../sagas/setting.ts";

/** Everything that has to do with reviews. */
export const actors: readonly ActorDefinition[] = [
  ...[feedback, inference, policy, reviewAggregate, reviewer],
  ...[reviewQueue, reviewerQuality, reviewRouting],
];

/** A runtime's inside in which the saga conducts all reviews, by its defaults. */
export async function openRouting(given: SagaSettings = {}): Promise<SagaSetting> {
  const sagas = await openSagas(actors, given);
  await accepted(sagas, "policy", "review-routing", "SetPolicy", { settings: { conduct: ["*"] } });
  return sagas;
}

/** Sends a command that has to be accepted. */
export async function accepted(sagas: SagaSetting, ...command: Parameters<SagaSetting["send"]>): Promise<void> {
  const outcome = await sagas.send(...command);
  if (outcome instanceof Fault) throw outcome;
}

/** Runs the reviews one after another. `onReview` is told how many are over. */
export async function crowdRun(
  sagas: SagaSetting,
  { items, labels }: Pick<CrowdSet, "items" | "labels">,
  onReview: (over: number) => void = () => {},
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const item of items) {
    outcomes.push(await reviewOf(sagas, item, { id: `item-${outcomes.length}`, options: labels }));
    onReview(outcomes.length);
  }
  return outcomes;
}

interface Asked {
  readonly id: string;
  readonly options: readonly string[];
}

async function reviewOf(sagas: SagaSetting, { item, votes }: CrowdItem, { id, options }: Asked): Promise<Outcome> {
  const maxK = Math.min(defaultSettings.maxK, votes.length);
  const k = Math.min(defaultSettings.k, maxK);
  await accepted(sagas, "review", id, "RequestReview", { taskKind: "crowd", options, k, maxK });
  for (let cast = k; cast <= votes.length; cast++) {
    await castVotes(sagas, id, votes.slice(cast === k ? 0 : cast - 1, cast));
    const end = endOf(sagas, id);
    if (end !== undefined) return { item, votes: cast, ...end };
  }
  throw new Error(`${id} wants more votes than there are`);
}

/** Each a claim and a submission; then the saga does what it has to. */
export async function castVotes(sagas: SagaSetting, id: string, votes: readonly ItemVote[]): Promise<void> {
  const sent = votes.flatMap(({ voter: reviewer, label }) => {
    sagas.clock.advance(100);
    return [
      accepted(sagas, "review", id, "ClaimReview", { reviewer }),
      accepted(sagas, "review", id, "SubmitLabel", { reviewer, label }),
    ];
  });
  await Promise.all(sent);
  await sagas.settle();
}

type Closed = EventData<typeof review, "ReviewConsensusReached" | "ReviewDisputed">;

function endOf(sagas: SagaSetting, id: string): Pick<Outcome, "label" | "reason"> | undefined {
  for (const { type, data } of sagas.store.readStream(`review-${id}`)) {
    if (type === "ReviewConsensusReached") return { label: (data as Closed & { label: string }).label };
    if (type === "ReviewDisputed") return { reason: (data as Closed).reason as string };
  }
  return undefined;
}

/** What became of a crowd's reviews, as shares. */
export interface CrowdFigures {
  readonly accepted: number;
  /** Of the accepted labels that somebody knows to be right or wrong; null without any. */
  readonly accuracy: number | null;
  /** How many were accepted when 49 reviews were closed already. */
  readonly acceptedFrom50th: number;
  readonly votesPerReview: number;
}

/** `gold` by item. */
export function figuresOf(outcomes: readonly Outcome[], gold: ReadonlyMap<string, string>): CrowdFigures {
  const accepted = outcomes.filter(({ label }) => label !== undefined);
  const known = accepted.filter(({ item }) => gold.has(item));
  const right = known.filter(({ item, label }) => gold.get(item) === label);
  return {
    accepted: accepted.length / outcomes.length,
    accuracy: known.length === 0 ? null : right.length / known.length,
    acceptedFrom50th: outcomes.slice(49).filter(({ label }) => label !== undefined).length,
    votesPerReview: outcomes.reduce((sum, { votes }) => sum + votes, 0) / outcomes.length,
  };
}
