/** The training set of the demonstration as of a position: what people said up to there, and nothing else. */
import type { RecordedEvent } from "retrace";
import { expect, test } from "vitest";
import { humanRows, readRows, trainingSet } from "../../actors/verbs/demo/training-set.ts";

function log(...events: readonly [stream: string, type: string, data: unknown][]): RecordedEvent[] {
  return events.map(([stream, type, data], index) => ({
    id: `e${index + 1}`,
    stream,
    category: stream.split("-")[0] as string,
    type,
    data,
    version: 1,
    position: index + 1,
    schemaVersion: 1,
    occurredAt: "2026-01-01T00:00:00.000Z",
    recordedAt: "2026-01-01T00:00:00.000Z",
    metadata: { correlationId: "c", causationId: "c", commandId: "c" },
  }));
}

const asked = (id: string, text: string, output: string): [string, string, unknown][] => [
  [`inference-${id}`, "InferenceRequested", { inputFeatures: { text } }],
  [`inference-${id}`, "InferenceCompleted", { output, confidence: 0.5 }],
];
const context = (requestId: string) => ({ context: { requestId } });

test("takes corrections as corrected, and approvals as answered", () => {
  const events = log(
    ...asked("a", "the first", "source"),
    ...asked("b", "the second", "prose"),
    ...asked("c", "nobody said anything", "prose"),
    ["feedback-a", "CorrectionSubmitted", { original: "source", corrected: "prose", ...context("a") }],
    ["feedback-b", "OutputApproved", context("b")],
    ["feedback-x", "CorrectionSubmitted", { corrected: "prose", ...context("unknown") }],
  );
  expect(humanRows(events, 2)).toEqual([
    { text: "the first", label: "prose", weight: 2 },
    { text: "the second", label: "prose", weight: 2 },
  ]);
});

test("does not depend on which label reached the log first", () => {
  const labels: [string, string, unknown][] = [
    ["feedback-a", "CorrectionSubmitted", { corrected: "prose", ...context("a") }],
    ["inference-b", "HumanLabelApplied", { agreement: true }],
  ];
  const [one, other] = [labels, labels.toReversed()].map((order) =>
    humanRows(log(...asked("b", "the second", "prose"), ...asked("a", "the first", "source"), ...order), 2),
  );
  expect(one).toHaveLength(2);
  expect(other).toEqual(one);
});

test("leaves out what was retracted, and takes the last of two labels", () => {
  const events = log(
    ...asked("a", "the first", "source"),
    ["feedback-a", "CorrectionSubmitted", { corrected: "prose", ...context("a") }],
    ["feedback-a", "CorrectionSubmitted", { corrected: "source", ...context("a") }],
    ...asked("b", "the second", "prose"),
    ["feedback-b", "OutputApproved", context("b")],
    ["feedback-b", "FeedbackRetracted", { eventId: "e7" }],
  );
  expect(humanRows(events, 1)).toEqual([{ text: "the first", label: "source", weight: 1 }]);
});

test("is bytes that can be read again", () => {
  const rows = [{ text: 'with "quotes"\tand more', label: "prose", weight: 2 } as const];
  const set = trainingSet(rows);
  expect(readRows(set.jsonl)).toEqual(rows);
  expect(set.sha256).toBe(trainingSet(readRows(set.jsonl)).sha256);
  expect(set.jsonl.endsWith("\n")).toBe(true);
});
