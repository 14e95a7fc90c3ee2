/**
 * The method that knows of each voter what they say where something else is true. After Dawid and Skene, "Maximum
 * likelihood estimation of observer error-rates using the EM algorithm", 1979.
 */
import { type ErrorModel, expectationMaximisation, smoothing } from "./expectation-maximisation.ts";
import { byItem, byLabel, type EstimatedFit } from "./fit.ts";
import { tableOf, type Vote, type VoteTable } from "./vote-table.ts";

/** Estimates a confusion matrix for each voter. */
export function fitDawidSkene(votes: Iterable<Vote>): EstimatedFit {
  const table = tableOf(votes);
  const { labels, voters } = table;
  const confusion = new Float64Array(voters.length * labels.length ** 2);
  const { truth, prior, logLikelihood, iterations } = expectationMaximisation(table, modelOf(table, confusion));
  const ofVoter = (voter: number) =>
    Object.fromEntries(
      labels.map((label, at) => [
        label,
        byLabel(labels, confusion.subarray((voter * labels.length + at) * labels.length)),
      ]),
    );
  const byVoter = Object.fromEntries(voters.map((voter, number) => [voter, ofVoter(number)]));
  return {
    posteriors: byItem(table, truth),
    parameters: { method: "dawid-skene", prior: byLabel(labels, prior), confusion: byVoter },
    logLikelihood,
    iterations,
  };
}

/** Keeps its matrices in `confusion`: voters x true labels x said labels. */
function modelOf({ labels, item, voter, label }: VoteTable, confusion: Float64Array): ErrorModel {
  const width = labels.length;
  const logs = new Float64Array(confusion.length);
  return {
    estimate: (truth) => {
      confusion.fill(smoothing);
      for (let vote = 0; vote < item.length; vote++) {
        const first = (voter[vote] as number) * width;
        for (let meant = 0; meant < width; meant++) {
          confusion[(first + meant) * width + (label[vote] as number)]! += truth[
            (item[vote] as number) * width + meant
          ] as number;
        }
      }
      for (let first = 0; first < confusion.length; first += width) {
        const row = confusion.subarray(first, first + width);
        const sum = row.reduce((a, b) => a + b);
        for (let at = 0; at < width; at++) {
          row[at]! /= sum;
          logs[first + at] = Math.log(row[at] as number);
        }
      }
    },
    logOfSaying: (of, truth, said) => logs[(of * width + truth) * width + said] as number,
  };
}
