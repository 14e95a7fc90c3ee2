/**
 * The training set as of a position of the log: the rows of the first version, and every line on which a person has
 * said something up to there. Pure: the same events give the same bytes.
 */
import { createHash } from "node:crypto";
import type { RecordedEvent } from "retrace";
import type { Label, Row } from "./classifier.ts";

/** A set of rows as bytes. */
export interface TrainingSet {
  readonly rows: readonly Row[];
  /** One JSON object a line. */
  readonly jsonl: string;
  readonly sha256: string;
}

/** How a set is built from the log; it goes into the event that records the version. */
export interface TrainingSetSpec {
  readonly format: "jsonl";
  readonly types: readonly string[];
  /** How much a row from a person counts, against 1 of a row from the files. */
  readonly humanWeight: number;
}

/** The events that `humanRows` reads. */
export const feedbackTypes = ["CorrectionSubmitted", "OutputApproved"] as const;
const inferenceTypes = ["InferenceRequested", "InferenceCompleted"] as const;
/** A label that differs from the prediction is also a correction, which may be retracted: that one counts. */
const labelType = "HumanLabelApplied";
export const trainingSetTypes = [...feedbackTypes, "FeedbackRetracted", labelType, ...inferenceTypes];

interface Feedback {
  readonly corrected?: Label;
  readonly context?: { readonly requestId?: string };
}

interface Retraction {
  readonly eventId: string;
}

interface Inference {
  readonly inputFeatures?: { readonly text?: string };
  readonly output?: Label;
}

interface Labelling {
  readonly agreement?: boolean;
}

/** The rows of a set as bytes. */
export function trainingSet(rows: readonly Row[]): TrainingSet {
  const jsonl = rows
    .map((row) => `${JSON.stringify({ text: row.text, label: row.label, weight: row.weight })}\n`)
    .join("");
  return { rows, jsonl, sha256: createHash("sha256").update(jsonl).digest("hex") };
}

/** What `trainingSet` wrote, read again. */
export function readRows(jsonl: string): Row[] {
  return jsonl
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

/**
 * The rows that people have given, ordered by their texts: the labels of different lines may reach the log in any order.
 * Of a line labelled twice the last label counts; what was retracted does not.
 */
export function humanRows(events: readonly RecordedEvent[], weight: number): Row[] {
  const retracted = new Set(
    events.filter((event) => event.type === "FeedbackRetracted").map((event) => (event.data as Retraction).eventId),
  );
  const inferences = new Map<string, Inference>();
  const rows = new Map<string, Row>();
  for (const event of events) {
    if (isOneOf(inferenceTypes, event.type)) {
      inferences.set(event.stream, { ...inferences.get(event.stream), ...(event.data as Inference) });
    }
    if (event.type === labelType && (event.data as Labelling).agreement === true) {
      const { inputFeatures, output } = inferences.get(event.stream) ?? {};
      const text = inputFeatures?.text;
      if (text !== undefined && output !== undefined) rows.set(text, { text, label: output, weight });
    }
    if (!isOneOf(feedbackTypes, event.type) || retracted.has(event.id)) continue;
    const feedback = event.data as Feedback;
    const inference = inferences.get(`inference-${feedback.context?.requestId}`);
    const label = event.type === "OutputApproved" ? inference?.output : feedback.corrected;
    const text = inference?.inputFeatures?.text;
    if (text !== undefined && label !== undefined) rows.set(text, { text, label, weight });
  }
  return [...rows.values()].sort((a, b) => (a.text < b.text ? -1 : 1));
}

function isOneOf(types: readonly string[], type: string): boolean {
  return types.includes(type);
}
