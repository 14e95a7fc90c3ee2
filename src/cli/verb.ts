/**
 * CLI verbs that speak of the domain live with the actors, in `actors/verbs/`; the loader finds them and the command
 * line offers them beside its own.
 */
import type { Command as CliCommand } from "commander";
import type { Client } from "../wire/client.ts";

/** The options that `clientOptions` adds. */
export interface ClientOptions {
  readonly nats?: string;
  readonly prefix?: string;
  readonly json?: boolean;
}

/** A bar on stderr where that is a terminal; nothing elsewhere. */
export interface Progress {
  advance(by: number): void;
  stop(): void;
}

/** What the command line lends to a verb. */
export interface VerbTools {
  /** Adds `--nats URL`, `--prefix P` and `--json`. */
  clientOptions(command: CliCommand): CliCommand;
  /** Connects as the options say; a runtime that cannot be reached is a fault with a sentence. */
  connect(options: ClientOptions): Promise<Client>;
  progress(label: string, total: number): Progress;
  /** Writes a line of human output to stdout, or, with `--json`, the value as one line of JSON instead. */
  print(options: ClientOptions, human: string, value: unknown): void;
  /** Sets the status the process will end with: 1 failed or done in part, 2 wrong usage. */
  exitCode(code: 0 | 1 | 2): void;
}

/** A verb of the command line. */
export interface Verb {
  readonly kind: "verb";
  /** As typed: `import`. The name of the file. */
  readonly name: string;
  /** Adds itself, with arguments, options, an example and its action, to the program. */
  readonly register: (program: CliCommand, tools: VerbTools) => void;
}

/** Makes a verb. */
export function defineVerb(verb: Omit<Verb, "kind">): Verb {
  return { kind: "verb", ...verb };
}
