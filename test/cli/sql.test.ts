/** `retrace sql` against a runtime that serves, and against an export without one. */
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import * as duckDb from "@duckdb/node-api";
import { type Client, connect } from "retrace";
import { afterAll, beforeAll, expect, test } from "vitest";
import { partsIn } from "../../src/cli/export/part.ts";
import { exportPartitioned } from "../../src/cli/export/partitioned-export.ts";
import { openEvents } from "../../src/cli/sql/events-database.ts";
import { type RowsFormat, writeRows } from "../../src/cli/sql/write-rows.ts";
import { startRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";
import { eventsOverDays, recordAll } from "./days.ts";
import { type Ended, runCli } from "./run-cli.ts";

const cache = tempDir();
const lake = tempDir();
let nats: string;
let client: Client;

beforeAll(async () => {
  nats = (await startRuntime({ dataDir: tempDir() })).url;
  client = await connect({ servers: nats });
  await recordAll(client, eventsOverDays(3, 4));
  await exportPartitioned(client, { folder: lake, format: "parquet" });
});

afterAll(() => client?.close());

const sql = (...args: readonly string[]): Promise<Ended> =>
  runCli(["sql", ...args], { env: { RETRACE_NATS: nats, XDG_CACHE_HOME: cache } });

async function rows(...args: readonly string[]): Promise<unknown[]> {
  const { code, stdout, stderr } = await sql(...args, "--json");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as unknown]));
}

/** Without a process: an export, and what a query of it prints. */
async function printed(query: string, format: RowsFormat = "json"): Promise<string> {
  const database = await openEvents(duckDb, { folder: lake, parts: partsIn(lake, "parquet") });
  const to = new PassThrough();
  const written = text(to);
  try {
    await writeRows(await database.ask(query), { format, to });
  } finally {
    database.close();
    to.end();
  }
  return written;
}

const cachedFiles = () =>
  readdirSync(cache, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".parquet"));

test("answers are of the whole log, as of now and as of a position; the cache takes only what is new", async () => {
  const count = "select count(*) as n, max(position) as last, max(recordedAt) as at from events";
  expect(await rows(count)).toEqual([{ n: 12, last: 12, at: "2026-03-01T23:59:59.999Z" }]);
  expect(cachedFiles()).toHaveLength(3);
  await recordAll(client, eventsOverDays(1, 4, { after: 12 }));
  expect(await rows(count)).toEqual([{ n: 16, last: 16, at: "2026-03-02T23:59:59.999Z" }]);
  expect(cachedFiles()).toHaveLength(4);
  expect(await rows(`${count} where position > 0`, "--at", "5")).toMatchObject([{ n: 5, last: 5 }]);
  expect(await sql(count, "--at", "17")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("the last one is 16"),
  });

  // A cache that has a gap, or is of a log that is no more, is made anew.
  rmSync(join(cache, cachedFiles().sort()[1] as string));
  expect(await rows(count)).toMatchObject([{ n: 16 }]);
  const [logId] = readdirSync(join(cache, "retrace/sql"));
  writeFileSync(join(cache, `retrace/sql/${logId}/log.json`), '{"position":1,"id":"of before"}');
  writeFileSync(join(cache, cachedFiles().sort()[0] as string), "of before");
  expect(await rows(count)).toMatchObject([{ n: 16 }]);
});

test("values come as JSON has them", async () => {
  const values = `select 9007199254740993 as big, 7::bigint as small, 1.50::decimal(9,2) as price, date '2026-01-02' as day,
    timestamp '2026-01-02 03:04:05.000006' as local, 'nan'::double as odd, [1, null] as list, {'a': now() > now()} as struct,
    map {'k': 1} as map, null as nothing, interval 2 day as span`;
  expect(JSON.parse(await printed(values))).toEqual({
    ...{ big: "9007199254740993", small: 7, price: 1.5, day: "2026-01-02", local: "2026-01-02T03:04:05.000006" },
    ...{ odd: "NaN", list: [1, null], struct: { a: false }, map: [{ key: "k", value: 1 }], nothing: null },
    span: "2 days",
  });
});

test("a table for people, and CSV", async () => {
  const query =
    "select position, data->>'$.loss' as loss, actor from events where position between 2 and 3 order by all";
  expect(await printed(query, "table")).toBe(
    [
      "position  loss   actor",
      "--------  -----  -----------------",
      "       2  0.25   ada \"the 'first'\"",
      "       3  0.375",
      "2 rows",
      "",
    ].join("\n"),
  );
  const csv = 'position,loss,actor\n2,0.25,"ada ""the \'first\'"""\n3,0.375,\n';
  expect(await printed(query, "csv")).toBe(csv);
  expect(await printed("select 1 as one where false", "table")).toBe("one\n---\n0 rows\n");
  expect(await printed("select chr(27) || '[31m' as red", "table")).toContain("\\x1b[31m");
  const many = await printed("select a.range from range(5000) a", "table");
  expect(many.split("\n").slice(-3)).toEqual([" 4999", "5000 rows", ""]);
});

test("nothing is written, and what DuckDB does not understand is told in its words", async () => {
  const target = join(tempDir(), "stolen.csv");
  for (const query of [
    `copy events to '${target}'`,
    "create table t as select 1",
    "select 1; select 2",
    "drop view events",
  ]) {
    await expect(printed(query)).rejects.toMatchObject({
      code: "INVALID_QUERY",
      message: "only a single SELECT is run",
    });
  }
  const wrong = await sql("select nothing from events", "--json");
  expect(wrong).toMatchObject({ code: 1, stdout: "" });
  expect(JSON.parse(wrong.stderr).error).toMatchObject({
    code: "INVALID_QUERY",
    message: expect.stringContaining("nothing"),
  });
});

test("an export is read without a runtime, Parquet and JSON lines alike", async () => {
  const query = "select position, streamId, occurredAt, data->>'$.step' as step from events where position > 14";
  const asked = [];
  for (const format of ["parquet", "jsonl"] as const) {
    const folder = tempDir();
    await exportPartitioned(client, { folder, format });
    const { stdout } = await runCli(["sql", query, "--from", folder, "--json"], {
      env: { RETRACE_NATS: "nats://127.0.0.1:1" },
    });
    asked.push(
      stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line)),
    );
  }
  const expected = [15, 16].map((position) => {
    return { position, streamId: "r1", occurredAt: "2020-02-29T12:00:00.001Z", step: String(position) };
  });
  expect(asked).toEqual([expected, expected]);
  const none = await runCli(["sql", "select 1", "--from", tempDir()]);
  expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining("no export in") });
});

test("without DuckDB it says what to install, and is wrong usage", async () => {
  const hook = join(tempDir(), "without.mjs");
  writeFileSync(
    hook,
    `import { register } from "node:module";
register("data:text/javascript," + encodeURIComponent(\`export async function resolve(name, context, next) {
  if (name !== "@duckdb/node-api") return next(name, context);
  throw Object.assign(new Error("Cannot find package '@duckdb/node-api'"), { code: "ERR_MODULE_NOT_FOUND" });
}\`), import.meta.url);`,
  );
  const env = { NODE_OPTIONS: `--import=${hook}` };
  const ended = await runCli(["sql", "select 1", "--from", cache], { env });
  expect(ended).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining("npm install @duckdb/node-api") });
});
