/** The way of an inference to people and back, on a clock of its own. */
import { type EventData, type Fault, fold } from "retrace";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import feedback from "../../../actors/aggregates/feedback.ts";
import inference from "../../../actors/aggregates/inference.ts";
import policy from "../../../actors/aggregates/policy.ts";
import review from "../../../actors/aggregates/review.ts";
import reviewer from "../../../actors/aggregates/reviewer.ts";
import reviewQueue from "../../../actors/projections/review-queue.ts";
import reviewerQuality from "../../../actors/projections/reviewer-quality.ts";
import reviewRouting from "../../../actors/sagas/review-routing.ts";
import type { review as reviewSchemas } from "../../../schemas/review.ts";
import { openSagas, type SagaSetting } from "../../sagas/setting.ts";

const actors = [inference, review, reviewer, feedback, policy, reviewQueue, reviewerQuality, reviewRouting];
const hourMs = 60 * 60 * 1_000;

let sagas: SagaSetting;

beforeEach(async () => {
  sagas = await openSagas(actors);
});

afterEach(() => {
  const stuck = [...sagas.store.readAll({ types: ["SagaStuck"] })].map(({ stream, data }) => ({ stream, data }));
  expect(stuck).toEqual([]);
});

async function send(category: string, id: string, type: string, data: object = {}): Promise<void> {
  const outcome = await sagas.send(category, id, type, data);
  if (outcome instanceof Error) throw outcome;
  await sagas.settle();
}

async function refused(category: string, id: string, type: string, data: object): Promise<Fault> {
  const outcome = await sagas.send(category, id, type, data);
  return outcome instanceof Error ? outcome : expect.fail(`${type} was accepted`);
}

async function predict(id: string, confidence: number, more: object = {}): Promise<void> {
  await send("inference", id, "RequestInference", { modelId: "m", modelVersion: "1" });
  await send("inference", id, "CompleteInference", {
    output: "spam",
    confidence,
    scores: { spam: 0.5, ham: 0.4 },
    ...more,
  });
}

function events(category: string, id: string) {
  return [...sagas.store.readStream(`${category}-${id}`)];
}

function types(category: string, id: string): string[] {
  return events(category, id).map(({ type }) => type);
}

function requested(id: string): EventData<typeof reviewSchemas, "HumanReviewRequested"> {
  return events("review", id)[0]?.data as never;
}

async function vote(id: string, name: string, label: string): Promise<void> {
  await send("review", id, "ClaimReview", { reviewer: name });
  await send("review", id, "SubmitLabel", { reviewer: name, label });
}

function stateOf(id: string): unknown {
  return sagas
    .story("review-routing", id)
    .flatMap(({ data }) => ("to" in data ? [(data as { to: unknown }).to] : []))
    .at(-1);
}

