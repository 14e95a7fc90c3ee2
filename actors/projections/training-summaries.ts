/**
 * Every training run in one row: where it stands, what it was made of, how far it came and how good it was. The key is
 * the run's id.
 */
import { defineProjection, type EventData, type RecordedEvent } from "retrace";
import type { trainingRun } from "../../schemas/training-run.ts";
import { digestOf } from "../digest.ts";
import { fieldIn } from "../given-fields.ts";
import { isLowerBetter } from "../lower-is-better.ts";

type Schemas = typeof trainingRun;
type Data<Type extends keyof Schemas["events"]> = EventData<Schemas, Type>;
type Event<Type extends keyof Schemas["events"]> = RecordedEvent<Type, Data<Type>>;
type Value = number | string;

/** What a metric was at a step. */
interface Reading<V extends Value = Value> {
  readonly step: number;
  readonly value: V;
}

/** One metric over the whole run. A resumption undoes the steps behind it: what they reported does not count. */
interface Metric {
  readonly last?: Reading;
  /** The lowest value of what is named like a loss or an error, the highest of all else. */
  readonly best?: Reading<number>;
  /** The best of the steps before the last: it counts again when the last is reported anew, or undone. */
  readonly bestBefore?: Reading<number>;
}

interface Summary {
  readonly status: "requested" | "running" | "completed" | "failed" | "cancelled";
  readonly requestedAt?: string;
  readonly startedAt?: string;
  readonly finishedAt?: string;
  /** As reported, else from the start to the end. */
  readonly durationMs?: number;
  readonly userId?: string;
  /** The same for runs with the same configuration and hyperparameters. */
  readonly configHash?: string;
  readonly datasetId?: string;
  readonly datasetVersion?: string;
  readonly datasetPosition?: number;
  readonly featureSetId?: string;
  readonly featureVersion?: string;
  readonly codeVersion?: string;
  readonly lastStep?: number;
  readonly metrics: Readonly<Record<string, Metric>>;
  /** As reported at the end, else what was last reported of each. */
  readonly finalMetrics?: Readonly<Record<string, Value>>;
  readonly modelId?: string;
  /** Why it failed, was cancelled, or was resumed. */
  readonly reason?: string;
}

const empty: Summary = { status: "requested", metrics: {} };

export default defineProjection<Summary, Schemas>({
  name: "training-summaries",
  version: 1,
  mode: "async",
  description: "Training runs: status, times, user, configuration hash, last step, best and final metrics",
  indexes: ["status", "userId", "configHash", "datasetId", "startedAt"],
  on: {
    TrainingRequested: {
      key: runId,
      apply: (row = empty, { data, occurredAt }) => ({ ...row, ...recipeOf(data), requestedAt: occurredAt }),
    },
    TrainingStarted: {
      key: runId,
      apply: (row = empty, { data, occurredAt }) => {
        return { ...row, ...recipeOf(data), status: "running", startedAt: occurredAt };
      },
    },
    TrainingProgress: { key: runId, apply: (row = empty, { data }) => report(row, [data]) },
    TrainingProgressBatch: { key: runId, apply: (row = empty, { data }) => report(row, data.steps) },
    TrainingResumed: {
      key: runId,
      apply: (row = empty, { data: { step, reason } }) => {
        const { finishedAt: _, durationMs: __, reason: ___, ...running } = row;
        const metrics = withoutUndone(row.metrics, step);
        return { ...running, status: "running", lastStep: step, metrics, ...(reason && { reason }) };
      },
    },
    TrainingCompleted: {
      key: runId,
      apply: (row = empty, event) => {
        const { modelArtifact, finalMetrics = lastOf(row.metrics) } = event.data;
        const modelId = modelArtifact?.id;
        return { ...row, ...ending(row, event), status: "completed", finalMetrics, ...(modelId && { modelId }) };
      },
    },
    TrainingFailed: {
      key: runId,
      apply: (row = empty, event) => ({ ...row, ...ending(row, event), status: "failed" }),
    },
    TrainingCancelled: {
      key: runId,
      apply: (row = empty, event) => ({ ...row, ...ending(row, event), status: "cancelled" }),
    },
  },
});

