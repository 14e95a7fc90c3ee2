/** From a completed run to a version that serves, and back. */
import { describe, expect, test } from "vitest";
import modelCatalog from "../../../actors/projections/model-catalog.ts";
import { openPromotions } from "./promotion-setting.ts";

const model = "model-m";

describe("a promotion", () => {
  test("makes the version, asks people, deploys it, and moves the alias", async () => {
    const sagas = await openPromotions();
    const modelArtifact = { id: "m", ref: "s3://weights", sha256: "aa", bytes: 5, mediaType: "application/x" };
    await sagas.complete("r1", { modelArtifact });
    const { id: _, ...artifactRef } = modelArtifact;
    expect(sagas.types(model)).toEqual(["ModelCreated", "ModelVersioned"]);
    expect(sagas.last(model, "ModelVersioned")).toEqual({
      version: "r1",
      trainingRunId: "r1",
      artifactRef,
      metrics: { accuracy: 0.9 },
    });
    expect(sagas.state("r1")).toEqual({ reviewing: "open" });

    await sagas.vote("r1", "approve");
    expect(sagas.types(model).slice(2)).toEqual(["ModelVersionApproved", "ModelDeployed", "AliasMoved"]);
    expect(sagas.last(model, "ModelVersionApproved")).toEqual({
      version: "r1",
      reviewId: "promotion~r1",
      approvers: ["bob"],
      reason: "review promotion~r1 says approve; no evaluation gate is configured",
      trainingRunId: "r1",
    });
    expect(sagas.last(model, "ModelDeployed")).toMatchObject({ environment: "production", trafficShare: 1 });
    expect(sagas.last(model, "AliasMoved")).toMatchObject({ alias: "champion", toVersion: "r1" });
    expect(sagas.state("r1")).toBe("serving");
  });

  test("everything it does is in one conversation, done by the saga", async () => {
    const sagas = await openPromotions();
    await sagas.complete("r1");
    await sagas.vote("r1", "approve");
    const completed = [...sagas.store.readStream("training-run-r1")].at(-1);
    for (const { metadata } of sagas.store.readStream(model)) {
      expect(metadata.correlationId).toBe(completed?.metadata.correlationId);
      expect(metadata.actor).toEqual({ id: "saga:model-promotion", verified: true });
    }
  });

  test("asks a question of two answers, and not the one whose run it is", async () => {
    const sagas = await openPromotions({ k: 2, maxK: 5, dueMs: 60_000, priority: 7, requiredSkills: ["ranking"] });
    await sagas.complete("r1");
    expect(sagas.last("review-promotion~r1", "HumanReviewRequested")).toEqual({
      subject: { category: "model", id: "m", version: "r1" },
      taskKind: "model-approval",
      question: {
        question: "Shall version r1 of m be deployed?",
        trainingRunId: "r1",
        metrics: { accuracy: 0.9 },
        gate: "no evaluation gate is configured",
      },
      options: ["approve", "reject"],
      k: 2,
      maxK: 5,
      priority: 7,
      requiredSkills: ["ranking"],
      excludedReviewers: ["ada"],
      dueAt: "2026-01-01T00:01:00.000Z",
      reason: "run r1 is completed; no evaluation gate is configured",
    });
    expect(await sagas.send("review", "promotion~r1", "ClaimReview", { reviewer: "ada" })).toMatchObject({
      code: "NOT_ALLOWED_IN_STATE",
    });
  });

  test("a user whom no reviewer can be called is kept away by nobody", async () => {
    const sagas = await openPromotions();
    await sagas.complete("r1", { userId: "a\u0000b" });
    expect(sagas.last("review-promotion~r1", "HumanReviewRequested").excludedReviewers).toEqual([]);
  });

  test("of a run without an artifact makes a model of the run's own name", async () => {
    const sagas = await openPromotions();
    await sagas.complete("r1", { modelArtifact: {} });
    expect(sagas.types("model-r1")).toEqual(["ModelCreated", "ModelVersioned"]);
    await sagas.vote("r1", "approve");
    expect(sagas.types("model-r1").at(-1)).toBe("AliasMoved");
  });

  test("of a run with a very long id has a review, too", async () => {
    const run = "r".repeat(128);
    const sagas = await openPromotions();
    await sagas.complete(run);
    const [requested] = [...sagas.store.readAll({})].filter(({ type }) => type === "HumanReviewRequested");
    const id = requested?.stream.slice("review-".length) ?? "";
    expect(id).toHaveLength(128);
    for (const [type, data] of [
      ["ClaimReview", { reviewer: "bob" }],
      ["SubmitLabel", { reviewer: "bob", label: "approve" }],
      ["CloseReview", {}],
    ] as const) {
      await sagas.act("review", id, type, data);
    }
    expect(sagas.last(model, "AliasMoved")).toMatchObject({ toVersion: run });
  });

  test("is not begun for history, nor where it is switched off", async () => {
    const sagas = await openPromotions();
    await sagas.act("training-run", "r1", "StartTraining");
    const completed = [...sagas.store.readStream("training-run-r1")][0];
    await sagas.store.append([
      {
        ...(completed as NonNullable<typeof completed>),
        id: "old",
        version: 2,
        type: "TrainingCompleted",
        data: {},
        occurredAt: "2020-01-01T00:00:00.000Z",
      },
    ]);
    await sagas.settle();
    expect(sagas.types("saga-model-promotion-r1")).toEqual([]);

    await sagas.act("training-run", "r3", "StartTraining");
    await sagas.act("training-run", "r3", "CompleteTraining", { sourceLine: 9 });
    expect(sagas.types("saga-model-promotion-r3")).toEqual([]);

    const off = await openPromotions({ enabled: false });
    await off.complete("r1");
    expect(off.types(model)).toEqual([]);
    await off.act("policy", "model-promotion", "SetPolicy", { settings: {} });
    await off.complete("r2");
    expect(off.types(model)).toEqual(["ModelCreated", "ModelVersioned"]);
  });
});

