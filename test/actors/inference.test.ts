/** The inference: its chart, the keys its events carry, flags, labels and one-shot feedback. */
import type { EventOf } from "retrace";
import { type CommandOf, given } from "retrace/testing";
import { describe, expect, test } from "vitest";
import inference from "../../actors/aggregates/inference.ts";
import { acceptedIn } from "./accepted-in.ts";

type Event = EventOf<typeof inference.schemas>;
type Command = CommandOf<typeof inference.schemas>;

const grouping = { modelId: "m1", modelVersion: "v2", userSegment: "pro", sessionId: "s1", sourceApplication: "web" };

const received: Event = { type: "QueryReceived", data: { userSegment: "pro", sessionId: "s1" } };
const retrieved: Event = {
  type: "ContextRetrieved",
  data: { chunks: [{ documentId: "d1", chunkId: "c1", score: 1 }] },
};
const requested: Event = { type: "InferenceRequested", data: grouping };
const flagged: Event = { type: "ModelPredictionLowConfidenceFlagged", data: {} };
const labelled: Event = { type: "HumanLabelApplied", data: { label: "cat" } };
const superseded: Event = { type: "PredictionSuperseded", data: {} };

const labelledAs = (label: unknown): Event => ({ type: "HumanLabelApplied", data: { label } });

const completed = (output: unknown = "cat"): Event => ({
  type: "InferenceCompleted",
  data: { ...grouping, output, confidence: 0.4 },
});

describe("the chart", () => {
  const commands: Command[] = [
    { type: "ReceiveQuery", data: {} },
    { type: "RetrieveContext", data: { chunks: [] } },
    { type: "RequestInference", data: {} },
    { type: "CompleteInference", data: {} },
    { type: "RecordInference", data: {} },
    { type: "FlagLowConfidence", data: {} },
    { type: "ApplyHumanLabel", data: { label: "cat" } },
    { type: "SupersedePrediction", data: {} },
    { type: "RecordInferenceFeedback", data: { kind: "thumbs", value: "up" } },
  ];
  const whenAnswered = ["FlagLowConfidence", "ApplyHumanLabel", "SupersedePrediction", "RecordInferenceFeedback"];

  test.each<[string, Event[], string[]]>([
    ["empty", [], ["ReceiveQuery", "RequestInference", "RecordInference"]],
    ["received", [received], ["RetrieveContext", "RequestInference", "RecordInference"]],
    ["contextRetrieved", [received, retrieved], ["RetrieveContext", "RequestInference", "RecordInference"]],
    ["requested", [requested], ["CompleteInference"]],
    ["requested", [received, retrieved, retrieved, requested], ["CompleteInference"]],
    ["completed", [requested, completed()], whenAnswered],
    ["flagged", [requested, completed(), flagged], whenAnswered],
    ["labelled", [requested, completed(), flagged, labelled], whenAnswered],
    ["labelled", [requested, completed(), labelled], whenAnswered],
    ["flagged", [requested, completed(), flagged, labelled, flagged], whenAnswered],
    ["superseded", [requested, completed(), flagged, superseded], ["ApplyHumanLabel", "RecordInferenceFeedback"]],
  ])("%s accepts what its arrows say", (value, history, accepted) => {
    expect(given(inference, history).state.value).toBe(value);
    expect(acceptedIn(inference, history, commands)).toEqual(accepted);
  });
});

describe("what is asked", () => {
  test("is recorded as it was sent", () => {
    const query = { queryRef: { ref: "s3://q" }, userId: "u1", sessionId: "s1", userSegment: "pro" };
    given(inference)
      .when({ type: "ReceiveQuery", data: query })
      .then([{ type: "QueryReceived", data: query }]);
    const chunks = [{ documentId: "d1", revision: 3, chunkId: "c1", score: 0.8, rank: 1 }];
    given(inference, [received])
      .whenRaw("RetrieveContext", { chunks })
      .then([{ type: "ContextRetrieved", data: { chunks } }]);
    const request = { ...grouping, promptRef: { ref: "s3://p" }, promptHash: "aa", inputFeatures: { length: 3 } };
    given(inference)
      .when({ type: "RequestInference", data: request })
      .then([{ type: "InferenceRequested", data: request }]);
  });

  test("the request takes over what the query said and it does not", () => {
    given(inference, [received])
      .when({ type: "RequestInference", data: { modelId: "m1", sessionId: "s2" } })
      .then([{ type: "InferenceRequested", data: { modelId: "m1", sessionId: "s2", userSegment: "pro" } }]);
  });
});

