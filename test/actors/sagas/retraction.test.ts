/** What a retracted dataset version leaves behind: found in the lineage, and undone where the policy says so. */
import { describe, expect, test } from "vitest";
import agentSession from "../../../actors/aggregates/agent-session.ts";
import dataset from "../../../actors/aggregates/dataset.ts";
import document from "../../../actors/aggregates/document.ts";
import featureSet from "../../../actors/aggregates/feature-set.ts";
import feedback from "../../../actors/aggregates/feedback.ts";
import inference from "../../../actors/aggregates/inference.ts";
import model from "../../../actors/aggregates/model.ts";
import policy from "../../../actors/aggregates/policy.ts";
import review from "../../../actors/aggregates/review.ts";
import trainingRun from "../../../actors/aggregates/training-run.ts";
import lineage from "../../../actors/projections/lineage.ts";
import modelPromotion from "../../../actors/sagas/model-promotion.ts";
import retraction from "../../../actors/sagas/retraction.ts";
import { openSagas } from "../../sagas/setting.ts";
import { assertSagaLaws } from "./laws.ts";

type Data = Record<string, unknown>;

const aggregates = [
  agentSession,
  dataset,
  document,
  featureSet,
  feedback,
  inference,
  model,
  policy,
  review,
  trainingRun,
];
const domain = [...aggregates, lineage, retraction];

/** A log with one dataset, `d`, of which versions 1 and 2 exist. */
async function openData(settings: Data = {}, actors: Parameters<typeof openSagas>[0] = domain) {
  const sagas = await openSagas(actors);
  const act = async (category: string, id: string, type: string, data: Data = {}): Promise<void> => {
    expect(await sagas.send(category, id, type, data), `${type} to ${category}-${id}`).not.toBeInstanceOf(Error);
    await sagas.settle();
  };
  await act("policy", "retraction", "SetPolicy", { settings });
  const makeData = async (id: string, version: string, parents: readonly Data[] = []) => {
    await act("dataset", id, "IngestData");
    await act("dataset", id, "ValidateData");
    await act("dataset", id, "VersionDataset", { version, parents });
  };
  await makeData("d", "1");
  await makeData("d", "2");
  const events = (stream: string) => [...sagas.store.readStream(stream)];
  return {
    ...sagas,
    act,
    makeData,
    /** A run on version 1, which leads to a version of the model `m` that serves in production. */
    train: async (run: string, data: Data = { datasetId: "d", datasetVersion: "1" }) => {
      await act("training-run", run, "StartTraining", data);
    },
    serve: async (run: string, environment = "production") => {
      await act("training-run", run, "CompleteTraining");
      await sagas.send("model", "m", "CreateModel");
      await act("model", "m", "VersionModel", { version: run, trainingRunId: run });
      await act("model", "m", "ApproveVersion", { version: run });
      await act("model", "m", "DeployModel", { version: run, environment });
    },
    predict: async (id: string, modelVersion: string) => {
      await act("inference", id, "RequestInference", { modelId: "m", modelVersion });
      await act("inference", id, "CompleteInference", { output: "x" });
    },
    retract: async (version = "1") => {
      await act("dataset", "d", "RetractVersion", { version, reason: "a leak" });
      await sagas.pass(10_000);
    },
    types: (stream: string) => events(stream).map(({ type }) => type),
    last: (stream: string) => events(stream).at(-1)?.data as Data,
    report: (id: string) => {
      const last = events(`saga-retraction-${id}`).at(-1);
      expect(last?.type).toBe("SagaEnded");
      return (last?.data as { readonly output: Data }).output;
    },
  };
}

