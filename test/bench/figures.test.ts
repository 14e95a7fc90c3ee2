import { describe, expect, test } from "vitest";
import { type Figure, median, percentile, spread } from "./figures.ts";
import { verdicts } from "./targets.ts";

describe("percentile", () => {
  test("is the nearest rank, in whatever order the values come", () => {
    expect(percentile([3, 1, 2, 4], 0.5)).toBe(2);
    expect(percentile([3, 1, 2, 4], 0.99)).toBe(4);
    expect(percentile([3, 1, 2, 4], 0)).toBe(1);
    expect(percentile([7], 0.5)).toBe(7);
  });

  test("sorts by value, not by text, and leaves its input as it was", () => {
    const values = [10, 9, 100];
    expect(percentile(values, 0.5)).toBe(10);
    expect(values).toEqual([10, 9, 100]);
  });

  test("refuses no values", () => {
    expect(() => percentile([], 0.5)).toThrow("no values");
  });
});

describe("median", () => {
  test("is the middle, or the mean of the two in the middle", () => {
    expect(median([30, 4, 5])).toBe(5);
    expect(median([1, 2, 10, 4])).toBe(3);
  });

  test("comes with the lowest and the highest", () => {
    expect(spread([2, 9, 4])).toEqual({ value: 4, low: 2, high: 9 });
  });
});

describe("verdicts", () => {
  const outcomes = (values: Readonly<Record<string, number>>) => {
    const figures = Object.entries(values).map(([id, value]): Figure => ({ id, part: "a", text: id, value, unit: "" }));
    return verdicts(figures).map(({ outcome }) => outcome);
  };
  const met = {
    "ratio.512": 0.5,
    "command.1.p50": 0.7,
    "echo.1.p50": 0.2,
    "commit.p50": 0.2,
    ...{ "turns.command": 0.7, "turns.echo": 0.2, "turns.commit": 0.2 },
    "replay.streams": 150_000,
    "long.events": 1_000_000,
    "long.hot.ratio": 1.2,
    "start.events": 1_000_000,
    "start.stored": 2,
    ...{ "import.ratings.rate": 9_000, "import.corrections.rate": 9_000, "import.preferences.rate": 9_000 },
    ...{ "import.predictions.rate": 9_000, "import.votes.rate": 8_000 },
    ...{ "projection.one": 200_000, "projection.sync.ratio": 0.85, "projection.rows": 1_000_000 },
    ...{ "projection.key.p50": 1, "projection.page.p50": 5 },
    ...{ "saga.command.p50": 0.4, "saga.three.p50": 2, "drift.max": 2_000 },
  };

  test("count a figure at its limit as met", () => {
    expect(outcomes(met)).toEqual(Array(13).fill("met"));
  });

  test("count a figure beyond its limit as not met", () => {
    const missed = {
      ...met,
      "ratio.512": 0.49,
      ...{ "command.1.p50": 0.71, "turns.command": 0.71 },
      "replay.streams": 149_999,
      "long.hot.ratio": 1.21,
      "start.stored": 2.01,
      "import.preferences.rate": 7_999,
      ...{ "projection.one": 199_999, "projection.sync.ratio": 0.84 },
      ...{ "projection.key.p50": 1.01, "projection.page.p50": 5.01 },
      ...{ "saga.three.p50": 2.01, "drift.max": 2_001 },
    };
    expect(outcomes(missed)).toEqual(Array(13).fill("not met"));
  });

  test("say nothing about what was not measured, or measured at another size", () => {
    expect(outcomes({})).toEqual(Array(13).fill("not measured"));
    expect(outcomes({ ...met, "long.events": 1_000, "start.events": 1_000 }).slice(4, 6)).toEqual([
      "not measured",
      "not measured",
    ]);
  });

  test("name what was measured and the limit", () => {
    const figures: Figure[] = [{ id: "ratio.512", part: "b", text: "", value: 0.4, unit: "" }];
    expect(verdicts(figures)[0]).toMatchObject({ outcome: "not met", measured: 0.4, limit: 0.5 });
  });
});
