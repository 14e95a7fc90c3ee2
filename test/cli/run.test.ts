/** `retrace run` against a runtime that serves: real logs compared and drawn, and runs with histories of several pages. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type AddressedCommand, type Client, connect } from "retrace";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runIdOf } from "../../actors/verbs/import/run-id.ts";
import { absent, manifestRuns, stepLogPath } from "../imports/shared-data.ts";
import { startRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";
import { type Ended, runCli } from "./run-cli.ts";

const folder = tempDir();
let nats: string;
let client: Client;

const cli = (...args: readonly string[]): Promise<Ended> => runCli(args, { env: { RETRACE_NATS: nats } });

type Command = AddressedCommand["command"];

async function record(id: string, commands: readonly Command[]): Promise<void> {
  const addressed = commands.map((command) => ({ category: "training-run", id, command }));
  for await (const { fault } of client.sendMany(addressed)) if (fault !== undefined) throw fault;
}

const progress = (step: number, loss: number | string): Command => ({ type: "RecordProgress", data: { step, loss } });
const steps = (count: number, lossAt: (step: number) => number): Command[] =>
  Array.from({ length: count }, (_, step) => progress(step, lossAt(step)));

beforeAll(async () => {
  nats = (await startRuntime({ dataDir: tempDir() })).url;
  client = await connect({ servers: nats });
  const recipe = { datasetId: "lines", datasetVersion: "v1", codeVersion: "c1", seed: 7 };
  const end: Command = { type: "CompleteTraining", data: { finalMetrics: { loss: 0.5 } } };
  await record("long", [{ type: "StartTraining", data: recipe }, ...steps(2_100, (step) => 2 - step / 2_100), end]);
  await record("resumed", [
    { type: "RequestTraining", data: { ...recipe, seed: 8 } },
    { type: "StartTraining", data: { hyperparameters: { rate: 0.1 } } },
    ...steps(10, () => 0.25),
    { type: "ResumeTraining", data: { step: 1 } },
    ...[2, 3].map((step) => progress(step, step === 2 ? "NaN" : 0.5)),
    end,
  ]);
});

afterAll(() => client?.close());

describe.skipIf(absent !== undefined)("of six real logs of the same code", () => {
  const files = manifestRuns.filter(({ file }) => file.startsWith("2024-12-04")).map(({ file }) => stepLogPath(file));
  const ids = files.map(runIdOf);

  test("the one that ended at 3.2898 stands apart, though all lie within one per cent", async () => {
    expect((await cli("import", "training-log", ...files)).code).toBe(0);
    const { code, stdout } = await cli("run", "compare", ...ids, "--json");
    const compared = JSON.parse(stdout);
    expect({ code, isAlike: compared.isAlike }).toEqual({ code: 0, isAlike: true });
    expect(compared.outlier.run).toContain("1b4db08c");
    expect(compared.outlier.apartIn).toContainEqual(
      expect.objectContaining({ metric: "val_loss", final: 3.2898, median: expect.closeTo(3.27735) }),
    );
    expect(compared.recipe).toContainEqual({ name: "code", verdict: "same", differences: [] });
    expect(compared.recipe).toContainEqual({ name: "seed", verdict: "not recorded", differences: [] });

    const human = await cli("run", "compare", ...ids, "--metric", "val_loss", "--tolerance", "0.004");
    expect(human.code).toBe(1);
    expect(human.stdout).toMatch(
      /^6 runs, not alike: val_loss\n\S+1b4db08c\S+ stands apart: val_loss 3.2898 is 3.57 dev/,
    );
    expect(human.stdout.match(/stands apart$/gm)).toHaveLength(1);
  });

  test("the curves are drawn", async () => {
    const out = join(folder, "val.svg");
    const { code, stdout } = await cli("run", "plot", ...ids, "--metric", "val_loss", "--out", out);
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${out}\n` });
    const svg = readFileSync(out, "utf8");
    expect(svg.match(/<polyline /g)).toHaveLength(6);
    for (const id of ids) expect(svg).toContain(`>${id}</text>`);
  });
});

test("a long history is read whole, what a resumption took back is not, and what differs is named", async () => {
  const { code, stdout } = await cli("run", "compare", "long", "resumed", "--json");
  expect(code).toBe(1);
  const compared = JSON.parse(stdout);
  expect(compared.recipe.flatMap(({ differences }: { differences: unknown[] }) => differences)).toEqual([
    { field: "rate", values: [null, 0.1] },
    { field: "seed", values: [7, 8] },
  ]);
  const best = 2 - 2_099 / 2_100;
  expect(compared.metrics).toMatchObject([
    {
      metric: "loss",
      results: [
        { final: 0.5, best: expect.closeTo(best) },
        { final: 0.5, best: 0.25 },
      ],
    },
  ]);
  const human = await cli("run", "compare", "long", "resumed");
  expect(human.stdout).toMatch(/^2 runs, not alike: hyperparameters, seed, loss\n/);
  expect(human.stdout).toContain("  rate\n    nothing: long\n    0.1: resumed\n");
});

test("plots are drawn in the terminal, and as points", async () => {
  const human = await cli("run", "plot", "long", "resumed", "--smooth", "10");
  expect(human).toMatchObject({ code: 0, stderr: "" });
  expect(human.stdout).toMatch(/^loss by step, means of 10\n/);
  const narrow = await runCli(["run", "plot", "long"], { env: { RETRACE_NATS: nats, COLUMNS: "40" } });
  expect(Math.max(...narrow.stdout.split("\n").map(({ length }) => length))).toBe(40);
  expect(human.stdout).toMatch(/0 +step 2099\n +── long\n +══ resumed\n$/);
  const { runs } = JSON.parse((await cli("run", "plot", "resumed", "--json")).stdout);
  expect(runs).toEqual([
    {
      run: "resumed",
      reported: 4,
      points: [
        [0, 0.25],
        [1, 0.25],
        [2, null],
        [3, 0.5],
      ],
    },
  ]);
});

test("of much that differs the first lines are shown, and a metric that one run lacks is said and no difference", async () => {
  const wide = (value: number) => Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`p${i + 10}`, value]));
  const finals = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`m${i}`, 1]));
  await record("wide", [
    { type: "StartTraining", data: { hyperparameters: wide(1) } },
    { type: "CompleteTraining", data: { finalMetrics: { ...finals, f1: 0.5 } } },
  ]);
  await record("wider", [
    { type: "StartTraining", data: { hyperparameters: wide(2) } },
    { type: "CompleteTraining", data: { finalMetrics: finals } },
  ]);
  const { code, stdout } = await cli("run", "compare", "wide", "wider");
  expect(code).toBe(1);
  expect(stdout).toMatch(/^2 runs, not alike: hyperparameters; 1 metric not reported by all\n/);
  expect(stdout).toContain("  and 24 more fields: --all\n");
  expect(stdout).toContain("  and 5 more metrics within the tolerance: --all\n");
  expect(stdout).toMatch(/\n\nf1: not reported by wider\n$/);
  const all = await cli("run", "compare", "wide", "wider", "--all");
  expect(all.stdout).toContain("p39");
  expect(all.stdout).not.toContain("--all");
  const alone = await cli("run", "compare", "wide", "wider", "--metric", "f1");
  expect(alone).toMatchObject({ code: 2, stderr: expect.stringContaining("only wide reports f1") });
});

test("wrong usage is told in a sentence, with status 2", async () => {
  const wrong = [
    [["compare", "long"], "two runs or more"],
    [["compare", "long", "nobody"], "no training run nobody"],
    [["compare", "long", "resumed", "--metric", "x"], "no run reports x; they report loss"],
    [["compare", "long", "resumed", "--tolerance", "1%"], "--tolerance takes a number"],
    [["plot", "long", "--out", join(folder, "x.png")], "ends in .svg"],
  ] as const;
  const told = await Promise.all(wrong.map(([args]) => cli("run", ...args)));
  for (const [i, ended] of told.entries()) {
    expect(ended).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining(wrong[i]?.[1] as string) });
  }
  expect(existsSync(join(folder, "x.png"))).toBe(false);
});
