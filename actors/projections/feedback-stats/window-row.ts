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
  const isOfCorrection = isInference === true || isCorrection === true;
  const next: WindowRow = {
    ...row,
    counts: withCount(row.counts, one.type, sign),
    ...(rating !== undefined && {
      rating: withNumber(row.rating, rating.value, sign),
      ratingShare: withNumber(row.ratingShare, (rating.value - rating.min) / (rating.max - rating.min), sign),
    }),
    ...(reward !== undefined && { reward: withNumber(row.reward, reward, sign) }),
    ...(isNegative !== undefined && { negative: withRate(row.negative, { count: isNegative ? sign : 0, of: sign }) }),
    ...(isOfCorrection && {
      correction: withRate(row.correction, { count: isCorrection ? sign : 0, of: isInference ? sign : 0 }),
    }),
    ...(doesAgree !== undefined && { accuracy: withRate(row.accuracy, { count: doesAgree ? sign : 0, of: sign }) }),
    ...(deployment !== undefined && { deployments: withDeployment(row.deployments, deployment, sign) }),
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
  const means = [rating, ratingShare, reward];
  const rates = [negative, correction, accuracy];
  return (
    Object.keys(counts).length === 0 &&
    Object.keys(deployments).length === 0 &&
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

function withNumber({ count, sum }: Mean, value: number, sign: Sign): Mean {
  const next = { count: count + sign, sum: plus(sum, sign * value) };
  return { ...next, mean: next.count === 0 ? null : nearest(next.sum) / next.count };
}

function withRate({ count, of }: Rate, more: Pick<Rate, "count" | "of">): Rate {
  const next = { count: count + more.count, of: of + more.of };
  return { ...next, rate: next.of === 0 ? null : next.count / next.of };
}

function withDeployment(
  deployments: WindowRow["deployments"],
  { environment, change }: NonNullable<Contribution["deployment"]>,
  sign: Sign,
): WindowRow["deployments"] {
  const changes = { ...noChange, ...fieldIn(deployments, environment) };
  return { ...deployments, [environment]: { ...changes, [change]: changes[change] + sign } };
}
