/**
 * Reads measurements as CSV, one row a step, with the side files that AlgoPerf writes beside them: the flags of the
 * run (hyperparameters, seed) and its meta data (hardware, software).
 */
import { counted } from "../print/counted.ts";
import {
  type LoggedEnd,
  type LoggedRun,
  type LoggedStart,
  type LoggedStep,
  type LogProblem,
  lastMetrics,
  type Metric,
} from "./logged-run.ts";
import { parseMetric } from "./metric.ts";

/** What stands beside the measurements; objects of plain JSON. */
export interface MeasurementsSideFiles {
  readonly flags?: Readonly<Record<string, unknown>>;
  readonly metaData?: Readonly<Record<string, unknown>>;
}

const stepColumns = ["global_step", "step"];
const lossColumn = "loss";
const learningRateColumns = ["learning_rate", "lr"];

/** Whether the log begins with a row of column names, one of them the step. */
export function hasMeasurements(lines: readonly string[]): boolean {
  return columnsOf(lines).some((name) => stepColumns.includes(name));
}

/** Reads measurements. `lines` are those of the file, without their ends. */
export function readMeasurements(lines: readonly string[], side: MeasurementsSideFiles = {}): LoggedRun {
  const columns = columnsOf(lines);
  const steps: LoggedStep[] = [];
  const problems: LogProblem[] = [];
  for (const [index, line] of lines.entries()) {
    if (index <= headerIndex(lines) || line.trim() === "") continue;
    const parsed = parseRow(columns, line);
    if (typeof parsed === "string") problems.push({ line: index + 1, reason: parsed });
    else steps.push({ sourceLine: index + 1, ...parsed });
  }
  const run = { start: startOf(side), steps, problems };
  return steps.length === 0 ? run : { ...run, end: endOf(steps) };
}

function headerIndex(lines: readonly string[]): number {
  return lines.findIndex((line) => line.trim() !== "");
}

function columnsOf(lines: readonly string[]): string[] {
  const names = (lines[headerIndex(lines)] ?? "").split(",").map((name) => name.trim());
  return names.length > 1 ? names : [];
}

/** The row's content, or the reason why it has none. */
function parseRow(columns: readonly string[], line: string): Omit<LoggedStep, "sourceLine"> | string {
  const cells = line.split(",").map((cell) => cell.trim());
  if (cells.length !== columns.length) {
    return `${counted(cells.length, "column")} where the header has ${columns.length}`;
  }

  let step: number | undefined;
  const metrics: Record<string, Metric> = {};
  for (const [index, name] of columns.entries()) {
    const cell = cells[index] as string;
    if (cell === "") continue;
    const value = parseMetric(cell);
    if (value === undefined) return `${name} is not a number: "${cell}"`;
    if (!stepColumns.includes(name)) metrics[name] = value;
    else if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) step = value;
    else return `${name} is not a step number: "${cell}"`;
  }
  if (step === undefined) return "the step is missing";
  if (Object.keys(metrics).length === 0) return `step ${step} has no metric`;
  const learningRate = learningRateColumns.map((name) => metrics[name]).find((value) => typeof value === "number");
  return {
    step,
    metrics,
    ...(metrics[lossColumn] === undefined ? {} : { loss: metrics[lossColumn] }),
    ...(learningRate === undefined ? {} : { learningRate }),
  };
}

/** What a machine showed at one moment, like its load, free memory and temperature: it says nothing of what it is. */
const momentary = /(\.util(\.|$)|\.(used|percent_used|free|available|current)$|_since_(boot|last)$)/;

function startOf({ flags = {}, metaData = {} }: MeasurementsSideFiles): LoggedStart {
  const isWorkload = (name: string) => name.startsWith("workload.");
  const seed = [flags.rng_seed, metaData.rng_seed].find((value) => typeof value === "number");
  return {
    config: { format: "measurements-csv", ...pick(metaData, isWorkload) },
    hyperparameters: flags,
    ...(seed === undefined ? {} : { seed }),
    environment: pick(metaData, (name) => !isWorkload(name) && !momentary.test(name) && name !== "rng_seed"),
  };
}

function pick(from: Readonly<Record<string, unknown>>, wanted: (name: string) => boolean): Record<string, unknown> {
  return Object.fromEntries(Object.entries(from).filter(([name]) => wanted(name)));
}

function endOf(steps: readonly LoggedStep[]): LoggedEnd {
  const finalMetrics = lastMetrics(steps);
  const seconds = finalMetrics.total_duration;
  return { finalMetrics, ...(typeof seconds === "number" ? { durationMs: Math.round(seconds * 1000) } : {}) };
}