/** What version 1 led to, directly and over features and another dataset; version 2 led to something else. */
async function openLoop(settings: Data = {}) {
  const data = await openData(settings);
  await data.makeData("child", "7", [{ datasetId: "d", version: "1" }]);
  await data.act("feature-set", "f", "ComputeFeatures", { datasetId: "d", datasetVersion: "1" });
  await data.act("feature-set", "f", "ValidateFeatures");
  await data.act("feature-set", "f", "VersionFeatures", { version: "1" });
  await data.train("good", { datasetId: "d", datasetVersion: "2" });
  await data.serve("good");
  await data.train("r1");
  await data.train("r2", { datasetId: "child", datasetVersion: "7" });
  await data.train("r3", { featureSetId: "f", featureVersion: "1" });
  await data.serve("r1");
  await data.serve("r2");
  for (const [id, version] of [
    ["i1", "r1"],
    ["i2", "r2"],
    ["i3", "good"],
    ["i4", "r2"],
  ] as const) {
    await data.predict(id, version);
  }
  return data;
}

describe("a retracted dataset version", () => {
  test("that nobody used is an empty list", async () => {
    const data = await openData();
    await data.retract();
    const nothing = { count: 0, names: [] };
    expect(data.report("d~7")).toEqual({
      dataset: "d",
      version: "1",
      reason: "a leak",
      isComplete: true,
      datasets: nothing,
      featureSets: nothing,
      runs: nothing,
      versions: nothing,
      deployments: nothing,
      predictions: 0,
      refused: [],
      refusedCount: 0,
      unnamed: [],
    });
    assertSagaLaws(data);
  });

  test("lists all that came from it, and touches nothing unless the policy says so", async () => {
    const data = await openLoop();
    const before = data.types("model-m");
    await data.retract();
    expect(data.report("d~7")).toMatchObject({
      isComplete: true,
      datasets: { names: ["dataset-child@7"] },
      featureSets: { names: ["feature-set-f@1"] },
      runs: { names: expect.arrayContaining(["training-run-r1", "training-run-r2", "training-run-r3"]), count: 3 },
      versions: { names: expect.arrayContaining(["model-m@r1", "model-m@r2"]), count: 2 },
      deployments: {
        names: expect.arrayContaining(["deployment-m~production@r1", "deployment-m~production@r2"]),
        count: 2,
      },
      predictions: 3,
      refusedCount: 0,
    });
    expect(data.types("model-m")).toEqual(before);
    const answers = JSON.stringify([...data.store.readStream("saga-retraction-d~7")]);
    for (const id of ["i1", "i2", "i4"]) expect(answers).toContain(`inference-${id}`);
    expect(answers).not.toContain("inference-i3");
    assertSagaLaws(data);
  });

  test("undoes all of it where the policy says so, without serving on from one bad version to another", async () => {
    const data = await openLoop({ undo: ["deployments", "versions", "runs", "predictions"] });
    await data.retract();
    const [first, second, ...rejected] = [...data.store.readStream("model-m")].slice(-4);
    const reason = "version 1 of dataset d was retracted: a leak";
    expect([first, second]).toMatchObject([
      { type: "DeploymentRolledBack", data: { fromVersion: "r1", environment: "production", reason } },
      { type: "DeploymentRolledBack", data: { fromVersion: "r2", toVersion: "good", reason } },
    ]);
    expect(second?.data).toMatchObject({ evidence: { retraction: "d~7", datasetId: "d", datasetVersion: "1" } });
    expect(rejected).toMatchObject([
      { type: "ModelVersionRejected", data: { version: "r1", reason } },
      { type: "ModelVersionRejected", data: { version: "r2", reason } },
    ]);
    expect(data.types("training-run-r3")).toEqual(["TrainingStarted", "TrainingCancelled"]);
    expect(data.types("training-run-r1").at(-1)).toBe("TrainingCompleted");
    for (const id of ["i1", "i2", "i4"]) expect(data.last(`inference-${id}`)).toMatchObject({ reason });
    expect(data.types("inference-i3").at(-1)).toBe("InferenceCompleted");
    expect(data.types("dataset-child").at(-1)).toBe("DatasetVersioned");
    expect(data.report("d~7")).toMatchObject({ refusedCount: 0 });
    assertSagaLaws(data);
  });

  test("says what was refused, and goes on", async () => {
    const data = await openLoop({ undo: ["deployments", "versions", "predictions"] });
    await data.act("model", "m", "RollBackDeployment", { environment: "production", fromVersion: "r2" });
    await data.act("inference", "i1", "SupersedePrediction");
    await data.retract();
    expect(data.report("d~7")).toMatchObject({
      refusedCount: 2,
      refused: [
        "RollBackDeployment: version r2 is not deployed in production",
        expect.stringContaining("SupersedePrediction"),
      ],
    });
    expect(data.types("inference-i4").at(-1)).toBe("PredictionSuperseded");
  });

  test("takes the datasets made from it along, each with a retraction of its own", async () => {
    const data = await openLoop({ undo: ["datasets", "runs"] });
    await data.retract();
    expect(data.report("d~7")).toMatchObject({ runs: { count: 2 }, datasets: { count: 1 } });
    expect(data.last("dataset-child")).toEqual({
      version: "7",
      reason: "version 1 of dataset d was retracted: a leak",
    });
    expect(data.report("child~4")).toMatchObject({ runs: { names: ["training-run-r2"] }, versions: { count: 1 } });
  });

  test("with more predictions than fit into a page counts them all", async () => {
    const data = await openData({ undo: ["predictions"] });
    await data.train("r1");
    await data.serve("r1");
    for (let i = 0; i < 450; i++) {
      await data.send("inference", `i${i}`, "RequestInference", { modelId: "m", modelVersion: "r1" });
      await data.send("inference", `i${i}`, "CompleteInference", { output: "x" });
    }
    await data.settle();
    await data.retract();
    expect(data.report("d~7")).toMatchObject({ predictions: 450, refusedCount: 0 });
    const superseded = [...data.store.readAll({ types: ["PredictionSuperseded"] })];
    expect(new Set(superseded.map(({ stream }) => stream)).size).toBe(450);
    expect(superseded).toHaveLength(450);
  });

  test("with more than is followed says that the list is not complete", async () => {
    const data = await openLoop({ maxThings: 2 });
    await data.retract();
    expect(data.report("d~7")).toMatchObject({ isComplete: false });
  });

  test("names what the lineage has cut, because no command can name it", async () => {
    const data = await openData({ undo: ["versions"] });
    await data.train("r1");
    const id = "m".repeat(128);
    await data.act("model", id, "CreateModel");
    await data.act("model", id, "VersionModel", { version: "v".repeat(128), trainingRunId: "r1" });
    await data.retract();
    expect(data.report("d~7")).toMatchObject({ versions: { count: 1 }, unnamed: [expect.stringMatching(/^model-m+/)] });
  });

  test("is retracted once", async () => {
    const data = await openData();
    await data.retract();
    const version = data.types("dataset-d").length;
    await data.retract();
    expect(data.types("dataset-d")).toHaveLength(version);
  });

  test("takes promotions back: what serves gives its alias away, what is in review is not asked about any more", async () => {
    const data = await openData({ undo: ["deployments", "versions"] }, [...domain, modelPromotion]);
    for (const run of ["r1", "r2"]) {
      await data.train(run);
      await data.act("training-run", run, "CompleteTraining", { modelArtifact: { id: "m" } });
    }
    await data.act("model", "m", "ApproveVersion", { version: "r1" });
    expect(data.last("model-m")).toMatchObject({ alias: "champion", toVersion: "r1" });
    await data.retract();
    expect(data.types("model-m").slice(-4)).toEqual([
      "DeploymentRolledBack",
      "ModelVersionRejected",
      "ModelVersionRejected",
      "AliasMoved",
    ]);
    expect(data.last("model-m")).toMatchObject({ alias: "champion", toVersion: null });
    expect(data.types("review-promotion~r2").at(-1)).toBe("ReviewCancelled");
    assertSagaLaws(data);
  });
});
