import fc from "fast-check";
import { describe, expect, test } from "vitest";
import retrievalStats from "../../actors/projections/retrieval-stats.ts";
import { at, type Happened, project } from "./project.ts";

const retrieved = (inference: string, ...chunks: readonly object[]): Happened => {
  return { stream: `inference-${inference}`, type: "ContextRetrieved", data: { chunks } };
};
const chunk = (documentId: string, chunkId: string, score?: number) => {
  return { documentId, chunkId, ...(score !== undefined && { score }) };
};
const signal = (type: string, requestId: string, data: object = {}): Happened => {
  return { stream: `feedback-${requestId}`, type, data: { context: { requestId }, ...data } };
};
const rated = (requestId: string, rating: number) => {
  return signal("UserRatedOutput", requestId, { rating, scale: { min: 1, max: 5 }, negative: rating < 3 });
};
const retracted = (type: string, requestId: string, data: object = {}) => {
  return signal("FeedbackRetracted", requestId, {
    ...{ eventId: "e", signal: { type, occurredAt: at(1), data: { context: { requestId }, ...data } } },
  });
};

describe("a chunk's usefulness", () => {
  test("counts retrievals, scores, and what was said of the answers that used it", async () => {
    const rows = await project(retrievalStats, [
      retrieved("q1", chunk("d1", "c1", 0.5), chunk("d1", "c2", 0.25)),
      retrieved("q2", chunk("d1", "c1", 0.75), { documentId: "d2" }),
      retrieved("q2", chunk("d1", "c1")),
      rated("q1", 5),
      rated("q2", 2),
      signal("CorrectionSubmitted", "q2", { corrected: "x" }),
      { stream: "inference-q1", type: "InferenceFeedback", data: { kind: "thumbs-up", negative: false } },
      signal("OutputRejected", "q9"),
    ]);

    expect(rows["d1/c1"]).toEqual({
      documentId: "d1",
      chunkId: "c1",
      retrieved: 3,
      scored: 2,
      scoreSum: 1.25,
      meanScore: 0.625,
      feedback: { signals: 4, negative: 1, positive: 2, corrections: 1, rated: 2, ratingSum: 1.25, meanRating: 0.625 },
      lastRetrievedAt: at(3),
    });
    expect(rows["d1/c2"]).toMatchObject({ retrieved: 1, meanScore: 0.25, feedback: { signals: 2, meanRating: 1 } });
    expect(rows.d2).toMatchObject({
      retrieved: 1,
      scored: 0,
      meanScore: null,
      feedback: { signals: 2, corrections: 1 },
    });
    expect(Object.keys(rows)).toHaveLength(3);
  });

  test("does not count what was taken back", async () => {
    const said = { rating: 1, scale: { min: 1, max: 5 }, negative: true };
    const rows = await project(retrievalStats, [
      retrieved("q1", chunk("d1", "c1")),
      rated("q1", 1),
      signal("CorrectionSubmitted", "q1", { corrected: "x" }),
      retracted("UserRatedOutput", "q1", said),
      retracted("ImplicitEngagementLogged", "q1"),
    ]);
    expect(rows["d1/c1"]?.feedback).toMatchObject({
      signals: 1,
      negative: 0,
      corrections: 1,
      rated: 0,
      meanRating: null,
    });
  });

  test("parts documents and chunks whose names have slashes", async () => {
    const rows = await project(retrievalStats, [retrieved("q1", chunk("a/b", "c"), chunk("a", "b/c"))]);
    expect(Object.keys(rows).sort()).toEqual(["a/b%2Fc", "a/b/c"]);
  });

  test("finds a key for the longest names", async () => {
    const rows = await project(retrievalStats, [retrieved("q1", chunk("d".repeat(256), "/".repeat(256)))]);
    expect(Object.values(rows)).toMatchObject([{ retrieved: 1 }]);
  });
});

test("is the same whatever came first, the answer or what was said of it", async () => {
  const anyEvent = fc.oneof(
    fc
      .tuple(fc.constantFrom("q1", "q2"), fc.subarray(["c1", "c2", "c3"], { minLength: 1 }))
      .map(([inference, ids]) => retrieved(inference, ...ids.map((id) => chunk("d", id, 0.5)))),
    fc.tuple(fc.constantFrom("q1", "q2"), fc.integer({ min: 1, max: 5 })).map(([id, rating]) => rated(id, rating)),
    fc.constantFrom("q1", "q2").map((id) => signal("CorrectionSubmitted", id, { corrected: 1 })),
  );
  const orders = fc.array(anyEvent, { maxLength: 8 }).chain((events) => {
    return fc.tuple(fc.constant(events), fc.shuffledSubarray(events, { minLength: events.length }));
  });
  await fc.assert(
    fc.asyncProperty(orders, async ([one, other]) => {
      const rows = await Promise.all(
        [one, other].map((history) =>
          project(
            retrievalStats,
            history.map((event) => ({ ...event, at: 7 })),
          ),
        ),
      );
      expect(rows[1]).toEqual(rows[0]);
    }),
    { seed: 2, numRuns: 60 },
  );
});
