/** A small log with every kind of signal, written down once and for ever: the code's fingerprint is made over it. */
import type { RecordedEvent } from "retrace";

/** Where, what, with which data; and what is otherwise than usual. */
export type Entry = readonly [stream: string, type: string, data: unknown, more?: Partial<RecordedEvent>];

/** Events as recorded, an hour apart, with ids e1, e2, ... */
export function logOf(...entries: readonly Entry[]): RecordedEvent[] {
  const versions = new Map<string, number>();
  return entries.map(([stream, type, data, more], i) => {
    const version = (versions.get(stream) ?? 0) + 1;
    versions.set(stream, version);
    const at = new Date(Date.UTC(2026, 0, 1) + i * 3_600_000).toISOString();
    return {
      ...{ id: `e${i + 1}`, position: i + 1, stream, category: stream.split("-")[0] as string, version, type, data },
      ...{ schemaVersion: 1, occurredAt: at, recordedAt: at },
      metadata: { correlationId: "c", causationId: "c", commandId: "c" },
      ...more,
    };
  });
}

const user = (content: string) => ({ role: "user", content });
const assistant = (content: string) => ({ content, role: "assistant" });
const about = (requestId: string) => ({ context: { requestId } });

/** The sample. */
export const sampleLog: readonly RecordedEvent[] = logOf(
  ["inference-a", "InferenceRequested", { modelId: "m1", modelVersion: "v1", inputFeatures: { text: "1 + 1?" } }],
  ["feedback-a", "OutputApproved", about("a")],
  [
    "inference-a",
    "InferenceCompleted",
    { modelId: "m1", modelVersion: "v1", output: "2", inputFeatures: { text: "1 + 1?" } },
  ],
  ["feedback-a", "CorrectionSubmitted", { original: "2", corrected: "two", ...about("a") }],
  ["feedback-p", "PreferenceLogged", { prompt: "Say \u2028 hi", chosen: "hi", rejected: "", annotator: "ann\tb" }],
  ["feedback-p", "PreferenceLogged", { prompt: "Say hi", chosen: "hi", rejected: "no", tie: true, annotator: "bob" }],
  ["inference-b", "InferenceRequested", { modelId: "m2", inputFeatures: { b: [1, 2.5], a: { y: null, x: "é" } } }],
  ["inference-b", "InferenceCompleted", { modelId: "m2", output: { label: "spam", why: "!" } }],
  ["inference-b", "HumanLabelApplied", { label: "ham", predicted: "spam", agreement: false, modelId: "m2" }],
  ["inference-a", "HumanLabelApplied", { label: "2", predicted: "2", agreement: true, modelId: "m1" }],
  ["feedback-b", "OutputRejected", { ...about("b"), producer: "m2" }],
  ["feedback-b", "UserRatedOutput", { rating: 2, context: { requestId: "b", modelId: "m2", modelVersion: "old" } }],
  [
    "feedback-b",
    "UserRatedOutput",
    { rating: 9, scale: { min: 0, max: 10 }, negative: false, ...about("b") },
    { schemaVersion: 2 },
  ],
  ["feedback-b", "FeedbackRetracted", { eventId: "e11", signal: {} }],
  [
    "feedback-c",
    "PreferenceLogged",
    { chosen: [user("hey"), assistant("hello")], rejected: [user("hey"), assistant("go away")] },
  ],
  [
    "feedback-c",
    "PreferenceLogged",
    { prompt: [{ role: "system", content: "be kind" }, user("hey")], chosen: "hello", rejected: [assistant("go")] },
  ],
  ["feedback-c", "PreferenceLogged", { chosen: "a", rejected: "b" }],
  ["inference-c", "InferenceRequested", { promptRef: { ref: "s3://prompts/1" } }],
  ["inference-c", "InferenceCompleted", { output: "42" }],
  ["inference-c", "InferenceFeedback", { kind: "thumbs-up", negative: false }],
  ["inference-b", "InferenceFeedback", { kind: "thumbs-down", negative: true, modelId: "m2" }],
  ["inference-b", "InferenceFeedback", { kind: "seen" }],
  ["feedback-d", "CorrectionSubmitted", { corrected: "d", ...about("no such inference"), sessionId: "s" }],
  ["feedback-d", "CorrectionSubmitted", { corrected: { label: "2" }, ...about("a") }],
  [
    "feedback-d",
    "CorrectionSubmitted",
    { original: "e", corrected: "E", context: { inputFeatures: { text: "from the signal" } } },
  ],
  [
    "feedback-d",
    "CorrectionSubmitted",
    { original: "2", corrected: "II", context: { requestId: "a", inputFeatures: { length: 3 } } },
  ],
  ["feedback-d", "PreferenceLogged", { prompt: "p", chosen: "same", rejected: "same" }],
);

/** The types that a format takes. */
export const sampleTypes = {
  pairs: ["PreferenceLogged", "CorrectionSubmitted", "HumanLabelApplied"],
  verdicts: [
    ...["PreferenceLogged", "CorrectionSubmitted", "HumanLabelApplied"],
    ...["OutputApproved", "OutputRejected", "UserRatedOutput", "InferenceFeedback"],
  ],
} as const;
