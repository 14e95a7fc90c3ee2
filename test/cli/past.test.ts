/** `retrace why` at a terminal: what it prints, and what it says when it cannot. */
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
  await run({ type: "StartTraining", data: { hyperparameters: { note: "x".repeat(500) } } }, "begin");
  for (let step = 1; step <= 5; step++)
    await run({ type: "RecordProgress", data: { step, loss: 1 / step } }, `s${step}`);
  await run({ type: "CompleteTraining", data: {} }, "end");
});

afterAll(() => client?.close());

function run(...args: readonly string[]): Promise<Ended> {
  return runCli(args, { env: { RETRACE_NATS: nats } });
}

test("why names the event, who sent the command, and what the value was before", async () => {
  const { code, stdout, stderr } = await run("why", "training-run", "r1", "step");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(
    /^training-run-r1@7 step = 5, before 4\n {2}set by TrainingProgress at training-run-r1@6, position 6, \S+Z by ada \(as claimed\)\n {4}command "s5", correlation "s5"\n$/,
  );
  const past = await run("why", "training-run", "r1", "state", "--at-version", "3", "--json");
  expect(JSON.parse(past.stdout)).toMatchObject({
    ...{ version: 3, field: "state", value: "running", before: "empty" },
    setBy: { type: "TrainingStarted", version: 1 },
  });
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
