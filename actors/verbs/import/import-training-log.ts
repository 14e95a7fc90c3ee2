/**
 * Brings a training log into the history of a run. The run's own state says how far an earlier import came, so that a
 * second one adds nothing and one that was killed is taken up where it ended.
 */
import { type Client, Fault, type StateReply } from "retrace";
import type { LoggedRun, LogProblem } from "./logged-run.ts";
import { type LogFile, readLogFile } from "./read-training-log.ts";
import { ImportRefused } from "./refused.ts";
import { runIdOf } from "./run-id.ts";
import { type StepCommand, stepCommands } from "./step-commands.ts";

/** What may be chosen. */
export interface ImportOptions {
  /** The run. Default: named after the file. */
  readonly id?: string;
  /** Leaves the run open although the log has ended. */
  readonly leaveOpen?: boolean;
  /** Steps in one command, 1 to 1,000. Default: 1,000. */
  readonly batchSteps?: number;
  /** ISO 8601, for a log without times. Default: when the file was last written, or a day ago if that is earlier. */
  readonly occurredAt?: string;
  /** Told the problems of the log before anything is sent. */
  readonly onProblems?: (problems: readonly LogProblem[]) => void;
  /** Told the number of metric lines, then how many each command brought. */
  readonly onTotal?: (lines: number) => void;
  readonly onLines?: (lines: number) => void;
}

/** What the import of one file came to. */
export interface ImportOutcome {
  readonly run: string;
  /** Where the run is now: `running` when the log stops before its end or was left open. */
  readonly status: string;
  /** Metric lines. */
  readonly newSteps: number;
  readonly alreadyThere: number;
  readonly badLines: number;
  /** What was taken for when it happened, where neither the log nor the options say it; absent when nothing was added. */
  readonly assumedTime?: string;
  /** Of the run's stream. */
  readonly version: number;
}

const category = "training-run";

/** Well above the age up to which sagas act on an event: a run that was made elsewhere must not begin a promotion. */
const leastAgeMs = 24 * 60 * 60 * 1000;

/**
 * Imports one file.
 * @throws Error when the file cannot be read or another file was imported as this run; Fault when a command is refused.
 */
export async function importTrainingLog(
  client: Client,
  file: string,
  options: ImportOptions = {},
): Promise<ImportOutcome> {
  const { run: read, source, changedMs } = await readLogFile(file);
  const id = options.id ?? runIdOf(file);
  options.onProblems?.(read.problems);
  options.onTotal?.(read.steps.length);

  const nowMs = Date.now();
  const logged = withoutFuture(read, nowMs);
  const said = logged.start.startedAt ?? options.occurredAt;
  const undated = said ?? new Date(Math.min(changedMs, nowMs - leastAgeMs)).toISOString();
  const state = await stateOf(client, id);
  const isNew = state === undefined || state.state.value === "requested";
  if (!isNew) assertSameSource(id, state, source);
  const run = openRun(client, id, { state, correlationId: `import-${source.sha256}`, undated });
  if (isNew) await start(run, logged, source);
  const newSteps = await bringSteps(run, stepsToBring(logged, isNew ? undefined : state, options), options);
  if (logged.end !== undefined && options.leaveOpen !== true && run.status === "running") await complete(run, logged);

  const alreadyThere = logged.steps.length - newSteps;
  const badLines = logged.problems.length;
  const isAssumed = said === undefined && run.version > (state?.version ?? 0);
  const assumed = isAssumed ? { assumedTime: undated } : {};
  return { run: id, status: run.status, newSteps, alreadyThere, badLines, ...assumed, version: run.version };
}

/** A run being written. It names the version it expects, so that two imports at once cannot interleave. */
interface OpenRun {
  readonly status: string;
  readonly version: number;
  /** Whether the command added an event. */
  send(command: { type: string; data: unknown }, occurredAt: string | undefined): Promise<boolean>;
}

interface OpenRunOptions {
  /** Where the run is; undefined when it is not there. */
  readonly state: StateReply | undefined;
  /** The same for everything that comes from one file, however often it is imported. */
  readonly correlationId: string;
  /** When that happened of which the log does not say it. */
  readonly undated: string;
}

function openRun(client: Client, id: string, { state, correlationId, undated }: OpenRunOptions): OpenRun {
  let version = state?.version ?? 0;
  let status = String(state?.state.value ?? "empty");
  return {
    get status() {
      return status;
    },
    get version() {
      return version;
    },
    send: async (command, occurredAt = undated) => {
      const expectedVersion = version === 0 ? "no-stream" : version;
      const options = { expectedVersion, correlationId, occurredAt } as const;
      const reply = await client.send(category, id, command, options).catch((error) => {
        if (!(error instanceof Fault) || error.code !== "WRONG_EXPECTED_VERSION") throw error;
        throw new ImportRefused(`the run ${id} is being written by someone else; import again to go on`);
      });
      version = reply.version;
      status = String(reply.state.value);
      return reply.events.length > 0;
    },
  };
}

async function start(run: OpenRun, logged: LoggedRun, source: LogFile["source"]): Promise<void> {
  const { startedAt, ...data } = logged.start;
  await run.send({ type: "StartTraining", data: { ...data, source } }, startedAt);
}

async function complete(run: OpenRun, logged: LoggedRun): Promise<void> {
  await run.send({ type: "CompleteTraining", data: logged.end }, logged.steps.at(-1)?.at);
}

function stepsToBring(logged: LoggedRun, state: StateReply | undefined, options: ImportOptions): StepCommand[] {
  if (state?.state.value === "completed") return [];
  const { sourceLine, step } = (state?.state.context ?? {}) as { sourceLine?: number; step?: number };
  const lastStep = step === undefined ? {} : { lastStep: step };
  return [...stepCommands(logged.steps, { lastSourceLine: sourceLine ?? 0, ...lastStep }, options.batchSteps)];
}

/** How many metric lines were news. */
async function bringSteps(run: OpenRun, commands: readonly StepCommand[], options: ImportOptions): Promise<number> {
  let newSteps = 0;
  for (const { type, data, occurredAt, lines } of commands) {
    const isNews = await run.send({ type, data }, occurredAt);
    if (isNews) newSteps += lines;
    options.onLines?.(lines);
  }
  return newSteps;
}

async function stateOf(client: Client, run: string): Promise<StateReply | undefined> {
  try {
    return await client.state(category, run);
  } catch (error) {
    if (error instanceof Fault && error.code === "NOT_FOUND") return undefined;
    throw error;
  }
}

function assertSameSource(run: string, state: StateReply | undefined, source: LogFile["source"]): void {
  const imported = state?.state.context.source as { sha256?: string } | undefined;
  if (imported?.sha256 === source.sha256) return;
  const owner = imported === undefined ? "was not imported from a file" : "was imported from a file with other content";
  throw new ImportRefused(`the run ${run} exists and ${owner}; name another run with --id`);
}

/**
 * A log says no time zone. Where its times, taken as UTC, lie in the future, they are wrong and would be refused: they
 * are left out, as if it had none.
 */
function withoutFuture(run: LoggedRun, nowMs: number): LoggedRun {
  const last = run.steps.at(-1)?.at ?? run.start.startedAt;
  if (last === undefined || Date.parse(last) <= nowMs) return run;
  const { startedAt: _, ...start } = run.start;
  const timeZone = "not in the log; taken as UTC its times lie in the future, so they are not used";
  return {
    ...run,
    start: { ...start, environment: { ...start.environment, timeZone } },
    steps: run.steps.map(({ at: _at, ...step }) => step),
  };
}
