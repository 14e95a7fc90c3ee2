/** `retrace lineage` at a terminal, over a loop from data to corrections, in every form. */
import { Ajv } from "ajv";
import addFormats from "ajv-formats";
import { type Client, connect } from "retrace";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunEvent } from "../../actors/verbs/lineage/open-lineage.ts";
import { type LineageRequest, printLineage } from "../../actors/verbs/lineage/print.ts";
import { namespaces, uuidOf } from "../../actors/verbs/lineage/uuid.ts";
import type { RetraceDomain } from "../../schemas/index.ts";
import { type Ended, runCli } from "../cli/run-cli.ts";
import { startRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";
import { runEventSchema } from "./open-lineage-schema.ts";

let client: Client<RetraceDomain>;
let nats: string;
/** Of the log before anything was predicted. */
let before: number;

const answers = 9;

beforeAll(async () => {
  nats = (await startRuntime({ dataDir: tempDir() })).url;
  client = await connect<RetraceDomain>({ servers: nats, actor: "ada" });
  // Or the saga would make a version of its own of the run.
  await client.send("policy", "model-promotion", { type: "SetPolicy", data: { settings: { enabled: false } } });
  const data = (command: Parameters<typeof client.send<"dataset">>[2]) => client.send("dataset", "d7", command);
  for (const version of ["1", "2", "3"]) {
    await data({ type: "IngestData", data: { rowCount: 3 } });
    await data({ type: "ValidateData", data: {} });
    await data({ type: "VersionDataset", data: { version, parents: [{ datasetId: "raw", version: "7" }] } });
  }
  await data({ type: "RetractVersion", data: { version: "3", reason: "wrong labels" } });
  const recipe = { datasetId: "d7", datasetVersion: "3", codeVersion: "c1", seed: 7, hyperparameters: { lr: 0.1 } };
  for (const run of ["good", "bad", "gone", "open"]) {
    await client.send("training-run", run, { type: "StartTraining", data: recipe });
  }
  await client.send("training-run", "bad", { type: "FailTraining", data: {} });
  await client.send("training-run", "gone", { type: "CancelTraining", data: {} });
  await client.send("training-run", "asked", { type: "RequestTraining", data: recipe });
  const model = (command: Parameters<typeof client.send<"model">>[2]) => client.send("model", "m", command);
  await model({ type: "CreateModel", data: {} });
  await model({ type: "VersionModel", data: { version: "v1", trainingRunId: "good" } });
  await model({ type: "ApproveVersion", data: { version: "v1" } });
  before = (await model({ type: "DeployModel", data: { version: "v1", environment: "prod", trafficShare: 1 } }))
    .position;
  for (let i = 0; i < answers; i++) {
    const answer = { modelId: "m", modelVersion: "v1", output: { label: "x" }, confidence: 0.99 };
    await client.send("inference", `i${i}`, { type: "RecordInference", data: answer });
  }
  const subject = { category: "inference", id: "i0" };
  await client.send("review", "v1", { type: "RequestReview", data: { subject, options: ["x", "y"] } });
});

afterAll(() => client?.close());

function run(...args: readonly string[]): Promise<Ended> {
  return runCli(["lineage", ...args], { env: { RETRACE_NATS: nats } });
}

/** What it prints, without a process of its own. */
async function printed(asked: Partial<LineageRequest> & Pick<LineageRequest, "thing">): Promise<Printed> {
  const lines: string[] = [];
  const warnings: string[] = [];
  const request = {
    directions: ["up", "down"],
    depth: Number.POSITIVE_INFINITY,
    format: "text",
    isAll: false,
  } as const;
  const output = { print: (text: string) => lines.push(text), warn: (text: string) => warnings.push(text) };
  await printLineage(client, { ...request, ...asked }, output);
  return { lines: lines.join("\n").split("\n"), warnings };
}

interface Printed {
  readonly lines: readonly string[];
  readonly warnings: readonly string[];
}

async function linesOf(asked: Parameters<typeof printed>[0]): Promise<readonly string[]> {
  const { lines, warnings } = await printed(asked);
  expect(warnings).toEqual([]);
  return lines;
}

const d7 = { category: "dataset", id: "d7", version: "3" };

test("what is touched by a bad version of a dataset, with many predictions in a few lines, and how much it is", async () => {
  const { code, stdout, stderr } = await run("dataset", "d7", "--version", "3", "--down");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout.split("\n")).toEqual([
    expect.stringMatching(/^what came of it, as of position \d+:$/),
    ...["dataset d7@3 [retracted]", "  trained training-run asked", "  trained training-run bad"],
    ...["  trained training-run gone", "  trained training-run good", "    produced model m@v1"],
    ...["      deployed as deployment m~prod@v1", "        answered inference i0", "          reviewed in review v1"],
    ...["i1", "i2", "i3", "i4"].map((id) => `        answered inference ${id}`),
    ...["        answered 4 more predictions", "  trained training-run open", "17 in all:"],
    ...["5  runs", "1  model version", "1  deployment", "9  predictions", "1  review", ""],
  ]);
  const all = await linesOf({ thing: d7, directions: ["down"], isAll: true });
  expect(all).toContain("        answered inference i8");
});

