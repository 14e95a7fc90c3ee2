/** `retrace dataset` against a runtime: the same bytes from its log, from JetStream and from a copy; and the refusals. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Client, connect } from "retrace";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildDataset } from "../../actors/datasets/dataset.ts";
import { registerDataset } from "../../actors/verbs/dataset/register-dataset.ts";
import { type DatasetRequest, writeDataset } from "../../actors/verbs/dataset/write-dataset.ts";
import { datasetSpec } from "../../schemas/dataset-spec.ts";
import { type Ended, runCli } from "../cli/run-cli.ts";
import { startRuntime, type TestRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";
import { logByJetStream, logByQuery } from "./read-back.ts";
import { sampleTypes } from "./sample-log.ts";

const folder = tempDir();
const specs = {
  trl: { format: "trl", types: sampleTypes.pairs },
  openai: { format: "openai", types: sampleTypes.pairs },
  kto: { format: "kto", types: sampleTypes.verdicts },
  jsonl: { format: "jsonl", types: [...sampleTypes.verdicts, "InferenceCompleted"] },
} as const;
let runtime: TestRuntime;
let client: Client;
/** Where the log ends when the signals are in. */
let position = 0;

const retrace = (...args: readonly string[]): Promise<Ended> => runCli(args, { env: { RETRACE_NATS: runtime.url } });

/** Of a build that nobody watches. */
const untold = { onPosition: () => {}, signal: new AbortController().signal };

const inPagesOf = (limit: number): Client => ({
  ...client,
  history: (category, id, page) => client.history(category, id, { ...page, limit: 1 }),
  events: (filter) => client.events({ ...filter, limit }),
});

function specFile(name: string, spec: object): string {
  const path = join(folder, `${name}.json`);
  writeFileSync(path, JSON.stringify(spec));
  return path;
}

const filesIn = (out: string): Record<string, string> =>
  Object.fromEntries(readdirSync(out).map((name) => [name, readFileSync(join(out, name), "utf8")]));

beforeAll(async () => {
  runtime = await startRuntime({ dataDir: tempDir() });
  client = await connect({ servers: runtime.url, actor: "ada" });
  const about = (i: number) => ({ context: { requestId: `i${i}`, modelId: "m" }, sessionId: "s" });
  for (let i = 0; i < 40; i++) {
    const inputFeatures = { zulu: `läuft ${i}\u2028`, alpha: [i, 0.1 * i] };
    const made = { modelId: "m", modelVersion: `v${i % 3}`, inputFeatures, output: `answer ${i}`, confidence: 0.99 };
    if (i % 4 !== 0) await client.send("inference", `i${i}`, { type: "RecordInference", data: made });
    const thread = `t${i % 7}`;
    await client.send("feedback", thread, { type: "SubmitCorrection", data: { corrected: `c${i}`, ...about(i) } });
    await client.send("feedback", thread, { type: "RateOutput", data: { rating: 1 + (i % 5), ...about(i) } });
    const pair = { prompt: `p${i}`, chosen: { b: i, a: "x" }, rejected: "no", annotator: i % 2 === 0 ? "ann" : "bob" };
    const { events } = await client.send("feedback", thread, { type: "LogPreference", data: pair });
    const eventId = events[0]?.id as string;
    if (i % 10 === 9) await client.send("feedback", thread, { type: "RetractFeedback", data: { eventId } });
  }
  position = (await client.query<{ position: number }>("health")).position;
  await client.send("feedback", "t1", { type: "LogPreference", data: { prompt: "later", chosen: "a", rejected: "b" } });
});

afterAll(() => client?.close());

test("the command line tells what it has written", async () => {
  const out = join(folder, "told");
  const built = await retrace(
    ...["dataset", "build", "--at", `${position}`, "--spec", specFile("told", specs.trl), "--out", out, "--json"],
  );
  expect(built).toMatchObject({ code: 0, stderr: "" });
  const files = filesIn(out);
  expect(Object.keys(files).sort()).toEqual(["data.jsonl", "manifest.json", "provenance.tsv"]);
  const told = JSON.parse(built.stdout);
  const data = files["data.jsonl"] as string;
  const sha256 = createHash("sha256").update(data).digest("hex");
  expect(told).toMatchObject({ position, sha256, rowCount: data.split("\n").length - 1, leftOut: { retracted: 4 } });
  expect({ folder: out, ...JSON.parse(files["manifest.json"] as string) }).toEqual(told);
});

test("the same bytes from the runtime, in small pages too, from JetStream, and from a copy of the log", async () => {
  const logs = [await logByQuery(client), await logByJetStream(client, position + 1)];
  const copy = await startRuntime({ dataDir: tempDir() });
  const other = await connect({ servers: copy.url });
  await other.admin("import-events", { afterPosition: 0, events: logs[0] });
  for (const [name, spec] of Object.entries(specs)) {
    const files = await Promise.all(
      [client, inPagesOf(7), other].map(async (from, i) => {
        const out = join(folder, "deep", name, String(i));
        if (i === 0) mkdirSync(out, { recursive: true });
        await writeDataset(from, { ...untold, spec: datasetSpec.parse(spec), position, out });
        return filesIn(out);
      }),
    );
    expect(files[1]).toEqual(files[0]);
    expect(files[2]).toEqual(files[0]);
    for (const log of logs) {
      const { data, provenance, rowCount } = buildDataset(log, datasetSpec.parse(spec), position);
      expect({ data, provenance }).toEqual({
        data: files[0]?.["data.jsonl"],
        provenance: files[0]?.["provenance.tsv"],
      });
      expect(rowCount).toBeGreaterThan(20);
    }
  }
  await other.close();
});

