/** `retrace import training-log` against a built runtime: nothing twice, nothing lost, whatever happens on the way. */
import { utimesSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { type Client, connect, type RecordedEvent } from "retrace";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RuntimeChild, startRuntime } from "../../actors/verbs/demo/runtime-child.ts";
import { runIdOf } from "../../actors/verbs/import/run-id.ts";
import { tempDir } from "../support/temp.ts";
import { cli, type Ended, root, startCli } from "./built-cli.ts";
import { absent, manifestRuns, measurementFiles, stepLogPath } from "./shared-data.ts";

const folder = tempDir("retrace-import-");
let runtime: RuntimeChild;
let client: Client;

beforeAll(async () => {
  runtime = await startRuntime(root, tempDir("retrace-import-data-"));
  client = await connect({ servers: runtime.nats });
});

afterAll(async () => {
  await client?.close();
  await runtime?.stop();
});

function write(name: string, lines: readonly string[]): string {
  const path = join(folder, name);
  writeFileSync(path, `${lines.join("\n")}\n`);
  return path;
}

function importLogs(...args: readonly string[]): Promise<Ended> {
  return cli("import", "training-log", "--nats", runtime.nats, ...args);
}

async function importedJson(...args: readonly string[]): Promise<Record<string, unknown>[]> {
  const { stdout } = await importLogs("--json", ...args);
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

async function historyOf(run: string): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for (let fromVersion: number | null = 1; fromVersion !== null; ) {
    const page = await client.history("training-run", run, { fromVersion, limit: 1000 });
    events.push(...page.events);
    fromVersion = page.next;
  }
  return events;
}

/** What the history says, without how it was cut into commands. */
async function contentOf(run: string): Promise<unknown[]> {
  return (await historyOf(run)).flatMap(({ type, data }) =>
    type === "TrainingProgressBatch" ? (data as { steps: unknown[] }).steps : [{ type, data }],
  );
}

async function stateOf(run: string) {
  return (await client.state("training-run", run)).state;
}

/** A log of 2,000 lines that goes back once and repeats a step. */
function longLog(name: string): string {
  const step = (index: number) => `step:${index}/1499 train_loss:${(9 - index / 300).toFixed(4)} train_time:${index}ms`;
  const first = Array.from({ length: 1000 }, (_, index) => step(index));
  const again = Array.from({ length: 1000 }, (_, index) => step(index + 500));
  return write(name, ["Wed Jan  1 00:00:00 2025", ...first, ...again, "step:1499/1499 val_loss:4.5 train_time:1500ms"]);
}

describe.skipIf(absent !== undefined)("real logs", () => {
  const files = [...manifestRuns.map(({ file }) => stepLogPath(file)), ...measurementFiles];

  test("come in whole, and a second time add nothing", async () => {
    const first = await importedJson(...files);
    const head = (await client.query<{ position: number }>("health")).position;
    const states = await Promise.all(files.map((file) => stateOf(runIdOf(file))));
    const second = await importedJson(...files);

    expect(first).toHaveLength(11);
    for (const [index, file] of files.entries()) {
      const { newSteps, version } = first[index] as { newSteps: number; version: number };
      expect(first[index]).toMatchObject({ file, status: "completed", alreadyThere: 0, badLines: 0 });
      expect(second[index]).toMatchObject({ file, status: "completed", newSteps: 0, alreadyThere: newSteps, version });
      const events = await historyOf(runIdOf(file));
      expect(events[0]?.data).toMatchObject({ source: { name: basename(file) } });
      expect(await contentOf(runIdOf(file))).toHaveLength(newSteps + 2);
    }
    expect((await client.query<{ position: number }>("health")).position).toBe(head);
    expect(await Promise.all(files.map((file) => stateOf(runIdOf(file))))).toEqual(states);
  });

  test("carry their code version and the time at which it happened", async () => {
    for (const { file, code_sha256, train_time_ms, final_val_loss } of manifestRuns) {
      const events = await historyOf(runIdOf(file));
      const [started, completed] = [events[0], events.at(-1)];
      expect((started?.data as { codeVersion?: string }).codeVersion ?? null).toBe(code_sha256);
      expect(completed).toMatchObject({
        type: "TrainingCompleted",
        data: { finalMetrics: { val_loss: final_val_loss } },
      });
      if (train_time_ms === null) continue;
      const durationMs = Date.parse(completed?.occurredAt ?? "") - Date.parse(started?.occurredAt ?? "");
      expect(durationMs).toBeGreaterThanOrEqual(train_time_ms);
      expect(started?.occurredAt.slice(0, 10)).toMatch(/^(2024-12-0[45]|2026-07-1[67])$/);
    }
  });
});