describe("the keys by which readers group", () => {
  test("are on every event from the completion on", () => {
    given(inference, [requested])
      .when({ type: "CompleteInference", data: { output: "cat", confidence: 0.4, tokensUsed: 5, latencyMs: 12.5 } })
      .then([{ type: "InferenceCompleted", data: { ...grouping, output: "cat", tokensUsed: 5, latencyMs: 12.5 } }]);
    const { when } = given(inference, [requested, completed()]);
    when({ type: "FlagLowConfidence", data: {} }).then([
      { type: "ModelPredictionLowConfidenceFlagged", data: grouping },
    ]);
    when({ type: "ApplyHumanLabel", data: { label: "cat" } }).then([
      { type: "HumanLabelApplied", data: { ...grouping, label: "cat" } },
    ]);
    when({ type: "SupersedePrediction", data: { by: "i2", reason: "new model" } }).then([
      { type: "PredictionSuperseded", data: { ...grouping, by: "i2", reason: "new model" } },
    ]);
    when({ type: "RecordInferenceFeedback", data: { kind: "copied" } }).then([
      { type: "InferenceFeedback", data: { ...grouping, kind: "copied" } },
    ]);
  });

  test("name the model that answered, when it is not the one that was asked", () => {
    const fallback = given(inference, [requested])
      .when({ type: "CompleteInference", data: { modelId: "small", modelVersion: "v1" } })
      .then([{ type: "InferenceCompleted", data: { ...grouping, modelId: "small", modelVersion: "v1" } }]);
    expect(fallback.context.grouping).toEqual({ ...grouping, modelId: "small", modelVersion: "v1" });
  });

  test("that nobody gave are absent", () => {
    const state = given(inference, [{ type: "InferenceRequested", data: {} }])
      .when({ type: "CompleteInference", data: {} })
      .then([{ type: "InferenceCompleted", data: {} }]);
    expect(state.context).toEqual({ grouping: {} });
  });
});

describe("an inference that is told when it is over", () => {
  const request = { ...grouping, promptHash: "aa", inputFeatures: { length: 3 } };
  const completion = {
    output: { label: "cat" },
    confidence: 0.4,
    scores: { cat: 0.4 },
    tokensUsed: 5,
    latencyMs: 12.5,
  };

  test("is its request and its completion", () => {
    const state = given(inference)
      .when({ type: "RecordInference", data: { ...request, ...completion } })
      .then([
        { type: "InferenceRequested", data: request },
        { type: "InferenceCompleted", data: { ...grouping, ...completion } },
      ]);
    expect(state.value).toBe("completed");
    expect(state.context).toEqual({ grouping, confidence: 0.4, predicted: "cat" });
  });

  test("is labelled where the label is known, and takes over what the query said", () => {
    const state = given(inference, [received])
      .when({ type: "RecordInference", data: { modelId: "m1", output: "cat", label: "dog" } })
      .then([
        { type: "InferenceRequested", data: { modelId: "m1", userSegment: "pro", sessionId: "s1" } },
        { type: "InferenceCompleted", data: { modelId: "m1", userSegment: "pro", sessionId: "s1", output: "cat" } },
        {
          type: "HumanLabelApplied",
          data: {
            label: "dog",
            predicted: "cat",
            agreement: false,
            modelId: "m1",
            userSegment: "pro",
            sessionId: "s1",
          },
        },
      ]);
    expect(state.value).toBe("labelled");
  });

  test("may have no output, and then a label neither agrees nor disagrees", () => {
    given(inference)
      .when({ type: "RecordInference", data: { label: "dog" } })
      .then([{ type: "InferenceRequested", data: {} }, { type: "InferenceCompleted", data: {} }, labelledAs("dog")]);
  });

  test("says on each of its events which line it comes from", () => {
    const line = { sourceLine: 4, sourcePart: 2 };
    const source = { name: "verdicts.tsv", sha256: "aa" };
    const state = given(inference)
      .when({ type: "RecordInference", data: { output: "cat", label: "cat", source, ...line } })
      .then([
        { type: "InferenceRequested", data: { source, ...line } },
        { type: "InferenceCompleted", data: { output: "cat", ...line } },
        { type: "HumanLabelApplied", data: { label: "cat", agreement: true, ...line } },
      ]);
    expect(state.context.imported).toEqual([{ ...source, line: 4, part: 2 }]);
  });
});

