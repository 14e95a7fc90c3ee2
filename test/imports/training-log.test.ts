/** The readers of training logs, against hand-written logs for each oddity and against all the real ones. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { LoggedRun } from "../../actors/verbs/import/logged-run.ts";
import { parseMetric } from "../../actors/verbs/import/metric.ts";
import { runIdOf } from "../../actors/verbs/import/run-id.ts";
import { stepCommands } from "../../actors/verbs/import/step-commands.ts";
import { readTrainingLog, type SideFiles } from "../../actors/verbs/import/training-log.ts";
import { isStreamId } from "../../src/core/stream.ts";
import { absent, manifestRuns, measurementFiles, stepLogPath } from "./shared-data.ts";

function read(lines: readonly string[], side: SideFiles = {}): LoggedRun {
  const run = readTrainingLog(lines.join("\n"), side);
  if (run === undefined) throw new Error("unknown format");
  return run;
}

const rule = "=".repeat(80);

describe("step lines", () => {
  const log = [
    "Running pytorch 2.9.1+cu130 compiled for CUDA 13.0",
    "nvidia-smi:",
    "Mon Mar  3 10:00:00 2025       ",
    "+----------------------------------+----------------------+",
    "| NVIDIA-SMI 550.10    Driver Version: 550.10    CUDA Version: 12.4 |",
    "| GPU  Name        Persistence-M   | Bus-Id        Disp.A |",
    "|   0  ACME T1000             On   | 00000000:01:00.0 Off |",
    "|   1  ACME T1000             Off  | 00000000:02:00.0 Off |",
    "|    0   N/A  N/A     77      C   python       9MiB |",
    rule,
    "Corpus: 12 files of tokens",
    rule,
    "step:0/3 val_loss:9.5 train_time:0ms step_avg:nanms",
    "step:1/3 train_loss:9.5 train_time:2000ms step_avg:nanms",
    "step:2/3 train_loss:inf train_time:50ms step_avg:25.5ms",
    "step:3/3 train_loss:8.25 train_time:100ms step_avg:33ms",
    "step:3/3 val_loss:8.5 train_time:110ms step_avg:36.7ms",
    "peak memory allocated: 321 MiB reserved: 400 MiB",
    "",
  ];

  test("reads every metric line under the log's own names", () => {
    const { steps, problems } = read(log);
    expect(problems).toEqual([]);
    expect(steps.map((step) => [step.sourceLine, step.step, step.metrics, step.loss])).toEqual([
      [13, 0, { val_loss: 9.5, train_time_ms: 0, step_avg_ms: "NaN" }, undefined],
      [14, 1, { train_loss: 9.5, train_time_ms: 2000, step_avg_ms: "NaN" }, 9.5],
      [15, 2, { train_loss: "Infinity", train_time_ms: 50, step_avg_ms: 25.5 }, "Infinity"],
      [16, 3, { train_loss: 8.25, train_time_ms: 100, step_avg_ms: 33 }, 8.25],
      [17, 3, { val_loss: 8.5, train_time_ms: 110, step_avg_ms: 36.7 }, undefined],
    ]);
  });

  test("takes the environment from the block before the steps", () => {
    expect(read(log).start).toEqual({
      startedAt: "2025-03-03T10:00:00.000Z",
      config: { format: "step-lines", totalSteps: 3, notes: ["Corpus: 12 files of tokens"] },
      hyperparameters: {},
      environment: {
        pytorch: "2.9.1+cu130",
        cuda: "13.0",
        driver: "550.10",
        driverCuda: "12.4",
        gpus: ["ACME T1000", "ACME T1000"],
        startedAt: "2025-03-03T10:00:00.000Z",
        timeZone: "not in the log, taken as UTC",
      },
    });
  });

  test("counts time on over a timer that restarts", () => {
    expect(read(log).steps.map((step) => step.at)).toEqual([
      "2025-03-03T10:00:00.000Z",
      "2025-03-03T10:00:02.000Z",
      "2025-03-03T10:00:02.050Z",
      "2025-03-03T10:00:02.100Z",
      "2025-03-03T10:00:02.110Z",
    ]);
  });

  test("takes a second date, of a run that was started again, as a new start of the timer", () => {
    const { steps, start } = read([
      "Mon Mar  3 10:00:00 2025",
      "step:1/3 train_time:1000ms",
      "step:2/3 train_time:2000ms",
      "Mon Mar  3 11:00:00 2025",
      "step:2/3 train_time:500ms",
      "Mon Mar  3 09:00:00 2025",
      "step:3/3 train_time:1500ms",
    ]);
    expect(start.startedAt).toBe("2025-03-03T10:00:00.000Z");
    expect(steps.map((step) => step.at?.slice(11, 23))).toEqual([
      "10:00:01.000",
      "10:00:02.000",
      "11:00:00.500",
      "11:00:02.000",
    ]);
  });

  test("ends at the last step with the last value of every metric and the time that the log claims", () => {
    expect(read(log).end).toEqual({
      finalMetrics: { val_loss: 8.5, train_loss: 8.25, train_time_ms: 110, step_avg_ms: 36.7, peak_memory_mib: 321 },
      durationMs: 110,
    });
  });

  test("has no end when the log stops before the last step it promised", () => {
    expect(read(log.slice(0, 15)).end).toBeUndefined();
  });

  test("reads the older short lines, which say neither time nor number of steps", () => {
    const run = read(["s:0 tel:10.5", "s:0 trl:10.25", "s:1 trl:9 lr:1e-4", "s:1 eval:0.25"]);
    expect(run.steps).toEqual([
      { sourceLine: 1, step: 0, metrics: { val_loss: 10.5 } },
      { sourceLine: 2, step: 0, metrics: { train_loss: 10.25 }, loss: 10.25 },
      { sourceLine: 3, step: 1, metrics: { train_loss: 9, lr: 0.0001 }, loss: 9, learningRate: 0.0001 },
      { sourceLine: 4, step: 1, metrics: { eval: 0.25 } },
    ]);
    expect(run.start.startedAt).toBeUndefined();
    expect(run.end?.durationMs).toBeUndefined();
    expect(run.end?.finalMetrics).toEqual({ val_loss: 10.5, train_loss: 9, lr: 0.0001, eval: 0.25 });
  });

  test("reports what begins like a metric line and is none, and goes on", () => {
    const { steps, problems } = read([
      "step:1/9 train_loss:1.5",
      "step:x/9 train_loss:1.5",
      "step:2/9 train_loss:",
      "step:3/9 train_loss:abc",
      "step:4/9",
      "step:5/9 train_lo",
      "s: trl:3",
      "steps are many",
      "step:6/9 train_loss:1.25\r",
    ]);
    expect(steps.map((step) => step.step)).toEqual([1, 6]);
    expect(problems).toEqual([
      { line: 2, reason: 'no step number in "step:x/9"' },
      { line: 3, reason: 'train_loss is not a number: ""' },
      { line: 4, reason: 'train_loss is not a number: "abc"' },
      { line: 5, reason: "step 4 has no metric" },
      { line: 6, reason: '"train_lo" is not name:value' },
      { line: 7, reason: 'no step number in "s:"' },
    ]);
  });

  const script = [
    "import torch",
    "class Hyperparameters:",
    "    batch_size : int = 8*64 # sequences",
    "    learning_rate: float = 3.6e-4",
    "    files = 'train_*.bin'",
    "    compile : bool = True",
    "",
    'print(f"step:{step}/{total} train_loss:{loss}")',
    "step:1/2 is what this prints",
  ];

  test.each([
    ["before the first dividing line", [...script, rule]],
    ["between the first two, and an extra newline behind it", [rule, ...script, "", rule]],
  ])("hashes a training script %s", (_, head) => {
    const { start, steps, problems } = read([...head, "Running python 3.13.1", rule, "step:1/1 train_loss:2"]);
    expect(start.codeVersion).toBe(
      createHash("sha256")
        .update(`${script.join("\n")}\n`)
        .digest("hex"),
    );
    expect(start.hyperparameters).toEqual({
      batch_size: "8*64",
      learning_rate: 0.00036,
      files: "train_*.bin",
      compile: true,
    });
    expect(start.environment).toEqual({ python: "3.13.1" });
    expect(steps.map((step) => step.sourceLine)).toEqual([head.length + 3]);
    expect(problems).toEqual([]);
  });

  test("lets a manifest's hash go before the script's", () => {
    expect(read(["s:1 trl:2"], { codeSha256: "abc" }).start.codeVersion).toBe("abc");
  });

  test("does not know a text without a metric line", () => {
    expect(readTrainingLog("nothing\nhere\n")).toBeUndefined();
    expect(readTrainingLog("")).toBeUndefined();
  });
});

describe("measurements", () => {
  const table = [
    "global_step,grad_norm,loss,validation/loss,score,total_duration,lr",
    "0,1.5,0.75,,,,0.1",
    "100,,,0.5,10.5,20.25,",
    "100,nan,inf,,,,",
  ];

  test("reads one step a row and leaves empty columns out", () => {
    const { steps, problems, end } = read([...table, ""]);
    expect(problems).toEqual([]);
    expect(steps).toEqual([
      { sourceLine: 2, step: 0, metrics: { grad_norm: 1.5, loss: 0.75, lr: 0.1 }, loss: 0.75, learningRate: 0.1 },
      { sourceLine: 3, step: 100, metrics: { "validation/loss": 0.5, score: 10.5, total_duration: 20.25 } },
      { sourceLine: 4, step: 100, metrics: { grad_norm: "NaN", loss: "Infinity" }, loss: "Infinity" },
    ]);
    expect(end?.durationMs).toBe(20250);
  });

  test("takes hyperparameters and seed from the flags, hardware and workload from the meta data, and no momentary reading", () => {
    const flags = { rng_seed: 42, framework: "jax" };
    const readings = {
      "cpu.util.avg_percent_since_last": 2.5,
      "cpu.freq.current": 2000.1,
      "mem.available": 5,
      "mem.used": 3,
      "mem.percent_used": 4.1,
      "net.bytes_recv_since_boot": 77,
      "gpu.0.compute.util": 0,
      "gpu.0.mem.util": 0.5,
      "gpu.0.mem.used": 1,
      "gpu.0.mem.free": 1,
      "gpu.0.temp.current": 37,
    };
    const hardware = { gpu_model_name: "ACME T1000", "gpu.0.mem.total": 16384, "mem.total": 8 };
    const metaData = { "workload.latent_dim": 8, ...hardware, ...readings, rng_seed: 42 };
    expect(read(table, { flags, metaData }).start).toEqual({
      config: { format: "measurements-csv", "workload.latent_dim": 8 },
      hyperparameters: flags,
      seed: 42,
      environment: hardware,
    });
  });

  test("reports broken rows and goes on", () => {
    const { steps, problems } = read([
      ...table,
      ",1,1,,,,",
      "200,1,1",
      "x,1,1,,,,",
      "300,1,oops,,,,",
      "400,,,,,,",
      "5.0,1,,,,,",
    ]);
    expect(steps.map((step) => step.step)).toEqual([0, 100, 100, 5]);
    expect(problems).toEqual([
      { line: 5, reason: "the step is missing" },
      { line: 6, reason: "3 columns where the header has 7" },
      { line: 7, reason: 'global_step is not a number: "x"' },
      { line: 8, reason: 'loss is not a number: "oops"' },
      { line: 9, reason: "step 400 has no metric" },
    ]);
  });
});

describe("commands from steps", () => {
  const steps = [1, 2, 3, 2, 3, 3].map((step, index) => ({ sourceLine: index + 10, step, metrics: { m: index } }));
  const shape = (progress: { lastStep?: number; lastSourceLine: number }, batch?: number) =>
    [...stepCommands(steps, progress, batch)].map((command) =>
      command.type === "RecordBatch" ? command.lines : [command.type, command.data.step],
    );

  test("resumes the run where the log goes back", () => {
    expect(shape({ lastSourceLine: 0 })).toEqual([3, ["ResumeTraining", 2], 3]);
    expect(shape({ lastSourceLine: 0 }, 2)).toEqual([2, 1, ["ResumeTraining", 2], 2, 1]);
  });

  test("goes on behind the last line, and resumes once only", () => {
    expect(shape({ lastSourceLine: 12, lastStep: 3 })).toEqual([["ResumeTraining", 2], 3]);
    expect(shape({ lastSourceLine: 12, lastStep: 2 })).toEqual([3]);
    expect(shape({ lastSourceLine: 15, lastStep: 3 })).toEqual([]);
  });

  test("keeps a command below the size of the largest event", () => {
    const wide = Array.from({ length: 1000 }, (_, index) => ({
      sourceLine: index + 1,
      step: index,
      metrics: Object.fromEntries(Array.from({ length: 40 }, (_, column) => [`column_number_${column}`, index / 7])),
    }));
    const commands = [...stepCommands(wide, { lastSourceLine: 0 })];
    expect(commands.reduce((sum, command) => sum + command.lines, 0)).toBe(1000);
    for (const command of commands) expect(JSON.stringify(command.data).length).toBeLessThan(256 * 1024);
  });
});

test.each([
  ["1", 1],
  ["-.5", -0.5],
  ["1e-05", 0.00001],
  ["1e999", "Infinity"],
  ["nan", "NaN"],
  ["-NaN", "NaN"],
  ["inf", "Infinity"],
  ["-Infinity", "-Infinity"],
  ["", undefined],
  ["0x10", undefined],
  ["1 2", undefined],
])("reads the number %j as %j", (text, value) => expect(parseMetric(text)).toBe(value));

test("names a run after its file, in the alphabet of ids", () => {
  expect(runIdOf("/logs/2025 run #1.txt")).toBe("2025-run--1");
  expect(runIdOf("a.measurements.csv")).toBe("a-measurements");
  const long = runIdOf(`${"x".repeat(300)}.log`);
  expect(long).toBe(runIdOf(`elsewhere/${"x".repeat(300)}.txt`));
  expect(long).not.toBe(runIdOf(`${"x".repeat(301)}.log`));
  expect(isStreamId(long)).toBe(true);
});

describe.skipIf(absent !== undefined)("real logs", () => {
  test.each(manifestRuns)("$file", (expected) => {
    const text = readFileSync(stepLogPath(expected.file), "utf8");
    const run = read(text.split("\n"));
    const { steps } = run;
    const raw = text.split("\n").flatMap((line, index) => {
      const match = /^s(?:tep)?:(\d+)(?:\/\d+)? (.*)$/.exec(line);
      return match === null ? [] : [{ sourceLine: index + 1, step: Number(match[1]), words: match[2] as string }];
    });

    expect(run.problems).toEqual([]);
    expect(steps).toHaveLength(expected.metric_lines);
    expect(steps.map(({ sourceLine, step }) => ({ sourceLine, step }))).toEqual(
      raw.map(({ sourceLine, step }) => ({ sourceLine, step })),
    );
    expect(new Set(steps.map((step) => step.step)).size).toBe(expected.distinct_steps);
    expect(steps.filter((step) => "val_loss" in step.metrics)).toHaveLength(expected.val_points);
    expect(steps.some((step) => step.loss !== undefined)).toBe(expected.train_loss_logged);
    expect(run.end?.finalMetrics.val_loss).toBe(expected.final_val_loss);
    expect(run.end?.durationMs ?? null).toBe(expected.train_time_ms);
    const count = (pattern: RegExp) => raw.reduce((sum, { words }) => sum + [...words.matchAll(pattern)].length, 0);
    const values = steps.flatMap((step) => Object.values(step.metrics));
    expect(values).toHaveLength(count(/\S+:/g));
    expect(values.filter((value) => value === "NaN")).toHaveLength(count(/nan/g));

    const times = steps.flatMap((step) => (step.at === undefined ? [] : [step.at]));
    expect(times).toHaveLength(expected.train_time_ms === null ? 0 : steps.length);
    expect(times).toEqual([...times].sort());
    if (times.length > 0) {
      expect(run.start.environment.gpus).toHaveLength(8);
      expect(run.start.startedAt).toMatch(/^20\d\d-/);
    }
  });

  test.each(measurementFiles)("%s", (file) => {
    const text = readFileSync(file, "utf8");
    const json = (kind: string) => JSON.parse(readFileSync(file.replace("measurements.csv", `${kind}_0.json`), "utf8"));
    const run = read(text.split("\n"), { flags: json("flags"), metaData: json("meta_data") });
    const rows = text.trimEnd().split("\n").slice(1);
    const filled = rows.reduce((sum, row) => sum + [...row.matchAll(/,(?=[^,\n])/g)].length, 0);

    expect(run.problems).toEqual([]);
    expect(run.steps).toHaveLength(rows.length);
    expect(run.steps.map((step) => `${step.step}`)).toEqual(rows.map((row) => row.split(",")[0]));
    expect(run.steps.reduce((sum, step) => sum + Object.keys(step.metrics).length, 0)).toBe(filled);
    expect(run.start.seed).toBe(json("flags").rng_seed);
    expect(run.start.environment.gpu_model_name).toBe(json("meta_data").gpu_model_name);
    expect(Object.keys(run.start.config).length).toBeGreaterThan(5);
    expect(run.end?.durationMs).toBeGreaterThan(82_000_000);
  });
});