describe("what is reviewed", () => {
  test("a confident inference leaves no trace", async () => {
    await predict("i", 0.9);
    expect(types("inference", "i")).toEqual(["InferenceRequested", "InferenceCompleted"]);
    expect(sagas.store.position()).toBe(2);
  });

  test("an uncertain one is flagged with what the rule saw, and a review with the labels of its scores is requested", async () => {
    await predict("i", 0.5);
    expect(events("inference", "i").at(-1)).toMatchObject({
      type: "ModelPredictionLowConfidenceFlagged",
      data: {
        reviewId: "i~2",
        threshold: 0.6,
        rule: { name: "low-confidence", confidence: { below: 0.6 } },
        evaluated: { confidence: { below: 0.6 }, value: 0.5, matched: true },
      },
      metadata: { actor: { id: "saga:review-routing", verified: true } },
    });
    expect(requested("i~2")).toMatchObject({
      subject: { category: "inference", id: "i" },
      taskKind: "prediction-label",
      options: ["spam", "ham"],
      k: 5,
      maxK: 10,
      dueAt: "2026-01-02T00:00:00.000Z",
    });
  });

  test("a client's flag is reviewed as well, and every flag by itself", async () => {
    await predict("i", 0.9);
    await send("inference", "i", "FlagLowConfidence", { rule: "by hand" });
    expect(types("review", "i~3")).toEqual(["HumanReviewRequested"]);
    await send("inference", "i", "ApplyHumanLabel", { label: "spam" });
    await send("inference", "i", "FlagLowConfidence", {});
    expect(types("review", "i~5")).toEqual(["HumanReviewRequested"]);
  });

  test("routes are tried in order, each with its own kind of task, votes and urgency", async () => {
    const routes = [
      {
        name: "unsure-child",
        rule: { and: [{ segment: { in: ["children"] } }, { confidence: { below: 0.95 } }] },
        k: 1,
        priority: 5,
        dueInMs: hourMs,
        taskKind: "safety",
      },
      { name: "sample", rule: { sample: { share: 1 } }, k: 2, maxK: 3 },
    ];
    await send("policy", "review-routing", "SetPolicy", { settings: { routes } });
    await predict("a", 0.9, { userSegment: "children" }).catch(() => {});
    await send("inference", "b", "RequestInference", { userSegment: "children" });
    await send("inference", "b", "CompleteInference", { output: "x", confidence: 0.9 });
    expect(requested("b~2")).toMatchObject({ taskKind: "safety", k: 1, maxK: 10, priority: 5, options: [] });
    await predict("c", 0.99);
    expect(requested("c~2")).toMatchObject({ k: 2, maxK: 3, reason: "flagged by the rule sample" });
    expect(events("saga", "review-routing-c~2")[0]?.data).toMatchObject({ policyVersion: 1 });
  });

  test("no route: nothing is sent to people", async () => {
    await send("policy", "review-routing", "SetPolicy", { settings: { routes: [] } });
    await predict("i", 0.1);
    expect(types("inference", "i")).toHaveLength(2);
  });

  test("gold questions are mixed in, and their answers are in no row of the queue", async () => {
    const gold = { share: 1, questions: [{ question: "is this spam?", options: ["spam", "ham"], gold: "ham" }] };
    await send("policy", "review-routing", "SetPolicy", { settings: { gold } });
    await predict("i", 0.5);
    const [, mixedIn] = [...sagas.store.readAll({ types: ["HumanReviewRequested"] })];
    expect(mixedIn?.data).toMatchObject({ gold: "ham", question: "is this spam?", taskKind: "prediction-label" });
    const rows = [...sagas.store.scan("rows", { prefix: ["review-queue"] })];
    expect(rows.length).toBeGreaterThan(1);
    expect(JSON.stringify(rows)).not.toContain('gold":');
  });
});

describe("who reviews", () => {
  beforeEach(async () => {
    for (const [name, profile] of Object.entries({
      ann: { skills: ["de"], capacity: 1 },
      bob: { skills: ["de", "law"] },
      cem: { skills: [] },
      dee: { skills: ["de"], capacity: 0 },
    })) {
      await send("reviewer", name, "RegisterReviewer", profile);
    }
    const routes = [{ name: "all", rule: { always: true }, k: 2, maxK: 3, requiredSkills: ["de"] }];
    await send("policy", "review-routing", "SetPolicy", { settings: { routes } });
  });

  test("those with the skill and a place are asked, those with the least to do first", async () => {
    await predict("i", 0.5);
    const asked = (id: string) =>
      events("review", id).flatMap(({ type, data }) =>
        type === "ReviewAssigned" ? [(data as { reviewer: string }).reviewer] : [],
      );
    expect(asked("i~2").sort()).toEqual(["ann", "bob"]);
    await predict("j", 0.5);
    expect(asked("j~2")).toEqual(["bob"]);
  });

  test("who skips is not asked again, and somebody else is", async () => {
    await predict("i", 0.5);
    await send("reviewer", "eva", "RegisterReviewer", { skills: ["de"] });
    await send("review", "i~2", "SkipReview", { reviewer: "ann", reason: "not my field" });
    expect(events("review", "i~2").at(-1)).toMatchObject({ type: "ReviewAssigned", data: { reviewer: "eva" } });
  });

  test("a lease that is over is put on record, and its place is somebody else's", async () => {
    await predict("i", 0.5);
    await send("review", "i~2", "ClaimReview", { reviewer: "bob", leaseMs: 60_000 });
    await sagas.pass(59_000);
    expect(types("review", "i~2").at(-1)).toBe("ReviewClaimed");
    await sagas.pass(1_000);
    expect(types("review", "i~2")).toContain("ReviewClaimExpired");
    expect((await refused("review", "i~2", "SubmitLabel", { reviewer: "bob", label: "spam" })).code).toBe(
      "NOT_ALLOWED_IN_STATE",
    );
  });

  test("a vote in time needs no timer afterwards", async () => {
    await predict("i", 0.5);
    await send("review", "i~2", "ClaimReview", { reviewer: "bob", leaseMs: 60_000 });
    await send("review", "i~2", "SubmitLabel", { reviewer: "bob", label: "spam" });
    await sagas.pass(hourMs);
    expect(types("review", "i~2")).not.toContain("ReviewClaimExpired");
  });
});