test("an import that is killed again and again ends like one that was left alone", async () => {
  const file = longLog("long.txt");
  const [whole] = await importedJson("--id", "left-alone", file);
  expect(whole).toMatchObject({ newSteps: 2001, status: "completed" });

  for (const line of [300, 900, 1400]) {
    const { child, ended } = startCli([
      "import",
      "training-log",
      "--nats",
      runtime.nats,
      "--batch",
      "5",
      "--id",
      "killed",
      file,
    ]);
    await reaches("killed", line);
    child.kill("SIGKILL");
    expect((await ended).code).toBeNull();
  }
  const [last] = await importedJson("--id", "killed", file);
  expect(last).toMatchObject({ status: "completed" });
  expect((last?.newSteps as number) + (last?.alreadyThere as number)).toBe(2001);

  expect(await contentOf("killed")).toEqual(await contentOf("left-alone"));
  expect(await stateOf("killed")).toEqual(await stateOf("left-alone"));
  expect((await contentOf("killed")).filter((part) => (part as { type?: string }).type === "TrainingResumed")).toEqual([
    {
      type: "TrainingResumed",
      data: { step: 500, reason: "the log goes back from step 999 to step 500 at line 1002" },
    },
  ]);
});

async function reaches(run: string, line: number): Promise<void> {
  for (;;) {
    const state = await stateOf(run).catch(() => undefined);
    if (((state?.context.sourceLine as number | undefined) ?? 0) >= line) return;
  }
}

test("two imports of one file at once bring every line once", async () => {
  const file = longLog("race.txt");
  const ends = await Promise.all([importLogs("--batch", "5", file), importLogs("--batch", "5", file)]);
  const refused = ends.filter(({ code }) => code !== 0);
  expect(refused.length).toBeLessThan(2);
  for (const { code, stderr } of refused) {
    expect(code).toBe(1);
    expect(stderr).toBe(`${file}: the run race is being written by someone else; import again to go on\n`);
  }
  await importLogs(file);
  const lines = (await contentOf("race")).flatMap((part) => (part as { sourceLine?: number }).sourceLine ?? []);
  expect(lines).toEqual(Array.from({ length: 2001 }, (_, index) => index + 2));
});

test("bad lines are told with file and line, the rest comes in, and the exit code says so", async () => {
  const file = write("bad.txt", ["step:1/2 train_loss:3", "step:2/2 train_lo", "step:2/2 train_loss:nan"]);
  const { code, stdout, stderr } = await importLogs(file);
  expect(code).toBe(1);
  expect(stderr.split("\n")[0]).toBe(`${file}:2: "train_lo" is not name:value`);
  expect(stdout).toBe("bad: 2 new steps, 0 already there, 1 bad line (completed)\n");
  expect(await contentOf("bad")).toMatchObject([
    { type: "TrainingStarted" },
    { step: 1, loss: 3, sourceLine: 1 },
    { step: 2, loss: "NaN", sourceLine: 3 },
    { type: "TrainingCompleted", data: { finalMetrics: { train_loss: "NaN" } } },
  ]);
});

test("a file that fails does not keep the others out", async () => {
  const good = write("good.log", ["s:1 trl:2"]);
  const none = join(folder, "none.txt");
  const prose = write("prose.txt", ["no metric", "at all"]);
  const { code, stdout, stderr } = await importLogs(none, prose, good);
  expect(code).toBe(1);
  expect(stdout).toBe("good: 1 new step, 0 already there, 0 bad lines (completed)\n");
  expect(stderr).toContain(`${none}: ENOENT`);
  expect(stderr).toContain(`${prose}: no metric line of a known format in it`);
});

test("other content never goes into a run that was imported before", async () => {
  const file = write("grown.log", ["s:1 trl:2"]);
  await importLogs(file);
  write("grown.log", ["s:1 trl:2", "s:2 trl:1"]);
  const { code, stderr } = await importLogs(file);
  expect(code).toBe(1);
  expect(stderr).toContain("was imported from a file with other content; name another run with --id");
  expect((await importLogs("--id", "grown-2", file)).code).toBe(0);
  expect(await contentOf("grown")).toHaveLength(3);
});

