/** A database in memory whose only table are the events of exported files. */
import { join } from "node:path";
import type { DuckDBResult } from "@duckdb/node-api";
import { Fault } from "../../core/fault.ts";
import { type Column, columns } from "../export/event-row.ts";
import type { Part } from "../export/part.ts";
import type { DuckDb } from "./duckdb.ts";
import { plainValue } from "./plain-value.ts";

/** Which files to read, all of one format, and up to where. */
export interface PartsToRead {
  readonly folder: string;
  readonly parts: readonly Part[];
  /** Inclusive. */
  readonly at?: number;
}

/** The rows of an answer, piece by piece; of values only what JSON has. */
export interface Answer {
  readonly columns: readonly string[];
  readonly rows: AsyncIterable<readonly (readonly unknown[])[]>;
}

/** An open database. */
export interface EventsDatabase {
  /** One SELECT. @throws Fault INVALID_QUERY in DuckDB's words; while the rows are read, too. */
  ask(query: string): Promise<Answer>;
  close(): void;
}

/** Opens it. The files are read when a query asks for them. */
export async function openEvents(duckDb: DuckDb, parts: PartsToRead): Promise<EventsDatabase> {
  const instance = await duckDb.DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  await connection.run("set TimeZone = 'UTC'");
  await connection.run("set autoinstall_known_extensions = false");
  await connection.run(`create view events as ${selectOf(parts)}`);
  const { SELECT } = duckDb.StatementType;
  return {
    ask: async (query) => {
      const result = await explained(async () => {
        if (query.trim() === "") throw new Error("no query");
        const statements = await connection.extractStatements(query);
        const statement = await statements.prepare(0);
        if (statements.count > 1 || statement.statementType !== SELECT) throw new Error("only a single SELECT is run");
        return statement.stream();
      });
      return { columns: result.deduplicatedColumnNames(), rows: rowsOf(duckDb, result) };
    },
    close: () => {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

async function* rowsOf(duckDb: DuckDb, result: DuckDBResult): Answer["rows"] {
  const pages = result.yieldRows();
  for (;;) {
    const page = await explained(() => pages.next());
    if (page.done === true) return;
    yield page.value.map((row) => row.map((value) => plainValue(duckDb, value)));
  }
}

/** What DuckDB throws has no class of its own. */
async function explained<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw new Fault("INVALID_QUERY", (error as Error).message.trim(), {}, error);
  }
}

const sqlTypes: Readonly<Record<Column["type"], string>> = { text: "varchar", integer: "bigint", time: "timestamptz" };

function selectOf({ folder, parts, at }: PartsToRead): string {
  const needed = parts.filter((part) => at === undefined || part.first <= at);
  const [first] = needed;
  const empty = columns.map(({ name, type }) => `null::${sqlTypes[type]} as ${name}`);
  if (first === undefined) return `select ${empty.join(", ")} where false`;
  const files = needed.map(({ path }) => quoted(join(folder, path))).join(", ");
  const until = at === undefined ? "" : ` where position <= ${at}`;
  if (first.format === "parquet") return `select * from read_parquet([${files}])${until}`;
  const types = columns.map(({ name, type }) => `${name}: '${sqlTypes[type]}'`).join(", ");
  return `select * from read_json([${files}], format = 'newline_delimited', columns = {${types}})${until}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
