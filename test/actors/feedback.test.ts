/** The feedback thread: every kind of signal, taking one back, closing. */
import type { EventOf } from "retrace";
import { type CommandOf, given } from "retrace/testing";
import { describe, expect, test } from "vitest";
import feedback from "../../actors/aggregates/feedback.ts";
import { acceptedIn } from "./accepted-in.ts";

type Event = EventOf<typeof feedback.schemas>;
type Command = CommandOf<typeof feedback.schemas>;

const about = {
  context: { requestId: "i1", modelId: "m1", modelVersion: "v2", inputFeatures: { length: 3 } },
  sessionId: "s1",
  sourceApplication: "web",
  userSegment: "pro",
  tags: ["billing"],
};

const rated: Event = {
  type: "UserRatedOutput",
  data: { ...about, rating: 1, scale: { min: 1, max: 5 }, negative: true, comment: "wrong" },
};
const closed: Event = { type: "FeedbackClosed", data: {} };
const retracted = (eventId: string): Event => ({
  type: "FeedbackRetracted",
  data: { eventId, signal: { type: "UserRatedOutput", occurredAt: "2026-01-01T00:00:00.000Z", data: {} } },
});
const retract = (eventId: string) => ({ type: "RetractFeedback", data: { eventId, reason: "spam" } }) as const;

const signals: [Command, Event][] = [
  [
    { type: "SubmitCorrection", data: { ...about, original: "teh", corrected: "the", reviewId: "rev1" } },
    { type: "CorrectionSubmitted", data: { ...about, original: "teh", corrected: "the", reviewId: "rev1" } },
  ],
  [
    { type: "LogPreference", data: { ...about, prompt: "hi", chosen: "a", rejected: "b", annotator: "ann" } },
    { type: "PreferenceLogged", data: { ...about, prompt: "hi", chosen: "a", rejected: "b", annotator: "ann" } },
  ],
  [
    { type: "LogPreference", data: { chosen: "a", rejected: "b", tie: true, annotator: "ann", effortMs: 900 } },
    { type: "PreferenceLogged", data: { chosen: "a", rejected: "b", tie: true, annotator: "ann", effortMs: 900 } },
  ],
  [
    { type: "SubmitCorrection", data: { corrected: "the", gold: true } },
    { type: "CorrectionSubmitted", data: { corrected: "the", gold: true } },
  ],
  [
    { type: "LogEngagement", data: { ...about, kind: "read", dwellTimeMs: 1200 } },
    { type: "ImplicitEngagementLogged", data: { ...about, kind: "read", dwellTimeMs: 1200 } },
  ],
  [
    { type: "ScoreReward", data: { ...about, score: -0.3, rewardModel: "rm1" } },
    { type: "RewardModelScored", data: { ...about, score: -0.3, rewardModel: "rm1" } },
  ],
  [
    { type: "ApproveOutput", data: { ...about, producer: "m1" } },
    { type: "OutputApproved", data: { ...about, producer: "m1" } },
  ],
  [
    { type: "RejectOutput", data: { ...about, producer: "m1", reason: "rude" } },
    { type: "OutputRejected", data: { ...about, producer: "m1", reason: "rude" } },
  ],
  [
    { type: "RecordTransition", data: { ...about, state: [1], action: 2, reward: 0.5, nextState: [2], done: false } },
    { type: "TransitionRecorded", data: { ...about, state: [1], action: 2, reward: 0.5, nextState: [2], done: false } },
  ],
];

describe("the chart", () => {
  const commands: Command[] = [
    { type: "RateOutput", data: { rating: 3 } },
    ...signals.map(([command]) => command),
    retract("e1"),
    { type: "CloseFeedback", data: {} },
  ];

  test("an open thread takes every signal", () => {
    const accepted = commands.map(({ type }) => type);
    expect(given(feedback).state.value).toBe("open");
    expect(acceptedIn(feedback, [rated], commands)).toEqual(accepted);
  });

  test("a closed thread only gives back what was said", () => {
    expect(given(feedback, [rated, closed]).state.value).toBe("closed");
    expect(acceptedIn(feedback, [rated, closed], commands)).toEqual(["RetractFeedback"]);
  });

  test("closing says why", () => {
    given(feedback)
      .when({ type: "CloseFeedback", data: { reason: "answered" } })
      .then([{ type: "FeedbackClosed", data: { reason: "answered" } }]);
  });
});

describe("signals", () => {
  test.each(signals)("%j is recorded with all that groups it", (command, event) => {
    given(feedback).when(command).then([event]);
  });

  test("an absent context is absent", () => {
    const state = given(feedback)
      .when({ type: "ApproveOutput", data: {} })
      .then([{ type: "OutputApproved", data: {} }]);
    expect(state.context.recent).toEqual([
      {
        eventId: "e1",
        isRetracted: false,
        signal: { type: "OutputApproved", occurredAt: "2026-01-01T00:00:00.000Z", data: {} },
      },
    ]);
  });
});