describe("versions", () => {
  test("of runs of one model that are under way together all come about", async () => {
    const sagas = await openPromotions();
    for (const run of ["r1", "r2", "r3"]) await sagas.send("training-run", run, "StartTraining");
    for (const run of ["r1", "r2", "r3"]) {
      await sagas.send("training-run", run, "CompleteTraining", { modelArtifact: { id: "m" } });
    }
    await sagas.settle();
    expect(sagas.types(model)).toEqual(["ModelCreated", "ModelVersioned", "ModelVersioned", "ModelVersioned"]);
    for (const run of ["r1", "r2", "r3"]) expect(sagas.state(run)).toEqual({ reviewing: "open" });
    await sagas.vote("r2", "approve");
    await sagas.vote("r1", "reject");
    await sagas.vote("r3", "approve");
    expect([sagas.end("r1").state, sagas.state("r2"), sagas.state("r3")]).toEqual(["withdrawn", "serving", "serving"]);
    expect(sagas.last(model, "AliasMoved")).toMatchObject({ fromVersion: "r2", toVersion: "r3" });
  });

  test("are called what the run says, and after the run where the name is taken", async () => {
    const sagas = await openPromotions();
    for (const run of ["r1", "r2"]) await sagas.complete(run, { modelArtifact: { id: "m", version: "v7" } });
    expect(sagas.last(model, "ModelVersioned")).toMatchObject({ version: "r2", trainingRunId: "r2" });
    await sagas.vote("r1", "approve");
    expect(sagas.last(model, "ModelDeployed")).toMatchObject({ version: "v7", trainingRunId: "r1" });
    await sagas.vote("r2", "approve");
    expect(sagas.last(model, "ModelDeployed")).toMatchObject({ version: "r2" });
  });

  test("that cannot be made end it, with the reason", async () => {
    const sagas = await openPromotions();
    await sagas.act("model", "m", "CreateModel");
    await sagas.act("model", "m", "VersionModel", { version: "r1" });
    await sagas.complete("r1");
    expect(sagas.end("r1")).toMatchObject({
      state: "notVersioned",
      output: { reason: expect.stringMatching(/^VersionModel was refused: .*version r1 of model-m is candidate/) },
    });

    await sagas.act("model", "gone", "CreateModel");
    await sagas.act("model", "gone", "RetireModel");
    await sagas.complete("r2", { modelArtifact: { id: "gone", version: "v1" } });
    expect(sagas.end("r2")).toMatchObject({ state: "notVersioned" });
    expect(sagas.types("model-gone")).toEqual(["ModelCreated", "ModelRetired"]);
  });

  test("that a person makes of the same run are theirs", async () => {
    const sagas = await openPromotions();
    await sagas.complete("r1");
    await sagas.act("model", "m", "VersionModel", { version: "mine", trainingRunId: "r1" });
    await sagas.act("model", "m", "ApproveVersion", { version: "mine" });
    await sagas.act("model", "m", "DeployModel", { version: "mine", environment: "production" });
    await sagas.act("model", "m", "RollBackDeployment", { environment: "production" });
    await sagas.act("model", "other", "CreateModel");
    await sagas.act("model", "other", "VersionModel", { version: "r1", trainingRunId: "r1" });
    await sagas.act("model", "other", "ApproveVersion", { version: "r1" });
    expect(sagas.state("r1")).toEqual({ reviewing: "open" });
    await sagas.vote("r1", "approve");
    expect(sagas.state("r1")).toBe("serving");
  });
});

