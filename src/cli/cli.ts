/** The program: every verb of the runtime, the verbs of the domain, and what an error means for the exit status. */
import { Command as CliCommand, CommanderError, InvalidArgumentError } from "commander";
import { Fault, StartRefused } from "../core/fault.ts";
import { builtInActors } from "../runtime/loader.ts";
import { registerCatalog } from "./catalog.ts";
import { registerChart } from "./chart.ts";
import { registerCheck } from "./check.ts";
import { registerContracts } from "./contracts.ts";
import { registerDead } from "./dead.ts";
import { registerDiff } from "./diff.ts";
import { registerEvents } from "./events.ts";
import { registerExport } from "./export.ts";
import { registerHealth } from "./health.ts";
import { registerHistory } from "./history.ts";
import { registerImportEvents } from "./import-events.ts";
import { loadVerbs } from "./load-verbs.ts";
import { registerNew } from "./new.ts";
import { packageVersion } from "./package.ts";
import { registerProjection } from "./projection.ts";
import { registerSaga } from "./saga.ts";
import { registerSend } from "./send.ts";
import { registerSql } from "./sql.ts";
import { registerStart } from "./start.ts";
import { registerState } from "./state.ts";
import { registerTail } from "./tail.ts";
import { verbTools } from "./tools.ts";
import { registerWhy } from "./why.ts";

const wrongUsage = 2;

/** Runs one command line; sets the exit status: 0 done, 1 failed or done in part, 2 wrong usage. */
export async function runCli(argv: readonly string[]): Promise<void> {
  forgetEmptySettings();
  const program = new CliCommand("retrace")
    .description("Actor-based, event-sourced runtime for AI/ML systems")
    .version(packageVersion)
    .enablePositionalOptions()
    .showHelpAfterError("(add --help for what there is)")
    .exitOverride();
  for (const register of [
    registerStart,
    registerSend,
    registerState,
    registerHistory,
    registerDiff,
    registerWhy,
    registerEvents,
    registerExport,
    registerSql,
    registerTail,
    registerDead,
    registerProjection,
    registerSaga,
    registerHealth,
    registerCatalog,
    registerChart,
    registerCheck,
    registerContracts,
    registerNew,
  ]) {
    register(program);
  }
  process.stdout.on("error", endWhenUnread);
  try {
    const folders = [builtInActors, ...(process.env.RETRACE_ACTORS?.split(",") ?? [])];
    for (const verb of await loadVerbs(folders, warn)) verb.register(program, verbTools);
    registerImportEvents(program);
    inheritSettings(program);
    await program.parseAsync([...argv]);
  } catch (error) {
    process.exitCode = report(error, argv.includes("--json"));
  }
}

/** A variable that is set to nothing is as good as none. */
function forgetEmptySettings(): void {
  for (const [name, value] of Object.entries(process.env)) {
    if (name.startsWith("RETRACE_") && value === "") delete process.env[name];
  }
}

/** Settings like exitOverride count only for the command they are set on. */
function inheritSettings(command: CliCommand): void {
  for (const child of command.commands) {
    child.copyInheritedSettings(command);
    inheritSettings(child);
  }
}

/** Whoever reads the output may stop before the end: `retrace events | head` is done then, and has not failed. */
function endWhenUnread(error: NodeJS.ErrnoException): void {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
}

function warn(problem: string): void {
  process.stderr.write(`warning: ${problem}\n`);
}

/** Says what went wrong in one sentence; only a bug gets a stack. */
function report(error: unknown, json: boolean): number {
  if (error instanceof InvalidArgumentError) process.stderr.write(`error: ${error.message}\n`);
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : wrongUsage;
  if (error instanceof StartRefused) {
    process.stderr.write(`retrace: ${error.message}\n`);
    return 1;
  }
  if (error instanceof Fault) {
    process.stderr.write(json ? `${JSON.stringify(error.toBody())}\n` : sentencesOf(error));
    return 1;
  }
  const { syscall, message } = error as NodeJS.ErrnoException;
  if (syscall !== undefined) {
    process.stderr.write(`retrace: this machine does not allow it: ${message}\n`);
    return 1;
  }
  process.stderr.write(`retrace: a bug: ${(error as Error).stack ?? String(error)}\n`);
  return 1;
}

/** The message, and below it, a line each, what was found wrong beyond the issue it names. */
function sentencesOf({ code, message, details }: Fault): string {
  const issues = (details.issues ?? []) as readonly { readonly path: string; readonly message: string }[];
  const lines = issues.length > 1 ? issues.map(({ path, message: what }) => `  ${path || "body"}: ${what}\n`) : [];
  return `retrace: ${code}: ${message}\n${lines.join("")}`;
}
