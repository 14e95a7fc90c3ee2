/**
 * A small text classifier: logistic regression over hashed character n-grams, learned by stochastic gradient descent.
 * Pure and deterministic: the same rows, hyperparameters and seed give the same weights.
 */
import { hashOf, randomFrom, shuffled } from "./random.ts";

/** The two classes. */
export type Label = "source" | "prose";

/** One example to learn from. */
export interface Row {
  readonly text: string;
  readonly label: Label;
  /** How often it counts; a human's label may count more than a row that came with the files. */
  readonly weight: number;
}

/** What is chosen before learning. */
export interface Hyperparameters {
  /** The longest n-gram, in characters. */
  readonly ngram: number;
  /** The number of weights; n-grams share them by hash. */
  readonly buckets: number;
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  /** The learning rate of epoch e (from 0) is `learningRate / (1 + decay * e)`. */
  readonly decay: number;
  /** L2 regularisation. */
  readonly l2: number;
}

/** What was learned. */
export interface Classifier {
  readonly ngram: number;
  readonly weights: Float64Array;
  readonly bias: number;
}

/** One step of learning, as it is recorded. */
export interface LearningStep {
  readonly step: number;
  /** Mean log loss of the step's batch, before its update. */
  readonly loss: number;
  readonly learningRate: number;
}

/** What the classifier thinks of a text. */
export interface Prediction {
  readonly label: Label;
  /** From 0.5 to 1. */
  readonly confidence: number;
  readonly scores: Readonly<Record<Label, number>>;
}

/** Learns from `rows`, telling every step as it is made. */
export function* learn(
  rows: readonly Row[],
  hyperparameters: Hyperparameters,
  seed: number,
): Generator<LearningStep, Classifier> {
  const { ngram, buckets, epochs, batchSize } = hyperparameters;
  const random = randomFrom(seed);
  const examples = rows.map((row) => ({
    features: featuresOf(row.text, ngram, buckets),
    target: row.label === "source" ? 1 : 0,
    weight: row.weight,
  }));
  const weights = new Float64Array(buckets);
  const sum = new Float64Array(buckets);
  let bias = 0;
  let biasSum = 0;
  let averaged = 0;
  let step = 0;
  for (let epoch = 0; epoch < epochs; epoch++) {
    const learningRate = hyperparameters.learningRate / (1 + hyperparameters.decay * epoch);
    const order = shuffled(examples, random);
    for (let from = 0; from < order.length; from += batchSize) {
      const batch = order.slice(from, from + batchSize);
      let loss = 0;
      for (const { features, target, weight } of batch) {
        const probability = sigmoid(bias + dot(weights, features));
        loss += logLoss(probability, target);
        const pull = learningRate * weight * (target - probability);
        for (const [bucket, value] of features) {
          const old = weights[bucket] as number;
          weights[bucket] = old + pull * value - learningRate * hyperparameters.l2 * old;
        }
        bias += pull * 0.1;
      }
      if (2 * epoch >= epochs) {
        for (let bucket = 0; bucket < buckets; bucket++)
          sum[bucket] = (sum[bucket] as number) + (weights[bucket] as number);
        biasSum += bias;
        averaged += 1;
      }
      step += 1;
      yield { step, loss: loss / batch.length, learningRate };
    }
  }
  return { ngram, weights: sum.map((weight) => weight / averaged), bias: biasSum / averaged };
}

/** What `classifier` thinks of `text`. */
export function predict(classifier: Classifier, text: string): Prediction {
  const { ngram, weights, bias } = classifier;
  const source = sigmoid(bias + dot(weights, featuresOf(text, ngram, weights.length)));
  const prose = 1 - source;
  return { label: source >= 0.5 ? "source" : "prose", confidence: Math.max(source, prose), scores: { source, prose } };
}

/** The share of `rows` that the classifier labels as they are labelled. */
export function accuracyOn(classifier: Classifier, rows: readonly { text: string; label: Label }[]): number {
  return rows.filter((row) => predict(classifier, row.text).label === row.label).length / rows.length;
}

type Features = ReadonlyMap<number, number>;

/** The n-grams of a text with its ends marked, as buckets with values; the vector has length 1. */
function featuresOf(text: string, ngram: number, buckets: number): Features {
  const marked = `\u0002${text}\u0003`;
  const counts = new Map<number, number>();
  for (let length = 1; length <= ngram; length++) {
    for (let from = 0; from + length <= marked.length; from++) {
      const bucket = hashOf(marked.slice(from, from + length)) % buckets;
      counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
    }
  }
  const norm = Math.hypot(...counts.values());
  return new Map([...counts].map(([bucket, count]) => [bucket, count / norm]));
}

function dot(weights: Float64Array, features: Features): number {
  let sum = 0;
  for (const [bucket, value] of features) sum += (weights[bucket] as number) * value;
  return sum;
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

function logLoss(probability: number, target: number): number {
  const right = target === 1 ? probability : 1 - probability;
  return -Math.log(Math.max(right, 1e-12));
}