describe("the evaluation gate", () => {
  const gate = [{ metric: "accuracy", atLeast: 0.8 }];

  test("says what it found when it is met", async () => {
    const sagas = await openPromotions({ gate: [...gate, { metric: "loss", atMost: 1 }] });
    await sagas.complete("r1", { finalMetrics: { accuracy: 0.8, loss: 0.5 } });
    await sagas.vote("r1", "approve");
    expect(sagas.last(model, "ModelVersionApproved").reason).toBe(
      "review promotion~r1 says approve; accuracy 0.8 is at least 0.8; loss 0.5 is at most 1",
    );
  });

  test.each([
    [{ accuracy: 0.7 }, "the evaluation gate: accuracy 0.7 is not at least 0.8"],
    [{ accuracy: "NaN" }, "the evaluation gate: accuracy NaN is not at least 0.8"],
    [{ loss: 0.1 }, "the evaluation gate: the run reports no accuracy"],
  ])("keeps %j from people, and says why", async (finalMetrics, reason) => {
    const sagas = await openPromotions({ gate });
    await sagas.complete("r1", { finalMetrics });
    expect(sagas.last(model, "ModelVersionRejected")).toEqual({ version: "r1", reason, trainingRunId: "r1" });
    expect(sagas.types("review-promotion~r1")).toEqual([]);
    expect(sagas.end("r1")).toMatchObject({ state: "withdrawn", output: { reason, notUndone: [] } });
  });

  test.each([
    [0.91, "reviewing", "accuracy 0.91 is better than 0.9 of champion, version v1"],
    [0.9, "withdrawn", "accuracy 0.9 is not better than 0.9 of champion, version v1"],
  ])("compares %d with the version that an alias points to", async (accuracy, state, finding) => {
    const row = { aliases: { champion: "v1" }, versions: { v1: { metrics: { accuracy: 0.9 } } } };
    const rows = () => [{ key: "m", value: row }];
    const sagas = await openPromotions({ gate: [{ metric: "accuracy", betterThanAlias: "champion" }] }, { rows });
    await sagas.complete("r1", { finalMetrics: { accuracy } });
    if (state === "reviewing") {
      expect(sagas.last("review-promotion~r1", "HumanReviewRequested").reason).toContain(finding);
    } else {
      expect(sagas.end("r1")).toMatchObject({ state, output: { reason: `the evaluation gate: ${finding}` } });
    }
    expect(sagas.story("model-promotion", "r1").map(({ type }) => type)).toContain("SagaAnswered");
  });

  test.each([
    ["an alias that points to nothing", { aliases: {} }, "champion points to no version"],
    ["a model nobody knows", undefined, "champion points to no version"],
    ["a version without it", { aliases: { champion: "v1" } }, "champion, version v1, reports no loss"],
  ])("lets pass what there is nothing to compare with: %s", async (_what, row, finding) => {
    const rows = () => (row === undefined ? [] : [{ key: "m", value: row }]);
    const gate = [{ metric: "loss", betterThanAlias: "champion", lowerIsBetter: true }];
    const sagas = await openPromotions({ gate }, { rows });
    await sagas.complete("r1", { finalMetrics: { loss: 0.5 } });
    expect(sagas.last("review-promotion~r1", "HumanReviewRequested").reason).toContain(finding);
  });

  test("finds that version in the model catalog", async () => {
    const gate = [{ metric: "accuracy", betterThanAlias: "champion" }];
    const sagas = await openPromotions({ gate }, { projections: [modelCatalog] });
    await sagas.complete("r1", { finalMetrics: { accuracy: 0.8 } });
    await sagas.vote("r1", "approve");
    expect(sagas.last(model, "ModelVersionApproved").reason).toContain("champion points to no version");
    await sagas.complete("r2", { finalMetrics: { accuracy: 0.7 } });
    expect(sagas.end("r2").output.reason).toBe(
      "the evaluation gate: accuracy 0.7 is not better than 0.8 of champion, version r1",
    );
    await sagas.complete("r3", { finalMetrics: { accuracy: 0.9 } });
    await sagas.vote("r3", "approve");
    expect(sagas.last(model, "AliasMoved")).toMatchObject({ fromVersion: "r1", toVersion: "r3" });
  });

  test("knows when less is better", async () => {
    const row = { aliases: { champion: "v1" }, versions: { v1: { metrics: { loss: 0.4 } } } };
    const gate = [{ metric: "loss", betterThanAlias: "champion", lowerIsBetter: true }];
    const sagas = await openPromotions({ gate }, { rows: () => [{ key: "m", value: row }] });
    await sagas.complete("r1", { finalMetrics: { loss: 0.5 } });
    expect(sagas.end("r1").output.reason).toBe(
      "the evaluation gate: loss 0.5 is not better than 0.4 of champion, version v1",
    );
  });
});

