/** A log as a file: out of one store and into another, event by event the same. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import type { RecordedEvent } from "../../src/core/message.ts";
import { type Client, connect } from "../../src/wire/client.ts";
import { assertStreamHolds } from "../support/event-messages.ts";
import { eventually } from "../support/eventually.ts";
import { startRuntime, type TestRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";
import { type Ended, runCli } from "./run-cli.ts";

const folder = tempDir();
const file = join(folder, "log.jsonl");
let source: TestRuntime;
/** It stays empty. */
let shared: TestRuntime | undefined;

const cli = ({ url }: TestRuntime, ...args: readonly string[]): Promise<Ended> =>
  runCli(args, { env: { RETRACE_NATS: url } });

async function eventsOf({ url }: TestRuntime): Promise<readonly RecordedEvent[]> {
  const client = await connect({ servers: url });
  const all: RecordedEvent[] = [];
  for (let after: number | null = 0; after !== null; ) {
    const page: Awaited<ReturnType<Client["events"]>> = await client.events({ afterPosition: after, limit: 1_000 });
    all.push(...page.events);
    after = page.next;
  }
  await client.close();
  return all;
}

const empty = (): Promise<TestRuntime> => startRuntime({ dataDir: tempDir() });

beforeAll(async () => {
  source = await empty();
  const client = await connect({ servers: source.url, actor: "ada" });
  const steps = Array.from({ length: 1_200 }, (_, step) => ({ type: "RecordProgress", data: { step, loss: "NaN" } }));
  const commands = [
    { type: "StartTraining", data: { config: { läuft: "ja\u2028\\\n" } } },
    ...steps,
    { type: "CompleteTraining", data: {} },
  ];
  const old = { occurredAt: "2020-02-29T12:00:00+02:00", correlationId: "night" };
  for await (const { fault } of client.sendMany(
    ["r1", "r2"].flatMap((id) => commands.map((command) => ({ category: "training-run", id, command, options: old }))),
  )) {
    expect(fault).toBeUndefined();
  }
  await client.close();
  const exported = await cli(source, "export", "events", "--out", file, "--json");
  expect(exported).toEqual({ code: 0, stdout: `${JSON.stringify({ file, events: 2_404 })}\n`, stderr: "" });
});

test("what was exported comes back with the same ids, positions, versions and times, on JetStream as well", async () => {
  const target = await empty();

  const imported = await cli(target, "import", "events", file);
  expect(imported).toMatchObject({ code: 0, stdout: expect.stringContaining("2404 events, 0 already there") });

  const events = await eventsOf(source);
  expect(await eventsOf(target)).toEqual(events);
  expect(
    readFileSync(file, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toEqual(events);
  const client = await connect({ servers: target.url });
  await eventually("JetStream has everything", async () => {
    await assertStreamHolds(client.nats, events);
    return true;
  });
  expect(await client.state("training-run", "r1")).toMatchObject({ version: 1_202, state: { status: "done" } });
  const next = await client.send("dataset", "d1", { type: "IngestData", data: {} });
  expect(next.position).toBe(2_405);
  await client.close();
});

test("an import that was stopped goes on, a second one adds nothing, and another history is refused", async () => {
  const target = await empty();
  const lines = readFileSync(file, "utf8").split("\n");
  const half = join(folder, "half.jsonl");
  writeFileSync(half, `${lines.slice(0, 1_500).join("\n")}\n{"id":`);

  const stopped = await cli(target, "import", "events", half);
  expect(stopped).toMatchObject({ code: 1, stderr: expect.stringContaining(`${half}:1501: not JSON`) });
  const resumed = await cli(target, "import", "events", file, "--json");
  expect(JSON.parse(resumed.stdout)).toEqual({ file, imported: 904, alreadyThere: 1_500, position: 2_404 });
  const again = await cli(target, "import", "events", file, "--json");
  expect(JSON.parse(again.stdout)).toMatchObject({ imported: 0, alreadyThere: 2_404 });

  const other = await empty();
  const client = await connect({ servers: other.url });
  await client.send("dataset", "d1", { type: "IngestData", data: {} });
  await client.close();
  const refused = await cli(other, "import", "events", file);
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("import into an empty store") });
  expect(await eventsOf(other)).toHaveLength(1);
});

test("an export replaces no file unasked, and leaves none behind that is not whole", async () => {
  const refused = await cli(source, "export", "events", "--out", file);
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("--force") });
  expect((await cli(source, "export", "events", "--out", file, "--force")).code).toBe(0);

  const toStdout = await cli(source, "export", "events", "--out", "-");
  expect(toStdout.stdout).toBe(readFileSync(file, "utf8"));
  const nowhere = await cli(source, "export", "events", "--out", join(folder, "no", "log.jsonl"));
  expect(nowhere).toMatchObject({ code: 1, stderr: expect.stringContaining("retrace: there is no folder ") });
});

test.each<[string, (event: RecordedEvent) => unknown, string]>([
  ["a position that is missing", (event) => ({ ...event, position: 2 }), "NOT_AN_EXPORT"],
  ["a version that is missing", (event) => ({ ...event, version: 2 }), "NOT_AN_EXPORT"],
  ["a stream of another category", (event) => ({ ...event, stream: "model-m1" }), "NOT_AN_EXPORT"],
  ["a stream that is no stream", (event) => ({ ...event, stream: "training-run-a.b" }), "NOT_AN_EXPORT"],
  ["a time that is not as stored", (event) => ({ ...event, recordedAt: "2020-01-01T00:00:00Z" }), "INVALID_COMMAND"],
  ["an unknown field", (event) => ({ ...event, more: 1 }), "INVALID_COMMAND"],
  ["no metadata", ({ metadata: _, ...event }) => event, "INVALID_COMMAND"],
])("the runtime refuses %s, and takes nothing of the request", async (_, broken, code) => {
  const [event] = await eventsOf(source);
  shared ??= await empty();
  const client = await connect({ servers: shared.url });

  const request = client.admin("import-events", { afterPosition: 0, events: [broken(event as RecordedEvent)] });
  await expect(request).rejects.toMatchObject(
    code === "NOT_AN_EXPORT" ? { code: "REJECTED", details: { reason: code } } : { code },
  );
  expect((await client.query<{ position: number }>("health")).position).toBe(0);
  await client.close();
});

test("a file that cannot be written is told in a sentence", async () => {
  const nowhere = join(folder, "nowhere", "log.jsonl");
  const { code, stdout, stderr } = await cli(source, "export", "events", "--out", nowhere);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(/^retrace: there is no folder .+nowhere\n$/);
});

test("an admin verb that does not exist is told what there is", async () => {
  const client = await connect({ servers: source.url });

  await expect(client.admin("nonsense")).rejects.toMatchObject({
    code: "UNKNOWN_COMMAND",
    details: { known: expect.arrayContaining(["import-events", "resolve", "retry", "skip"]) },
  });
  await client.close();
});
