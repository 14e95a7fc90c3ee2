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

/** Files of rows by the paths they have there; why tests against them are skipped, undefined when all are there. */
export const realRows = {
  items: `${folder}/preferences/pandalm_testset-v1.json`,
  verdicts: `${folder}/preferences/pandalm_pandalm-7b-testset-v1.json`,
  corrections: `${folder}/corrections/crowdwsa_J1.labels.tsv`,
  truth: `${folder}/corrections/crowdwsa_J1.gold.tsv`,
  ratings: `${folder}/ratings/wmt23_ende_3raters_compact.tsv`,
  predictions: `${folder}/predictions/llmbar_judge_verdicts.tsv`,
} as const;
const absentFile = Object.values(realRows).find((path) => !existsSync(path));
export const absentRows = absentFile && `no real rows at ${absentFile} (set RETRACE_SHARED_DATA)`;
if (absentRows !== undefined) console.warn(`skipped: ${absentRows}`);

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
