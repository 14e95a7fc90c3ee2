/** What every client verb needs: options, a connection, output for people or programs, an exit status. */
import { SingleBar } from "cli-progress";
import { type Command as CliCommand, Option } from "commander";
import type { Client } from "../wire/client.ts";
import { connect } from "../wire/client.ts";
import { prefixOption } from "./parse.ts";
import type { ClientOptions, Progress, VerbTools } from "./verb.ts";

const defaultServer = "nats://127.0.0.1:4222";

/** Adds the options of a client verb. */
function clientOptions(command: CliCommand): CliCommand {
  return command
    .addOption(new Option("--nats <url>", "the broker").default(defaultServer).env("RETRACE_NATS"))
    .addOption(prefixOption())
    .option("--json", "output for programs");
}

function connectAs({ nats = defaultServer, prefix = "retrace" }: ClientOptions): Promise<Client> {
  return connect({ servers: nats, prefix, name: "retrace cli" });
}

function progress(label: string, total: number): Progress {
  if (!process.stderr.isTTY || total === 0) return { advance: () => {}, stop: () => {} };
  const bar = new SingleBar({
    format: `${label} {bar} {percentage}% {value}/{total} {eta_formatted}`,
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: true,
    etaBuffer: 50,
  });
  bar.start(total, 0);
  return { advance: (by) => bar.increment(by), stop: () => bar.stop() };
}

/** The tools that verbs of the actors folders get, too. */
export const verbTools: VerbTools = {
  clientOptions,
  connect: connectAs,
  progress,
  print: ({ json }, human, value) => {
    process.stdout.write(json === true ? `${JSON.stringify(value)}\n` : `${human}\n`);
  },
  exitCode: (code) => {
    process.exitCode = code;
  },
};

/** Tells people, and not programs, that there is nothing to print: on stderr, so that a pipe stays empty. */
export function sayNothing({ json }: ClientOptions, sentence: string): void {
  if (json !== true) process.stderr.write(`${sentence}\n`);
}

/** Connects, runs, and closes whatever happens. */
export async function withClient<Result>(
  options: ClientOptions,
  run: (client: Client) => Promise<Result>,
): Promise<Result> {
  const client = await connectAs(options);
  try {
    return await run(client);
  } finally {
    await client.close();
  }
}
