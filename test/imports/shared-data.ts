/** Where the real logs are that some tests read: beside the repository, or where RETRACE_SHARED_DATA says. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = process.env.RETRACE_SHARED_DATA ?? fileURLToPath(new URL("../../../shared/data", import.meta.url));
const logs = `${folder}/training-logs`;

/** Why tests against real logs are skipped; undefined when the logs are there. */
export const absent: string | undefined = existsSync(logs)
  ? undefined
  : `no real training logs at ${logs} (set RETRACE_SHARED_DATA)`;
if (absent !== undefined) console.warn(`skipped: ${absent}`);

/** A run of the manifest of the step-line logs, as counted by those who collected them. */
export interface ManifestRun {
  readonly file: string;
  readonly code_sha256: string | null;
  readonly metric_lines: number;
  readonly distinct_steps: number;
  readonly val_points: number;
  readonly final_val_loss: number;
  readonly train_time_ms: number | null;
  readonly train_loss_logged: boolean;
}

/** The runs of the manifest, empty when it is absent. */
export const manifestRuns: readonly ManifestRun[] =
  absent === undefined ? JSON.parse(readFileSync(`${logs}/modded-nanogpt/manifest.json`, "utf8")).runs : [];

/** The paths of the measurements. */
export const measurementFiles: readonly string[] =
  absent === undefined ? [0, 1].map((study) => `${logs}/algoperf/baseline_study${study}_ogbg.measurements.csv`) : [];

/** The path of a log of the manifest. */
export function stepLogPath(file: string): string {
  return `${logs}/modded-nanogpt/${file}`;
}
