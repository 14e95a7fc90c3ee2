/** Turns the steps of a log into commands: whole batches, and a resume where the log itself goes back. */
import type { LoggedStep } from "./logged-run.ts";

/** A command of `training-run`, and the time at which all of it had happened. */
export interface StepCommand {
  readonly type: "RecordBatch" | "ResumeTraining";
  readonly data: Readonly<Record<string, unknown>>;
  readonly occurredAt?: string;
  /** How many metric lines it carries. */
  readonly lines: number;
}

/** How far the run is. */
export interface RunProgress {
  /** Of the last step recorded, undefined for none. */
  readonly lastStep?: number;
  /** The last line of the file that is recorded, 0 for none. */
  readonly lastSourceLine: number;
}

/** The most steps in one command, and the most bytes of their JSON: an event above 256 KiB would be refused. */
export const maxBatchSteps = 1000;
const maxBatchBytes = 192 * 1024;

/**
 * The commands that bring a run from `progress` to the end of `steps`, in order. The run's own progress decides where a
 * resume is needed, so that going on after a kill adds nothing twice.
 */
export function* stepCommands(
  steps: readonly LoggedStep[],
  progress: RunProgress,
  batchSteps: number = maxBatchSteps,
): Generator<StepCommand> {
  const rest = steps.filter((step) => step.sourceLine > progress.lastSourceLine);
  let lastStep = progress.lastStep;
  let batch: LoggedStep[] = [];
  let bytes = 0;
  for (const step of rest) {
    const size = JSON.stringify(step).length;
    const goesBack = lastStep !== undefined && step.step < lastStep;
    if (batch.length > 0 && (goesBack || batch.length >= batchSteps || bytes + size > maxBatchBytes)) {
      yield recordBatch(batch);
      batch = [];
      bytes = 0;
    }
    if (goesBack) yield resume(step, lastStep as number);
    batch.push(step);
    bytes += size;
    lastStep = step.step;
  }
  if (batch.length > 0) yield recordBatch(batch);
}

function recordBatch(steps: readonly LoggedStep[]): StepCommand {
  return { type: "RecordBatch", data: { steps }, ...timeOf(steps.at(-1)), lines: steps.length };
}

function resume(to: LoggedStep, from: number): StepCommand {
  const reason = `the log goes back from step ${from} to step ${to.step} at line ${to.sourceLine}`;
  return { type: "ResumeTraining", data: { step: to.step, reason }, ...timeOf(to), lines: 0 };
}

function timeOf(step: LoggedStep | undefined): { occurredAt?: string } {
  return step?.at === undefined ? {} : { occurredAt: step.at };
}
