/** Crossings of thresholds: what may cross in the windows that an event lies in, and whether it has. */
import { fieldIn } from "../../given-fields.ts";
import { instanceId } from "../../instance-id.ts";
import { type Contribution, ofInference, ofSignal, type Told } from "../../projections/feedback-stats/contribution.ts";
import type { Rate, WindowRow } from "../../projections/feedback-stats/window-row.ts";
import { startOf, type WindowSize, windowKey } from "../../projections/feedback-stats/windows.ts";
import type { Settings } from "./settings.ts";

/** What is measured. */
export type Metric = "negative-rate" | "accuracy";

/** What is done about it; rolling back is the stronger one. */
export type Remedy = "adjust-traffic" | "roll-back";

/** One threshold of one version in one window. It can be crossed once. */
export interface Alarm {
  /** Of the instance that sees to it. */
  readonly id: string;
  readonly modelId: string;
  readonly modelVersion: string;
  readonly metric: Metric;
  readonly remedy: Remedy;
  readonly window: WindowSize;
  readonly start: string;
  readonly tag?: string;
  /** Of the row in `feedback-stats`. */
  readonly key: string;
}

/** By how much a threshold is crossed. */
export interface Crossing {
  readonly value: number;
  readonly count: number;
  readonly of: number;
  readonly threshold: number;
  readonly minCount: number;
}

/** The events that may cross a threshold. */
export const watchedTypes = [
  "UserRatedOutput",
  "OutputApproved",
  "OutputRejected",
  "InferenceFeedback",
  "HumanLabelApplied",
] as const;

const ofInferences: readonly string[] = ["InferenceFeedback", "HumanLabelApplied"];

/** All thresholds that the event may bring something across. */
export function alarmsOf(event: Told, settings: Settings): Alarm[] {
  const told = ofInferences.includes(event.type) ? ofInference(event) : ofSignal(event);
  if (told?.modelVersion === undefined) return [];
  const { modelId, modelVersion, at } = told;
  const tags = [undefined, ...(settings.perTag ? told.tags : [])];
  return metricsOf(told).flatMap((metric) =>
    watchedBy(settings, modelId, metric).windows.flatMap((window) => {
      const start = startOf(window, at);
      return tags.flatMap((tag) =>
        (["roll-back", "adjust-traffic"] as const).map((remedy) => ({
          id: alarmId([modelId, modelVersion, metric, remedy, window], start, tag),
          ...{ modelId, modelVersion, metric, remedy, window, start, ...(tag !== undefined && { tag }) },
          key: windowKey({ modelId, modelVersion, size: window, start, tag }),
        })),
      );
    }),
  );
}

function metricsOf({ isNegative, doesAgree }: Contribution): Metric[] {
  return [
    ...(isNegative === undefined ? [] : ["negative-rate" as const]),
    ...(doesAgree === undefined ? [] : ["accuracy" as const]),
  ];
}

/** The minute is enough of the start: windows begin at whole ones. */
function alarmId(names: readonly string[], start: string, tag: string | undefined): string {
  const minute = start.replace(/\D/g, "").slice(0, 12);
  return instanceId(...names, minute, ...(tag === undefined ? [] : [tag]));
}

/** How far the alarm's threshold is crossed in the row; undefined where it is not, or the stronger remedy's is as well. */
export function crossingIn(row: WindowRow | undefined, alarm: Alarm, settings: Settings): Crossing | undefined {
  if (row === undefined) return undefined;
  const { modelId, metric, remedy } = alarm;
  const measured = metric === "accuracy" ? row.accuracy : row.negative;
  const { minCount, thresholds } = watchedBy(settings, modelId, metric);
  if (measured.of < minCount) return undefined;
  const strongest = beyond(measured, metric, thresholds["roll-back"]);
  const weaker = strongest === undefined ? beyond(measured, metric, thresholds["adjust-traffic"]) : undefined;
  const crossed = remedy === "roll-back" ? strongest : weaker;
  return crossed && { ...crossed, count: measured.count, of: measured.of, minCount };
}

function beyond({ rate }: Rate, metric: Metric, threshold: number | null) {
  if (rate === null || threshold === null) return undefined;
  const isBeyond = metric === "accuracy" ? rate < threshold : rate > threshold;
  return isBeyond ? { value: rate, threshold } : undefined;
}

interface Watched {
  readonly windows: readonly WindowSize[];
  readonly minCount: number;
  readonly thresholds: Readonly<Record<Remedy, number | null>>;
}

function watchedBy(settings: Settings, modelId: string, metric: Metric): Watched {
  const { accuracy, negativeRate } = fieldIn(settings.models, modelId) ?? settings;
  if (metric === "accuracy") {
    const { windows, minCount, adjustTrafficBelow, rollBackBelow } = accuracy;
    return { windows, minCount, thresholds: { "adjust-traffic": adjustTrafficBelow, "roll-back": rollBackBelow } };
  }
  const { windows, minCount, adjustTrafficAbove, rollBackAbove } = negativeRate;
  return { windows, minCount, thresholds: { "adjust-traffic": adjustTrafficAbove, "roll-back": rollBackAbove } };
}

/** In words, for whoever reads why traffic moved. */
export function reasonOf({ metric, window, start, tag }: Alarm, { value, count, of, threshold }: Crossing): string {
  const what = metric === "accuracy" ? "accuracy against human labels" : "negative feedback";
  const side = metric === "accuracy" ? "below" : "above";
  const where = `in the ${window} from ${start}${tag === undefined ? "" : `, of what is tagged ${tag}`}`;
  return `${what} ${Math.round(value * 1000) / 1000} (${count} of ${of}) is ${side} ${threshold} ${where}`;
}
