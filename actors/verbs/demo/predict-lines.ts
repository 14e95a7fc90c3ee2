/** Puts lines to a version of the model. */
import { createHash } from "node:crypto";
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
