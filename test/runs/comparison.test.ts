/** Comparing runs, as a pure function: what differs, what is near enough, and who stands apart. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareRuns } from "../../actors/verbs/run/comparison.ts";
import { addStep, type Curves, resumeAt } from "../../actors/verbs/run/curves.ts";
import type { RunRecord } from "../../actors/verbs/run/read-run.ts";

const tolerance = 0.01;

function run(id: string, given: Partial<RunRecord> = {}): RunRecord {
  return { id, status: "completed", recipe: {}, curves: new Map(), finalMetrics: {}, ...given };
}

function losses(...finals: readonly (number | string)[]): RunRecord[] {
  return finals.map((loss, i) => run(`r${i}`, { finalMetrics: { val_loss: loss } }));
}

function curvesOf(...steps: readonly Parameters<typeof addStep>[1][]): Curves {
  const curves: Curves = new Map();
  for (const step of steps) addStep(curves, step);
  return curves;
}

describe("curves", () => {
  test("take the last report of a step, and forget what a resumption took back", () => {
    const curves = curvesOf(
      { step: 1, loss: 3, metrics: { accuracy: 0.1 } },
      { step: 2, loss: 2 },
      { step: 2, loss: "NaN" },
      { step: 3, loss: 1, metrics: { late: 1 } },
    );
    expect(curves.get("loss")?.map(({ value }) => value)).toEqual([3, Number.NaN, 1]);
    resumeAt(curves, 1);
    expect([...curves]).toEqual([
      ["accuracy", [{ step: 1, value: 0.1 }]],
      ["loss", [{ step: 1, value: 3 }]],
    ]);
    addStep(curves, { step: 2, loss: 2.5 });
    expect(curves.get("loss")?.at(-1)).toEqual({ step: 2, value: 2.5 });
  });
});

describe("metrics", () => {
  test("are alike up to the tolerance and not beyond", () => {
    expect(compareRuns(losses(0.99, 1), { tolerance })).toMatchObject({ isAlike: true, outlier: null });
    expect(compareRuns(losses(0.98, 1), { tolerance })).toMatchObject({ isAlike: false, outlier: null });
    expect(compareRuns(losses(2, 2), { tolerance: 0 }).isAlike).toBe(true);
    expect(compareRuns(losses(-0.001, 0.001), { tolerance }).isAlike).toBe(false);
  });

  test("that diverged are like one another, and unlike those that did not", () => {
    expect(compareRuns(losses("NaN", "NaN"), { tolerance }).isAlike).toBe(true);
    expect(compareRuns(losses("NaN", 1), { tolerance }).isAlike).toBe(false);
    expect(compareRuns(losses("Infinity", "-Infinity"), { tolerance }).isAlike).toBe(false);
    const four = compareRuns(losses(1, 1, "NaN", 1), { tolerance });
    expect(four.outlier).toMatchObject({ run: "r2", apartIn: [{ final: Number.NaN }] });
  });

  test("have a best that is lowest for losses and highest for the rest, and only of what counts", () => {
    const curves = curvesOf(
      { step: 1, metrics: { val_loss: 1, accuracy: 0.9 } },
      { step: 2, metrics: { val_loss: "NaN", accuracy: 0.5 } },
    );
    const { metrics } = compareRuns([run("a", { curves }), run("b", { curves })], { tolerance });
    expect(metrics.map(({ metric, results }) => [metric, results[0]?.final, results[0]?.best])).toEqual([
      ["accuracy", 0.5, 0.9],
      ["val_loss", Number.NaN, 1],
    ]);
  });

  test("are compared among the runs that report them", () => {
    const [a, b, c] = [losses(1)[0], losses(2)[0], run("c")].map((one, i) => ({ ...one, id: `r${i}` }) as RunRecord);
    const only = compareRuns([a, c] as RunRecord[], { tolerance });
    expect(only).toMatchObject({
      isAlike: true,
      metrics: [{ metric: "val_loss", notReportedBy: ["r2"], isAlike: true }],
    });
    const three = compareRuns([a, b, c] as RunRecord[], { tolerance });
    expect(three).toMatchObject({ isAlike: false, metrics: [{ notReportedBy: ["r2"], spread: 0.5, median: 1.5 }] });
  });

  test("leave time, memory and the learning rate aside unless asked", () => {
    const a = run("a", { finalMetrics: { train_time_ms: 1, peak_memory_mib: 1, f1: 1, learningRate: 1 } });
    const b = run("b", { finalMetrics: { train_time_ms: 9, peak_memory_mib: 9 } });
    const { metrics } = compareRuns([a, b], { tolerance });
    expect(metrics).toMatchObject([{ metric: "f1", notReportedBy: ["b"], results: [{ final: 1 }, { final: null }] }]);
    expect(compareRuns([a, b], { tolerance, metric: "train_time_ms" }).metrics).toMatchObject([{ isAlike: false }]);
  });
});

describe("the outlier", () => {
  test("is found among three or more, also within the tolerance", () => {
    expect(compareRuns(losses(1, 1.001, 1.009), { tolerance }).outlier?.run).toBe("r2");
    expect(compareRuns(losses(1, 1.5), { tolerance }).outlier).toBeNull();
    expect(compareRuns(losses(1, 1.1, 1.2), { tolerance }).outlier).toBeNull();
  });

  test("is not made of last digits", () => {
    expect(compareRuns(losses(1, 1, 1.0009), { tolerance }).outlier).toBeNull();
    expect(compareRuns(losses(1, 1, 1.0011), { tolerance }).outlier?.run).toBe("r2");
  });

  test("is the one that stands apart in the most metrics", () => {
    const finals = [0, 1, 2, 3, 4].map((i) => ({ a: i === 1 ? 9 : 1, b: i === 3 ? 5 : 1, c: i === 3 ? 5 : 1 }));
    const runs = finals.map((finalMetrics, i) => run(`r${i}`, { finalMetrics }));
    const { outlier, metrics } = compareRuns(runs, { tolerance });
    expect(outlier).toMatchObject({ run: "r3", apartIn: [{ metric: "b" }, { metric: "c" }] });
    expect(metrics[0]?.outliers).toMatchObject([{ run: "r1" }]);
  });
});

test("recipes are compared field by field, whatever the order of their keys; what nobody says is no difference", () => {
  const recipe = { datasetId: "d", codeVersion: "c", seed: 7, hyperparameters: { rate: 0.1, layers: { top: [1, 2] } } };
  const same = {
    ...recipe,
    hyperparameters: { layers: { top: [1, 2] }, rate: 0.1 },
    environment: { startedAt: "now" },
  };
  const other = { ...recipe, datasetPosition: 5, hyperparameters: { rate: 0.2, layers: { top: [2, 1] } } };
  const { isAlike, recipe: verdicts } = compareRuns([run("a", { recipe }), run("b", { recipe: same })], { tolerance });
  expect(isAlike).toBe(true);
  expect(verdicts.map(({ verdict }) => verdict)).toEqual([
    "same",
    "same",
    "not recorded",
    "same",
    "same",
    "not recorded",
  ]);

  const compared = compareRuns([run("a", { recipe }), run("b", { recipe: other })], { tolerance });
  expect(compared.isAlike).toBe(false);
  expect(compared.recipe.flatMap(({ differences }) => differences)).toEqual([
    { field: "datasetPosition", values: [null, 5] },
    {
      field: "layers.top",
      values: [
        [1, 2],
        [2, 1],
      ],
    },
    { field: "rate", values: [0.1, 0.2] },
  ]);
  expect(compareRuns([run("a"), run("b", { status: "failed" })], { tolerance }).isAlike).toBe(false);
});

test("the order of the runs changes nothing, and neither does the unit of the metric", () => {
  const value = fc.double({ min: 0.1, max: 10, noNaN: true });
  fc.assert(
    fc.property(fc.array(value, { minLength: 2, maxLength: 8 }), fc.constantFrom(0.5, 2, 1024), (values, factor) => {
      const verdict = (runs: readonly RunRecord[]) => {
        const { isAlike, metrics } = compareRuns(runs, { tolerance });
        return [isAlike, metrics.flatMap(({ outliers }) => outliers.map((outlier) => outlier.run)).sort()];
      };
      expect(verdict(losses(...values).reverse())).toEqual(verdict(losses(...values)));
      expect(verdict(losses(...values.map((one) => one * factor)))).toEqual(verdict(losses(...values)));
    }),
  );
});
