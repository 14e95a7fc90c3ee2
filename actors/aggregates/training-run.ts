/**
 * A training run: what it was made of, how it went step by step, where it ended. Its state keeps, for each metric, only
 * the last step and value, so a run of a million steps costs no more to go on with than a run of ten.
 */
import { type ChartEventOf, type CommandData, defineAggregate, type Rejection, reject } from "retrace";
import { assertEvent, assign, type SnapshotFrom, setup } from "xstate";
import { trainingRun } from "../../schemas/training-run.ts";

/** How many different metrics one run may report. */
const maxReadings = 1024;

type Step = CommandData<typeof trainingRun, "RecordBatch">["steps"][number];
type Progress = CommandData<typeof trainingRun, "RecordProgress">;
type Value = number | string;

/** The last value of one metric, and the step that reported it. */
interface Reading {
  readonly step: number;
  readonly value: Value;
}

/** By path in the step's report: `loss`, `metrics.accuracy`. */
type Readings = Record<string, Reading>;

interface Run {
  /** Copied into the ending. */
  readonly owner: { readonly userId?: string };
  /** Set when the run is imported: where from, and the last line that is here. */
  readonly source?: { readonly sha256: string };
  readonly sourceLine?: number;
  /** The last step reported, or the one a resumption went back to. */
  readonly step?: number;
  readonly readings: Readonly<Readings>;
  /** The step of each checkpoint. */
  readonly checkpoints: Readonly<Record<string, number>>;
}

const machine = setup({
  types: { context: {} as Run, events: {} as ChartEventOf<typeof trainingRun> },
  actions: {
    rememberOwner: assign(({ event }) => {
      assertEvent(event, ["TrainingRequested", "TrainingStarted"]);
      const { userId } = event.data;
      return userId === undefined ? {} : { owner: { userId } };
    }),
    rememberSource: assign(({ event }) => {
      assertEvent(event, "TrainingStarted");
      const { source } = event.data;
      return source === undefined ? {} : { source: { sha256: source.sha256 } };
    }),
    rememberLine: assign(({ context, event }) => {
      return lineAfter(context, event.type === "TrainingProgressBatch" ? event.data.steps : [event.data as Line]);
    }),
    report: assign(({ context, event }) => {
      assertEvent(event, ["TrainingProgress", "TrainingProgressBatch"]);
      return report(context, event.type === "TrainingProgress" ? [event.data] : event.data.steps);
    }),
    keepCheckpoint: assign(({ context, event }) => {
      assertEvent(event, "CheckpointSaved");
      return { checkpoints: { ...context.checkpoints, [event.data.checkpointId]: event.data.step } };
    }),
    goBack: assign(({ context, event }) => {
      assertEvent(event, "TrainingResumed");
      return goBack(context, event.data.step);
    }),
  },
}).createMachine({
  id: "training-run",
  context: { owner: {}, readings: {}, checkpoints: {} },
  initial: "empty",
  states: {
    empty: {
      on: {
        TrainingRequested: { target: "requested", actions: "rememberOwner" },
        TrainingStarted: { target: "running", actions: ["rememberOwner", "rememberSource"] },
      },
    },
    requested: {
      on: {
        TrainingStarted: { target: "running", actions: ["rememberOwner", "rememberSource"] },
        TrainingCancelled: "cancelled",
      },
    },
    running: {
      on: {
        TrainingProgress: { actions: ["report", "rememberLine"] },
        TrainingProgressBatch: { actions: ["report", "rememberLine"] },
        CheckpointSaved: { actions: ["keepCheckpoint", "rememberLine"] },
        TrainingResumed: { actions: ["goBack", "rememberLine"] },
        TrainingCompleted: { target: "completed", actions: "rememberLine" },
        TrainingFailed: { target: "failed", actions: "rememberLine" },
        TrainingCancelled: { target: "cancelled", actions: "rememberLine" },
      },
    },
    failed: {
      on: {
        TrainingResumed: { target: "running", actions: ["goBack", "rememberLine"] },
      },
    },
    completed: { type: "final" },
    cancelled: { type: "final" },
  },
});

type State = SnapshotFrom<typeof machine>;

export default defineAggregate({
  category: "training-run",
  schemas: trainingRun,
  machine,
  decide: {
    RequestTraining: (_state, { data }) => ({ type: "TrainingRequested", data }),

    StartTraining: ({ context }, { data }) => {
      const isSameImport = data.source !== undefined && data.source.sha256 === context.source?.sha256;
      return isSameImport ? [] : { type: "TrainingStarted", data: { ...context.owner, ...data } };
    },

    RecordProgress: (state, { data }) => {
      const news = whatIsNew(state, [data]);
      if ("outcome" in news) return news;
      return news.length === 0 ? [] : { type: "TrainingProgress", data };
    },

    RecordBatch: (state, { data }) => {
      const news = whatIsNew(state, data.steps);
      if ("outcome" in news) return news;
      return news.length === 0 ? [] : { type: "TrainingProgressBatch", data: { ...data, steps: news } };
    },

    SaveCheckpoint: ({ context }, { data }) => {
      return isImported(context, data) ? [] : { type: "CheckpointSaved", data };
    },

    ResumeTraining: (state, { data }) => {
      const { context } = state;
      if (isImported(context, data)) return [];
      const step = data.step ?? stepOfCheckpoint(context, data.checkpointId) ?? 0;
      const canResume = state.matches("running") || state.matches("failed");
      const rejection = canResume ? whyNotResume(context, { ...data, step }) : undefined;
      return rejection ?? { type: "TrainingResumed", data: { ...data, step } };
    },

    CompleteTraining: ({ context }, { data }) => {
      return isImported(context, data) ? [] : { type: "TrainingCompleted", data: { ...data, ...context.owner } };
    },

    FailTraining: ({ context }, { data }) => {
      return isImported(context, data) ? [] : { type: "TrainingFailed", data: { ...data, ...context.owner } };
    },

    CancelTraining: ({ context }, { data }) => {
      return isImported(context, data) ? [] : { type: "TrainingCancelled", data: { ...data, ...context.owner } };
    },
  },
});

