/** `retrace why` and `retrace diff` at a terminal: what they print, and what they say when they cannot. */
import { type Client, connect } from "retrace";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RetraceDomain } from "../../schemas/index.ts";
import { startRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";
import { type Ended, runCli } from "./run-cli.ts";

let client: Client<RetraceDomain>;
let nats: string;

beforeAll(async () => {
  nats = (await startRuntime({ dataDir: tempDir() })).url;
  client = await connect<RetraceDomain>({ servers: nats, actor: "ada" });
  const run = (command: Parameters<typeof client.send<"training-run">>[2], commandId: string) =>
    client.send("training-run", "r1", command, { commandId });
  await run({ type: "StartTraining", data: { userId: "u".repeat(200) } }, "begin");
  for (let step = 1; step <= 5; step++)
    await run({ type: "RecordProgress", data: { step, loss: 1 / step } }, `s${step}`);
  await run({ type: "CompleteTraining", data: {} }, "end");
  await client.send("model", "m1", { type: "CreateModel", data: {} });
  await client.send("model", "m1", { type: "VersionModel", data: { version: "v2" } });
});

afterAll(() => client?.close());

function run(...args: readonly string[]): Promise<Ended> {
  return runCli(args, { env: { RETRACE_NATS: nats } });
}

test("why names the event, who sent the command, and what the value was before", async () => {
  const { code, stdout, stderr } = await run("why", "training-run", "r1", "step");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(
    /^training-run-r1@7 step = 5, before 4\n {2}set by TrainingProgress at training-run-r1@6, position 6, recorded \S+Z by ada \(as claimed\)\n {4}command "s5", correlation "s5"\n$/,
  );
  const past = await run("why", "training-run", "r1", "state", "--at-version", "3", "--json");
  expect(JSON.parse(past.stdout)).toMatchObject({
    ...{ version: 3, field: "state", value: "running", before: "empty" },
    setBy: { type: "TrainingStarted", version: 1 },
  });
});

test.each(["why", "diff"])("the examples in the help of %s work", async (verb) => {
  const { stdout: help } = await run(verb, "--help");
  const examples = [...help.matchAll(/^ {2}\$ retrace (.+)$/gm)].map(([, line = ""]) => line.split(" "));
  // The log of this test is shorter than that of the help.
  const possible = examples.filter((args) => !args.some((word) => ["7", "@170"].includes(word)));
  expect(possible.length).toBeGreaterThan(0);
  for (const args of possible) expect({ args, ...(await run(...args)) }).toMatchObject({ args, code: 0, stderr: "" });
});

test("why says which fields there are, and for programs in JSON", async () => {
  const { code, stdout, stderr } = await run("why", "training-run", "r1", "stepp");
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(/^retrace: NOT_FOUND: training-run-r1 has no field stepp, .*; there are state, .*step/);
  const programs = await run("why", "training-run", "none", "step", "--json");
  expect(programs.code).toBe(1);
  expect(JSON.parse(programs.stderr)).toMatchObject({
    error: { code: "NOT_FOUND", details: { stream: "training-run-none" } },
  });
});

const time = "\\d{4}-\\d\\d-\\d\\dT[0-9:.]+Z";

test("diff says what changed since the version before, and who did it", async () => {
  const { code, stdout, stderr } = await run("diff", "training-run", "r1");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const lines = [
    `training-run-r1 from version 6 \\(position 6, recorded ${time}\\) to version 7 \\(position 7, recorded ${time}\\)`,
    '  state: "running" -> "completed"',
    ...["(  .*\n)*1 event", `  version 7 ${time} TrainingCompleted by ada`],
  ];
  expect(stdout).toMatch(new RegExp(`^${lines.join("\n")}\n$`));
});

test("diff elides what is long, and tells runs of events in one line", async () => {
  const { stdout } = await run("diff", "training-run", "r1", "--from", "0", "--to", "@6");
  expect(stdout).toMatch(/^training-run-r1 from the empty stream to version 6 /);
  expect(stdout).toMatch(/\n {2}owner: \(none\) -> \{"userId":"u{50,100}… \(213 characters\)\n/);
  expect(stdout).toMatch(
    new RegExp(
      `\n6 events\n {2}version 1 ${time} TrainingStarted by ada\n {2}versions 2 to 6 ${time} to ${time} TrainingProgress \\(5 times\\) by ada\n$`,
    ),
  );
});

test("diff between times, for programs, and of a point with itself", async () => {
  const { events } = await client.history("training-run", "r1");
  const { stdout } = await run(
    "diff",
    "training-run",
    "r1",
    "--from",
    "2",
    "--to",
    events[6]?.recordedAt ?? "",
    "--json",
  );
  expect(JSON.parse(stdout)).toMatchObject({
    stream: "training-run-r1",
    from: { version: 2, position: 2 },
    to: { version: 7, position: 7, recordedAt: events[6]?.recordedAt },
    changes: expect.arrayContaining([
      { field: "state", before: "running", after: "completed" },
      { field: "step", before: 1, after: 5 },
    ]),
    events: events.slice(2).map(({ id, type, version, metadata }) => ({ id, type, version, metadata })),
  });
  const same = await run("diff", "training-run", "r1", "--from", "7");
  expect(same.stdout).toMatch(/\n {2}nothing is different\n0 events\n$/);
});

test("diff refuses what it cannot compare", async () => {
  const [late, noon, none] = await Promise.all([
    run("diff", "training-run", "r1", "--from", "5", "--to", "3"),
    run("diff", "training-run", "r1", "--from", "noon"),
    run("diff", "training-run", "none"),
  ]);
  expect(late).toMatchObject({ code: 2, stdout: "" });
  expect(late.stderr).toMatch(/^error: --from is version 5, which is later than version 3 of --to\n/);
  expect(noon).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("a version, @position, or a time with its zone"),
  });
  expect(none).toMatchObject({ code: 1, stdout: "" });
  expect(none.stderr).toMatch(/^retrace: NOT_FOUND: there is no training-run-none/);
});