test("what a prediction was made of, as of now, as of the past, and not further than asked", async () => {
  const up = await linesOf({ thing: { category: "inference", id: "i3" }, directions: ["up"] });
  expect(up.slice(1, 8)).toEqual([
    ...["inference i3", "  answered by deployment m~prod@v1", "    deployed from model m@v1"],
    ...["      produced by training-run good", "        ran code c1 [external]"],
    ...["        trained on dataset d7@3 [retracted]", "          derived from dataset raw@7 [external]"],
  ]);
  const model = { category: "model", id: "m" };
  const near = await linesOf({ thing: { ...model, version: "v1" }, directions: ["up"], depth: 1 });
  expect(near.slice(1)).toEqual(["model m@v1", "  produced by training-run good", "1 in all:", "1  run"]);
  expect(await linesOf({ thing: model, directions: ["down"], at: before })).toEqual([
    ...[`what came of it, as of position ${before}:`, "model m@v1", "  deployed as deployment m~prod@v1"],
    ...["1 in all:", "1  deployment"],
  ]);
});

test("for programs it is complete, a value a line, and ends with the summary", async () => {
  const { stdout } = await run("dataset", "d7", "--version", "3", "--down", "--json");
  const lines = stdout.trimEnd().split("\n");
  const values = lines.map((line) => JSON.parse(line) as Record<string, Record<string, unknown>>);
  expect(values[0]).toMatchObject({ lineage: { category: "dataset", id: "d7", version: "3", directions: ["down"] } });
  const things = values.flatMap(({ thing }) => (thing === undefined ? [] : [thing]));
  expect(things.filter(({ category }) => category === "inference")).toHaveLength(answers);
  expect(things[0]).toMatchObject({
    ...{ name: "dataset-d7@3", direction: "start", distance: 0, facts: { retractedBecause: "wrong labels" } },
  });
  expect(values.map(({ edge }) => edge)).toContainEqual(
    expect.objectContaining({ from: "model-m@v1", to: "deployment-m~prod@v1", kind: "deployed as" }),
  );
  expect(values.at(-1)).toMatchObject({
    summary: {
      down: expect.arrayContaining([
        { category: "inference", things: answers, external: 0, retracted: 0, rolledBack: 0, nearest: 4 },
      ]),
    },
  });
  expect(await linesOf({ thing: d7, directions: ["down"], format: "json" })).toEqual(lines);
});

