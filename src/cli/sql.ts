/** The verb `sql`: questions to the log, answered by DuckDB. */
import { mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { type Command as CliCommand, Option } from "commander";
import { StartRefused } from "../core/fault.ts";
import { partsIn } from "./export/part.ts";
import { exportPartitioned } from "./export/partitioned-export.ts";
import { parseInteger } from "./parse.ts";
import { type DuckDb, loadDuckDb } from "./sql/duckdb.ts";
import { openEvents, type PartsToRead } from "./sql/events-database.ts";
import { type RowsFormat, writeRows } from "./sql/write-rows.ts";
import { verbTools, withClient } from "./tools.ts";
import type { ClientOptions, Progress } from "./verb.ts";

interface Options extends ClientOptions {
  readonly at?: number;
  readonly from?: string;
  readonly format?: RowsFormat;
}

/** Adds the verb to the program. */
export function registerSql(program: CliCommand): void {
  verbTools
    .clientOptions(program.command("sql").description("ask the log in SQL, with DuckDB; the table is events"))
    .argument("<query>", "one SELECT")
    .option("--at <position>", "as of this position of the log, inclusive", parseInteger)
    .option("--from <dir>", "read an export instead, without a runtime")
    .addOption(
      new Option("--format <f>", "a row of JSON a line, as --json, or CSV (default: table)").choices([
        "table",
        "json",
        "csv",
      ] as RowsFormat[]),
    )
    .addHelpText(
      "after",
      `
It needs @duckdb/node-api, once: npm install @duckdb/node-api. The log is copied as Parquet into the cache folder of this
user (XDG_CACHE_HOME, else ~/.cache), each time only what is new. Nothing can be changed by a query.

The columns of events: id, position, stream, category, streamId, version, type, schemaVersion, occurredAt, recordedAt
(timestamps, shown in UTC), correlationId, causationId, commandId, actor, data (JSON as text: data->>'$.loss').

Examples:
  $ retrace sql "select type, count(*) as events from events group by type order by events desc"
  $ retrace sql "select streamId, max((data->>'$.step')::int) from events where type = 'TrainingProgress' group by all"
  $ retrace sql "select * from events order by position desc limit 5" --from lake --format csv
`,
    )
    .action(async (query: string, options: Options, command: CliCommand) => {
      const duckDb = await loadDuckDb();
      if (duckDb === undefined) command.error("error: this needs DuckDB: npm install @duckdb/node-api");
      else await answer(duckDb, query, options);
    });
}

async function answer(duckDb: DuckDb, query: string, options: Options): Promise<void> {
  const { from, at, json } = options;
  const found = from === undefined ? await cachedParts(options) : exportedParts(from);
  const last = found.parts.at(-1)?.last ?? 0;
  if (at !== undefined && at > last) throw new StartRefused(`there is no position ${at}: the last one is ${last}`);
  const database = await openEvents(duckDb, { ...found, ...(at !== undefined && { at }) });
  try {
    const format = options.format ?? (json === true ? "json" : "table");
    await writeRows(await database.ask(query), { format, to: process.stdout });
  } finally {
    database.close();
  }
}

/** Of an export that has both formats, Parquet. */
function exportedParts(folder: string): PartsToRead {
  const parquet = partsIn(folder, "parquet");
  const parts = parquet.length > 0 ? parquet : partsIn(folder, "jsonl");
  if (parts.length > 0) return { folder, parts };
  throw new StartRefused(`no export in ${folder}: \`retrace export events --partition day --out DIR\` writes one`);
}

/** Another process may be adding to the same cache. */
const patienceMs = 60_000;

function cachedParts(options: Options): Promise<PartsToRead> {
  return withClient(options, async (client) => {
    const { store } = await client.query<{ readonly store: { readonly id: string } }>("health");
    const folder = join(cacheHome(process.env), "retrace", "sql", encodeURIComponent(store.id));
    // Events may be nobody else's business on this machine.
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    let bar: Progress | undefined;
    try {
      await exportPartitioned(client, {
        ...{ folder, format: "parquet", isCache: true, patienceMs },
        onTotal: (total) => {
          bar = verbTools.progress("reading the log", total);
        },
        onEvents: (count) => bar?.advance(count),
      });
    } finally {
      bar?.stop();
    }
    return { folder, parts: partsIn(folder, "parquet") };
  });
}

function cacheHome(env: NodeJS.ProcessEnv): string {
  const xdg = env.XDG_CACHE_HOME ?? "";
  return isAbsolute(xdg) ? xdg : join(env.HOME || homedir(), ".cache");
}
