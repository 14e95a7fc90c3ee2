import { describe, expect, test } from "vitest";
import lineage from "../../actors/projections/lineage.ts";
import { type Happened, project } from "./project.ts";

const event = (stream: string, type: string, data: unknown = {}): Happened => ({ stream, type, data });

/** The whole loop: from data over a model to an answer, its correction, and the data made of that. */
const loop = [
  event("dataset-d1", "DatasetVersioned", {
    version: "1",
    contentHash: "h",
    parents: [{ datasetId: "raw", version: "7" }],
  }),
  event("feature-set-f1", "FeatureVersioned", {
    version: "2",
    datasetId: "d1",
    datasetVersion: "1",
    codeVersion: "c0",
  }),
  event("training-run-r1", "TrainingStarted", {
    ...{ datasetId: "d1", datasetVersion: "1", featureSetId: "f1", featureVersion: "2", codeVersion: "c1", seed: 3 },
    hyperparameters: { lr: 0.1 },
  }),
  event("model-m1", "ModelVersioned", { version: "1", trainingRunId: "r1", metrics: { f1: 0.5 } }),
  event("model-m1", "ModelDeployed", { version: "1", environment: "prod", trafficShare: 1 }),
  event("document-x", "DocumentSubmitted", { revision: 4, submittedAt: "2026-01-01T00:00:00.000Z" }),
  event("inference-i1", "ContextRetrieved", { chunks: [{ documentId: "x", revision: 4, chunkId: "c" }] }),
  event("inference-i1", "InferenceCompleted", { modelId: "m1", modelVersion: "1" }),
  event("review-v1", "HumanReviewRequested", { k: 1, maxK: 1, subject: { category: "inference", id: "i1" } }),
  event("feedback-i1", "CorrectionSubmitted", { corrected: "x", reviewId: "v1", context: { requestId: "i1" } }),
  event("feedback-i2", "UserRatedOutput", {
    rating: 1,
    scale: { min: 1, max: 5 },
    negative: true,
    context: { requestId: "i2" },
  }),
  event("dataset-d2", "DatasetVersioned", {
    version: "1",
    builtFrom: { position: 11, spec: { types: ["CorrectionSubmitted"] } },
  }),
];

interface Edge {
  readonly from: string;
  readonly to: string;
  readonly kind: string;
  readonly position: number;
}

async function graphOf(history: readonly Happened[]) {
  const rows = Object.entries(await project<Record<string, unknown>>(lineage, history));
  const under = (prefix: string) => rows.filter(([key]) => key.startsWith(prefix)).map(([key, row]) => ({ key, row }));
  const edges = under("down/").map(({ row }) => row as unknown as Edge);
  const nodes = Object.fromEntries(under("node/").map(({ key, row }) => [key.slice("node/".length), row]));
  return { nodes, edges, ups: under("up/").map(({ row }) => row) };
}

const sentences = (edges: readonly Edge[]) => edges.map(({ from, to, kind }) => `${from} ${kind} ${to}`).sort();

describe("the lineage", () => {
  test("leads from data to models, answers, corrections, and data again", async () => {
    const { edges, ups } = await graphOf(loop);
    expect(sentences(edges)).toEqual(
      [
        "dataset-raw@7 parent of dataset-d1@1",
        "dataset-d1@1 computed into feature-set-f1@2",
        "dataset-d1@1 trained training-run-r1",
        "feature-set-f1@2 trained training-run-r1",
        "code-c1 ran as training-run-r1",
        "training-run-r1 produced model-m1@1",
        "model-m1@1 deployed as deployment-m1~prod@1",
        "deployment-m1~prod@1 answered inference-i1",
        "document-x@4 retrieved for inference-i1",
        "inference-i1 reviewed in review-v1",
        "inference-i1 corrected in feedback-i1",
        "review-v1 led to feedback-i1",
        "inference-i2 rated in feedback-i2",
        "feedback-i1 built into dataset-d2@1",
      ].sort(),
    );
    expect(ups).toEqual(expect.arrayContaining(edges));
    expect(ups).toHaveLength(edges.length);
  });

  test("says what is known of each thing, and which were never recorded", async () => {
    const { nodes } = await graphOf(loop);
    const external = Object.entries(nodes).filter(([, node]) => node.external === true);
    expect(external.map(([name]) => name).sort()).toEqual(["code-c1", "dataset-raw@7", "inference-i2"]);
    expect(nodes["training-run-r1"]).toEqual({
      category: "training-run",
      id: "r1",
      position: 3,
      facts: { codeVersion: "c1", seed: 3, hyperparameters: { lr: 0.1 } },
    });
    expect(nodes["dataset-d1@1"]).toMatchObject({
      category: "dataset",
      id: "d1",
      version: "1",
      facts: { contentHash: "h" },
    });
    expect(nodes["document-x@4"]).toMatchObject({ version: "4" });
  });

  test("a thing that was named before it was recorded is recorded then, at the place where it was named", async () => {
    const { nodes } = await graphOf([
      ...loop,
      event("inference-i2", "InferenceRequested", { modelId: "m1", modelVersion: "1" }),
    ]);
    expect(nodes["inference-i2"]).toEqual({ category: "inference", id: "i2", position: 11 });
  });

  test("does not guess which deployment answered", async () => {
    const deploy = (environment: string) =>
      event("model-m1", "ModelDeployed", { version: "1", environment, trafficShare: 1 });
    const asked = (id: string) => event(`inference-${id}`, "InferenceRequested", { modelId: "m1", modelVersion: "1" });
    const { edges } = await graphOf([
      event("model-m1", "ModelVersioned", { version: "1" }),
      ...[asked("before"), deploy("a"), asked("one"), deploy("b"), asked("two")],
      event("model-m1", "DeploymentRolledBack", { environment: "a", fromVersion: "1" }),
      asked("left"),
    ]);
    expect(sentences(edges.filter(({ kind }) => kind === "answered"))).toEqual([
      "deployment-m1~a@1 answered inference-one",
      "deployment-m1~b@1 answered inference-left",
      "model-m1@1 answered inference-before",
      "model-m1@1 answered inference-two",
    ]);
  });

  test("says each step once, and bears names of any length and character", async () => {
    const long = "x".repeat(256);
    const { edges, nodes } = await graphOf([
      event("training-run-r1", "TrainingRequested", { datasetId: long, datasetVersion: "1" }),
      event("training-run-r1", "TrainingStarted", { datasetId: long, datasetVersion: "1", codeVersion: "a\tb" }),
    ]);
    expect(edges.map(({ to, kind }) => [to, kind])).toEqual([
      ["training-run-r1", "ran as"],
      ["training-run-r1", "trained"],
    ]);
    expect(Object.keys(nodes).every((name) => name.length <= 200 && !name.includes("\t"))).toBe(true);
    expect(Object.values(nodes)).toContainEqual(
      expect.objectContaining({ category: "dataset", id: long, external: true }),
    );
  });
});
