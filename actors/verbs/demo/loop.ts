/**
 * The continuous-learning loop, told step by step: data, training, model, predictions, labels, data again. Everything
 * it knows of the runtime is the client.
 */
import type { Client, LogFilter } from "retrace";
import { keep } from "./artifacts.ts";
import type { Labeller } from "./ask.ts";
import { type Conversation, converse } from "./conversation.ts";
import { balanced, type Line, split } from "./corpus.ts";
import { type LineageNode, lineageOfModel } from "./lineage.ts";
import { collectLog } from "./log.ts";
import { flagUncertain, labelLines, predictLines, threshold } from "./predict-lines.ts";
import type { Corpus } from "./read-corpus.ts";
import { type Replay, replay } from "./replay.ts";
import { DemonstrationStopped } from "./stopped.ts";
import { hyperparameters, type TrainedVersion, type Training, trainVersion } from "./train.ts";
import {
  humanRows,
  readRows,
  type TrainingSet,
  type TrainingSetSpec,
  trainingSet,
  trainingSetTypes,
} from "./training-set.ts";

/** What the loop needs. */
export interface LoopInput {
  readonly client: Client;
  readonly corpus: Corpus;
  readonly labeller: Labeller;
  /** The folder for data and weights. */
  readonly artifacts: string;
  /** Whether the log holds nothing but demonstrations, so that all of it can be replayed. */
  readonly isOwnLog: boolean;
  /** Told each step as it is done. */
  readonly tell: (step: string, sentence: string) => void;
}

/** What came of it. */
export interface LoopSummary {
  readonly correlationId: string;
  readonly dataset: { readonly id: string; readonly position: number; readonly rows: number; readonly sha256: string };
  readonly predictions: { readonly asked: number; readonly flagged: number };
  readonly labels: { readonly given: number; readonly corrected: number };
  readonly heldOutLines: number;
  readonly accuracy: { readonly before: number; readonly after: number };
  readonly losses: { readonly before: readonly number[]; readonly after: readonly number[] };
  readonly lineage: LineageNode;
  readonly replay: Replay;
}

const maxLabels = 16;
const humanWeight = 2;
const minLines = 100;
const shownFeedback = 3;

/** Goes round once. */
export async function runLoop(input: LoopInput): Promise<LoopSummary> {
  const { client, corpus, labeller, artifacts, tell } = input;
  const conversation = converse(client);
  const { training, pool, heldOut } = split(linesFrom(corpus));

  const firstRows = training.map(({ text, label }) => ({ text, label, weight: 1 }));
  const first = await ingest(conversation, trainingSet(firstRows), input);
  tell("dataset", `@1: ${firstRows.length} lines of ${corpus.files} files, sha256 ${first.set.sha256.slice(0, 12)}`);

  await conversation.send({ category: "model", id: conversation.ids.model }, "CreateModel", {
    name: "line classifier",
    description: "tells source lines from prose lines",
  });
  const before = await trainVersion(conversation, { ...first, version: "1", heldOut, artifacts });
  await approve(conversation, before, "the first version");
  tell("training", trainingSentence(before));
  tell("model", `@1: ${accuracySentence(before, heldOut)}`);

  const predicted = await predictLines(conversation, before, pool);
  const flagged = await flagUncertain(conversation, predicted);
  tell(
    "inference",
    `${predicted.length} new lines asked, ${flagged.length} less than ${threshold * 100} % sure: flagged`,
  );
  const asked = flagged.slice(0, maxLabels);
  if (asked.length === 0)
    throw new DemonstrationStopped("the first model is sure of every line: there is nothing to learn from people");
  const labels = await labelLines(conversation, asked, labeller);
  tell("feedback", `${asked.length} lines labelled by ${labeller.actor}, ${labels.corrected} of them corrected`);

  const second = await rebuild(conversation, first, labels.position, artifacts);
  tell(
    "dataset",
    `@2 as of position ${labels.position}, built twice alike: ${second.set.rows.length} lines, sha256 ${second.set.sha256.slice(0, 12)}`,
  );
  const after = await trainVersion(conversation, { ...second, version: "2", heldOut, artifacts });
  await judge(conversation, before, after);
  tell("training", trainingSentence(after));
  tell("model", `@2: ${accuracySentence(after, heldOut)}`);

  const walk = { client, correlationId: conversation.correlationId, maxFeedback: shownFeedback };
  const lineage = await lineageOfModel(walk, conversation.ids.model, after.version);
  const whole: LogFilter = input.isOwnLog ? {} : { correlationId: conversation.correlationId };
  return {
    correlationId: conversation.correlationId,
    dataset: {
      id: conversation.ids.dataset,
      position: labels.position,
      rows: second.set.rows.length,
      sha256: second.set.sha256,
    },
    predictions: { asked: predicted.length, flagged: flagged.length },
    labels: { given: asked.length, corrected: labels.corrected },
    heldOutLines: heldOut.length,
    accuracy: { before: before.accuracy, after: after.accuracy },
    losses: { before: before.losses, after: after.losses },
    lineage,
    replay: await replay(client, whole),
  };
}

