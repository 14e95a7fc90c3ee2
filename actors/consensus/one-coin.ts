/** The method that knows one accuracy of each voter, who is wrong in all ways alike. */
import { type ErrorModel, expectationMaximisation, smoothing } from "./expectation-maximisation.ts";
import { byItem, byLabel, type EstimatedFit } from "./fit.ts";
import { tableOf, type Vote, type VoteTable } from "./vote-table.ts";

/** Estimates an accuracy for each voter. */
export function fitOneCoin(votes: Iterable<Vote>): EstimatedFit {
  const table = tableOf(votes);
  const accuracies = new Float64Array(table.voters.length);
  const { truth, prior, logLikelihood, iterations } = expectationMaximisation(table, modelOf(table, accuracies));
  return {
    posteriors: byItem(table, truth),
    parameters: {
      method: "one-coin",
      prior: byLabel(table.labels, prior),
      accuracies: byLabel(table.voters, accuracies),
    },
    logLikelihood,
    iterations,
  };
}

/** Keeps what it estimates in `accuracies`, by voter. */
function modelOf({ labels, item, voter, label }: VoteTable, accuracies: Float64Array): ErrorModel {
  const width = labels.length;
  const votes = new Float64Array(accuracies.length);
  for (const of of voter) votes[of]! += 1;
  const right = new Float64Array(accuracies.length);
  const wrong = new Float64Array(accuracies.length);
  return {
    estimate: (truth) => {
      accuracies.fill(smoothing);
      for (let vote = 0; vote < item.length; vote++) {
        accuracies[voter[vote] as number]! += truth[(item[vote] as number) * width + (label[vote] as number)] as number;
      }
      for (let of = 0; of < accuracies.length; of++) {
        accuracies[of]! /= (votes[of] as number) + 2 * smoothing;
        right[of] = Math.log(accuracies[of] as number);
        wrong[of] = Math.log((1 - (accuracies[of] as number)) / Math.max(width - 1, 1));
      }
    },
    logOfSaying: (of, truth, said) => (truth === said ? right[of] : wrong[of]) as number,
  };
}
