/** Whether runs came to the same: their metrics within a tolerance, and who stands apart. Pure. */
import { isLowerBetter } from "../../lower-is-better.ts";
import type { RunRecord } from "./read-run.ts";
import { type Aspect, compareRecipes } from "./recipe.ts";

/** What one run came to. Null where it reported nothing; what diverged is NaN or infinite. */
export interface Result {
  readonly run: string;
  readonly final: number | null;
  /** The lowest of what is named like a loss or an error, the highest of all else. */
  readonly best: number | null;
}

/** A run that stands apart from the others in one metric. */
export interface Outlier {
  readonly run: string;
  readonly metric: string;
  readonly final: number;
  readonly median: number;
  /** How many scaled median absolute deviations from the median; infinite where the others are all equal. */
  readonly deviations: number;
}

/** One metric of all runs. */
export interface MetricComparison {
  readonly metric: string;
  readonly results: readonly Result[];
  /** Runs that say nothing of it: the others alone are compared. */
  readonly notReportedBy: readonly string[];
  /** Of the final values that are finite; NaN when none is. */
  readonly median: number;
  /** The larger of the spreads of final and best values: highest less lowest, by the larger magnitude. */
  readonly spread: number;
  readonly isAlike: boolean;
  /** The farthest from the median first. */
  readonly outliers: readonly Outlier[];
}

/** Everything that was compared. */
export interface Comparison {
  /** Nothing differs: neither what the runs were made of, nor how they ended, nor what those that report a metric came to. */
  readonly isAlike: boolean;
  readonly statuses: readonly string[];
  readonly recipe: readonly Aspect[];
  readonly metrics: readonly MetricComparison[];
  /** Of three runs or more, the one that stands apart in the most metrics, and in which; of several such, the farthest. */
  readonly outlier: { readonly run: string; readonly apartIn: readonly Outlier[] } | null;
}

/** How to compare. */
export interface CompareOptions {
  /** As a part of the larger magnitude: 0.01 is one per cent. */
  readonly tolerance: number;
  /** Only this one. Default: all that the runs report but what tells of time and memory. */
  readonly metric?: string;
}

/** Compares two runs or more. */
export function compareRuns(runs: readonly RunRecord[], { tolerance, metric }: CompareOptions): Comparison {
  const names = metric === undefined ? resultsIn(runs) : [metric];
  const metrics = names.map((name) => compareMetric(runs, name, tolerance));
  const recipe = compareRecipes(runs);
  const statuses = runs.map(({ status }) => status);
  const isAlike =
    new Set(statuses).size === 1 &&
    recipe.every(({ verdict }) => verdict !== "differs") &&
    metrics.every((compared) => compared.isAlike);
  return { isAlike, statuses, recipe, metrics, outlier: outlierOf(metrics) };
}

/** Every metric that some run reports, in the order of names. */
export function metricsIn(runs: readonly RunRecord[]): string[] {
  return [...new Set(runs.flatMap((run) => [...run.curves.keys(), ...Object.keys(run.finalMetrics)]))].sort();
}

const cost = /(^|[^a-z])(time|duration|ms|s|sec|seconds|minutes|hours|kib|mib|gib|mb|gb|bytes|memory)([^a-z]|$)/i;

/** Time and memory are what a result cost, and the learning rate is what was set. */
function resultsIn(runs: readonly RunRecord[]): string[] {
  return metricsIn(runs).filter((name) => name !== "learningRate" && !cost.test(name));
}

/** Between 0.99 and 1 lies more than 0.01, by the last bit. */
const rounding = 1e-9;

function compareMetric(runs: readonly RunRecord[], metric: string, tolerance: number): MetricComparison {
  const results = runs.map((run) => resultOf(run, metric));
  const notReportedBy = results.filter(({ final }) => final === null).map(({ run }) => run);
  const reported = results.filter(({ final }) => final !== null);
  const finals = reported.map(({ final }) => final);
  const spread = Math.max(spreadOf(finals), spreadOf(reported.map(({ best }) => best)));
  const median = medianOf(finals.filter(isFinal));
  const outliers = reported.length < 3 ? [] : outliersIn(reported, { metric, median, tolerance });
  return { metric, results, notReportedBy, median, spread, isAlike: spread <= tolerance * (1 + rounding), outliers };
}

function resultOf({ id, curves, finalMetrics }: RunRecord, metric: string): Result {
  const values = (curves.get(metric) ?? []).map(({ value }) => value);
  const reported = Object.hasOwn(finalMetrics, metric) ? Number(finalMetrics[metric]) : undefined;
  const final = reported ?? values.at(-1) ?? null;
  const finite = (values.length === 0 && reported !== undefined ? [reported] : values).filter(Number.isFinite);
  const better = isLowerBetter(metric) ? Math.min : Math.max;
  return { run: id, final, best: finite.length === 0 ? null : finite.reduce((a, b) => better(a, b)) };
}

/** Infinite where one diverged and another did not. */
function spreadOf(values: readonly (number | null)[]): number {
  if (values.every((value) => Object.is(value, values[0]))) return 0;
  if (!values.every(isFinal)) return Number.POSITIVE_INFINITY;
  const [low, high] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
  return low === high ? 0 : (high - low) / Math.max(Math.abs(low), Math.abs(high));
}

function isFinal(value: number | null): value is number {
  return value !== null && Number.isFinite(value);
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  if (Number.isInteger(middle)) return ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
  return sorted[Math.floor(middle)] as number;
}

/** Of a normal distribution, 1.4826 median absolute deviations are a standard deviation. */
const standardDeviations = 1.4826;
/** As recommended for small samples: Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993. */
const maxDeviations = 3.5;
/** Where runs are nearly equal, the last digits are no news. */
const shareOfTolerance = 0.1;

interface OutlierRule {
  readonly metric: string;
  readonly median: number;
  readonly tolerance: number;
}

/** A run that diverged stands apart from those that did not. */
function outliersIn(results: readonly Result[], { metric, median, tolerance }: OutlierRule): Outlier[] {
  const finite = results.map(({ final }) => final).filter(isFinal);
  if (finite.length * 2 <= results.length) return [];
  const scale = standardDeviations * medianOf(finite.map((value) => Math.abs(value - median)));
  const leastDistance = shareOfTolerance * tolerance * Math.abs(median);
  return results
    .flatMap(({ run, final }): Outlier[] => {
      if (final === null) return [];
      const distance = Number.isFinite(final) ? Math.abs(final - median) : Number.POSITIVE_INFINITY;
      const deviations = distance === 0 ? 0 : distance / scale;
      const isApart = deviations > maxDeviations && distance > leastDistance;
      return isApart ? [{ run, metric, final, median, deviations }] : [];
    })
    .sort((a, b) => b.deviations - a.deviations);
}

function outlierOf(metrics: readonly MetricComparison[]): Comparison["outlier"] {
  const all = metrics.flatMap(({ outliers }) => outliers);
  const ofRun = (run: string): Outlier[] => all.filter((outlier) => outlier.run === run);
  const order = (a: Outlier, b: Outlier): number =>
    ofRun(b.run).length - ofRun(a.run).length || b.deviations - a.deviations;
  const run = [...all].sort(order)[0]?.run;
  return run === undefined ? null : { run, apartIn: ofRun(run) };
}