/**
 * The steps that are not in the state yet. Lines that an import has brought before and exact repeats of the last step
 * are left out; one step that lies behind rejects them all.
 */
function whatIsNew<S extends Step | Progress>(state: State, steps: readonly S[]): S[] | Rejection {
  const { context } = state;
  const unseen = steps.filter((step) => !isImported(context, step));
  if (!state.matches("running")) return unseen;

  const readings = { ...context.readings };
  const news: S[] = [];
  let lastStep = context.step;
  for (const step of unseen) {
    if (lastStep !== undefined && step.step < lastStep) return stepBehind(step.step, lastStep);
    if (step.step === lastStep && isRepeat(readings, step)) continue;
    note(readings, step);
    lastStep = step.step;
    news.push(step);
  }
  return Object.keys(readings).length > maxReadings ? tooManyMetrics() : news;
}

function isRepeat(readings: Readonly<Readings>, step: Step | Progress): boolean {
  return readingsIn(step).every(([path, value]) => {
    const last = readings[path];
    return last !== undefined && last.step === step.step && last.value === value;
  });
}

/** Writes the step into `readings`, which the caller owns. */
function note(readings: Readings, step: Step | Progress): void {
  for (const [path, value] of readingsIn(step)) readings[path] = { step: step.step, value };
}

/** What a step reports, by path. The prefix keeps a metric named `loss` apart from the loss. */
function readingsIn(step: Step | Progress): [path: string, value: Value][] {
  const readings: [string, Value][] = [];
  if (step.loss !== undefined) readings.push(["loss", step.loss]);
  if (step.learningRate !== undefined) readings.push(["learningRate", step.learningRate]);
  for (const [name, value] of Object.entries(step.metrics ?? {})) readings.push([`metrics.${name}`, value]);
  for (const [name, value] of Object.entries(step.resources ?? {})) {
    if (typeof value === "number") readings.push([`resources.${name}`, value]);
  }
  return readings;
}

function report(context: Run, steps: readonly (Step | Progress)[]): Partial<Run> {
  const readings = { ...context.readings };
  for (const step of steps) note(readings, step);
  return { step: steps.at(-1)?.step, readings };
}

/** What was read after `step` is void, so that doing those steps again is news. */
function goBack(context: Run, step: number): Partial<Run> {
  const stillTrue = Object.entries(context.readings).filter(([, reading]) => reading.step <= step);
  return { step, readings: Object.fromEntries(stillTrue) };
}

interface Line {
  readonly sourceLine?: number;
}

function lineAfter(context: Run, lines: readonly Line[]): Pick<Run, "sourceLine"> {
  let last = context.sourceLine;
  for (const { sourceLine } of lines) {
    if (sourceLine !== undefined && (last === undefined || sourceLine > last)) last = sourceLine;
  }
  return last === undefined ? {} : { sourceLine: last };
}

/** Whether an earlier import of the same file has brought this line. */
function isImported(context: Run, { sourceLine }: Line): boolean {
  if (context.source === undefined || sourceLine === undefined) return false;
  return context.sourceLine !== undefined && sourceLine <= context.sourceLine;
}

function stepOfCheckpoint(context: Run, checkpointId: string | undefined): number | undefined {
  if (checkpointId === undefined || !Object.hasOwn(context.checkpoints, checkpointId)) return undefined;
  return context.checkpoints[checkpointId];
}

function whyNotResume(
  context: Run,
  { checkpointId, step }: { readonly checkpointId?: string; readonly step: number },
): Rejection | undefined {
  if (checkpointId !== undefined && stepOfCheckpoint(context, checkpointId) === undefined) {
    return reject("UNKNOWN_CHECKPOINT", `this run has saved no checkpoint ${checkpointId}`, { checkpointId });
  }
  const reached = Object.values(context.checkpoints).reduce((a, b) => Math.max(a, b), context.step ?? 0);
  if (step <= reached) return undefined;
  return reject("STEP_AHEAD", `the run has reached step ${reached}, it cannot resume at ${step}`, { step, reached });
}

function stepBehind(step: number, lastStep: number): Rejection {
  const message = `step ${step} lies behind step ${lastStep}; to repeat steps, send ResumeTraining first`;
  return reject("STEP_BEHIND", message, { step, lastStep });
}

function tooManyMetrics(): Rejection {
  const message = `a run reports at most ${maxReadings} different metrics; do not put steps or examples in their names`;
  return reject("TOO_MANY_METRICS", message, { limit: maxReadings });
}
