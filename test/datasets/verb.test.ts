/** `retrace dataset` against a runtime: the same bytes from its log, from JetStream and from a copy; and the refusals. */
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type Client, connect } from "retrace";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildDataset } from "../../actors/datasets/dataset.ts";
import { integerIn, readSpec } from "../../actors/verbs/dataset/read-spec.ts";
import { registerDataset } from "../../actors/verbs/dataset/register-dataset.ts";
import { assertRegistration } from "../../actors/verbs/dataset/registration-names.ts";
import { type DatasetRequest, writeDataset } from "../../actors/verbs/dataset/write-dataset.ts";
import { datasetSpec } from "../../schemas/dataset-spec.ts";
import { type Ended, runCli } from "../cli/run-cli.ts";
import { startCli } from "../imports/built-cli.ts";
import { startRuntime, type TestRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";
import { logByJetStream, logByQuery } from "./read-back.ts";
import { sampleTypes } from "./sample-log.ts";
import { sendAll } from "./send-all.ts";

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
  const signals = Array.from({ length: 40 }, (_, i) => {
    const inputFeatures = { zulu: `läuft ${i}\u2028`, alpha: [i, 0.1 * i] };
    const made = { modelId: "m", modelVersion: `v${i % 3}`, inputFeatures, output: `answer ${i}`, confidence: 0.99 };
    const pair = { prompt: `p${i}`, chosen: { b: i, a: "x" }, rejected: "no", annotator: i % 2 === 0 ? "ann" : "bob" };
    return [
      ["feedback", `t${i % 7}`, "LogPreference", pair],
      // Of every fourth only the signals are there.
      ["inference", `${i % 4 === 0 ? "other" : "i"}${i}`, "RecordInference", made],
      ["feedback", `t${i % 7}`, "SubmitCorrection", { corrected: `c${i}`, ...about(i) }],
      ["feedback", `t${i % 7}`, "RateOutput", { rating: 1 + (i % 5), ...about(i) }],
    ] as const;
  });
  position = await sendAll(client, signals.flat(), [36, 76, 116, 156]);
  await client.send("feedback", "t1", { type: "LogPreference", data: { prompt: "later", chosen: "a", rejected: "b" } });
});

afterAll(() => client?.close());

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
      const { data, provenance, rowCount, leftOut } = buildDataset(log, datasetSpec.parse(spec), position);
      expect({ data, provenance }).toEqual({
        data: files[0]?.["data.jsonl"],
        provenance: files[0]?.["provenance.tsv"],
      });
      expect(rowCount).toBeGreaterThan(20);
      expect(leftOut.retracted).toBe(4);
    }
  }
  await other.close();
});

test("a registered dataset is a version that says how to build it again; registering again adds nothing", async () => {
  const spec = { ...specs.trl, where: { "data.annotator": "ann" } };
  const [out, changed] = [join(folder, "registered"), join(folder, "changed")];
  const args = ["--at", `${position}`, "--spec", specFile("registered", spec), "--out", out, "--json"];
  const built = await retrace("dataset", "build", ...args, "--register", "pairs", "--version", "v1");
  expect(built).toMatchObject({ code: 0, stderr: "" });
  const { folder: named, registered, ...told } = JSON.parse(built.stdout);
  expect({ named, registered }).toEqual({ named: out, registered: { id: "pairs", version: "v1", isNew: true } });

  const files = filesIn(out);
  expect(Object.keys(files).sort()).toEqual(["data.jsonl", "manifest.json", "provenance.tsv"]);
  const data = files["data.jsonl"] as string;
  const sha256 = createHash("sha256").update(data).digest("hex");
  const rowCount = data.split("\n").length - 1;
  expect(told).toMatchObject({ position, spec, sha256, rowCount, shapes: { texts: rowCount, messages: 0 } });
  const manifest = JSON.parse(files["manifest.json"] as string);
  expect(manifest).toEqual(told);

  cpSync(out, changed, { recursive: true });
  writeFileSync(join(changed, "data.jsonl"), "{}\n");
  const [again, refused] = await Promise.all([
    retrace("dataset", "register", out, "--id", "pairs", "--version", "v1"),
    retrace("dataset", "register", changed, "--id", "pairs"),
  ]);
  expect(again).toEqual({ code: 0, stdout: "version v1 of dataset pairs was there already\n", stderr: "" });
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("NOT_A_DATASET") });
  const { events } = await client.history("dataset", "pairs");
  expect(events.map(({ type, data: versioned }) => ({ type, versioned }))).toEqual([
    {
      type: "DatasetVersioned",
      versioned: { version: "v1", contentHash: sha256, builtFrom: { position, spec, rowCount, sha256 } },
    },
  ]);

  const elsewhere = join(folder, "registered-again");
  const earlier = ["dataset", "build", "--at", "20", "--spec", args[3] as string, "--out", elsewhere];
  const inVain = await retrace(...earlier, "--register", "pairs", "--version", "v1");
  const way = `retrace dataset register ${elsewhere} --id pairs --version VERSION`;
  expect(inVain).toMatchObject({ code: 1, stdout: expect.stringMatching(/ rows? as of position 20/) });
  expect(inVain.stderr).toContain(`${elsewhere} is built; register it with: ${way}\nerror: VERSION_EXISTS: `);
  rmSync(elsewhere, { recursive: true });
  const forPrograms = await retrace(...earlier, "--register", "pairs", "--version", "v1", "--json");
  expect(JSON.parse(forPrograms.stdout)).toMatchObject({ folder: elsewhere, registered: null, registerWith: way });
  expect(JSON.parse(forPrograms.stderr)).toMatchObject({ error: { code: "VERSION_EXISTS" } });

  const other = { ...manifest, sha256: "0".repeat(64) };
  const taken = registerDataset(client, other, { id: "pairs", version: "v1" });
  await expect(taken).rejects.toMatchObject({ code: "VERSION_EXISTS" });
  const unnamed = { id: "pairs", version: `${position}-000000000000` };
  expect(await registerDataset(client, other, { id: "pairs" })).toEqual({ ...unnamed, isNew: true });
  expect(await registerDataset(client, other, { id: "pairs" })).toEqual({ ...unnamed, isNew: false });

  // While somebody's own round is open, that has to be decided first.
  await client.send("dataset", "open", { type: "IngestData", data: {} });
  const early = registerDataset(client, manifest, { id: "open" });
  await expect(early).rejects.toMatchObject({ code: "NOT_ALLOWED_IN_STATE" });
});

