/** `retrace import <kind> FILE...`: the options that kinds share, what is told, the exit status. */
import { basename } from "node:path";
import type { Client, ClientOptions, Progress, VerbTools } from "retrace";
import { tell, WrongUsage } from "../print/wrong-usage.ts";
import { isoTimeOf } from "./columns.ts";
import { isRefusal } from "./refused.ts";
import type { CliCommand } from "./row-format.ts";
import type { Stopped } from "./stop.ts";

/** The options of every kind. */
export interface FilesOptions {
  readonly idPrefix?: string;
  /** ISO 8601, for what does not say when it happened. */
  readonly occurredAt?: string;
}

/** A kind: `retrace import <name> FILE...`. */
export interface FileImport<Options> {
  readonly name: string;
  readonly description: string;
  /** What the files are, for the help. */
  readonly files: string;
  /** What a user should know before, below the options in the help. */
  readonly notes: string;
  readonly example: string;
  /** Adds the options that only this kind has. */
  readonly addOptions: (command: CliCommand) => void;
  /** What is wrong with the command line, in a sentence. */
  readonly wrongUsage?: (files: readonly string[], options: Options) => string | undefined;
  /** Which of the files that were named are imported. Default: all. */
  readonly filesOf?: (files: readonly string[]) => readonly string[];
  /** Brings one of them. @throws ImportRefused, Fault, or Error when it cannot be read. */
  readonly bring: (client: Client, file: string, context: FileContext<Options>) => Promise<FileOutcome>;
}

/** What the import of one file is given. */
export interface FileContext<Options> {
  readonly options: Options & FilesOptions;
  /** Once it says so, nothing further is sent. */
  readonly isInterrupted: () => boolean;
  /** Tells what is not imported. `file` where it is another than the one that is imported. */
  readonly onProblem: (line: number, reason: string, file?: string) => void;
  /** Told how much there is, then how much of it is done. */
  readonly onTotal: (total: number) => void;
  readonly onDone: (count: number) => void;
}

/** What the import of one file came to. */
export interface FileOutcome {
  /** For people, behind the file's name. */
  readonly summary: string;
  /** For programs. */
  readonly counts: Readonly<Record<string, unknown>>;
  /** How much of it could not be imported. */
  readonly bad: number;
  readonly stopped?: Stopped;
}

/** Adds a kind to the verb `import`. */
export function registerFiles<Options>(verb: CliCommand, kind: FileImport<Options>, tools: VerbTools): void {
  const command = verb
    .command(kind.name)
    .description(kind.description)
    .argument("<file...>", kind.files)
    .option("--id-prefix <prefix>", "begins the ids of the streams (default: the file's name without its extension)")
    .option("--occurred-at <time>", "when it happened, ISO 8601, for what does not say (default: now)");
  kind.addOptions(command);
  tools.clientOptions(command).addHelpText(
    "after",
    `
${kind.notes}

Importing a file again adds nothing; an import that was stopped goes on where it ended.
What cannot be read is told as file:line: reason, the rest comes in, and the exit code is 1.
Sagas act on what happened in the last hour, and so on what is imported as of now.

Example:
  $ ${kind.example}`,
  );
  command.action((files: string[], options: ClientOptions & FilesOptions & Options) =>
    importFiles(files, options, { kind, tools }),
  );
}

interface Files<Options> {
  readonly kind: FileImport<Options>;
  readonly tools: VerbTools;
}

async function importFiles<Options>(
  named: readonly string[],
  typed: ClientOptions & FilesOptions & Options,
  { kind, tools }: Files<Options>,
): Promise<void> {
  const wrong = whatIsWrong(typed) ?? kind.wrongUsage?.(named, typed);
  if (wrong !== undefined) {
    tell(new WrongUsage(wrong), tools);
    return;
  }
  const options = inUtc(typed);
  const interruption = catchInterruption();
  const client = await tools.connect(options);
  try {
    for (const file of kind.filesOf?.(named) ?? named) {
      const isFine = await importFile(client, file, { options, kind, tools, interruption });
      if (!isFine) tools.exitCode(1);
      if (interruption.isInterrupted()) break;
    }
  } finally {
    interruption.release();
    await client.close();
  }
}

function whatIsWrong({ idPrefix, occurredAt }: FilesOptions): string | undefined {
  if (idPrefix !== undefined && !/^[A-Za-z0-9_~-]{1,64}$/.test(idPrefix)) {
    return "--id-prefix takes 1 to 64 of A-Z a-z 0-9 _ - ~";
  }
  return wrongTime(occurredAt);
}

/** What is wrong with the value of `--occurred-at`, in a sentence. */
export function wrongTime(occurredAt: string | undefined): string | undefined {
  if (occurredAt === undefined || isoTimeOf(occurredAt) !== undefined) return undefined;
  return "--occurred-at takes a time as ISO 8601, like 2026-01-31T12:00:00Z";
}

/** In the one form that times have here. */
function inUtc<Options extends FilesOptions>(options: Options): Options {
  const occurredAt = options.occurredAt === undefined ? undefined : isoTimeOf(options.occurredAt);
  return { ...options, ...(occurredAt !== undefined && { occurredAt }) };
}

interface Interruption {
  isInterrupted(): boolean;
  release(): void;
}

/** Lets what is on its way arrive and be told. A second signal ends the process as ever. */
function catchInterruption(): Interruption {
  let isInterrupted = false;
  const signals = ["SIGINT", "SIGTERM"] as const;
  const interrupt = (): void => {
    isInterrupted = true;
  };
  for (const signal of signals) process.once(signal, interrupt);
  return {
    isInterrupted: () => isInterrupted,
    release: () => {
      for (const signal of signals) process.off(signal, interrupt);
    },
  };
}

interface OneFile<Options> extends Files<Options> {
  readonly options: ClientOptions & FilesOptions & Options;
  readonly interruption: Interruption;
}

/** Whether the whole file came in. */
async function importFile<Options>(
  client: Client,
  file: string,
  { options, kind, tools, interruption }: OneFile<Options>,
): Promise<boolean> {
  let bar: Progress | undefined;
  try {
    const outcome = await kind.bring(client, file, {
      options,
      isInterrupted: interruption.isInterrupted,
      onProblem: (line, reason, other = file) => console.error(`${overBar()}${other}:${line}: ${reason}`),
      onTotal: (total) => {
        bar = tools.progress(basename(file), total);
      },
      onDone: (count) => bar?.advance(count),
    });
    bar?.stop();
    const { summary, counts, bad, stopped } = outcome;
    if (stopped !== undefined) {
      console.error(`${file}:${stopped.line}: stopped here: ${stopped.reason}; import again to go on`);
    }
    tools.print(options, `${basename(file)}: ${summary}`, { file, ...counts, ...(stopped && { stopped }) });
    return bad === 0 && stopped === undefined;
  } catch (error) {
    bar?.stop();
    if (!isRefusal(error)) throw error;
    console.error(`${file}: ${error.message}`);
    if (options.json === true) tools.print(options, "", { file, error: error.message });
    return false;
  }
}

/** At a terminal the bar stands in the line: what is told takes its place, and the bar comes back below. */
function overBar(): string {
  return process.stderr.isTTY ? "\r\u001B[K" : "";
}
