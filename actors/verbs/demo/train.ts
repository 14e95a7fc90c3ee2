/** Trains a version of the classifier and records everything that made it. What becomes of it is the promotion's business. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { keep } from "./artifacts.ts";
import { accuracyOn, type Classifier, type Hyperparameters, learn } from "./classifier.ts";
import type { Conversation } from "./conversation.ts";
import type { Line } from "./corpus.ts";
import type { TrainingSet } from "./training-set.ts";

/** What a version is trained on, and how. */
export interface Training {
  readonly version: string;
  readonly set: TrainingSet;
  /** The position of the log at which the set was complete. */
  readonly datasetPosition: number;
  readonly heldOut: readonly Line[];
  readonly artifacts: string;
}

/** A version that exists. */
export interface TrainedVersion {
  readonly version: string;
  readonly run: string;
  readonly classifier: Classifier;
  /** Of each step. */
  readonly losses: readonly number[];
  /** On the held-out lines, from 0 to 1. */
  readonly accuracy: number;
}

/** The same for every version, so that only the data makes the difference. */
export const hyperparameters: Hyperparameters = {
  ngram: 3,
  buckets: 4096,
  epochs: 12,
  batchSize: 16,
  learningRate: 2,
  decay: 0.1,
  l2: 1e-5,
};
export const seed = 7;

/** Whose runs these are; so they cannot approve what comes of them. */
const trainer = "demo";

/** Runs the training, step by step into the log. */
export async function trainVersion(conversation: Conversation, training: Training): Promise<TrainedVersion> {
  const { version, heldOut } = training;
  const run = { category: "training-run", id: conversation.runId(version) };
  const startedMs = Date.now();
  await conversation.send(run, "StartTraining", await recipe(conversation, training));

  const losses: number[] = [];
  const learning = learn(training.set.rows, hyperparameters, seed);
  let next = learning.next();
  while (next.done !== true) {
    losses.push(next.value.loss);
    await conversation.send(run, "RecordProgress", next.value);
    next = learning.next();
  }
  const classifier = next.value;
  const accuracy = accuracyOn(classifier, heldOut);
  const weights = JSON.stringify({ ...classifier, weights: [...classifier.weights] });
  const artifact = await keep(training.artifacts, weights, "application/json");
  await conversation.send(run, "CompleteTraining", {
    modelArtifact: { ...artifact, id: conversation.ids.model, version },
    finalMetrics: { accuracy, loss: losses.at(-1) as number },
    durationMs: Date.now() - startedMs,
  });
  return { version, run: run.id, classifier, losses, accuracy };
}

async function recipe(conversation: Conversation, { version, datasetPosition }: Training): Promise<object> {
  return {
    config: { task: "tell source lines from prose lines", model: "logistic regression over character n-grams" },
    hyperparameters,
    seed,
    datasetId: conversation.ids.dataset,
    datasetVersion: version,
    datasetPosition,
    codeVersion: await codeVersion(),
    environment: { node: process.version, platform: process.platform, arch: process.arch },
    userId: trainer,
  };
}

/** The hash of the code that learns, as it runs. */
async function codeVersion(): Promise<string> {
  const name = import.meta.url.endsWith(".ts") ? "./classifier.ts" : "./classifier.js";
  const code = await readFile(fileURLToPath(new URL(name, import.meta.url)));
  return createHash("sha256").update(code).digest("hex");
}
