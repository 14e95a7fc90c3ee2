/** Transitions, and sessions of inferences with feedback: written down once and for ever. */
import type { RecordedEvent } from "retrace";
import { type Entry, logOf } from "../datasets/sample-log.ts";

const segments = ["eu", "us", "us", "us", "asia"];

/** So many transitions of three segments; every fourth has no priority, one is retracted. */
export function recordedTransitions(count: number): RecordedEvent[] {
  const entries = Array.from({ length: count }, (_, i): Entry => {
    const data = { state: { z: i, a: [i] }, action: `a${i % 3}`, reward: (i % 11) - 5, userSegment: segments[i % 5] };
    const further = i % 7 === 6 ? {} : { nextState: { at: i + 1 } };
    const priority = i % 4 === 3 ? {} : { priority: (i % 10) / 4 };
    return [`feedback-t${i % 3}`, "TransitionRecorded", { ...data, ...further, ...priority }];
  });
  return logOf(...entries, ["feedback-t2", "FeedbackRetracted", { eventId: "e3", signal: {} }]);
}

const answered = (id: string, sessionId: string | undefined, userSegment = "eu"): Entry => [
  `inference-${id}`,
  "InferenceCompleted",
  { inputFeatures: { asked: id }, output: `answer ${id}`, modelId: "m", sessionId, userSegment },
];
const about = (requestId: string) => ({ context: { requestId } });

/** Two sessions that alternate, one inference without; the signals come before, between and behind. */
export const sessions: readonly RecordedEvent[] = logOf(
  ["inference-a1", "InferenceRequested", { inputFeatures: { asked: "a1" } }],
  ["inference-a1", "InferenceCompleted", { output: "answer a1", sessionId: "a", userSegment: "eu" }],
  ["feedback-x", "OutputApproved", about("b1")],
  answered("b1", "b", "us"),
  answered("a2", "a", "us"),
  answered("lonely", undefined),
  ["feedback-x", "UserRatedOutput", { rating: 5, ...about("a2") }],
  ["feedback-x", "UserRatedOutput", { rating: 1, ...about("a2") }],
  ["feedback-x", "FeedbackRetracted", { eventId: "e8", signal: {} }],
  answered("b2", "b"),
  answered("a3", "a"),
  ["feedback-x", "OutputRejected", about("b2")],
  ["inference-b2", "InferenceFeedback", { kind: "thumbs-up", negative: false }],
  ["feedback-x", "OutputApproved", {}],
);