test("what cannot be built is refused before anything is written, with a code and a status", async () => {
  const out = join(folder, "refused");
  const good = specFile("good", specs.trl);
  const bad = specFile("bad", { ...specs.trl, where: { annotator: 1, "data.x": { gt: true } }, more: 1 });
  const build = (...args: readonly string[]) => retrace("dataset", "build", "--out", out, ...args);
  const [ahead, wrong, nameless] = await Promise.all([
    build("--at", "999999", "--spec", good, "--json"),
    build("--at", "1", "--spec", bad, "--json"),
    build("--at", "1", "--spec", good, "--version", "v1"),
  ]);
  expect(ahead.code).toBe(1);
  expect(JSON.parse(ahead.stderr)).toMatchObject({ error: { code: "POSITION_NOT_REACHED", retryable: true } });
  expect(wrong.code).toBe(2);
  const { error } = JSON.parse(wrong.stderr);
  expect(error.code).toBe("INVALID_SPEC");
  const paths = error.details.issues.map(({ path }: { readonly path: string }) => path);
  expect(paths.sort()).toEqual(["more", "where.annotator", "where.data.x.gt"]);
  expect(nameless).toMatchObject({ code: 2, stderr: "error: INVALID_OPTION: --version belongs to --register\n" });
  expect(existsSync(out)).toBe(false);

  const usage = { code: "INVALID_OPTION" };
  for (const at of ["-1", "1.5", "1e3", "", "99999999999999999"]) {
    expect(() => integerIn("--at", at)).toThrow(expect.objectContaining(usage));
  }
  expect(() => assertRegistration({ id: "a.b" })).toThrow(expect.objectContaining(usage));
  expect(() => assertRegistration({ id: "a", version: "a\nb" })).toThrow(expect.objectContaining(usage));
  await expect(readSpec(join(folder, "none.json"), datasetSpec)).rejects.toMatchObject(usage);
  writeFileSync(join(folder, "torn.json"), "{");
  await expect(readSpec(join(folder, "torn.json"), datasetSpec)).rejects.toMatchObject({ code: "INVALID_SPEC" });

  mkdirSync(out);
  writeFileSync(join(out, "mine.txt"), "precious");
  const full = writeDataset(client, { ...untold, spec: datasetSpec.parse(specs.trl), position, out });
  await expect(full).rejects.toMatchObject({ code: "OUT_NOT_EMPTY" });
  expect(readdirSync(out)).toEqual(["mine.txt"]);
});

test("what gives no row is told with its reason, and a name that nobody knows with one that is near", async () => {
  const [told, unknown] = [join(folder, "told"), join(folder, "unknown")];
  const build = (name: string, spec: object, out: string) =>
    retrace("dataset", "build", "--at", `${position}`, "--spec", specFile(name, spec), "--out", out);
  const [known, nobody] = await Promise.all([
    build("told", specs.trl, told),
    build("unknown", { format: "jsonl", types: ["PreferenceLoged", "Strange"], categories: ["feedback"] }, unknown),
  ]);
  expect(known).toMatchObject({ code: 0, stderr: "" });
  expect(known.stdout).toMatch(/\n {2}left out: \d+ events?, retracted \(taken back by a FeedbackRetracted\)\n/);
  expect(nobody).toMatchObject({ code: 0, stdout: expect.stringContaining(": 0 rows as of position") });
  expect(nobody.stderr).toBe(
    "warning: no actor has the event type PreferenceLoged: did you mean PreferenceLogged?\n" +
      "warning: no actor has the event type Strange: retrace catalog lists them\n",
  );
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

test("a build that is killed leaves no dataset, or all of it; a later one is not in its way", async () => {
  const parent = join(folder, "killed");
  mkdirSync(parent);
  const out = join(parent, "d");
  const args = ["dataset", "build", "--at", `${position}`, "--spec", specFile("killed", specs.jsonl), "--out", out];
  const { child, ended } = startCli(args, { RETRACE_NATS: runtime.url });
  while (readdirSync(parent).length === 0) await nextTurn();
  child.kill("SIGKILL");
  await ended;
  if (existsSync(out)) expect(Object.keys(filesIn(out))).toHaveLength(3);
  else await writeDataset(client, { ...untold, spec: datasetSpec.parse(specs.jsonl), position, out });
  expect(filesIn(out)).toEqual(filesIn(join(folder, "deep", "jsonl", "0")));
});

test("the verbs have help with an example", async () => {
  const helps = await Promise.all([["build"], ["register"]].map((verb) => retrace("dataset", ...verb, "--help")));
  for (const help of helps) {
    expect(help).toMatchObject({ code: 0, stdout: expect.stringContaining("$ retrace dataset") });
  }
});