function runId({ stream, category }: RecordedEvent): string {
  return stream.slice(category.length + 1);
}

function recipeOf(data: Data<"TrainingRequested">): Partial<Summary> {
  const { config, hyperparameters } = data;
  const { userId, datasetId, datasetVersion, datasetPosition, featureSetId, featureVersion, codeVersion } = data;
  const given = { userId, datasetId, datasetVersion, datasetPosition, featureSetId, featureVersion, codeVersion };
  const isConfigured = config !== undefined || hyperparameters !== undefined;
  const configHash = isConfigured ? digestOf([config ?? null, hyperparameters ?? null]).toString(16) : undefined;
  return Object.fromEntries(Object.entries({ ...given, configHash }).filter(([, value]) => value !== undefined));
}

type Step = Data<"TrainingProgress"> | Data<"TrainingProgressBatch">["steps"][number];

function report(row: Summary, steps: readonly Step[]): Summary {
  const metrics: Record<string, Metric> = { ...row.metrics };
  const add = (name: string, step: number, value: Value): void => {
    metrics[name] = withReading(name, fieldIn(metrics, name), { step, value });
  };
  for (const { step, loss, metrics: reported = {} } of steps) {
    for (const name of Object.keys(reported)) add(name, step, reported[name] as Value);
    if (loss !== undefined) add("loss", step, loss);
  }
  return { ...row, lastStep: steps.at(-1)?.step ?? row.lastStep, metrics };
}

function withReading(name: string, metric: Metric | undefined, last: Reading): Metric {
  const isRepeated = metric?.last?.step === last.step;
  const bestBefore = isRepeated ? metric?.bestBefore : metric?.best;
  const best = betterOf(name, bestBefore, last);
  return { last, ...(best && { best }), ...(bestBefore && { bestBefore }) };
}

/** What diverged (`"NaN"`, `"Infinity"`) is never the best; of equals, the earlier is. */
function betterOf(
  name: string,
  before: Reading<number> | undefined,
  { step, value }: Reading,
): Reading<number> | undefined {
  if (typeof value !== "number") return before;
  if (before === undefined) return { step, value };
  return (isLowerBetter(name) ? value < before.value : value > before.value) ? { step, value } : before;
}

function withoutUndone(metrics: Summary["metrics"], step: number): Summary["metrics"] {
  const counts = <R extends Reading>(reading: R | undefined) => (reading && reading.step <= step ? reading : undefined);
  const left = Object.entries(metrics).map(([name, metric]): [string, Metric] => {
    const last = counts(metric.last);
    const best = counts(metric.best) ?? counts(metric.bestBefore);
    return [name, { ...(last && { last }), ...(best && { best }) }];
  });
  return Object.fromEntries(left.filter(([, metric]) => Object.keys(metric).length > 0));
}

function lastOf(metrics: Summary["metrics"]): Record<string, Value> {
  return Object.fromEntries(Object.entries(metrics).flatMap(([name, { last }]) => (last ? [[name, last.value]] : [])));
}

function ending(
  { startedAt }: Summary,
  { data, occurredAt }: Event<"TrainingCompleted" | "TrainingFailed" | "TrainingCancelled">,
): Partial<Summary> {
  const { durationMs, reason } = data as { readonly durationMs?: number; readonly reason?: string };
  const measuredMs = startedAt === undefined ? undefined : Date.parse(occurredAt) - Date.parse(startedAt);
  const shownMs = durationMs ?? measuredMs;
  return { finishedAt: occurredAt, ...(shownMs !== undefined && { durationMs: shownMs }), ...(reason && { reason }) };
}