test("a run is left open on request, and when its log stops early; a later import completes it", async () => {
  const whole = write("open.txt", ["step:1/1 train_loss:3"]);
  expect(await importedJson("--leave-open", whole)).toMatchObject([{ status: "running", newSteps: 1 }]);
  expect(await importedJson(whole)).toMatchObject([{ status: "completed", newSteps: 0, alreadyThere: 1 }]);
  const early = write("early.txt", ["step:1/9 train_loss:3"]);
  expect(await importedJson(early)).toMatchObject([{ status: "running", newSteps: 1 }]);
});

test("times that would lie in the future are not used", async () => {
  const file = write("future.txt", ["Fri Jan  1 00:00:00 2100", "step:1/1 train_loss:3 train_time:5ms"]);
  expect((await importLogs(file)).code).toBe(0);
  const [started] = await historyOf("future");
  expect(ageOf(started)).toBeGreaterThan(dayMs - 60_000);
  expect(started?.data).toMatchObject({ environment: { timeZone: expect.stringContaining("future") } });
});

test("a log without times is dated so far back that no saga acts on it, or by --occurred-at", async () => {
  const file = write("untimed.log", ["s:1 trl:2", "s:2 trl:1"]);
  const { code, stderr } = await importLogs(file);
  expect(code).toBe(0);
  const events = await historyOf("untimed");
  expect(stderr).toBe(
    `${file}: no times in it to go by, so it is dated ${events[0]?.occurredAt}; --occurred-at says when it was\n`,
  );
  expect(events.map(({ type }) => type)).toEqual(["TrainingStarted", "TrainingProgressBatch", "TrainingCompleted"]);
  for (const event of events) expect(ageOf(event)).toBeGreaterThan(dayMs - 60_000);
  expect((await importLogs(file)).stderr).toBe("");

  utimesSync(file, new Date("2024-05-01"), new Date("2024-05-01"));
  expect(await importedJson("--id", "untimed-old", file)).toMatchObject([{ assumedTime: "2024-05-01T00:00:00.000Z" }]);
  expect((await historyOf("untimed-old")).at(-1)?.occurredAt).toBe("2024-05-01T00:00:00.000Z");

  const said = await importLogs("--id", "untimed-said", "--occurred-at", "2023-01-31T12:00:00+01:00", file);
  expect(said).toMatchObject({ code: 0, stderr: "" });
  const times = (await historyOf("untimed-said")).map(({ occurredAt }) => occurredAt);
  expect(new Set(times)).toEqual(new Set(["2023-01-31T11:00:00.000Z"]));
});

const dayMs = 24 * 60 * 60 * 1000;

function ageOf(event: RecordedEvent | undefined): number {
  return Date.parse(event?.recordedAt ?? "") - Date.parse(event?.occurredAt ?? "");
}

test("side files tell hyperparameters and hardware; a broken one keeps the run out", async () => {
  const file = write("side.measurements.csv", ["global_step,loss", "1,0.5"]);
  write("side.flags_0.json", ['{"rng_seed": 5, "framework": "jax"}']);
  write("side.meta_data_0.json", ["{ broken"]);
  const { code, stderr } = await importLogs(file);
  expect(code).toBe(1);
  expect(stderr).toContain("side.meta_data_0.json is not readable as JSON");
  write("side.meta_data_0.json", ['{"gpu_count": 2}']);
  expect((await importLogs(file)).code).toBe(0);
  expect((await historyOf("side-measurements"))[0]?.data).toMatchObject({
    seed: 5,
    hyperparameters: { framework: "jax" },
    environment: { gpu_count: 2 },
  });
});

test.each([
  ["no file", []],
  ["--id for two files", ["--id", "x", "a.txt", "b.txt"]],
  ["an id that is none", ["--id", "a b", "a.txt"]],
  ["a time that is none", ["--occurred-at", "yesterday", "a.txt"]],
  ["a batch of nothing", ["--batch", "0", "a.txt"]],
  ["a batch that is too large", ["--batch", "1001", "a.txt"]],
])("wrong usage: %s", async (_, args) => {
  const { code, stdout } = await importLogs(...args);
  expect(code).toBe(2);
  expect(stdout).toBe("");
});
