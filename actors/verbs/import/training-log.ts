/** Reads a training log of any known format. Pure: the files are read by `import-training-log.ts`. */
import type { LoggedRun } from "./logged-run.ts";
import { hasMeasurements, type MeasurementsSideFiles, readMeasurements } from "./measurements.ts";
import { hasStepLines, readStepLines } from "./step-lines.ts";

/** What stands beside a log and belongs to it. */
export interface SideFiles extends MeasurementsSideFiles {
  /** SHA-256 of the training script, from a manifest; it goes before what the log itself carries. */
  readonly codeSha256?: string;
}

/** The run that `text` tells of; undefined when its format is unknown. */
export function readTrainingLog(text: string, side: SideFiles = {}): LoggedRun | undefined {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  const run = readLines(lines, side);
  if (run === undefined || side.codeSha256 === undefined) return run;
  return { ...run, start: { ...run.start, codeVersion: side.codeSha256 } };
}

function readLines(lines: readonly string[], side: SideFiles): LoggedRun | undefined {
  if (hasMeasurements(lines)) return readMeasurements(lines, side);
  if (hasStepLines(lines)) return readStepLines(lines);
  return undefined;
}