describe("what the votes say", () => {
  test("enough of them are accepted, and the label confirms the inference", async () => {
    await predict("i", 0.5);
    for (const name of ["a", "b", "c", "d", "e"]) await vote("i~2", name, "spam");
    const closed = events("review", "i~2").at(-1);
    expect(closed).toMatchObject({ type: "ReviewConsensusReached", data: { method: "dawid-skene", label: "spam" } });
    const { parameters, posterior } = closed?.data as {
      parameters: { estimatedAt: number };
      posterior: Record<string, number>;
    };
    expect(posterior.spam).toBeGreaterThan(0.95);
    expect(parameters.estimatedAt).toBeLessThan(closed?.position ?? 0);
    expect(events("inference", "i").at(-1)).toMatchObject({
      type: "HumanLabelApplied",
      data: { label: "spam", predicted: "spam", agreement: true, reviewId: "i~2" },
    });
    expect(events("feedback", "i")).toEqual([]);
    expect(stateOf("i~2")).toBe("confirmed");
    expect(sagas.reactor.nextDueMs()).toBeUndefined();
  });

  test("a label that differs from the prediction is a correction, with where it came from", async () => {
    await predict("i", 0.5);
    for (const name of ["a", "b", "c", "d", "e"]) await vote("i~2", name, "ham");
    expect(events("feedback", "i")[0]).toMatchObject({
      type: "CorrectionSubmitted",
      data: {
        original: "spam",
        corrected: "ham",
        reviewId: "i~2",
        context: { requestId: "i", modelId: "m", modelVersion: "1" },
      },
    });
    expect(stateOf("i~2")).toBe("corrected");
  });

  test("too few that agree ask for one more, until no more may be asked: then it is disputed, and somebody settles it", async () => {
    const routes = [{ name: "all", rule: { always: true }, k: 2, maxK: 4 }];
    await send("policy", "review-routing", "SetPolicy", { settings: { routes } });
    await predict("i", 0.5);
    const said = ["spam", "ham", "spam", "ham"];
    for (const [i, label] of said.entries()) await vote("i~2", `r${i}`, label);
    expect(types("review", "i~2").filter((type) => type === "ReviewExtended")).toHaveLength(2);
    expect(events("review", "i~2").find(({ type }) => type === "ReviewDisputed")?.data).toMatchObject({
      reason: "undecided",
    });
    expect(types("review", "i~2").at(-1)).toBe("ReviewEscalated");
    await send("review", "i~2", "AdjudicateReview", { reviewer: "judge", label: "ham" });
    expect(events("inference", "i").at(-1)).toMatchObject({ type: "HumanLabelApplied", data: { label: "ham" } });
  });

  test("four eyes: a result counts when somebody who did not vote has accepted or mended it", async () => {
    const settings = {
      routes: [{ name: "all", rule: { always: true }, k: 3, taskKind: "safety" }],
      taskKinds: { safety: { secondLine: true, consensus: { method: "majority", acceptAt: 0.5 } } },
    };
    await send("policy", "review-routing", "SetPolicy", { settings });
    await predict("i", 0.5);
    for (const name of ["a", "b", "c"]) await vote("i~2", name, "spam");
    expect(types("inference", "i")).not.toContain("HumanLabelApplied");
    expect((await refused("review", "i~2", "AcceptLabel", { reviewer: "a" })).code).toBe("NOT_ALLOWED_IN_STATE");
    await send("review", "i~2", "FixLabel", { reviewer: "chief", label: "ham" });
    expect(events("inference", "i").at(-1)).toMatchObject({ data: { label: "ham", agreement: false } });
  });
});