test("a registered dataset is a version that says how to build it again; registering again adds nothing", async () => {
  const spec = { ...specs.trl, where: { "data.annotator": "ann" } };
  const args = ["--at", `${position}`, "--spec", specFile("registered", spec)];
  const out = join(folder, "registered");
  const built = await retrace("dataset", "build", ...args, "--out", out, "--register", "pairs", "--version", "v1");
  expect(built).toMatchObject({
    code: 0,
    stderr: "",
    stdout: expect.stringContaining("version v1 of dataset pairs\n"),
  });

  const again = await retrace("dataset", "register", out, "--id", "pairs", "--version", "v1", "--json");
  expect(JSON.parse(again.stdout)).toEqual({ id: "pairs", version: "v1", isNew: false });
  const { events } = await client.history("dataset", "pairs");
  const manifest = JSON.parse(readFileSync(join(out, "manifest.json"), "utf8"));
  const { rowCount, sha256 } = manifest;
  expect(events.map(({ type, data }) => ({ type, data }))).toEqual([
    {
      type: "DatasetVersioned",
      data: { version: "v1", contentHash: sha256, builtFrom: { position, spec, rowCount, sha256 } },
    },
  ]);

  const other = { ...manifest, sha256: "0".repeat(64) };
  const taken = registerDataset(client, other, { id: "pairs", version: "v1" });
  await expect(taken).rejects.toMatchObject({ code: "VERSION_EXISTS" });
  const named = { id: "pairs", version: `${position}-000000000000` };
  expect(await registerDataset(client, other, { id: "pairs" })).toEqual({ ...named, isNew: true });
  expect(await registerDataset(client, other, { id: "pairs" })).toEqual({ ...named, isNew: false });

  writeFileSync(join(out, "data.jsonl"), "{}\n");
  const changed = await retrace("dataset", "register", out, "--id", "pairs");
  expect(changed).toMatchObject({ code: 1, stderr: expect.stringContaining("NOT_A_DATASET") });
});

test("what cannot be built is refused before anything is written, with a code and a status", async () => {
  const out = join(folder, "refused");
  const good = specFile("good", specs.trl);
  const build = (...args: readonly string[]) => retrace("dataset", "build", "--out", out, ...args);

  const ahead = await build("--at", "999999", "--spec", good, "--json");
  expect(ahead.code).toBe(1);
  expect(JSON.parse(ahead.stderr)).toMatchObject({ error: { code: "POSITION_NOT_REACHED", retryable: true } });

  const bad = specFile("bad", {
    format: "trl",
    types: ["OutputApproved"],
    where: { annotator: 1, "data.x": { gt: true } },
    more: 1,
  });
  const wrong = await build("--at", "1", "--spec", bad, "--json");
  expect(wrong.code).toBe(2);
  const { error } = JSON.parse(wrong.stderr);
  expect(error.code).toBe("INVALID_SPEC");
  expect(error.details.issues.map(({ path }: { path: string }) => path).sort()).toEqual([
    "more",
    "where.annotator",
    "where.data.x.gt",
  ]);

  const usage = [
    ["--at", "-1", "--spec", good],
    ["--at", "1", "--spec", good, "--register", "a.b"],
    ["--at", "1", "--spec", good, "--version", "v1"],
  ];
  for (const { code, stderr } of await Promise.all(usage.map((args) => build(...args)))) {
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(/^error: INVALID_OPTION: .*\n$/) });
  }
  expect(existsSync(out)).toBe(false);

  mkdirSync(out);
  writeFileSync(join(out, "mine.txt"), "precious");
  const full = writeDataset(client, { ...untold, spec: datasetSpec.parse(specs.trl), position, out });
  await expect(full).rejects.toMatchObject({ code: "OUT_NOT_EMPTY" });
  expect(readdirSync(out)).toEqual(["mine.txt"]);
});

test("a build that is given up leaves nothing behind", async () => {
  const parent = join(folder, "given-up");
  mkdirSync(parent);
  const controller = new AbortController();
  const onPosition = () => controller.abort(new Error("enough"));
  const spec = datasetSpec.parse(specs.jsonl);
  // The first page ends before the position.
  const request: DatasetRequest = { spec, position, out: join(parent, "d"), onPosition, signal: controller.signal };
  await expect(writeDataset(inPagesOf(10), request)).rejects.toThrow("enough");
  expect(readdirSync(parent)).toEqual([]);
});

test("every verb has help with an example", async () => {
  const helps = await Promise.all([[], ["build"], ["register"]].map((verb) => retrace("dataset", ...verb, "--help")));
  for (const help of helps) {
    expect(help).toMatchObject({ code: 0, stdout: expect.stringContaining("$ retrace dataset") });
  }
});
