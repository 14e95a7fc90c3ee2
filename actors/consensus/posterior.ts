/** What the votes on one item say of it, when it is known how good the voters are. */
import { tallyOf } from "./coincidences.ts";
import { logOf, logSumOf } from "./log-sum.ts";
import type { Parameters } from "./parameters.ts";
import type { Vote } from "./vote-table.ts";

/** A vote on the item that is asked about. */
export type ItemVote = Pick<Vote, "voter" | "label">;

/** Probability by label, with the sum 1. */
export type Posterior = Readonly<Record<string, number>>;

/** Labels whose probabilities differ by less are as likely as each other, whatever was added up in whichever order. */
export const tolerance = 1e-9;

/**
 * The probability of each option; of each label that was voted for where there are no options. The order of the votes
 * does not matter, to the last digit. Voters whom the parameters do not know, not even by a default, are taken to guess.
 */
export function posterior(votes: readonly ItemVote[], options: readonly string[], parameters: Parameters): Posterior {
  const labels = options.length > 0 ? [...new Set(options)] : [...new Set(votes.map(({ label }) => label))].sort();
  if (parameters.method === "majority") return sharesOf(votes, labels);
  const sorted = [...votes].sort((a, b) => compare(a.voter, b.voter) || compare(a.label, b.label));
  const saying = parameters.method === "one-coin" ? oneCoin(parameters, labels) : dawidSkene(parameters, labels);
  const logs = Float64Array.from(labels, (truth) => {
    const prior = parameters.prior === undefined ? 1 / labels.length : (valueAt(parameters.prior, truth) ?? 0);
    return sorted.reduce((sum, vote) => sum + logOf(saying(vote, truth)), logOf(prior));
  });
  const logSum = logs.length === 0 ? 0 : logSumOf(logs);
  return Object.fromEntries(labels.map((label, at) => [label, Math.min(1, Math.exp((logs[at] as number) - logSum))]));
}

/** The most probable label; undefined where two are as likely, or there is none. */
export function mostProbable(probabilities: Posterior): { label: string; probability: number } | undefined {
  const [first, second] = Object.entries(probabilities).sort(([, a], [, b]) => b - a);
  if (first === undefined || (second !== undefined && first[1] - second[1] < tolerance)) return undefined;
  return { label: first[0], probability: first[1] };
}

function sharesOf(votes: readonly ItemVote[], labels: readonly string[]): Posterior {
  const tally = tallyOf(votes.map(({ label }) => label));
  const shareOf = (label: string) => (votes.length === 0 ? 1 / labels.length : (tally.get(label) ?? 0) / votes.length);
  return Object.fromEntries(labels.map((label) => [label, shareOf(label)]));
}

/** How probable it is that a vote says what it says where `truth` is true. */
type Saying = (vote: ItemVote, truth: string) => number;

function oneCoin({ accuracies, defaultAccuracy }: ParametersOf<"one-coin">, labels: readonly string[]): Saying {
  const wrongLabels = Math.max(labels.length - 1, 1);
  const ofOthers = defaultAccuracy ?? 1 / labels.length;
  return ({ voter, label }, truth) => {
    const accuracy = valueAt(accuracies, voter) ?? ofOthers;
    return label === truth ? accuracy : (1 - accuracy) / wrongLabels;
  };
}

function dawidSkene({ confusion, defaultAccuracy }: ParametersOf<"dawid-skene">, labels: readonly string[]): Saying {
  const byDefault = oneCoin({ method: "one-coin", accuracies: {}, defaultAccuracy }, labels);
  return (vote, truth) => {
    const said = valueAt(valueAt(confusion, vote.voter) ?? {}, truth);
    return said === undefined ? byDefault(vote, truth) : (valueAt(said, vote.label) ?? 0);
  };
}

type ParametersOf<Method extends Parameters["method"]> = Extract<Parameters, { readonly method: Method }>;

/** Those who voted and of whom the parameters know nothing. */
export function votersUnknownTo(parameters: Parameters, votes: readonly ItemVote[]): readonly string[] {
  if (parameters.method === "majority" || parameters.defaultAccuracy !== undefined) return [];
  const known = parameters.method === "one-coin" ? parameters.accuracies : parameters.confusion;
  return votes.map(({ voter }) => voter).filter((voter) => !Object.hasOwn(known, voter));
}

/** What an object has itself: labels and voters may be named like what every object has. */
function valueAt<Value>(record: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
