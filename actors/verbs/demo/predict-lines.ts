/** Puts lines to a version of the model, flags where it is unsure, and brings back what people say. */
import { createHash } from "node:crypto";
import type { Labeller } from "./ask.ts";
import { type Prediction, predict } from "./classifier.ts";
import { type Conversation, inParallel } from "./conversation.ts";
import type { Line } from "./corpus.ts";
import type { TrainedVersion } from "./train.ts";

/** A line that the model has answered. */
export interface PredictedLine extends Prediction {
  /** The inference's id. */
  readonly id: string;
  readonly line: Line;
}

/** What came of the labels. */
export interface Labelled {
  readonly corrected: number;
  /** Of the last feedback in the log. */
  readonly position: number;
}

/** Below it a prediction is flagged. */
export const threshold = 0.7;

/** Asks the model about each line. */
export function predictLines(
  conversation: Conversation,
  trained: TrainedVersion,
  lines: readonly Line[],
): Promise<PredictedLine[]> {
  return inParallel(lines, async (line, index) => {
    const target = { category: "inference", id: conversation.lineId(index) };
    await conversation.send(target, "RequestInference", {
      modelId: conversation.ids.model,
      modelVersion: trained.version,
      inputFeatures: { text: line.text },
      promptHash: createHash("sha256").update(line.text).digest("hex"),
    });
    const startedMs = performance.now();
    const { label, confidence, scores } = predict(trained.classifier, line.text);
    const latencyMs = performance.now() - startedMs;
    await conversation.send(target, "CompleteInference", { output: label, confidence, scores, latencyMs });
    return { id: target.id, line, label, confidence, scores };
  });
}

/** Flags what is below the threshold; the least certain first. */
export async function flagUncertain(
  conversation: Conversation,
  predicted: readonly PredictedLine[],
): Promise<PredictedLine[]> {
  const uncertain = predicted.filter(({ confidence }) => confidence < threshold);
  uncertain.sort((a, b) => a.confidence - b.confidence);
  await inParallel(uncertain, ({ id, confidence }) =>
    conversation.send({ category: "inference", id }, "FlagLowConfidence", {
      confidence,
      threshold,
      rule: { confidence: { below: threshold } },
      evaluated: { confidence: { below: threshold, value: confidence, holds: true } },
    }),
  );
  return uncertain;
}

/** Has the lines labelled and records each label, on the inference and as feedback. */
export async function labelLines(
  conversation: Conversation,
  lines: readonly PredictedLine[],
  labeller: Labeller,
): Promise<Labelled> {
  let corrected = 0;
  let position = 0;
  for (const [index, { id, line, label, confidence }] of lines.entries()) {
    const question = { text: line.text, predicted: label, confidence, truth: line.label };
    const answer = await labeller.label(question, `${index + 1}/${lines.length}`);
    const { actor } = labeller;
    await conversation.send({ category: "inference", id, actor }, "ApplyHumanLabel", { label: answer });

    const context = {
      requestId: id,
      modelId: conversation.ids.model,
      modelVersion: "1",
      inputFeatures: { text: line.text },
    };
    const feedback = { category: "feedback", id, actor };
    const reply =
      answer === label
        ? await conversation.send(feedback, "ApproveOutput", { producer: conversation.ids.model, context })
        : await conversation.send(feedback, "SubmitCorrection", { original: label, corrected: answer, context });
    if (answer !== label) corrected += 1;
    position = reply.position;
  }
  return { corrected, position };
}
