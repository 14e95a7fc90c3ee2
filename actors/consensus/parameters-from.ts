/** From what was seen of voters to what a method has to know of them. */
import type { Parameters } from "./parameters.ts";
import { maxLabels, type QualityRows, type VoterRow } from "./quality.ts";
import type { ConsensusSettings } from "./settings.ts";

/** Whose parameters are wanted, for a choice of which labels; none are free text. */
export interface Ballot {
  readonly voters: readonly string[];
  readonly options: readonly string[];
}

/** As JSON: they are part of an event. */
const maxCharacters = 64 * 1024;

/**
 * The parameters of these voters and of no others; who has no row gets the default. All labels are equally likely before
 * the votes: a prior that is estimated from accepted labels confirms itself.
 */
export function parametersFrom(
  { voters: rows }: Pick<QualityRows, "voters">,
  { voters, options: offered }: Ballot,
  settings: ConsensusSettings,
): Parameters {
  const { method, defaultAccuracy } = settings;
  if (method === "majority") return { method };
  const options = [...new Set(offered)];
  const known = voters.flatMap((voter): [string, VoterRow][] => {
    const row = Object.hasOwn(rows, voter) ? rows[voter] : undefined;
    return row === undefined ? [] : [[voter, row]];
  });
  if (method === "dawid-skene" && options.length > 0 && options.length <= maxLabels) {
    const confusion = known.map(([voter, row]) => [voter, confusionOf(row, options, settings)]);
    const parameters = { method, confusion: Object.fromEntries(confusion), defaultAccuracy };
    if (JSON.stringify(parameters).length <= maxCharacters) return parameters;
  }
  const accuracies = known.map(([voter, { agreements, total }]) => [
    voter,
    smoothed(agreements, total, defaultAccuracy, settings),
  ]);
  return { method: "one-coin", accuracies: Object.fromEntries(accuracies), defaultAccuracy };
}

function confusionOf(row: VoterRow, options: readonly string[], settings: ConsensusSettings) {
  const { defaultAccuracy } = settings;
  const wrong = (1 - defaultAccuracy) / Math.max(options.length - 1, 1);
  const truths = options.map((truth) => {
    const said = Object.hasOwn(row.confusion, truth) ? (row.confusion[truth] ?? {}) : {};
    const countOf = (label: string): number => (Object.hasOwn(said, label) ? (said[label] as number) : 0);
    const all = options.reduce((sum, label) => sum + countOf(label), 0);
    const probabilityOf = (label: string): number => {
      return smoothed(countOf(label), all, label === truth ? defaultAccuracy : wrong, settings);
    };
    return [truth, Object.fromEntries(options.map((label) => [label, probabilityOf(label)]))];
  });
  return Object.fromEntries(truths);
}

/** A share that is `usual` as long as little was counted. Six decimals, so that what is recorded can be read. */
function smoothed(count: number, all: number, usual: number, { defaultVotes }: ConsensusSettings): number {
  return Math.round((1e6 * (count + defaultVotes * usual)) / (all + defaultVotes)) / 1e6;
}
