/**
 * Estimates by turns how good the voters are and what is true of the items, each from the other, until the likelihood
 * of the votes hardly rises. It starts from the shares of the votes, and estimates the prior of the labels as well.
 */
import { sharesOf } from "./fit.ts";
import { logOf, logSumOf } from "./log-sum.ts";
import type { VoteTable } from "./vote-table.ts";

/** How voters err. */
export interface ErrorModel {
  /** Estimates it from what is true of the items: items x labels, row by row. */
  estimate(truth: Float64Array): void;
  /** The logarithm of the probability that a voter says a label where another is true, all by number. */
  logOfSaying(voter: number, truth: number, said: number): number;
}

/** Where it ended. */
export interface Estimate {
  /** Items x labels, row by row. */
  readonly truth: Float64Array;
  /** By label. */
  readonly prior: Float64Array;
  readonly logLikelihood: number;
  readonly iterations: number;
}

/** Added to each count of what voters said. */
export const smoothing = 0.01;

/** It stops when the log-likelihood changes by less than this share of it. */
const smallestChange = 1e-7;

const maxIterations = 1000;

/** Changes the model, which in the end is the one that `truth` follows from. */
export function expectationMaximisation(table: VoteTable, model: ErrorModel): Estimate {
  let estimate: Estimate = {
    truth: sharesOf(table),
    prior: new Float64Array(table.labels.length),
    logLikelihood: Number.NEGATIVE_INFINITY,
    iterations: 0,
  };
  while (estimate.iterations < maxIterations) {
    const before = estimate;
    model.estimate(before.truth);
    const prior = priorOf(table, before.truth);
    estimate = { ...expectation(table, model, prior), prior, iterations: before.iterations + 1 };
    const change = Math.abs(estimate.logLikelihood - before.logLikelihood);
    if (before.iterations > 0 && change <= smallestChange * Math.abs(before.logLikelihood)) break;
  }
  return estimate;
}

function priorOf({ items, labels }: VoteTable, truth: Float64Array): Float64Array {
  const prior = new Float64Array(labels.length);
  truth.forEach((probability, at) => {
    prior[at % labels.length]! += probability / items.length;
  });
  return prior;
}

function expectation(table: VoteTable, model: ErrorModel, prior: Float64Array) {
  const width = table.labels.length;
  const logs = new Float64Array(table.items.length * width);
  for (let at = 0; at < logs.length; at++) logs[at] = logOf(prior[at % width] as number);
  for (let vote = 0; vote < table.item.length; vote++) {
    const [voter, said] = [table.voter[vote] as number, table.label[vote] as number];
    const first = (table.item[vote] as number) * width;
    for (let truth = 0; truth < width; truth++) logs[first + truth]! += model.logOfSaying(voter, truth, said);
  }
  const truth = new Float64Array(logs.length);
  let logLikelihood = 0;
  for (let first = 0; first < logs.length; first += width) {
    const logSum = logSumOf(logs.subarray(first, first + width));
    for (let at = first; at < first + width; at++) truth[at] = Math.exp((logs[at] as number) - logSum);
    logLikelihood += logSum;
  }
  return { truth, logLikelihood };
}
