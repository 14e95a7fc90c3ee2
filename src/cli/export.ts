/** The verb `export`: the log as a file, or as files by day. */
import { createWriteStream, existsSync, renameSync, rmSync } from "node:fs";
import { pipeline } from "node:stream/promises";
import { type Command as CliCommand, Option } from "commander";
import { StartRefused } from "../core/fault.ts";
import type { Client } from "../wire/client.ts";
import { counted } from "./counted.ts";
import type { PartFormat } from "./export/part.ts";
import { exportPartitioned } from "./export/partitioned-export.ts";
import { verbTools, withClient } from "./tools.ts";
import type { ClientOptions, Progress } from "./verb.ts";

interface Options extends ClientOptions {
  readonly out: string;
  readonly force?: boolean;
  readonly format?: PartFormat;
  readonly partition?: "day";
}

/** Adds the verb to the program. */
export function registerExport(program: CliCommand): void {
  const verb = program
    .command("export")
    .description("write what the log holds into files")
    .addHelpText("after", "\nExample:\n  $ retrace export events --out log.jsonl\n");
  verbTools
    .clientOptions(verb.command("events").description("every event, in order: one file of JSON lines, or files by day"))
    .requiredOption("--out <path>", "which file, - for stdout; with --partition, which folder")
    .option("--force", "replace the file if it is there")
    .addOption(new Option("--partition <by>", "files by the UTC day on which events were recorded").choices(["day"]))
    .addOption(
      new Option("--format <f>", "of partitioned files (default: parquet)").choices([
        "parquet",
        "jsonl",
      ] as PartFormat[]),
    )
    .addHelpText(
      "after",
      `
One file is whole or not there at all. \`retrace import events\` brings it into an empty store.

With --partition day, DuckDB, ClickHouse and others read what is written: events/YYYY/MM/DD/part-FIRST-LAST.parquet, named by
the positions in it, one row an event. Run it again, and it appends what is new since; files that are there are never
changed, and one that was stopped goes on. Old days may be moved away, the newest file must stay. The columns:
id, position, stream, category, streamId, version, type, schemaVersion, occurredAt, recordedAt (timestamps),
correlationId, causationId, commandId, actor, data (JSON as text).

Examples:
  $ retrace export events --out log.jsonl
  $ retrace export events --format parquet --partition day --out lake
  $ duckdb -c "select type, count(*) from 'lake/events/**/*.parquet' group by type"
`,
    )
    .action((options: Options, command: CliCommand) => {
      const wrong = whatIsWrong(options);
      if (wrong !== undefined) command.error(`error: ${wrong}`);
      return withClient(options, (client) => (options.partition ? exportDays : exportEvents)(client, options));
    });
}

function whatIsWrong({ out, format, partition, force }: Options): string | undefined {
  if (partition === undefined) return format && `--format ${format} is of partitioned files: add --partition day`;
  if (out === "-") return "--partition writes several files: name a folder with --out";
  return force === true
    ? "--partition appends to what is there, so there is nothing for --force to replace"
    : undefined;
}

async function exportDays(client: Client, options: Options): Promise<void> {
  const { out: folder, format = "parquet" } = options;
  let bar: Progress | undefined;
  try {
    const { events, parts, position } = await exportPartitioned(client, {
      ...{ folder, format },
      onTotal: (total) => {
        bar = verbTools.progress("export", total);
      },
      onEvents: (count) => bar?.advance(count),
    });
    bar?.stop();
    const human = `${folder}: ${counted(events, "new event")} in ${counted(parts.length, "new file")}, up to position ${position}`;
    verbTools.print(options, human, { folder, format, events, position, files: parts.map(({ path }) => path) });
  } finally {
    bar?.stop();
  }
}

async function exportEvents(client: Client, options: Options): Promise<void> {
  const { out } = options;
  if (out === "-") {
    await pipeline(linesOf(client), process.stdout, { end: false });
    return;
  }
  if (existsSync(out) && options.force !== true) {
    throw new StartRefused(`${out} is there already: name another file, or replace it with --force`);
  }
  const partial = `${out}.partial`;
  let events = 0;
  try {
    await pipeline(
      linesOf(client, (count) => {
        events += count;
      }),
      createWriteStream(partial),
    );
    renameSync(partial, out);
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  }
  verbTools.print(options, `${out}: ${counted(events, "event")}`, { file: out, events });
}

/** Everything up to where the log ends now, many lines at a time; told is how many. */
async function* linesOf(client: Client, onEvents: (count: number) => void = () => {}): AsyncGenerator<string> {
  const { position: end } = await client.query<{ readonly position: number }>("health");
  const bar = verbTools.progress("export", end);
  try {
    for (let after = 0; after < end; ) {
      const { events } = await client.events({ afterPosition: after, limit: Math.min(1_000, end - after) });
      yield events.map((event) => `${JSON.stringify(event)}\n`).join("");
      onEvents(events.length);
      after = events.at(-1)?.position ?? end;
      bar.advance(events.length);
    }
  } finally {
    bar.stop();
  }
}
