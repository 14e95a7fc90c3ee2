import { describe, expect, test } from "vitest";
import trainingSummaries from "../../actors/projections/training-summaries.ts";
import { at, type Happened, project } from "./project.ts";

const run = (type: string, data: unknown, rest: Partial<Happened> = {}): Happened => {
  return { stream: "training-run-r1", type, data, ...rest };
};
const progress = (step: number, loss: unknown, accuracy: unknown): Happened => {
  return run("TrainingProgress", { step, loss, metrics: { accuracy } });
};
const rowOf = async (history: readonly Happened[]) => (await project(trainingSummaries, history)).r1;

describe("a training run's summary", () => {
  test("says where it stands, of what it was made, how far it came and how good it was", async () => {
    const recipe = { datasetId: "d1", datasetVersion: "3", datasetPosition: 12, codeVersion: "abc" };
    const row = await rowOf([
      run("TrainingRequested", { userId: "ada" }),
      run("TrainingStarted", { ...recipe, userId: "ada", config: { layers: 2 }, hyperparameters: { lr: 0.1 } }),
      progress(1, 0.9, 0.2),
      run("TrainingProgressBatch", {
        steps: [
          { step: 2, loss: 0.5, metrics: { accuracy: 0.6 } },
          { step: 3, loss: 0.6, metrics: { accuracy: 0.8, f1: "NaN" } },
        ],
      }),
      run("TrainingCompleted", { modelArtifact: { id: "m1" }, userId: "ada" }),
    ]);

    expect(row).toEqual({
      status: "completed",
      requestedAt: at(1),
      startedAt: at(2),
      finishedAt: at(5),
      durationMs: 3_000,
      userId: "ada",
      configHash: expect.stringMatching(/^[0-9a-f]{8,14}$/),
      ...recipe,
      lastStep: 3,
      metrics: {
        loss: {
          last: { step: 3, value: 0.6 },
          best: { step: 2, value: 0.5 },
          bestBefore: { step: 2, value: 0.5 },
        },
        accuracy: {
          last: { step: 3, value: 0.8 },
          best: { step: 3, value: 0.8 },
          bestBefore: { step: 2, value: 0.6 },
        },
        f1: { last: { step: 3, value: "NaN" } },
      },
      finalMetrics: { loss: 0.6, accuracy: 0.8, f1: "NaN" },
      modelId: "m1",
    });
  });

  test("has the final metrics and the duration that were reported", async () => {
    const row = await rowOf([
      run("TrainingStarted", {}),
      progress(1, 0.9, 0.2),
      run("TrainingCompleted", { finalMetrics: { accuracy: 0.25 }, durationMs: 77 }),
    ]);
    expect(row).toMatchObject({ finalMetrics: { accuracy: 0.25 }, durationMs: 77 });
  });

  test("of a step that is reported again the last report counts", async () => {
    const row = await rowOf([
      run("TrainingStarted", {}),
      progress(1, 0.4, 0.5),
      progress(2, 0.1, 0.9),
      progress(2, 0.6, 0.3),
    ]);
    expect(row?.metrics).toMatchObject({
      loss: { last: { step: 2, value: 0.6 }, best: { step: 1, value: 0.4 } },
      accuracy: { last: { step: 2, value: 0.3 }, best: { step: 1, value: 0.5 } },
    });
  });

  test("what a resumption undid does not count, and a failed run that goes on is running", async () => {
    const history = [
      run("TrainingStarted", {}),
      progress(1, 0.4, 0.5),
      progress(2, 0.1, 0.4),
      run("TrainingFailed", { reason: "out of memory" }),
    ];
    expect(await rowOf(history)).toMatchObject({
      status: "failed",
      reason: "out of memory",
      finishedAt: at(4),
      lastStep: 2,
    });

    const resumed = await rowOf([...history, run("TrainingResumed", { step: 1 })]);
    expect(resumed).toEqual({
      status: "running",
      startedAt: at(1),
      lastStep: 1,
      metrics: { loss: { best: { step: 1, value: 0.4 } }, accuracy: { best: { step: 1, value: 0.5 } } },
    });
  });

  test("the configuration's hash tells configurations apart, whatever the order of their fields", async () => {
    const hashOf = async (data: unknown) => (await rowOf([run("TrainingStarted", data)]))?.configHash;
    const hash = await hashOf({ config: { a: 1, b: { c: 2, d: 3 } } });

    expect(await hashOf({ config: { b: { d: 3, c: 2 }, a: 1 } })).toBe(hash);
    expect(await hashOf({ config: { a: 1, b: { c: 2, d: 4 } } })).not.toBe(hash);
    expect(await hashOf({ hyperparameters: { a: 1, b: { c: 2, d: 3 } } })).not.toBe(hash);
    expect(await hashOf({})).toBeUndefined();
  });

  test.each([
    ["loss", 1],
    ["val_loss", 1],
    ["perplexity", 1],
    ["test/mse", 1],
    ["accuracy", 2],
    ["glossiness", 2],
  ])("of %s the best of 1 and 2 is %i", async (name, best) => {
    const steps = [1, 2].map((value) => ({ step: value, metrics: { [name]: value } }));
    const row = await rowOf([run("TrainingStarted", {}), run("TrainingProgressBatch", { steps })]);
    expect(row?.metrics).toMatchObject({ [name]: { best: { step: best, value: best } } });
  });

  test("runs do not mix, whatever their ids", async () => {
    const rows = await project(trainingSummaries, [
      run("TrainingStarted", {}),
      { stream: "training-run-training-run-r1", type: "TrainingStarted", data: { userId: "eve" } },
      { stream: "training-run-__proto__", type: "TrainingStarted", data: { userId: "mal" } },
    ]);
    expect(Object.keys(rows).sort()).toEqual(["__proto__", "r1", "training-run-r1"]);
  });
});