describe("ratings", () => {
  test.each<[number, { min: number; max: number } | undefined, boolean]>([
    [1, undefined, true],
    [3, undefined, false],
    [5, undefined, false],
    [-1, { min: -1, max: 1 }, true],
    [0, { min: -1, max: 1 }, false],
    [49, { min: 0, max: 100 }, true],
    [50, { min: 0, max: 100 }, false],
  ])("%d on the scale %j: negative is %j", (rating, scale, negative) => {
    given(feedback)
      .when({ type: "RateOutput", data: { ...about, rating, ...(scale && { scale }) } })
      .then([{ type: "UserRatedOutput", data: { ...about, rating, scale: scale ?? { min: 1, max: 5 }, negative } }]);
  });

  test("outside their scale are refused", () => {
    given(feedback)
      .when({ type: "RateOutput", data: { rating: 6 } })
      .thenRejected("RATING_OUTSIDE_SCALE");
    given(feedback)
      .when({ type: "RateOutput", data: { rating: 2, scale: { min: 0, max: 1 } } })
      .thenRejected("RATING_OUTSIDE_SCALE");
  });
});

describe("retracting", () => {
  test("carries what readers counted of the signal, and not its texts", () => {
    const state = given(feedback, [rated])
      .when(retract("e1"))
      .then([
        {
          type: "FeedbackRetracted",
          data: {
            eventId: "e1",
            reason: "spam",
            signal: {
              type: "UserRatedOutput",
              occurredAt: "2026-01-01T00:00:00.000Z",
              data: {
                ...about,
                context: { requestId: "i1", modelId: "m1", modelVersion: "v2" },
                rating: 1,
                negative: true,
              },
            },
          },
        },
      ]);
    const [entry] = state.context.recent;
    expect(entry.isRetracted).toBe(true);
    expect(entry.signal.data.context).not.toHaveProperty("inputFeatures");
    expect(entry.signal.data).not.toHaveProperty("comment");
  });

  test("carries that a vote was a tie, and a correction the truth", () => {
    const tie: Event = { type: "PreferenceLogged", data: { chosen: "a", rejected: "b", tie: true, annotator: "ann" } };
    const truth: Event = { type: "CorrectionSubmitted", data: { corrected: "the", gold: true } };
    const { when } = given(feedback, [tie, truth]);
    when(retract("e1")).then([
      { type: "FeedbackRetracted", data: { signal: { data: { tie: true, annotator: "ann" } } } } as unknown as Event,
    ]);
    when(retract("e2")).then([
      { type: "FeedbackRetracted", data: { signal: { data: { gold: true } } } } as unknown as Event,
    ]);
  });

  test("works on a closed thread", () => {
    given(feedback, [rated, closed])
      .when(retract("e1"))
      .then([retracted("e1")]);
  });

  test("happens once", () => {
    given(feedback, [rated, rated, retracted("e1")])
      .when(retract("e1"))
      .thenRejected("ALREADY_RETRACTED");
    given(feedback, [rated, rated, retracted("e1")])
      .when(retract("e2"))
      .then([retracted("e2")]);
  });

  test("needs a signal of this thread", () => {
    given(feedback).when(retract("e1")).thenRejected("UNKNOWN_SIGNAL");
    given(feedback, [rated, closed]).when(retract("e2")).thenRejected("UNKNOWN_SIGNAL");
  });

  test("reaches back a thousand signals, so that the state does not grow with the thread", () => {
    const { state, when } = given(feedback, Array<Event>(1001).fill(rated));
    expect(state.context.recent).toHaveLength(1000);
    when(retract("e1")).thenRejected("UNKNOWN_SIGNAL");
    when(retract("e2")).then([retracted("e2")]);
  });
});

describe("fields", () => {
  test.each<[string, string, unknown, string]>([
    ["an unknown field", "RateOutput", { rating: 1, stars: 1 }, "stars"],
    ["what decide computes", "RateOutput", { rating: 1, negative: true }, "negative"],
    ["a missing rating", "RateOutput", {}, "rating"],
    ["a rating that is no number", "RateOutput", { rating: "5" }, "rating"],
    ["a scale upside down", "RateOutput", { rating: 1, scale: { min: 1, max: 1 } }, "scale"],
    ["a correction to nothing", "SubmitCorrection", { original: "teh" }, "corrected"],
    ["half a preference", "LogPreference", { chosen: "a" }, "rejected"],
    ["engagement of no kind", "LogEngagement", { dwellTimeMs: 1 }, "kind"],
    ["a score that is none", "ScoreReward", { score: Number.NaN }, "score"],
    ["a transition without its reward", "RecordTransition", { state: 1, action: 1 }, "reward"],
    [
      "a version no object can hold",
      "ApproveOutput",
      { context: { modelVersion: "__proto__" } },
      "context.modelVersion",
    ],
    ["less than no time", "RateOutput", { rating: 1, effortMs: -1 }, "effortMs"],
    ["a line before the first", "RateOutput", { rating: 1, sourceLine: 0 }, "sourceLine"],
    ["a file without its hash", "SubmitCorrection", { corrected: 1, source: { name: "a" } }, "source.sha256"],
    ["too many tags", "ApproveOutput", { tags: Array.from({ length: 17 }, (_, i) => `t${i}`) }, "tags"],
    ["a retraction of nothing", "RetractFeedback", { reason: "spam" }, "eventId"],
  ])("%s is invalid", (_what, type, data, path) => {
    given(feedback).whenRaw(type, data).thenInvalid(path);
  });

  test("a context keeps fields that the schema does not name", () => {
    given(feedback)
      .whenRaw("ApproveOutput", { context: { requestId: "i1", experiment: "b" } })
      .then([{ type: "OutputApproved", data: { context: { requestId: "i1", experiment: "b" } } }]);
  });
});
