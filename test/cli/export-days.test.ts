/** `retrace export events --partition day`: what is written, what a second run adds, and what a killed one leaves. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { asyncBufferFromFile, parquetReadObjects } from "hyparquet";
import { type Client, connect, type RecordedEvent } from "retrace";
import { afterAll, beforeAll, expect, test } from "vitest";
import { processIdentity } from "../../src/broker/process-identity.ts";
import { rowOf } from "../../src/cli/export/event-row.ts";
import type { PartFormat } from "../../src/cli/export/part.ts";
import { type Exported, exportPartitioned } from "../../src/cli/export/partitioned-export.ts";
import { eventually } from "../support/eventually.ts";
import { startRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";
import { eventsOverDays, recordAll } from "./days.ts";
import { type Ended, root, runCli } from "./run-cli.ts";

const [days, perDay] = [4, 300];
let nats: string;
let client: Client;
let events: RecordedEvent[];

beforeAll(async () => {
  nats = (await startRuntime({ dataDir: tempDir() })).url;
  client = await connect({ servers: nats });
  events = eventsOverDays(days, perDay);
  await recordAll(client, events);
});

afterAll(() => client?.close());

function exportTo(folder: string, ...args: readonly string[]): Promise<Ended> {
  const verb = ["export", "events", "--partition", "day", "--out", folder, ...args];
  return runCli(verb, { env: { RETRACE_NATS: nats } });
}

const bring = (folder: string, format: PartFormat = "parquet"): Promise<Exported> =>
  exportPartitioned(client, { folder, format });

const filesIn = (folder: string): string[] =>
  readdirSync(join(folder, "events"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.includes("part-"))
    .sort();

async function readParquet(folder: string): Promise<Record<string, unknown>[]> {
  const rows: Record<string, unknown>[] = [];
  for (const name of filesIn(folder)) {
    const file = await asyncBufferFromFile(join(folder, "events", name));
    rows.push(...(await parquetReadObjects({ file })));
  }
  return rows;
}

/** As hyparquet gives what was written. */
function expectedRow(event: RecordedEvent): Record<string, unknown> {
  const { position, version, schemaVersion, occurredAt, recordedAt, ...row } = rowOf(event);
  const numbers = { position: BigInt(position), version: BigInt(version), schemaVersion: BigInt(schemaVersion) };
  return { ...row, ...numbers, occurredAt: new Date(occurredAt), recordedAt: new Date(recordedAt) };
}

async function duckDb(sql: string): Promise<unknown> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  const reader = await connection.runAndReadAll(sql);
  const rows = reader.getRowsJson();
  connection.closeSync();
  instance.closeSync();
  return rows;
}

test("Parquet holds every event in the folder of its day, for hyparquet and for DuckDB", async () => {
  const folder = join(tempDir(), "lake's");
  const { code, stdout, stderr } = await exportTo(folder, "--json");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const files = [
    "events/2026/02/27/part-000000000001-000000000300.parquet",
    "events/2026/02/28/part-000000000301-000000000600.parquet",
    "events/2026/03/01/part-000000000601-000000000900.parquet",
    "events/2026/03/02/part-000000000901-000000001200.parquet",
  ];
  expect(JSON.parse(stdout)).toEqual({ folder, format: "parquet", events: 1_200, position: 1_200, files });
  expect(await readParquet(folder)).toEqual(events.map(expectedRow));

  const all = `'${folder.replaceAll("'", "''")}/events/**/*.parquet'`;
  expect(
    await duckDb(
      `select recordedAt::date::varchar, count(*)::int, max(version)::int, sum((data->>'$.loss')::double) is not null,
              count(actor)::int, typeof(any_value(occurredAt)) from ${all} group by all order by 1`,
    ),
  ).toEqual(
    ["27", "28", "01", "02"].map((day, i) => {
      const date = `2026-0${i < 2 ? 2 : 3}-${day}`;
      return [date, 300, 300 * (i + 1), true, 150, "TIMESTAMP WITH TIME ZONE"];
    }),
  );
  expect(await duckDb(`select data, actor from ${all} where position <= 2 order by position`)).toEqual([
    [JSON.stringify(events[0]?.data), null],
    [JSON.stringify(events[1]?.data), events[1]?.metadata.actor?.id],
  ]);
});

