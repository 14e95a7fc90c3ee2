/** The verb `export`: the log as a file. */
import { once } from "node:events";
import { createWriteStream, existsSync, renameSync, rmSync } from "node:fs";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import type { Command as CliCommand } from "commander";
import { StartRefused } from "../core/fault.ts";
import type { Client } from "../wire/client.ts";
import { verbTools, withClient } from "./tools.ts";
import type { ClientOptions } from "./verb.ts";

interface Options extends ClientOptions {
  readonly out: string;
  readonly force?: boolean;
}

/** Adds the verb to the program. */
export function registerExport(program: CliCommand): void {
  const verb = program
    .command("export")
    .description("write what the log holds into files")
    .addHelpText("after", "\nExample:\n  $ retrace export events --out log.jsonl\n");
  verbTools
    .clientOptions(verb.command("events").description("every event, in order, as JSON lines"))
    .requiredOption("--out <file>", "where to; - for stdout")
    .option("--force", "replace the file if it is there")
    .addHelpText(
      "after",
      `
The file is whole or not there at all. \`retrace import events\` brings it into an empty store.

Example:
  $ retrace export events --out log.jsonl
`,
    )
    .action((options: Options) => withClient(options, (client) => exportEvents(client, options)));
}

async function exportEvents(client: Client, options: Options): Promise<void> {
  const { out } = options;
  if (out === "-") {
    await writeEvents(client, process.stdout);
    return;
  }
  if (existsSync(out) && options.force !== true) {
    throw new StartRefused(`${out} is there already: name another file, or replace it with --force`);
  }
  const partial = `${out}.partial`;
  const file = createWriteStream(partial);
  try {
    const events = await writeEvents(client, file);
    file.end();
    await finished(file);
    renameSync(partial, out);
    verbTools.print(options, `${out}: ${events} events`, { file: out, events });
  } catch (error) {
    file.destroy();
    rmSync(partial, { force: true });
    throw error;
  }
}

/** Everything up to where the log ends now. */
async function writeEvents(client: Client, to: Writable): Promise<number> {
  const { position: end } = await client.query<{ readonly position: number }>("health");
  const bar = verbTools.progress("export", end);
  let written = 0;
  try {
    for (let after = 0; after < end; ) {
      const { events } = await client.events({ afterPosition: after, limit: Math.min(1_000, end - after) });
      const text = events.map((event) => `${JSON.stringify(event)}\n`).join("");
      if (!to.write(text)) await once(to, "drain");
      written += events.length;
      after = events.at(-1)?.position ?? end;
      bar.advance(events.length);
    }
  } finally {
    bar.stop();
  }
  return written;
}
