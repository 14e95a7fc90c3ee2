/** A window as a row: counts with what they are counted of, and means with exact sums, so that any order of events gives the same. */
import { type ExactSum, nearest, plus } from "../../exact-sum.ts";
import { fieldIn } from "../../given-fields.ts";
import type { Contribution, DeploymentChange } from "./contribution.ts";
import { endOf, type WindowOf, type WindowSize } from "./windows.ts";

/** How many of how many. */
export interface Rate {
  readonly count: number;
  readonly of: number;
  /** `count / of`; null where there is nothing to count. */
  readonly rate: number | null;
}

/** The mean of numbers. */
export interface Mean {
  readonly count: number;
  readonly mean: number | null;
  /** Exact: the nearest number first, then what is left of it. */
  readonly sum: ExactSum;
}

/** What was said about a version of a model in a window, and what happened to it. */
export interface WindowRow {
  readonly modelId: string;
  readonly modelVersion?: string;
  /** Of what is so tagged only. */
  readonly tag?: string;
  readonly window: WindowSize;
  /** ISO 8601; the end is the start of the next. */
  readonly start: string;
  readonly end: string;
  /** Events by type. */
  readonly counts: Readonly<Record<string, number>>;
  /** As given, on whatever scale. */
  readonly rating: Mean;
  /** From 0, the worst of its scale, to 1. */
  readonly ratingShare: Mean;
  readonly reward: Mean;
  /** Of signals that say whether somebody was content. */
  readonly negative: Rate;
  /** Of inferences that were completed in the window. */
  readonly correction: Rate;
  /** Human labels that agree with the prediction, of those that have one to compare with. */
  readonly accuracy: Rate;
  /** By environment. */
  readonly deployments: Readonly<Record<string, Readonly<Record<DeploymentChange, number>>>>;
}

const noMean: Mean = { count: 0, mean: null, sum: [] };
const noRate: Rate = { count: 0, of: 0, rate: null };
const noChange: Readonly<Record<DeploymentChange, number>> = { deployed: 0, adjusted: 0, rolledBack: 0, restored: 0 };

/** A window with nothing in it. */
export function emptyWindow({ modelId, modelVersion, size, start, tag }: WindowOf): WindowRow {
  return {
    modelId,
    ...(modelVersion !== undefined && { modelVersion }),
    ...(tag !== undefined && { tag }),
    window: size,
    start,
    end: endOf(size, start),
    counts: {},
    rating: noMean,
    ratingShare: noMean,
    reward: noMean,
    negative: noRate,
    correction: noRate,
    accuracy: noRate,
    deployments: {},
  };
}

/** 1 adds, -1 takes back. */
export type Sign = 1 | -1;

/** The window after an event, or after its retraction. Undefined where nothing is left in it. */
export function counted(row: WindowRow, one: Contribution, sign: Sign): WindowRow | undefined {
  const { rating, reward, isNegative, isCorrection, isInference, doesAgree, deployment } = one;
  const share = rating === undefined ? undefined : (rating.value - rating.min) / (rating.max - rating.min);
  const isOfCorrection = isInference === true || isCorrection === true;
  const inferences = isInference === true ? sign : 0;
  // Every field each time: rows of one shape are copied much faster.
  const next: WindowRow = {
    ...row,
    counts: withCount(row.counts, one.type, sign),
    rating: withNumber(row.rating, rating?.value, sign),
    ratingShare: withNumber(row.ratingShare, share, sign),
    reward: withNumber(row.reward, reward, sign),
    negative: withRate(row.negative, isNegative, sign),
    correction: isOfCorrection ? withRate(row.correction, isCorrection === true, sign, inferences) : row.correction,
    accuracy: withRate(row.accuracy, doesAgree, sign),
    deployments: deployment === undefined ? row.deployments : withDeployment(row.deployments, deployment, sign),
  };
  return isEmpty(next) ? undefined : next;
}

function isEmpty({
  counts,
  rating,
  ratingShare,
  reward,
  negative,
  correction,
  accuracy,
  deployments,
}: WindowRow): boolean {
  if (Object.keys(counts).length > 0 || Object.keys(deployments).length > 0) return false;
  const means = [rating, ratingShare, reward];
  const rates = [negative, correction, accuracy];
  return (
    means.every(({ count, sum }) => count === 0 && sum.length === 0) &&
    rates.every(({ count, of }) => count === 0 && of === 0)
  );
}

function withCount(counts: WindowRow["counts"], type: string, sign: Sign): WindowRow["counts"] {
  const count = (fieldIn(counts, type) ?? 0) + sign;
  if (count !== 0) return { ...counts, [type]: count };
  const { [type]: _, ...others } = counts;
  return others;
}

function withNumber(mean: Mean, value: number | undefined, sign: Sign): Mean {
  if (value === undefined) return mean;
  const count = mean.count + sign;
  const sum = plus(mean.sum, sign * value);
  return { count, sum, mean: count === 0 ? null : nearest(sum) / count };
}

/** `more` is how many there are to count it of: the one itself, unless they are counted elsewhere. */
function withRate(rate: Rate, isCounted: boolean | undefined, sign: Sign, more: number = sign): Rate {
  if (isCounted === undefined) return rate;
  const count = rate.count + (isCounted ? sign : 0);
  const of = rate.of + more;
  return { count, of, rate: of === 0 ? null : count / of };
}

function withDeployment(
  deployments: WindowRow["deployments"],
  { environment, change }: NonNullable<Contribution["deployment"]>,
  sign: Sign,
): WindowRow["deployments"] {
  const changes = { ...noChange, ...fieldIn(deployments, environment) };
  return { ...deployments, [environment]: { ...changes, [change]: changes[change] + sign } };
}