describe("when nobody decides", () => {
  test("it goes up a level each time it is due, and in the end the prediction stands", async () => {
    await predict("i", 0.5);
    await sagas.pass(24 * hourMs);
    expect(events("review", "i~2").at(-1)).toMatchObject({ type: "ReviewEscalated", data: { level: 1, priority: 10 } });
    await sagas.pass(24 * hourMs);
    expect(events("review", "i~2").at(-1)).toMatchObject({
      type: "ReviewEscalated",
      data: { level: 2, priority: 100 },
    });
    await sagas.pass(24 * hourMs);
    expect(events("review", "i~2").at(-1)).toMatchObject({ type: "ReviewCancelled", data: { expired: true } });
    expect(stateOf("i~2")).toBe("expired");
    expect(types("inference", "i")).not.toContain("HumanLabelApplied");
  });

  test("where the policy says so, most of the votes count in the end", async () => {
    await send("policy", "review-routing", "SetPolicy", { settings: { fallback: "majority" } });
    await predict("i", 0.5);
    await vote("i~2", "a", "ham");
    await sagas.pass(72 * hourMs);
    expect(events("inference", "i").at(-1)).toMatchObject({ type: "HumanLabelApplied", data: { label: "ham" } });
  });

  test("a person who cancels has the last word", async () => {
    await predict("i", 0.5);
    await send("review", "i~2", "CancelReview", { reason: "a test" });
    expect(stateOf("i~2")).toBe("cancelled");
    await sagas.pass(100 * hourMs);
    expect(types("review", "i~2")).toEqual(["HumanReviewRequested", "ReviewCancelled"]);
  });
});

describe("reviews of others", () => {
  const request = { options: ["yes", "no"], k: 3, taskKind: "poll" };

  test("of a client are left to the client, unless the policy names their kind", async () => {
    await send("review", "mine", "RequestReview", request);
    for (const name of ["a", "b", "c"]) await vote("mine", name, "yes");
    expect(types("review", "mine").at(-1)).toBe("HumanLabelSubmitted");
    await send("policy", "review-routing", "SetPolicy", { settings: { conduct: ["poll"] } });
    await send("review", "yours", "RequestReview", { ...request, maxK: 10 });
    for (const name of ["a", "b", "c", "d", "e"].slice(0, 3)) await vote("yours", name, "yes");
    expect(types("review", "yours").at(-1)).toBe("ReviewConsensusReached");
    expect(stateOf("yours")).toBe("decided");
  });

  test("a client who closes it is as good as the saga", async () => {
    await send("policy", "review-routing", "SetPolicy", { settings: { conduct: ["*"] } });
    await send("review", "r", "RequestReview", { ...request, k: 1 });
    await sagas.send("review", "r", "ClaimReview", { reviewer: "a" });
    await sagas.send("review", "r", "SubmitLabel", { reviewer: "a", label: "no" });
    await sagas.send("review", "r", "CloseReview", {});
    await sagas.settle();
    expect(stateOf("r")).toBe("decided");
    expect([...sagas.store.scan("sagas", {})]).toEqual([]);
  });

  test("a hundred reviewers at once: exactly k votes, and the review is closed once", async () => {
    await send("policy", "review-routing", "SetPolicy", { settings: { conduct: ["*"] } });
    await send("review", "r", "RequestReview", { ...request, maxK: 3 });
    const claims = await Promise.all(
      Array.from({ length: 100 }, (_, i) => sagas.send("review", "r", "ClaimReview", { reviewer: `r${i}` })),
    );
    const winners = claims.flatMap((outcome, i) => (outcome instanceof Error ? [] : [`r${i}`]));
    expect(winners).toHaveLength(3);
    for (const name of winners) await sagas.send("review", "r", "SubmitLabel", { reviewer: name, label: "yes" });
    await sagas.settle();
    const state = fold(review, sagas.store.readStream("review-r"));
    expect(state.context.votes).toHaveLength(3);
    expect(types("review", "r").filter((type) => /Consensus|Disputed/.test(type))).toHaveLength(1);
  });
});
