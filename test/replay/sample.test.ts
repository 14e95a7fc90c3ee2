/** Samples as of a position: what a row is, where derived transitions come from, and the same bytes for ever. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { sampleTransitions } from "../../actors/replay/sample.ts";
import { sampleFingerprint } from "../../actors/replay/sample-fingerprint.ts";
import { sampleSpec } from "../../schemas/sample-spec.ts";
import { logOf } from "../datasets/sample-log.ts";
import { recordedTransitions, sessions } from "./sample-transitions.ts";

const uniform = { strategy: { kind: "uniform" } };
const derived = {
  ...uniform,
  transitions: "derived",
  rewards: {
    ...{ OutputApproved: 1, OutputRejected: -1, InferenceFeedback: 0.25 },
    UserRatedOutput: { field: "rating", times: 0.5, plus: -1.5 },
  },
};
const strategies = [
  { kind: "uniform" },
  { kind: "recency", halfLife: 20, beta: 0.5 },
  { kind: "prioritised", epsilon: 0.01 },
  { kind: "prioritised", by: "reward", alpha: 0.7, beta: 1 },
  { kind: "stratified", by: "data.userSegment" },
  { kind: "stratified", by: "data.userSegment", shares: "equal" },
];

const rows = (
  spec: object,
  log: Parameters<typeof sampleTransitions>[0],
  position = 1e9,
  lot = { count: 99, seed: 1 },
) => {
  const { data, ...rest } = sampleTransitions(log, { spec: sampleSpec.parse(spec), position, ...lot });
  const parsed = data.split("\n").slice(0, -1);
  return { rows: parsed.map((line) => JSON.parse(line)), ...rest };
};
const byPosition = (a: { position: number }, b: { position: number }): number => a.position - b.position;

test("a recorded transition is a row; the retracted one is none", () => {
  const sample = rows(uniform, recordedTransitions(8));
  expect(sample).toMatchObject({ rowCount: 7, of: 7, leftOut: { retracted: 1 } });
  const [first, ...others] = sample.rows.sort(byPosition);
  expect(first).toEqual({
    ...{ state: { a: [0], z: 0 }, action: "a0", reward: -5, nextState: { at: 1 }, done: false },
    ...{ weight: 1, position: 1, eventId: "e1" },
  });
  expect(others.map(({ position }) => position)).toEqual([2, 4, 5, 6, 7, 8]);
  expect(others.find(({ position }) => position === 7)).toMatchObject({ nextState: null, done: true });
});

test("derived transitions follow a session, rewarded by what was said of each answer up to the position", () => {
  const sample = rows(derived, sessions);
  expect(sample.leftOut).toEqual({ "no-request": 1, "no-session": 1, retracted: 1 });
  const short = sample.rows.sort(byPosition).map(({ state, action, reward, nextState, done }) => {
    return [state.asked, action, reward, nextState?.asked ?? null, done];
  });
  expect(short).toEqual([
    ["a1", "answer a1", 0, "a2", false],
    ["b1", "answer b1", 1, "b2", false],
    ["a2", "answer a2", 1, "a3", false],
    ["b2", "answer b2", -0.75, null, true],
    ["a3", "answer a3", 0, null, true],
  ]);
  const before = rows({ ...derived, defaultReward: -9 }, sessions, 8);
  expect(before.rows.sort(byPosition).map(({ reward, done }) => [reward, done])).toEqual([
    [-9, false],
    [1, true],
    [0, true],
  ]);
  // What is not meant itself is still what came next.
  const us = rows({ ...derived, where: { "data.userSegment": "us" } }, sessions);
  expect(us.rows.sort(byPosition).map(({ nextState }) => nextState.asked)).toEqual(["b2", "a3"]);
});

test("what is recorded later changes no sample, nor does the order in which the log comes", () => {
  const log = recordedTransitions(60);
  const later = recordedTransitions(200).map((event) => ({
    ...event,
    id: `later-${event.id}`,
    position: event.position + log.length,
  }));
  const retraction = logOf(["feedback-t1", "FeedbackRetracted", { eventId: "e8", signal: {} }]);
  const lot = fc.record({ count: fc.integer({ min: 1, max: 80 }), seed: fc.maxSafeNat() });
  fc.assert(
    fc.property(fc.constantFrom(...strategies), lot, (strategy, drawn) => {
      const request = { spec: sampleSpec.parse({ strategy }), position: log.length, ...drawn };
      const sample = sampleTransitions(log, request);
      const more = [...later, ...retraction.map((event) => ({ ...event, position: 10_000 })), ...log].toReversed();
      expect(sampleTransitions(more, request)).toEqual(sample);
    }),
  );
});

test("the samples are those that the fingerprint of the code stands for", () => {
  const hash = createHash("sha256");
  for (const strategy of strategies) {
    const lot = { position: 1e9, count: 50, seed: 2 ** 45 + 7 };
    hash.update(sampleTransitions(recordedTransitions(200), { spec: sampleSpec.parse({ strategy }), ...lot }).data);
    const spec = sampleSpec.parse({ ...derived, strategy });
    hash.update(sampleTransitions(sessions, { spec, ...lot }).data);
  }
  // Where it differs, samples of before cannot be drawn again: count the version up.
  expect(sampleFingerprint).toBe(`sample-1-${hash.digest("hex").slice(0, 12)}`);
});

test.each<[string, object, string]>([
  ["no strategy", {}, "strategy"],
  ["an unknown strategy", { strategy: { kind: "best" } }, "strategy.kind"],
  ["an exponent above 1", { strategy: { kind: "prioritised", alpha: 2 } }, "strategy.alpha"],
  ["derived transitions without rewards", { ...uniform, transitions: "derived" }, "rewards"],
  ["rewards for recorded ones", { ...uniform, rewards: { OutputApproved: 1 } }, "rewards"],
  ["a reward of no signal", { ...derived, rewards: { ModelCreated: 1 } }, "rewards"],
])("a spec with %s is refused by its path", (_, spec, path) => {
  const issues = sampleSpec.safeParse(spec).error?.issues ?? [];
  expect(issues.map((issue) => issue.path.join("."))).toContain(path);
});
