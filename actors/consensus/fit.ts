/** What joint fits have in common: the votes on many items at once tell what is true of each, and how good voters are. */
import type { Parameters } from "./parameters.ts";
import { countsOf, type VoteTable } from "./vote-table.ts";

/** What a fit found. */
export interface Fit {
  /** Probability by item and label: of each item all labels that occur, with the sum 1. */
  readonly posteriors: ReadonlyMap<string, Readonly<Record<string, number>>>;
  /** By which `posterior` finds the same for each item alone. */
  readonly parameters: Parameters;
}

/** What a fit found that estimates again and again. */
export interface EstimatedFit extends Fit {
  /** The natural logarithm of the likelihood of all votes. */
  readonly logLikelihood: number;
  readonly iterations: number;
}

/** The share of each label in the votes on each item: items x labels, row by row. */
export function sharesOf(table: VoteTable): Float64Array {
  const width = table.labels.length;
  const counts = countsOf(table);
  return counts.map((count, at) => {
    const first = at - (at % width);
    return count / counts.subarray(first, first + width).reduce((a, b) => a + b);
  });
}

/** From rows of items x labels. */
export function byItem({ items, labels }: VoteTable, rows: Float64Array): Fit["posteriors"] {
  return new Map(items.map((item, at) => [item, byLabel(labels, rows.subarray(at * labels.length))]));
}

/** The first of `values`, one for each label. */
export function byLabel(labels: readonly string[], values: Float64Array): Record<string, number> {
  return Object.fromEntries(labels.map((label, at) => [label, values[at] as number]));
}
