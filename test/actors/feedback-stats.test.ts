/** The windows of feedback-stats: what counts in which, and that neither the order of events nor what was retracted shows. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { project as projected } from "retrace/testing";
import { describe, expect, test } from "vitest";
import type { WindowRow } from "../../actors/projections/feedback-stats/window-row.ts";
import { windowKey } from "../../actors/projections/feedback-stats/windows.ts";
import feedbackStats from "../../actors/projections/feedback-stats.ts";
import { checkProjection } from "../../src/core/check-projection.ts";
import { type Happened, project } from "../projections/project.ts";

const day = "2026-01-01T00:00:00.000Z";
const rowsOf = (history: readonly Happened[]) => project<WindowRow>(feedbackStats, history);

const about = { context: { requestId: "i1", modelId: "m", modelVersion: "v1" } };
const rated = (rating: number, at: number | string, more: object = {}): Happened => {
  const scale = { min: 1, max: 5 };
  const data = { rating, scale, negative: rating < 3, ...about, ...more };
  return { stream: "feedback-a", type: "UserRatedOutput", data, at, fields: { schemaVersion: 2 } };
};
const signal = (type: string, data: object, at: number | string = 1): Happened => ({
  stream: "feedback-a",
  type,
  data: { ...about, ...data },
  at,
});
const inferred = (type: string, data: object, at: number | string = 1): Happened => ({
  stream: "inference-i1",
  type,
  data: { modelId: "m", modelVersion: "v1", ...data },
  at,
});
const served = (type: string, data: object, at: number | string = 1): Happened => ({
  stream: "model-m",
  type,
  data: { environment: "prod", ...data },
  at,
});

test("keeps the loader's rules", () => {
  expect(checkProjection(feedbackStats)).toEqual([]);
});

describe("windows", () => {
  test("are of five minutes, an hour and a day of the time at which it happened", async () => {
    const rows = await rowsOf([rated(5, 299.999), rated(1, 300), rated(3, 3_600), rated(4, 86_400)]);
    expect(Object.entries(rows).map(([key, row]) => [key, row.rating.count])).toEqual([
      [`m/v1/1d/${day}`, 3],
      ["m/v1/1d/2026-01-02T00:00:00.000Z", 1],
      [`m/v1/1h/${day}`, 2],
      ["m/v1/1h/2026-01-01T01:00:00.000Z", 1],
      ["m/v1/1h/2026-01-02T00:00:00.000Z", 1],
      [`m/v1/5m/${day}`, 1],
      ["m/v1/5m/2026-01-01T00:05:00.000Z", 1],
      ["m/v1/5m/2026-01-01T01:00:00.000Z", 1],
      ["m/v1/5m/2026-01-02T00:00:00.000Z", 1],
    ]);
    expect(rows[`m/v1/5m/${day}`]).toMatchObject({ start: day, end: "2026-01-01T00:05:00.000Z", window: "5m" });
  });

  test("take what comes late, and what is imported, where it belongs", async () => {
    const rows = await rowsOf([rated(5, 10_000), rated(1, 1), rated(2, "1969-12-31T23:59:59.000Z")]);
    expect(rows[`m/v1/5m/${day}`]?.rating.mean).toBe(1);
    expect(rows["m/v1/5m/1969-12-31T23:55:00.000Z"]?.rating.mean).toBe(2);
  });

  test("are of one version each, and where no version is known of the model", async () => {
    const of = (context: object) => rated(5, 1, { context });
    const rows = await rowsOf([of({ modelId: "m", modelVersion: "v2" }), of({ modelId: "m" }), of({ requestId: "x" })]);
    expect(Object.keys(rows).filter((key) => key.includes("1d"))).toEqual([`m//1d/${day}`, `m/v2/1d/${day}`]);
  });

  test("are also of each tag, where tags are set", async () => {
    const rows = await rowsOf([rated(1, 1, { tags: ["de", "mobile", "de"] }), rated(5, 2, { tags: ["de"] })]);
    expect(rows[`m/v1/1d/${day}`]?.rating.mean).toBe(3);
    expect(rows[`m/v1/1d/${day}/de`]).toMatchObject({ tag: "de", rating: { count: 2, mean: 3 } });
    expect(rows[`m/v1/1d/${day}/mobile`]).toMatchObject({ tag: "mobile", rating: { count: 1, mean: 1 } });
  });

  test("have keys that no names confuse, and that always fit", () => {
    const key = (modelId: string, modelVersion: string, tag?: string) =>
      windowKey({ modelId, modelVersion, size: "1d", start: day, tag });
    expect(key("a/b", "c")).not.toBe(key("a", "b/c"));
    expect(key("a%2Fb", "c")).not.toBe(key("a/b", "c"));
    const long = (end: string) => "/".repeat(250) + end;
    expect(key(long("1"), "x".repeat(128), long("2")).length).toBeLessThanOrEqual(512);
    expect(key(long("1"), "v")).not.toBe(key(long("2"), "v"));
  });
});

describe("what counts", () => {
  test("are ratings as given, and as a share of their scale", async () => {
    const rows = await rowsOf([
      rated(2, 1),
      rated(5, 2),
      rated(0.5, 3, { scale: { min: 0, max: 1 }, negative: false }),
    ]);
    expect(rows[`m/v1/1d/${day}`]).toMatchObject({
      counts: { UserRatedOutput: 3 },
      rating: { count: 3, mean: 2.5 },
      ratingShare: { count: 3, mean: (0.25 + 1 + 0.5) / 3 },
      negative: { count: 1, of: 3, rate: 1 / 3 },
    });
  });

  test("are rewards, verdicts, and feedback on the inference itself", async () => {
    const rows = await rowsOf([
      signal("RewardModelScored", { score: 0.25 }),
      signal("RewardModelScored", { score: -0.75 }),
      signal("OutputApproved", {}),
      signal("OutputRejected", {}),
      inferred("InferenceFeedback", { kind: "thumb", value: "down", negative: true }),
      inferred("InferenceFeedback", { kind: "stars", value: 4, scale: { min: 1, max: 5 }, negative: false }),
      inferred("InferenceFeedback", { kind: "note", value: "hm" }),
      signal("PreferenceLogged", { chosen: "a", rejected: "b" }),
      signal("ImplicitEngagementLogged", { kind: "click" }),
      signal("TransitionRecorded", { state: 1, action: 1, reward: 7 }),
    ]);
    expect(rows[`m/v1/1d/${day}`]).toMatchObject({
      counts: { RewardModelScored: 2, InferenceFeedback: 3, PreferenceLogged: 1, TransitionRecorded: 1 },
      reward: { count: 2, mean: -0.25 },
      negative: { count: 2, of: 4 },
      rating: { count: 1, mean: 4 },
    });
  });

  test("are corrections of the inferences that were made, but not the known answers of a data set", async () => {
    const rows = await rowsOf([
      ...[1, 2, 3, 4].map((at) => inferred("InferenceCompleted", { output: "a" }, at)),
      signal("CorrectionSubmitted", { corrected: "b" }),
      signal("CorrectionSubmitted", { corrected: "b", gold: true }),
    ]);
    expect(rows[`m/v1/1d/${day}`]?.correction).toEqual({ count: 1, of: 4, rate: 0.25 });
  });

  test("is accuracy against human labels, where there was a prediction to compare", async () => {
    const rows = await rowsOf([
      inferred("HumanLabelApplied", { label: "a", predicted: "a", agreement: true }),
      inferred("HumanLabelApplied", { label: "a", predicted: "b", agreement: false }),
      inferred("HumanLabelApplied", { label: "a" }),
    ]);
    expect(rows[`m/v1/1d/${day}`]?.accuracy).toEqual({ count: 1, of: 2, rate: 0.5 });
  });

  test("are the deployments of the version, by environment", async () => {
    const rows = await rowsOf([
      served("ModelDeployed", { version: "v1", trafficShare: 1 }),
      served("ModelDeployed", { version: "v2", trafficShare: 0.5 }),
      served("TrafficAdjusted", { version: "v2", trafficShare: 0.1 }),
      served("DeploymentRolledBack", { fromVersion: "v2", toVersion: "v1" }),
      served("DeploymentRolledBack", { fromVersion: "v1", environment: "test" }),
    ]);
    expect(rows[`m/v1/1d/${day}`]?.deployments).toEqual({
      prod: { deployed: 1, adjusted: 0, rolledBack: 0, restored: 1 },
      test: { deployed: 0, adjusted: 0, rolledBack: 1, restored: 0 },
    });
    expect(rows[`m/v2/1d/${day}`]?.deployments).toEqual({
      prod: { deployed: 1, adjusted: 1, rolledBack: 1, restored: 0 },
    });
  });
});

describe("what was retracted", () => {
  const retracted = ({ type, data, at }: Happened, when: number): Happened => {
    const occurredAt = new Date(Date.parse(day) + Number(at) * 1_000).toISOString();
    return signal("FeedbackRetracted", { eventId: "e1", signal: { type, occurredAt, data } }, when);
  };

  test("is taken out of the window in which it was counted", async () => {
    const late = 90_000;
    const bad = rated(1, 10, { tags: ["de"] });
    const rows = await rowsOf([rated(5, 20), bad, retracted(bad, late)]);
    expect(rows).toEqual(await rowsOf([rated(5, 20)]));
  });

  test("leaves no window behind in which nothing else was", async () => {
    const only = signal("RewardModelScored", { score: 0.1 }, 5);
    expect(await rowsOf([only, retracted(only, 6)])).toEqual({});
  });
});

describe("laws", () => {
  const at = fc.integer({ min: 0, max: 7_200 });
  const tags = fc.subarray(["de", "fr"]);
  const version = fc.constantFrom("v1", "v2");
  const number = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e12, max: 1e12 });
  const withContext = (modelVersion: string, more: object) => ({ context: { modelId: "m", modelVersion }, ...more });
  const event: fc.Arbitrary<Happened> = fc.oneof(
    fc.tuple(fc.double({ noNaN: true, min: 1, max: 5 }), at, tags, version).map(([rating, when, tag, of]) => {
      return rated(rating, when, withContext(of, { tags: tag }));
    }),
    fc.tuple(number, at, tags, version).map(([score, when, tag, of]) => {
      return signal("RewardModelScored", withContext(of, { score, tags: tag }), when);
    }),
    fc.tuple(fc.boolean(), at, version).map(([agreement, when, of]) => {
      return inferred("HumanLabelApplied", { label: "a", agreement, modelVersion: of }, when);
    }),
    fc.tuple(at, version).map(([when, of]) => inferred("InferenceCompleted", { modelVersion: of }, when)),
    fc.tuple(at, version).map(([when, of]) => signal("CorrectionSubmitted", withContext(of, { corrected: 1 }), when)),
    fc.tuple(at, version).map(([when, of]) => served("ModelDeployed", { version: of, trafficShare: 1 }, when)),
  );
  const retractable = ["UserRatedOutput", "RewardModelScored", "CorrectionSubmitted"];
  const retractionOf = ({ type, data, at: when }: Happened): Happened => {
    const occurredAt = new Date(Date.parse(day) + Number(when) * 1_000).toISOString();
    return signal("FeedbackRetracted", { eventId: "e", signal: { type, occurredAt, data } }, 9_000);
  };

  test("the order in which events come does not show", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), fc.infiniteStream(fc.nat()), (events, dice) => {
        const order = events.map((one) => [one, dice.next().value as number] as const).sort((a, b) => a[1] - b[1]);
        assert.deepEqual(applied(order.map(([one]) => one)), applied(events));
      }),
    );
  });

  test("a retraction is the inverse of its signal, whenever either comes", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), fc.array(event, { maxLength: 10 }), (kept, more) => {
        const taken = more.filter(({ type }) => retractable.includes(type));
        const retractions = taken.map(retractionOf);
        assert.deepEqual(applied([...kept, ...taken, ...retractions]), applied(kept));
        assert.deepEqual(applied([...retractions, ...kept, ...taken]), applied(kept));
      }),
    );
  });

  test("windows add up: an hour is its five minutes, a day its hours", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        const rows = Object.values(applied(events));
        for (const [large, small] of [
          ["1d", "1h"],
          ["1h", "5m"],
        ]) {
          for (const row of rows.filter(({ window }) => window === large)) {
            const parts = rows.filter((one) => {
              const isOfSame = one.modelVersion === row.modelVersion && one.tag === row.tag;
              return isOfSame && one.window === small && one.start >= row.start && one.start < row.end;
            });
            const sum = (of: (one: WindowRow) => number) => parts.reduce((all, one) => all + of(one), 0);
            for (const rate of ["negative", "correction", "accuracy"] as const) {
              assert.equal(
                sum((one) => one[rate].count),
                row[rate].count,
              );
              assert.equal(
                sum((one) => one[rate].of),
                row[rate].of,
              );
            }
            for (const mean of ["rating", "reward"] as const)
              assert.equal(
                sum((one) => one[mean].count),
                row[mean].count,
              );
          }
        }
      }),
    );
  });
});

/** The handlers alone, without a runtime: rows after these events. */
function applied(events: readonly Happened[]): Readonly<Record<string, WindowRow>> {
  return projected<WindowRow>(
    feedbackStats,
    events.map(({ stream, type, data, at }) => {
      const [category = "", id = ""] = stream.split("-");
      return { category, id, type, data, occurredAt: new Date(Date.parse(day) + Number(at) * 1_000).toISOString() };
    }),
  );
}
