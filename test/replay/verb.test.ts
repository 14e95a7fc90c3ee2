/** `retrace sample` against a runtime: the bytes that the log gives, by query and from JetStream. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Client, connect } from "retrace";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type SampleRequest, sampleTransitions } from "../../actors/replay/sample.ts";
import { type WrittenSample, writeSample } from "../../actors/verbs/sample/write-sample.ts";
import { sampleSpec } from "../../schemas/sample-spec.ts";
import { type Ended, runCli } from "../cli/run-cli.ts";
import { logByJetStream, logByQuery } from "../datasets/read-back.ts";
import { sendAll } from "../datasets/send-all.ts";
import { startRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";

const folder = tempDir();
const specs = [
  { strategy: { kind: "prioritised", epsilon: 0.1 } },
  { strategy: { kind: "stratified", by: "data.userSegment", shares: "equal" }, where: { "data.reward": { gte: 0 } } },
  { transitions: "derived", rewards: { OutputApproved: 1, OutputRejected: -1 }, strategy: { kind: "uniform" } },
  { transitions: "derived", rewards: { OutputApproved: 1 }, strategy: { kind: "recency", halfLife: 5, beta: 1 } },
];
let nats: string;
let client: Client;
let position: number;

const retrace = (...args: readonly string[]): Promise<Ended> => runCli(args, { env: { RETRACE_NATS: nats } });

beforeAll(async () => {
  nats = (await startRuntime({ dataDir: tempDir() })).url;
  client = await connect({ servers: nats });
  const steps = Array.from({ length: 60 }, (_, i) => {
    const data = { state: { z: i, a: 0.1 * i }, action: i % 3, reward: (i % 5) - 2, nextState: i + 1 };
    const more = { userSegment: i % 4 === 0 ? "eu" : "us", ...(i % 3 === 0 && { priority: i / 7 }) };
    const made = {
      modelId: "m",
      sessionId: `s${i % 5}`,
      inputFeatures: { i },
      output: `answer ${i}`,
      confidence: 0.99,
    };
    return [
      ["feedback", `t${i % 2}`, "RecordTransition", { ...data, ...more }],
      ["inference", `i${i}`, "RecordInference", made],
      ["feedback", "verdicts", i % 3 === 0 ? "ApproveOutput" : "RejectOutput", { context: { requestId: `i${i}` } }],
    ] as const;
  });
  position = await sendAll(client, steps.flat(), [57, 59, 117, 119]);
  const later = { type: "RecordTransition", data: { state: 0, action: 0, reward: 9, priority: 1e9 } };
  await client.send("feedback", "t1", later);
});

afterAll(() => client?.close());

async function written(from: Client, request: SampleRequest): Promise<WrittenSample & { readonly data: string }> {
  let data = "";
  const write = async (lines: string): Promise<void> => {
    data += lines;
  };
  const signal = new AbortController().signal;
  return { ...(await writeSample(from, { ...request, write, onPosition: () => {}, signal })), data };
}

test("the same bytes from the runtime, in small pages too, and from JetStream", async () => {
  const logs = [await logByQuery(client), await logByJetStream(client, position + 1)];
  const small: Client = {
    ...client,
    events: (filter) => client.events({ ...filter, limit: Math.min(7, filter?.limit ?? 7) }),
  };
  for (const spec of specs.map((given) => sampleSpec.parse(given))) {
    const request = { spec, position, count: 25, seed: 42 };
    const { sha256: _, ...sample } = await written(client, request);
    expect((await written(small, request)).data).toBe(sample.data);
    for (const log of logs) expect(sampleTransitions(log, request)).toEqual(sample);
    expect(sample.rowCount).toBe(25);
    expect((await written(client, { ...request, seed: 43 })).data).not.toBe(sample.data);
  }
});

test("the command line writes a file, or to stdout, and says what it drew", async () => {
  const spec = join(folder, "spec.json");
  writeFileSync(spec, JSON.stringify(specs[0]));
  const out = join(folder, "batch.jsonl");
  const args = ["sample", "--at", `${position}`, "--spec", spec, "--n", "25", "--seed", "42"];
  const told = await retrace(...args, "--out", out, "--json");
  expect(told).toMatchObject({ code: 0, stderr: "" });
  const { data, ...expected } = await written(client, {
    spec: sampleSpec.parse(specs[0]),
    position,
    count: 25,
    seed: 42,
  });
  expect(readFileSync(out, "utf8")).toBe(data);
  expect(JSON.parse(told.stdout)).toMatchObject({ file: out, position, count: 25, seed: 42, ...expected });
  expect((await retrace(...args, "--out", "-")).stdout).toBe(data);

  const again = await retrace(...args, "--out", out, "--json");
  expect(again.code).toBe(1);
  expect(JSON.parse(again.stderr)).toMatchObject({ error: { code: "FILE_EXISTS" } });
});

test("a sample without rows says so, and what it names that nobody knows", async () => {
  const spec = join(folder, "none.json");
  writeFileSync(spec, JSON.stringify({ ...specs[0], categories: ["feedbak"] }));
  const args = ["sample", "--at", `${position}`, "--spec", spec, "--n", "5", "--seed", "1", "--out"];
  const warnings =
    "warning: no actor has the category feedbak: did you mean feedback?\n" +
    "warning: no rows: no transition of the log up to there is meant\n";
  expect(await retrace(...args, "-")).toEqual({ code: 0, stdout: "", stderr: warnings });
  expect(await retrace(...args, join(folder, "none.jsonl"), "--json")).toMatchObject({ code: 0, stderr: warnings });
});

test("what cannot be drawn is refused, with a code and a status", async () => {
  const spec = join(folder, "bad.json");
  writeFileSync(spec, JSON.stringify({ strategy: { kind: "prioritised", alpha: "much" } }));
  const out = join(folder, "refused.jsonl");
  const args = ["sample", "--spec", spec, "--n", "25", "--out", out];
  const [bad, seedless, help] = await Promise.all([
    retrace(...args, "--at", "1", "--seed", "1"),
    retrace(...args, "--at", "1", "--seed", "-1"),
    retrace("sample", "--help"),
  ]);
  expect(bad).toMatchObject({ code: 2, stderr: expect.stringMatching(/INVALID_SPEC: .*\n {2}strategy\.alpha: /) });
  expect(seedless).toMatchObject({ code: 2, stderr: expect.stringContaining("INVALID_OPTION: --seed") });
  expect(help).toMatchObject({ code: 0, stdout: expect.stringContaining("$ retrace sample") });
  expect(existsSync(out)).toBe(false);
});
