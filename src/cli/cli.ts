/** The program: every verb of the runtime, and the verbs of the domain. */
import { Command as CliCommand } from "commander";
import { builtInActors } from "../runtime/actor-files.ts";
import { loadVerbs } from "./load-verbs.ts";
import { packageVersion } from "./package.ts";
import { report } from "./report.ts";

type Register = (program: CliCommand) => void;

/** The runtime's own verbs, in the order of the help. Loaded when they are asked for: all of them take half a second. */
const ownVerbs: Readonly<Record<string, () => Promise<Register>>> = {
  start: async () => (await import("./start.ts")).registerStart,
  send: async () => (await import("./send.ts")).registerSend,
  state: async () => (await import("./state.ts")).registerState,
  history: async () => (await import("./history.ts")).registerHistory,
  diff: async () => (await import("./diff.ts")).registerDiff,
  why: async () => (await import("./why.ts")).registerWhy,
  events: async () => (await import("./events.ts")).registerEvents,
  export: async () => (await import("./export.ts")).registerExport,
  sql: async () => (await import("./sql.ts")).registerSql,
  tail: async () => (await import("./tail.ts")).registerTail,
  dead: async () => (await import("./dead.ts")).registerDead,
  projection: async () => (await import("./projection.ts")).registerProjection,
  saga: async () => (await import("./saga.ts")).registerSaga,
  health: async () => (await import("./health.ts")).registerHealth,
  catalog: async () => (await import("./catalog.ts")).registerCatalog,
  chart: async () => (await import("./chart.ts")).registerChart,
  check: async () => (await import("./check.ts")).registerCheck,
  contracts: async () => (await import("./contracts.ts")).registerContracts,
  new: async () => (await import("./new.ts")).registerNew,
};

/** Runs one command line; sets the exit status: 0 done, 1 failed or done in part, 2 wrong usage. */
export async function runCli(given: readonly string[]): Promise<void> {
  forgetEmptySettings();
  const argv = helpAsOption(given);
  const program = new CliCommand("retrace")
    .description("Actor-based, event-sourced runtime for AI/ML systems")
    .version(packageVersion)
    .enablePositionalOptions()
    // Errors are told by `report`.
    .configureOutput({ outputError: () => {} })
    .exitOverride();
  process.stdout.on("error", endWhenUnread);
  try {
    await registerVerbs(program, argv[2]);
    inheritSettings(program);
    // Behind a verb, options are the verb's: some have a `--version` of their own.
    program.enablePositionalOptions();
    if (argv.includes("--help") || argv.includes("-h")) refuseUnknownVerb(program, argv.slice(2));
    await program.parseAsync([...argv]);
  } catch (error) {
    process.exitCode = report(error, argv.includes("--json"));
  }
}

/** `retrace help send` is `retrace send --help`. */
function helpAsOption(argv: readonly string[]): readonly string[] {
  return argv[2] === "help" ? [...argv.slice(0, 2), ...argv.slice(3), "--help"] : argv;
}

/** Asked for the help of a verb that there is not, commander prints that of what is above it. */
function refuseUnknownVerb(above: CliCommand, [word, ...rest]: readonly string[]): void {
  if (above.commands.length === 0 || word === undefined || word.startsWith("-")) return;
  const command = above.commands.find((each) => each.name() === word);
  if (command !== undefined) {
    refuseUnknownVerb(command, rest);
    return;
  }
  const known = above.commands.map((each) => each.name()).join(", ");
  above.error(`error: ${above.name()} has no verb ${word}; there are ${known}`);
}

/** The verb that is asked for; all of them for help, and where there is no such verb. */
async function registerVerbs(program: CliCommand, asked: string | undefined): Promise<void> {
  if (asked === "--version" || asked === "-V") return;
  if (asked !== undefined && Object.hasOwn(ownVerbs, asked)) {
    (await ownVerbs[asked]?.())?.(program);
    return;
  }
  const folders = [builtInActors, ...(process.env.RETRACE_ACTORS?.split(",") ?? [])];
  const [{ verbTools }, { registerImportEvents }] = await Promise.all([
    import("./tools.ts"),
    import("./import-events.ts"),
  ]);
  const found = asked === undefined ? [] : await loadVerbs(folders, warn, asked);
  const isFound = found.length > 0;
  if (!isFound) for (const load of Object.values(ownVerbs)) (await load())(program);
  for (const verb of isFound ? found : await loadVerbs(folders, warn)) verb.register(program, verbTools);
  if (!isFound || asked === "import") registerImportEvents(program);
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
