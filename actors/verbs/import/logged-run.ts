/** What a training log says about a run, whatever the format it was written in. */

/** A value as logged; a diverged run's values keep their spelling. */
export type Metric = number | "NaN" | "Infinity" | "-Infinity";

/** One metric line. Several lines may speak of the same step. */
export interface LoggedStep {
  /** 1-based line of the file. */
  readonly sourceLine: number;
  readonly step: number;
  /** Everything the line says, under the log's own names with the unit last: `val_loss`, `train_time_ms`. */
  readonly metrics: Readonly<Record<string, Metric>>;
  /** The training loss, where the line has it. */
  readonly loss?: Metric;
  readonly learningRate?: number;
  /** ISO 8601, where the log tells the time. */
  readonly at?: string;
}

/** A line that begins like a metric line and cannot be read as one. */
export interface LogProblem {
  /** 1-based. */
  readonly line: number;
  readonly reason: string;
}

/** What is known about a run before its first step. */
export interface LoggedStart {
  /** ISO 8601, where the log tells it. */
  readonly startedAt?: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly hyperparameters: Readonly<Record<string, unknown>>;
  readonly seed?: number;
  /** SHA-256 of the training script. */
  readonly codeVersion?: string;
  readonly environment: Readonly<Record<string, unknown>>;
}

/** What is known at the end. */
export interface LoggedEnd {
  /** The last value of every metric. */
  readonly finalMetrics: Readonly<Record<string, Metric>>;
  /** The training time that the log itself claims. */
  readonly durationMs?: number;
}

/** A training log, read. */
export interface LoggedRun {
  readonly start: LoggedStart;
  /** In the order of the file. */
  readonly steps: readonly LoggedStep[];
  readonly problems: readonly LogProblem[];
  /** Absent when the log stops before the last step it promised. */
  readonly end?: LoggedEnd;
}

/** The last value of every metric, in the order in which the metrics first appear. */
export function lastMetrics(steps: readonly LoggedStep[]): Record<string, Metric> {
  return Object.assign({}, ...steps.map((step) => step.metrics));
}