describe("what is imported piece by piece", () => {
  const source = { sha256: "aa" };

  test("comes in once", () => {
    const history: Event[] = [
      { type: "InferenceRequested", data: { source, sourceLine: 4 } },
      { type: "InferenceCompleted", data: { output: "cat", sourceLine: 4, sourcePart: 2 } },
    ];
    const { when } = given(inference, history);
    when({ type: "RequestInference", data: { source, sourceLine: 4 } }).thenNothing();
    when({ type: "CompleteInference", data: { output: "cat", source, sourceLine: 4, sourcePart: 2 } }).thenNothing();
    when({ type: "RecordInference", data: { output: "cat", source, sourceLine: 4 } }).thenNothing();
    const label = { label: "cat", sourceLine: 4, sourcePart: 3 };
    when({ type: "ApplyHumanLabel", data: { ...label, source } }).then([{ type: "HumanLabelApplied", data: label }]);
    const labelled: Event = { type: "HumanLabelApplied", data: label };
    const superseded: Event = { type: "PredictionSuperseded", data: {} };
    const later = { label: "dog", sourceLine: 5 };
    for (const state of [[labelled], [labelled, flagged], [superseded, labelled]]) {
      given(inference, [...history, ...state])
        .when({ type: "ApplyHumanLabel", data: { ...label, source } })
        .thenNothing();
      given(inference, [...history, ...state])
        .when({ type: "ApplyHumanLabel", data: { ...later, source } })
        .then([{ type: "HumanLabelApplied", data: later }]);
    }
  });
});

describe("flagging", () => {
  test("takes the confidence from the completion unless it is given", () => {
    given(inference, [requested, completed()])
      .when({ type: "FlagLowConfidence", data: { threshold: 0.5, rule: { confidence: { below: 0.5 } } } })
      .then([
        {
          type: "ModelPredictionLowConfidenceFlagged",
          data: { confidence: 0.4, threshold: 0.5, rule: { confidence: { below: 0.5 } } },
        },
      ]);
    given(inference, [requested, completed()])
      .when({ type: "FlagLowConfidence", data: { confidence: 0.3 } })
      .then([{ type: "ModelPredictionLowConfidenceFlagged", data: { confidence: 0.3 } }]);
  });

  test("a second time while the first is open is success without an event", () => {
    given(inference, [requested, completed(), flagged])
      .when({ type: "FlagLowConfidence", data: { threshold: 0.9 } })
      .thenNothing();
  });

  test("again after the label is a new flag", () => {
    given(inference, [requested, completed(), flagged, labelled])
      .when({ type: "FlagLowConfidence", data: {} })
      .then([flagged]);
  });
});

