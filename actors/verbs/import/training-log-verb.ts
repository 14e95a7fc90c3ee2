/** `retrace import training-log FILE...`: each file becomes one run. */
import { basename } from "node:path";
import type { Client, ClientOptions, Progress, VerbTools } from "retrace";
import { counted } from "../print/counted.ts";
import { tell, WrongUsage } from "../print/wrong-usage.ts";
import { isoTimeOf } from "./columns.ts";
import { wrongTime } from "./files-verb.ts";
import { type ImportOptions, importTrainingLog } from "./import-training-log.ts";
import { isRefusal } from "./refused.ts";
import type { CliCommand } from "./row-format.ts";
import { maxBatchSteps } from "./step-commands.ts";

interface TrainingLogOptions extends ClientOptions {
  readonly id?: string;
  readonly leaveOpen?: boolean;
  readonly batch?: string;
  readonly occurredAt?: string;
}

/** Adds it to the verb `import`. */
export function registerTrainingLog(verb: CliCommand, tools: VerbTools): void {
  const trainingLog = verb
    .command("training-log")
    .description("training logs: step lines, or AlgoPerf measurements (CSV with the JSON files beside it)")
    .argument("<file...>", "the logs; each becomes one training run")
    .option("--id <id>", "the run, for a single file (default: the file's name without its extension)")
    .option("--leave-open", "do not complete the run at the end of the log")
    .option("--occurred-at <time>", "when the run was, ISO 8601, for a log without times (default: see below)")
    .option("--batch <n>", `steps in one command, 1 to ${maxBatchSteps}`, `${maxBatchSteps}`)
    .addHelpText(
      "after",
      `
Importing a file again adds nothing; an import that was stopped goes on where it ended.
Lines that cannot be read are told as file:line: reason, and the exit code is 1.

A log without times is dated by --occurred-at; without it, by when the file was last written, and at least a day back.
Sagas act only on what happened in the last hour (their maxAgeMs), so such an import opens no review and deploys nothing.
A log that carries times keeps them: import it within the hour of its run's end and model-promotion begins.

Example:
  $ retrace import training-log logs/*.txt logs/*.csv`,
    );
  tools.clientOptions(trainingLog);
  trainingLog.action((files: string[], options: TrainingLogOptions) => importTrainingLogs(files, options, tools));
}
async function importTrainingLogs(files: string[], options: TrainingLogOptions, tools: VerbTools): Promise<void> {
  const wrong = whatIsWrong(files, options);
  if (wrong !== undefined) {
    tell(new WrongUsage(wrong), tools);
    return;
  }
  const client = await tools.connect(options);
  try {
    for (const file of files) {
      const isFine = await importOne(client, file, options, tools);
      if (!isFine) tools.exitCode(1);
    }
  } finally {
    await client.close();
  }
}

function whatIsWrong(files: readonly string[], { id, batch, occurredAt }: TrainingLogOptions): string | undefined {
  const batchSteps = Number(batch);
  if (id !== undefined && files.length > 1) return "--id names one run, so it goes with a single file";
  if (id !== undefined && !/^[A-Za-z0-9_~-]{1,128}$/.test(id)) return "--id takes 1 to 128 of A-Z a-z 0-9 _ - ~";
  const time = wrongTime(occurredAt);
  if (time !== undefined) return time;
  if (Number.isInteger(batchSteps) && batchSteps >= 1 && batchSteps <= maxBatchSteps) return undefined;
  return `--batch takes a number from 1 to ${maxBatchSteps}`;
}

/** Whether the whole file came in. */
async function importOne(
  client: Client,
  file: string,
  options: TrainingLogOptions,
  tools: VerbTools,
): Promise<boolean> {
  let bar: Progress | undefined;
  const occurredAt = options.occurredAt === undefined ? undefined : isoTimeOf(options.occurredAt);
  const importOptions: ImportOptions = {
    ...(options.id === undefined ? {} : { id: options.id }),
    ...(occurredAt !== undefined && { occurredAt }),
    leaveOpen: options.leaveOpen === true,
    batchSteps: Number(options.batch),
    onProblems: (problems) => {
      for (const { line, reason } of problems) console.error(`${file}:${line}: ${reason}`);
    },
    onTotal: (lines) => {
      bar = tools.progress(basename(file), lines);
    },
    onLines: (lines) => bar?.advance(lines),
  };
  try {
    const outcome = await importTrainingLog(client, file, importOptions);
    bar?.stop();
    const { run, status, newSteps, alreadyThere, badLines, assumedTime } = outcome;
    if (assumedTime !== undefined) {
      console.error(`${file}: no times in it to go by, so it is dated ${assumedTime}; --occurred-at says when it was`);
    }
    const counts = `${counted(newSteps, "new step")}, ${alreadyThere} already there, ${counted(badLines, "bad line")}`;
    tools.print(options, `${run}: ${counts} (${status})`, { file, ...outcome });
    return badLines === 0;
  } catch (error) {
    bar?.stop();
    if (!isRefusal(error)) throw error;
    console.error(`${file}: ${error.message}`);
    if (options.json === true) tools.print(options, "", { file, error: error.message });
    return false;
  }
}