describe("the review", () => {
  test("that rejects rejects the version, with what was said", async () => {
    const sagas = await openPromotions();
    await sagas.complete("r1");
    await sagas.vote("r1", "reject");
    const reason = "review promotion~r1 says reject";
    expect(sagas.last(model, "ModelVersionRejected")).toEqual({
      version: "r1",
      reviewId: "promotion~r1",
      reason,
      trainingRunId: "r1",
    });
    expect(sagas.types(model)).not.toContain("ModelDeployed");
    expect(sagas.end("r1")).toMatchObject({
      state: "withdrawn",
      output: { model: "m", version: "r1", run: "r1", reason, notUndone: [] },
    });
  });

  const dispute = async (sagas: Awaited<ReturnType<typeof openPromotions>>) => {
    await sagas.complete("r1");
    const id = "promotion~r1";
    for (const [reviewer, label] of [
      ["bob", "approve"],
      ["eve", "reject"],
    ]) {
      await sagas.act("review", id, "ClaimReview", { reviewer });
      await sagas.act("review", id, "SubmitLabel", { reviewer, label });
    }
    await sagas.act("review", id, "CloseReview");
    expect(sagas.state("r1")).toEqual({ reviewing: "disputed" });
    return (label: string) =>
      sagas.act("review", id, "AdjudicateReview", { reviewer: "zoe", label, comment: "biased" });
  };

  test("that is disputed waits for who settles it", async () => {
    const sagas = await openPromotions({ k: 2 });
    const adjudicate = await dispute(sagas);
    await adjudicate("approve");
    expect(sagas.last(model, "ModelVersionApproved")).toMatchObject({ approvers: ["zoe"] });
    expect(sagas.state("r1")).toBe("serving");

    const rejecting = await openPromotions({ k: 2 });
    await (await dispute(rejecting))("reject");
    expect(rejecting.end("r1").output.reason).toBe("review promotion~r1 says reject: biased");
  });

  test("waits for the second line where that is wanted", async () => {
    const sagas = await openPromotions({ secondLine: true });
    for (const run of ["r1", "r2", "r3"]) {
      await sagas.complete(run);
      await sagas.vote(run, run === "r3" ? "reject" : "approve");
      expect(sagas.state(run)).toEqual({ reviewing: "labelled" });
    }
    await sagas.act("review", "promotion~r1", "AcceptLabel", { reviewer: "zoe" });
    expect(sagas.last(model, "ModelVersionApproved")).toMatchObject({ version: "r1", approvers: ["bob", "zoe"] });
    await sagas.act("review", "promotion~r2", "FixLabel", { reviewer: "zoe", label: "reject", comment: "too slow" });
    expect(sagas.end("r2")).toMatchObject({
      state: "withdrawn",
      output: { reason: "review promotion~r2 says reject: too slow" },
    });
    await sagas.act("review", "promotion~r3", "ReturnLabel", { reviewer: "zoe" });
    expect(sagas.state("r3")).toEqual({ reviewing: "disputed" });
    await sagas.act("review", "promotion~r3", "AdjudicateReview", { reviewer: "kim", label: "approve" });
    await sagas.act("review", "promotion~r3", "AcceptLabel", { reviewer: "zoe" });
    expect(sagas.last(model, "ModelVersionApproved")).toMatchObject({ version: "r3", approvers: ["kim", "zoe"] });
  });

  test("that is cancelled, or expires, takes the version back", async () => {
    const sagas = await openPromotions({ dueMs: 1000 });
    await sagas.complete("r1");
    await sagas.act("review", "promotion~r1", "CancelReview", { reason: "wrong model" });
    expect(sagas.last(model, "ModelVersionRejected").reason).toBe("review promotion~r1 was cancelled: wrong model");
    await sagas.complete("r2");
    await sagas.pass(1000);
    await sagas.act("review", "promotion~r2", "CancelReview", { expired: true });
    expect(sagas.end("r2")).toMatchObject({
      state: "withdrawn",
      output: { reason: "review promotion~r2 expired before anybody decided" },
    });
  });

  test("that somebody else has requested under its name takes the version back", async () => {
    const sagas = await openPromotions();
    await sagas.act("review", "promotion~r1", "RequestReview", { options: ["approve", "reject"] });
    await sagas.complete("r1");
    expect(sagas.end("r1")).toMatchObject({
      state: "withdrawn",
      output: { reason: expect.stringContaining("RequestReview was refused") },
    });
  });
});