function linesFrom(corpus: Corpus): Line[] {
  const lines = balanced(corpus.lines);
  if (lines.length >= minLines) return lines;
  throw new DemonstrationStopped(`${lines.length} usable lines in ${corpus.files} files are too few to learn from`);
}

/** A training set as it is in the log. */
type RecordedSet = Pick<Training, "set" | "datasetPosition">;

async function ingest(conversation: Conversation, set: TrainingSet, input: LoopInput): Promise<RecordedSet> {
  const dataset = { category: "dataset", id: conversation.ids.dataset };
  const contentRef = await keep(input.artifacts, set.jsonl, "application/jsonl");
  await conversation.send(dataset, "IngestData", {
    source: { kind: "the files of this package", files: input.corpus.files },
    contentRef,
    rowCount: set.rows.length,
    schema: { text: "string", label: ["source", "prose"], weight: "number" },
    contentHash: set.sha256,
  });
  const labels = new Set(set.rows.map((row) => row.label));
  const texts = new Set(set.rows.map((row) => row.text));
  await conversation.send(dataset, "ValidateData", {
    checks: [
      { name: "both labels occur", passed: labels.size === 2 },
      { name: "no line occurs twice", passed: texts.size === set.rows.length },
    ],
  });
  const reply = await conversation.send(dataset, "VersionDataset", { version: "1", contentHash: set.sha256 });
  return { set, datasetPosition: reply.position };
}

/** Builds the second version from nothing but the first and the log up to `position`. */
async function rebuild(
  conversation: Conversation,
  first: RecordedSet,
  position: number,
  artifacts: string,
): Promise<RecordedSet> {
  const spec: TrainingSetSpec = { format: "jsonl", types: trainingSetTypes, humanWeight };
  const build = async () => {
    const filter = { types: spec.types, correlationId: conversation.correlationId };
    const events = await collectLog(conversation.client, filter, position);
    return trainingSet([...readRows(first.set.jsonl), ...humanRows(events, spec.humanWeight)]);
  };
  const set = await build();
  const contentRef = await keep(artifacts, set.jsonl, "application/jsonl");
  await conversation.send({ category: "dataset", id: conversation.ids.dataset }, "VersionDataset", {
    version: "2",
    parents: [{ datasetId: conversation.ids.dataset, version: "1" }],
    contentRef,
    contentHash: set.sha256,
    builtFrom: { position, spec, rowCount: set.rows.length, sha256: set.sha256 },
  });
  const again = await build();
  if (again.sha256 !== set.sha256)
    throw new DemonstrationStopped(`the log up to position ${position} gave two different datasets`);
  return { set, datasetPosition: position };
}

async function judge(conversation: Conversation, before: TrainedVersion, after: TrainedVersion): Promise<void> {
  const change = `accuracy ${before.accuracy.toFixed(3)} before, ${after.accuracy.toFixed(3)} now`;
  if (after.accuracy >= before.accuracy) return approve(conversation, after, change);
  const model = { category: "model", id: conversation.ids.model };
  await conversation.send(model, "RejectVersion", { version: after.version, reason: change });
}

async function approve(conversation: Conversation, { version }: TrainedVersion, reason: string): Promise<void> {
  const model = { category: "model", id: conversation.ids.model };
  await conversation.send(model, "ApproveVersion", { version, approvers: ["demo"], reason });
}

function trainingSentence({ run, losses }: TrainedVersion): string {
  const [from, to] = [losses[0] as number, losses.at(-1) as number];
  return `${run}: ${losses.length} steps in ${hyperparameters.epochs} epochs, loss ${from.toFixed(2)} -> ${to.toFixed(2)}`;
}

function accuracySentence({ accuracy }: TrainedVersion, heldOut: readonly Line[]): string {
  return `${(accuracy * 100).toFixed(1)} % of ${heldOut.length} held-out lines right`;
}
