/**
 * Reads logs of step lines: `step:12/1530 train_loss:6.3 train_time:274ms step_avg:nanms`, and the older
 * `s:12 trl:6.3`, behind an optional training script and an environment block.
 */
import { readEnvironmentLine } from "./environment.ts";
import {
  type LoggedRun,
  type LoggedStart,
  type LoggedStep,
  type LogProblem,
  lastMetrics,
  type Metric,
} from "./logged-run.ts";
import { parseMetric } from "./metric.ts";
import { type Timeline, timeline } from "./timeline.ts";
import { findTrainingScript, type TrainingScript } from "./training-script.ts";

const metricLine = /^(?:step|s):/;
const stepWord = /^(?:step|s):(\d+)(?:\/(\d+))?$/;
const valueWord = /^([^:]+):(.*?)(ms|s)?$/;
const peakMemory = /^peak memory allocated: (\d+) MiB/;

/** The short names of the older format. */
const longNames: Readonly<Record<string, string>> = { trl: "train_loss", tel: "val_loss" };

const maxNotes = 50;
const maxNoteLength = 200;

/** Whether some line of the log is a step line. */
export function hasStepLines(lines: readonly string[]): boolean {
  return lines.some((line) => /^(?:step|s):\d/.test(line));
}

/** Reads a log of step lines. `lines` are those of the file, without their ends. */
export function readStepLines(lines: readonly string[]): LoggedRun {
  const script = findTrainingScript(lines);
  const clock = timeline();
  const prose = proseReader(clock);
  const steps: LoggedStep[] = [];
  const problems: LogProblem[] = [];
  let totalSteps: number | undefined;

  for (const [index, line] of lines.entries()) {
    const sourceLine = index + 1;
    if (sourceLine <= (script?.lastLine ?? 0)) continue;
    if (!metricLine.test(line)) {
      prose.read(line, steps.length === 0);
      continue;
    }
    const parsed = parseStepLine(line);
    if (typeof parsed === "string") {
      problems.push({ line: sourceLine, reason: parsed });
      continue;
    }
    totalSteps = parsed.totalSteps ?? totalSteps;
    steps.push(loggedStep(parsed, sourceLine, clock));
  }

  const start = startOf({ script, clock, totalSteps, ...prose.found() });
  const lastStep = steps.at(-1)?.step;
  const isAtEnd = lastStep !== undefined && lastStep >= (totalSteps ?? 0);
  if (!isAtEnd) return { start, steps, problems };
  const finalMetrics = { ...lastMetrics(steps), ...prose.found().closing };
  const durationMs = finalMetrics.train_time_ms;
  return {
    start,
    steps,
    problems,
    end: { finalMetrics, ...(typeof durationMs === "number" ? { durationMs: Math.round(durationMs) } : {}) },
  };
}

interface StepLine {
  readonly step: number;
  readonly totalSteps?: number;
  readonly metrics: Record<string, Metric>;
}

/** The line's content, or the reason why it has none. */
function parseStepLine(line: string): StepLine | string {
  const [head = "", ...words] = line.trim().split(/\s+/);
  const match = stepWord.exec(head);
  const step = Number(match?.[1]);
  if (match === null || !Number.isSafeInteger(step)) return `no step number in "${head}"`;
  if (words.length === 0) return `step ${step} has no metric`;

  const metrics: Record<string, Metric> = {};
  for (const word of words) {
    const [, name, text, unit] = valueWord.exec(word) ?? [];
    if (name === undefined || text === undefined) return `"${word}" is not name:value`;
    const value = parseMetric(text);
    if (value === undefined) return `${name} is not a number: "${text}${unit ?? ""}"`;
    metrics[unit === undefined ? (longNames[name] ?? name) : `${name}_${unit}`] = value;
  }
  return { step, metrics, ...(match[2] === undefined ? {} : { totalSteps: Number(match[2]) }) };
}

function loggedStep(parsed: StepLine, sourceLine: number, clock: Timeline): LoggedStep {
  const { step, metrics } = parsed;
  const at = clock.at(elapsedMs(metrics));
  return {
    sourceLine,
    step,
    metrics,
    ...(metrics.train_loss === undefined ? {} : { loss: metrics.train_loss }),
    ...(typeof metrics.lr === "number" ? { learningRate: metrics.lr } : {}),
    ...(at === undefined ? {} : { at }),
  };
}

function elapsedMs(metrics: Readonly<Record<string, Metric>>): number | undefined {
  if (typeof metrics.train_time_ms === "number") return metrics.train_time_ms;
  return typeof metrics.train_time_s === "number" ? metrics.train_time_s * 1000 : undefined;
}

interface Prose {
  readonly facts: Readonly<Record<string, string>>;
  readonly gpus: readonly string[];
  /** Sentences before the first step that are no known fact. */
  readonly notes: readonly string[];
  /** Metrics that only a sentence behind the steps tells. */
  readonly closing: Readonly<Record<string, Metric>>;
}

function proseReader(clock: Timeline): { read(line: string, isBeforeSteps: boolean): void; found(): Prose } {
  const facts: Record<string, string> = {};
  const gpus: string[] = [];
  const notes: string[] = [];
  const closing: Record<string, Metric> = {};
  return {
    found: () => ({ facts, gpus, notes, closing }),
    read: (line, isBeforeSteps) => {
      const memory = peakMemory.exec(line)?.[1];
      if (memory !== undefined) closing.peak_memory_mib = Number(memory);
      const told = readEnvironmentLine(line);
      if (told.kind === "date") clock.date(told.epochMs);
      // A log that goes on after a restart repeats the block; the run started in the first.
      if (!isBeforeSteps) return;
      if (told.kind === "facts") Object.assign(facts, told.facts);
      if (told.kind === "gpu") gpus.push(told.name);
      if (told.kind === "prose" && notes.length < maxNotes) notes.push(line.trim().slice(0, maxNoteLength));
    },
  };
}

interface StartParts extends Prose {
  readonly script: TrainingScript | undefined;
  readonly clock: Timeline;
  readonly totalSteps: number | undefined;
}

function startOf({ script, clock, totalSteps, facts, gpus, notes }: StartParts): LoggedStart {
  const { startedAt } = clock;
  return {
    ...(startedAt === undefined ? {} : { startedAt }),
    config: {
      format: "step-lines",
      ...(totalSteps === undefined ? {} : { totalSteps }),
      ...(notes.length === 0 ? {} : { notes }),
    },
    hyperparameters: script?.hyperparameters ?? {},
    ...(script === undefined ? {} : { codeVersion: script.sha256 }),
    environment: {
      ...facts,
      ...(gpus.length === 0 ? {} : { gpus }),
      ...(startedAt === undefined ? {} : { startedAt, timeZone: "not in the log, taken as UTC" }),
    },
  };
}