describe("what people do meanwhile", () => {
  test("an approval by hand calls the review off and goes on", async () => {
    const sagas = await openPromotions();
    await sagas.complete("r1");
    await sagas.act("model", "m", "ApproveVersion", { version: "r1", approvers: ["zoe"] });
    expect(sagas.last("review-promotion~r1", "ReviewCancelled")).toMatchObject({
      reason: "the version was approved by hand",
    });
    expect(sagas.types(model).slice(2)).toEqual(["ModelVersionApproved", "ModelDeployed", "AliasMoved"]);
    expect(sagas.state("r1")).toBe("serving");
  });

  test("an approval by hand that was faster than the review's is as good", async () => {
    const sagas = await openPromotions();
    await sagas.complete("r1");
    await sagas.act("review", "promotion~r1", "ClaimReview", { reviewer: "bob" });
    await sagas.send("review", "promotion~r1", "SubmitLabel", { reviewer: "bob", label: "approve" });
    await sagas.send("review", "promotion~r1", "CloseReview");
    await sagas.send("model", "m", "ApproveVersion", { version: "r1" });
    await sagas.settle();
    expect(sagas.types(model).filter((type) => type === "ModelVersionApproved")).toHaveLength(1);
    expect(sagas.state("r1")).toBe("serving");
  });

  test("an approval by hand behind the close of the review leaves the review as it is", async () => {
    const sagas = await openPromotions();
    await sagas.complete("r1");
    await sagas.act("review", "promotion~r1", "ClaimReview", { reviewer: "bob" });
    await sagas.send("model", "m", "ApproveVersion", { version: "r1" });
    await sagas.send("review", "promotion~r1", "SubmitLabel", { reviewer: "bob", label: "approve" });
    await sagas.send("review", "promotion~r1", "CloseReview");
    await sagas.settle();
    expect(sagas.types("review-promotion~r1").at(-1)).toBe("ReviewConsensusReached");
    expect(sagas.state("r1")).toBe("serving");
  });

  test("a deployment by hand elsewhere is not the one it waits for", async () => {
    const sagas = await openPromotions();
    await sagas.complete("r1");
    await sagas.send("model", "m", "ApproveVersion", { version: "r1" });
    await sagas.send("model", "m", "DeployModel", { version: "r1", environment: "staging" });
    await sagas.settle();
    const step = sagas.story("model-promotion", "r1").at(-2) as {
      data: { to: unknown; consumed: { position: number } };
    };
    const [consumed] = sagas.store.readAll({ afterPosition: step.data.consumed.position - 1, limit: 1 });
    expect(step.data.to).toBe("serving");
    expect(consumed?.data).toMatchObject({ environment: "production" });
  });

  test("a rejection by hand calls the review off and ends it", async () => {
    const sagas = await openPromotions();
    await sagas.complete("r1");
    await sagas.act("model", "m", "RejectVersion", { version: "r1", reason: "a leak" });
    expect(sagas.types("review-promotion~r1").at(-1)).toBe("ReviewCancelled");
    expect(sagas.end("r1")).toMatchObject({
      state: "overtaken",
      output: { reason: "it was rejected by hand: a leak" },
    });
  });

  test("a rejection by hand that was faster than the approval ends it", async () => {
    const sagas = await openPromotions();
    await sagas.complete("r1");
    await sagas.act("review", "promotion~r1", "ClaimReview", { reviewer: "bob" });
    await sagas.send("review", "promotion~r1", "SubmitLabel", { reviewer: "bob", label: "approve" });
    await sagas.send("review", "promotion~r1", "CloseReview");
    await sagas.send("model", "m", "RejectVersion", { version: "r1" });
    await sagas.settle();
    expect(sagas.end("r1")).toMatchObject({ state: "overtaken" });
  });

  test("a retired model ends its promotions and calls their reviews off", async () => {
    const sagas = await openPromotions();
    for (const run of ["r1", "r2"]) await sagas.complete(run);
    await sagas.vote("r1", "approve");
    await sagas.act("model", "m", "RetireModel", { reason: "replaced" });
    const output = { reason: "the model was retired: replaced", notUndone: [] };
    expect(sagas.end("r1")).toMatchObject({ state: "overtaken", output });
    expect(sagas.end("r2")).toMatchObject({ state: "overtaken", output });
    expect(sagas.types("review-promotion~r2").at(-1)).toBe("ReviewCancelled");
  });

  test("a model that is retired between two steps is withdrawn as far as that goes, and the rest is reported", async () => {
    const sagas = await openPromotions();
    await sagas.complete("r1");
    await sagas.act("review", "promotion~r1", "ClaimReview", { reviewer: "bob" });
    await sagas.act("review", "promotion~r1", "SubmitLabel", { reviewer: "bob", label: "approve" });
    await sagas.send("review", "promotion~r1", "CloseReview");
    await sagas.reactor.react([...sagas.store.readAll({ afterPosition: sagas.reactor.position })]);
    const approved = [...sagas.store.readAll({ afterPosition: sagas.reactor.position })];
    expect(approved.map(({ type }) => type)).toContain("ModelVersionApproved");
    await sagas.send("model", "m", "RetireModel");
    await sagas.settle();
    expect(sagas.end("r1")).toMatchObject({
      state: "withdrawn",
      output: {
        reason: expect.stringContaining("DeployModel was refused"),
        notUndone: [expect.stringContaining("RejectVersion was refused")],
      },
    });
  });

  test("an alias that cannot be moved takes the deployment back, then the version", async () => {
    const sagas = await openPromotions();
    await sagas.complete("r1");
    await sagas.act("model", "m", "ApproveVersion", { version: "r1" });
    expect(sagas.state("r1")).toBe("serving");

    await sagas.complete("r2");
    await sagas.act("review", "promotion~r2", "ClaimReview", { reviewer: "bob" });
    await sagas.act("review", "promotion~r2", "SubmitLabel", { reviewer: "bob", label: "approve" });
    await sagas.send("review", "promotion~r2", "CloseReview");
    const step = async () => {
      await sagas.reactor.react([...sagas.store.readAll({ afterPosition: sagas.reactor.position })]);
    };
    await step();
    await step();
    expect(sagas.types(model).at(-1)).toBe("ModelDeployed");
    await sagas.send("model", "m", "RollBackDeployment", { environment: "production" });
    await sagas.send("model", "m", "RejectVersion", { version: "r2" });
    await sagas.settle();
    expect(sagas.end("r2")).toMatchObject({
      state: "withdrawn",
      output: {
        reason: expect.stringContaining("MoveAlias was refused"),
        notUndone: [
          expect.stringContaining("RollBackDeployment was refused"),
          expect.stringContaining("RejectVersion was refused"),
        ],
      },
    });
  });
});