test("as pictures, both ways by default", async () => {
  const thing = { category: "training-run", id: "good" };
  const mermaid = await linesOf({ thing, format: "mermaid" });
  const dot = await linesOf({ thing, format: "dot" });
  for (const line of mermaid.slice(1)) {
    expect(line).toMatch(/^ {2}(n\d+\["[^"]+"\](:::\w+)?|n\d+ -->\|"[^"]+"\| n\d+|classDef \w+ .+)$/);
  }
  const ids = Object.fromEntries(
    [...mermaid.join("\n").matchAll(/(n\d+)\["([^"]+)"\]/g)].map(([, id, title]) => [title, id]),
  );
  expect(Object.keys(ids)).toContain("4 more predictions");
  expect(mermaid).toContain(`  ${ids["dataset d7@3"]} -->|"trained"| ${ids["training-run good"]}`);
  expect(mermaid).toContain(`  ${ids["training-run good"]} -->|"produced"| ${ids["model m@v1"]}`);
  for (const line of dot.slice(2, -1)) {
    expect(line).toMatch(/^ {2}n\d+( -> n\d+)? \[label="[^"]+"(, \w+=\w+)?\];$/);
  }
});

describe("as OpenLineage", () => {
  const ajv = new Ajv({ allErrors: true });
  addFormats.default(ajv);
  const validate = ajv.compile(runEventSchema);

  async function events(asked: Parameters<typeof printed>[0]): Promise<RunEvent[]> {
    const { lines, warnings } = await printed({ ...asked, format: "openlineage" });
    expect(warnings.filter((one) => one !== "warning: training-run asked has not begun: no event of it")).toEqual([]);
    return lines.map((line) => JSON.parse(line) as RunEvent);
  }

  const runOf = (id: string) => ({ thing: { category: "training-run", id } });

  test("each run begins and ends, with what it was made of and what it produced", async () => {
    const told = await events({ thing: d7 });
    for (const event of told) expect(validate(event), JSON.stringify(validate.errors)).toBe(true);
    expect(told.map(({ eventType }) => eventType)).toEqual(["START", "START", "FAIL", "START", "ABORT", "START"]);
    const [good] = told as [RunEvent];
    const dataset = (name: string, datasetVersion: string) => ({
      name,
      facets: { version: expect.objectContaining({ datasetVersion }) },
    });
    expect(good.inputs).toMatchObject([dataset("dataset/d7", "3")]);
    expect(good.run.facets).toMatchObject({
      jobRunParameters: {
        parameters: [
          { key: "codeVersion", value: "c1" },
          { key: "seed", value: 7 },
          { key: "hyperparameters.lr", value: 0.1 },
        ],
      },
    });
    await client.send("training-run", "good", { type: "CompleteTraining", data: {} });
    const ended = await events({ ...runOf("good"), directions: ["up"] });
    expect(ended).toMatchObject([
      { eventType: "START", outputs: [], run: { runId: good.run.runId } },
      { eventType: "COMPLETE", run: { runId: good.run.runId } },
    ]);
    expect(ended[1]?.outputs).toContainEqual(expect.objectContaining(dataset("model/m", "v1")));
    const { events: history } = await client.history("training-run", "good");
    expect(ended.map(({ eventTime }) => eventTime)).toEqual(history.map(({ occurredAt }) => occurredAt));
    expect(await events({ ...runOf("good"), at: before })).toMatchObject([{ eventType: "START" }]);
  });

  test("the schema would say what is wrong", async () => {
    const [event] = (await events(runOf("bad"))) as [RunEvent];
    const { run: _, ...without } = event;
    const wrong: unknown[] = [
      without,
      { ...event, eventTime: "noon" },
      { ...event, producer: "somebody" },
      { ...event, run: { runId: "training-run-bad" } },
      { ...event, job: { name: "x" } },
      { ...event, inputs: [{ namespace: "x", name: "y", facets: { version: { datasetVersion: "1" } } }] },
    ];
    expect(wrong.map((one) => validate(one))).toEqual(wrong.map(() => false));
  });

  test("ids of runs are UUIDs of version 5", () => {
    // The example of RFC 9562, appendix A.4.
    expect(uuidOf(namespaces.dns, "www.example.com")).toBe("2ed6657d-e927-568b-95e1-2665a8aea6a2");
  });
});

test("what cannot be is said", async () => {
  const [foo, unknown, ways, depth, format, picture] = await Promise.all([
    run("foo", "m1"),
    run("dataset", "d7", "--version", "9", "--json"),
    run("dataset", "d7", "--up", "--down"),
    run("dataset", "d7", "--depth", "0"),
    run("dataset", "d7", "--format", "svg"),
    run("dataset", "d7", "--format", "dot", "--json"),
  ]);
  expect(foo).toMatchObject({ code: 1, stdout: "" });
  expect(foo.stderr).toMatch(
    /nothing is known of foo m1 .*; the lineage has no things of that category, it has dataset, /,
  );
  expect(unknown).toMatchObject({ code: 1, stdout: "" });
  expect(JSON.parse(unknown.stderr)).toMatchObject({
    error: { code: "NOT_FOUND", details: { versions: ["1", "2", "3"] } },
  });
  expect([picture.code, JSON.parse(picture.stderr)]).toMatchObject([
    2,
    { error: { code: "WRONG_USAGE", message: "--json and --format dot exclude each other" } },
  ]);
  expect([ways, depth, format].map(({ code, stderr }) => [code, stderr])).toEqual([
    [2, "error: give one of --up, --down and --both\n"],
    [2, "error: --depth takes an integer from 1\n"],
    [2, "error: --format takes text, json, mermaid, dot or openlineage\n"],
  ]);
});
