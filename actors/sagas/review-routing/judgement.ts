/** What to do when all the votes are cast that were asked for, and how the review is closed accordingly. */
import type { Answer } from "retrace";
import { nextStep } from "../../consensus/next-step.ts";
import { parametersFrom } from "../../consensus/parameters-from.ts";
import { mostProbable, posterior } from "../../consensus/posterior.ts";
import { type KindRow, noReviews, qualityOf, type VoterRow } from "../../consensus/quality.ts";
import { kindKey, voterKey } from "../../projections/reviewer-quality/keys.ts";
import type { Case, Judgement } from "./case.ts";
import { consensusFor, type Settings } from "./settings.ts";

/** Rows of the projection `reviewer-quality` for the voters of a case, and for its kind of task. */
export function qualityKeys({ taskKind, votes }: Case): string[] {
  return [kindKey(taskKind), ...votes.map(({ voter }) => voterKey(taskKind, voter))];
}

/** Decides by the votes, by what the voters were worth before, and by how far this kind of task is agreed on at all. */
export function judge(one: Case, { rows, position }: Answer, settings: Settings): Judgement {
  const { taskKind, votes, options, k, maxK } = one;
  const found = new Map(rows.map(({ key, value }) => [key, value]));
  const voters = Object.fromEntries(
    votes.flatMap(({ voter }) => {
      const row = found.get(voterKey(taskKind, voter)) as VoterRow | undefined;
      return row === undefined ? [] : [[voter, row]];
    }),
  );
  const consensus = consensusFor(settings, taskKind);
  const ballot = { voters: votes.map(({ voter }) => voter), options };
  const parameters = parametersFrom({ voters }, ballot, consensus);
  const kind = (found.get(kindKey(taskKind)) as KindRow | undefined) ?? noReviews.kind;
  const step = nextStep({ votes, k, maxK, options, parameters, quality: qualityOf(kind), settings: consensus });
  return { step, parameters, estimatedAt: position };
}

/** The body of CloseReview. */
export function closing({ votes, judgement }: Case) {
  if (judgement === undefined || judgement.step.step === "ask-one-more") throw new Error("nothing is decided");
  const { step, parameters, estimatedAt } = judgement;
  const { method, ...estimates } = parameters;
  const basis = {
    method,
    parameters: { ...estimates, estimatedAt },
    votes: votes.map(({ voter, label }) => ({ reviewer: voter, label })),
  };
  return step.step === "accept" ? { ...basis, label: step.label } : { ...basis, disputed: true, reason: step.reason };
}

/** The label that most of the votes say; none where two are as frequent. */
export function mostVoted({ votes }: Case): string | undefined {
  return mostProbable(posterior(votes, [], { method: "majority" }))?.label;
}