describe("a version that serves", () => {
  const serving = async (settings: Readonly<Record<string, unknown>> = {}) => {
    const sagas = await openPromotions(settings);
    for (const run of ["r1", "r2"]) {
      await sagas.complete(run);
      await sagas.vote(run, "approve");
    }
    expect(sagas.last(model, "AliasMoved")).toMatchObject({ fromVersion: "r1", toVersion: "r2" });
    return sagas;
  };

  test("and is rolled back gives its alias back, then is rejected", async () => {
    const sagas = await serving();
    await sagas.act("model", "m", "RollBackDeployment", { environment: "production", reason: "drift" });
    const [, moved, rejected] = [...sagas.store.readStream(model)].slice(-3);
    expect(moved).toMatchObject({
      type: "AliasMoved",
      data: { alias: "champion", fromVersion: "r2", toVersion: "r1", reason: "rolled back in production: drift" },
    });
    expect(rejected).toMatchObject({
      type: "ModelVersionRejected",
      data: { version: "r2", reason: "rolled back in production: drift" },
    });
    expect(sagas.end("r2")).toMatchObject({ state: "withdrawn", output: { notUndone: [] } });
    expect(sagas.state("r1")).toBe("serving");

    await sagas.act("model", "m", "RollBackDeployment", { environment: "production", reason: "this one, too" });
    expect(sagas.last(model, "AliasMoved")).toMatchObject({ fromVersion: "r1", toVersion: null });
    expect(sagas.story("model-promotion", "r1").map(({ type }) => type)).not.toContain("SagaCommandRejected");
    expect(sagas.end("r1")).toMatchObject({ state: "withdrawn", output: { notUndone: [] } });
    expect([...sagas.store.scan("sagas", {})]).toEqual([]);
  });

  test("leaves the alias where somebody has moved it since, and says so", async () => {
    const sagas = await serving();
    await sagas.act("model", "m", "MoveAlias", { alias: "champion", toVersion: "r1" });
    await sagas.act("model", "m", "RollBackDeployment", { environment: "production" });
    expect(sagas.end("r2").output.notUndone).toEqual(["MoveAlias was refused: champion is at r1, not at r2"]);
    expect(sagas.types(model).slice(-2)).toEqual(["DeploymentRolledBack", "ModelVersionRejected"]);
  });

  test("removes the alias where the version before is gone", async () => {
    const sagas = await serving();
    await sagas.act("model", "m", "DeployModel", { version: "r1", environment: "staging" });
    await sagas.act("model", "m", "RollBackDeployment", { environment: "staging" });
    await sagas.act("model", "m", "RejectVersion", { version: "r1" });
    await sagas.act("model", "m", "RollBackDeployment", { environment: "production", fromVersion: "r2" });
    expect(sagas.last(model, "AliasMoved")).toMatchObject({ fromVersion: "r2", toVersion: null });
    expect(sagas.end("r2")).toMatchObject({ state: "withdrawn", output: { notUndone: [] } });
  });

  test("goes on where it is rolled back in another environment", async () => {
    const sagas = await serving();
    await sagas.act("model", "m", "DeployModel", { version: "r2", environment: "staging" });
    await sagas.act("model", "m", "RollBackDeployment", { environment: "staging" });
    expect(sagas.state("r2")).toBe("serving");
  });

  test("is taken back in reverse order when its label is changed", async () => {
    for (const [type, data] of [
      ["FixLabel", { reviewer: "zoe", label: "reject" }],
      ["ReturnLabel", { reviewer: "zoe" }],
    ] as const) {
      const sagas = await serving();
      await sagas.act("review", "promotion~r2", type, data);
      if (type === "ReturnLabel") {
        expect(sagas.state("r2")).toBe("serving");
        await sagas.act("review", "promotion~r2", "AdjudicateReview", { reviewer: "kim", label: "reject" });
      }
      expect(sagas.types(model).slice(-3)).toEqual(["AliasMoved", "DeploymentRolledBack", "ModelVersionRejected"]);
      for (const of of ["AliasMoved", "DeploymentRolledBack", "ModelVersionRejected"]) {
        expect(sagas.last(model, of).reason).toBe("review promotion~r2 says reject");
      }
      expect(sagas.end("r2")).toMatchObject({ state: "withdrawn", output: { notUndone: [] } });
    }
  });

  test("is where the policy of the day wanted it, and comes back from there under another policy", async () => {
    const sagas = await serving({ environment: "canary", trafficShare: 0.1, alias: "challenger" });
    expect(sagas.last(model, "ModelDeployed")).toMatchObject({ environment: "canary", trafficShare: 0.1 });
    await sagas.act("policy", "model-promotion", "SetPolicy", { settings: { environment: "production" } });
    await sagas.act("model", "m", "RollBackDeployment", { environment: "canary" });
    expect(sagas.last(model, "AliasMoved")).toMatchObject({ alias: "challenger", toVersion: "r1" });
    expect(sagas.end("r2")).toMatchObject({ state: "withdrawn" });
  });
});