test("a second run adds what is new and changes no file; another format and other files are left alone", async () => {
  const folder = tempDir();
  await bring(folder, "jsonl");
  const contents = () =>
    new Map(filesIn(folder).map((name) => [name, readFileSync(join(folder, "events", name), "utf8")]));
  const before = contents();
  expect([...before.values()].join("")).toBe(events.map((event) => `${JSON.stringify(rowOf(event))}\n`).join(""));

  mkdirSync(join(folder, "events/2026/03/03"), { recursive: true });
  writeFileSync(join(folder, "events/2026/03/03/part-000000000901-000000009999.parquet"), "");
  writeFileSync(join(folder, "events/2026/03/03/notes.txt"), "mine");
  const more = eventsOverDays(1, perDay, { after: events.length });
  await recordAll(client, more);
  events.push(...more);
  expect(await bring(folder, "jsonl")).toMatchObject({ events: 300, position: 1_500, parts: [{ first: 1_201 }] });
  const after = contents();
  for (const [name, text] of before) expect(after.get(name)).toBe(text);
  const [added] = [...after.keys()].filter((name) => !before.has(name) && name.endsWith(".jsonl"));
  expect(added).toBe("2026/03/03/part-000000001201-000000001500.jsonl");

  const inodes = () => filesIn(folder).map((name) => statSync(join(folder, "events", name)).ino);
  const untouched = inodes();
  expect(await bring(folder, "jsonl")).toEqual({ events: 0, position: 1_500, parts: [] });
  expect(inodes()).toEqual(untouched);
});

test("one that was killed goes on: in the end there is what one run writes, and nothing else", async () => {
  const [killed, whole] = [tempDir(), tempDir()];
  const verb = ["export", "events", "--partition", "day", "--out", killed];
  const child = spawn(process.execPath, [`${root}/dist/src/main.js`, ...verb], {
    env: { ...process.env, RETRACE_NATS: nats },
    stdio: "ignore",
  });
  const exited = once(child, "exit");
  await eventually("it has begun", async () => {
    try {
      return filesIn(killed).length > 0;
    } catch {
      return false;
    }
  });
  child.kill("SIGKILL");
  await exited;

  const { stdout } = await exportTo(killed);
  expect(stdout).toMatch(/: \d+ new events in \d+ new files, up to position 1500\n$/);
  await bring(whole);
  expect(filesIn(killed)).toEqual(filesIn(whole));
  expect(await readParquet(killed)).toEqual(await readParquet(whole));
  expect(await readParquet(killed)).toEqual(events.map(expectedRow));
});

test("the rest of a part that was not finished is replaced, not appended to", async () => {
  const folder = tempDir();
  const day = join(folder, "events/2026/02/27");
  mkdirSync(day, { recursive: true });
  writeFileSync(join(day, "part-000000000001.jsonl.partial"), "half a line".repeat(100_000));
  await bring(folder, "jsonl");
  expect(readdirSync(day)).toEqual(["part-000000000001-000000000300.jsonl"]);
  expect(readFileSync(join(day, "part-000000000001-000000000300.jsonl"), "utf8").split("\n")).toHaveLength(301);
});

test("another log's folder, a folder in use, and options that contradict one another are refused", async () => {
  const folder = tempDir();
  await bring(folder);
  const witness = readFileSync(join(folder, "log.json"), "utf8");
  expect(JSON.parse(witness)).toEqual({ position: events.length, id: events.at(-1)?.id });
  for (const another of [
    { position: 3, id: events[3]?.id },
    { position: events.length + 1, id: "E" },
  ]) {
    writeFileSync(join(folder, "log.json"), JSON.stringify(another));
    await expect(bring(folder)).rejects.toThrow("an export of another log");
  }
  writeFileSync(join(folder, "log.json"), witness);
  mkdirSync(join(folder, "events/2027/01/01"), { recursive: true });
  writeFileSync(join(folder, "events/2027/01/01/part-000000001501-000000001502.parquet"), "");
  await expect(bring(folder)).rejects.toThrow("an export of another log");
  const identity = processIdentity(process.pid);
  writeFileSync(join(folder, "retrace.pid"), `${JSON.stringify({ pid: process.pid, identity })}\n`);
  await expect(bring(folder)).rejects.toThrow(`process ${process.pid} is exporting to ${folder}`);

  const wrong = [
    ["--partition", "day", "--out", "-"],
    ["--partition", "day", "--out", folder, "--force"],
    ["--format", "parquet", "--out", folder],
  ];
  const ended = await Promise.all(wrong.map((args) => runCli(["export", "events", ...args])));
  expect(ended.map(({ code }) => code)).toEqual([2, 2, 2]);
  expect(ended[2]?.stderr).toContain("add --partition day");
});