describe("a human label", () => {
  test.each<[unknown, unknown, unknown, boolean]>([
    ["cat", "cat", "cat", true],
    ["cat", "dog", "cat", false],
    [{ label: "cat", scores: { cat: 0.4 } }, "cat", "cat", true],
    ["cat", { label: "cat", note: "sure" }, "cat", true],
    [{ box: [1, 2] }, { box: [1, 2] }, { box: [1, 2] }, true],
    [3, "3", 3, false],
    [null, null, null, true],
    [false, true, false, false],
  ])("of output %j and label %j tells the prediction %j and agreement %j", (output, label, predicted, agreement) => {
    given(inference, [requested, completed(output)])
      .when({ type: "ApplyHumanLabel", data: { label, reviewId: "rev1" } })
      .then([{ type: "HumanLabelApplied", data: { label, reviewId: "rev1", predicted, agreement } }]);
  });

  test("on an output that was not recorded neither agrees nor disagrees", () => {
    const unknown: Event = { type: "InferenceCompleted", data: {} };
    const state = given(inference, [requested, unknown])
      .when({ type: "ApplyHumanLabel", data: { label: "cat" } })
      .then([labelled]);
    expect(state.value).toBe("labelled");
    expect(state.context).toEqual({ grouping });
  });
});

describe("one-shot feedback", () => {
  const { when } = given(inference, [requested, completed()]);

  test.each<[string, unknown, boolean | undefined]>([
    ["thumbs", "down", true],
    ["thumbs", "up", false],
    ["thumbs", false, true],
    ["thumbs", true, false],
    ["thumbs_down", 1, true],
    ["thumbsUp", true, false],
    ["Thumbs down", undefined, true],
    ["helpful", false, true],
    ["vote", -1, true],
    ["vote", 1, undefined],
    ["copied", undefined, undefined],
    ["comment", "it was down to luck", undefined],
    ["comment", "constructor", undefined],
  ])("%s %j: negative is %j", (kind, value, negative) => {
    const state = when({ type: "RecordInferenceFeedback", data: { kind, ...(value !== undefined && { value }) } }).then(
      [{ type: "InferenceFeedback", data: { kind, negative } }],
    );
    expect(state.value).toBe("completed");
  });

  test("with a scale is negative below its midpoint", () => {
    const rate = (value: number) =>
      ({ type: "RecordInferenceFeedback", data: { kind: "stars", value, scale: { min: 1, max: 5 } } }) as const;
    when(rate(2)).then([{ type: "InferenceFeedback", data: { kind: "stars", value: 2, negative: true } }]);
    when(rate(3)).then([{ type: "InferenceFeedback", data: { kind: "stars", value: 3, negative: false } }]);
    when(rate(6)).thenRejected("RATING_OUTSIDE_SCALE");
    when(rate(0)).thenRejected("RATING_OUTSIDE_SCALE");
  });

  test("believes a sender who says it", () => {
    when({ type: "RecordInferenceFeedback", data: { kind: "thumbs", value: "up", negative: true } }).then([
      { type: "InferenceFeedback", data: { kind: "thumbs", negative: true } },
    ]);
  });
});

describe("fields", () => {
  test.each<[string, string, unknown, string]>([
    ["an unknown field", "RequestInference", { model: "m1" }, "model"],
    ["what decide computes", "FlagLowConfidence", { modelId: "m1" }, "modelId"],
    ["what decide computes", "ApplyHumanLabel", { label: "cat", agreement: true }, "agreement"],
    ["a missing label", "ApplyHumanLabel", {}, "label"],
    ["a confidence above 1", "CompleteInference", { confidence: 7 }, "confidence"],
    ["a confidence below 0", "RecordInference", { confidence: -0.1 }, "confidence"],
    ["a confidence that is none", "CompleteInference", { confidence: Number.NaN }, "confidence"],
    ["an output that is none", "CompleteInference", { output: { score: Number.NaN } }, "output"],
    ["an unknown field", "RecordInference", { prompt: "why" }, "prompt"],
    ["a chunk of nothing", "RetrieveContext", { chunks: [{ score: 1 }] }, "chunks.0.documentId"],
    ["feedback of no kind", "RecordInferenceFeedback", { value: 1 }, "kind"],
    ["a scale upside down", "RecordInferenceFeedback", { kind: "a", scale: { min: 5, max: 1 } }, "scale"],
  ])("%s is invalid", (_what, type, data, path) => {
    given(inference, [requested, completed()]).whenRaw(type, data).thenInvalid(path);
  });
});
