/**
 * The continuous-learning loop, told step by step: data, training, model, predictions, labels, data again. Everything
 * it knows of the runtime is the client.
 */
import type { Client } from "retrace";
import { collectLog } from "../dataset/log-reader.ts";
import { keep } from "./artifacts.ts";
import type { Labeller } from "./ask.ts";
import { type Conversation, converse } from "./conversation.ts";
import { balanced, type Line, type Split, split } from "./corpus.ts";
import { type LineageNode, lineageOfModel } from "./lineage.ts";
import { predictLines } from "./predict-lines.ts";
import { type Promotion, promoted } from "./promotion.ts";
import type { Corpus } from "./read-corpus.ts";
import { type Replay, replay } from "./replay.ts";
import { type Labelled, labelLines, threshold, uncertain, whileRouted, withdraw } from "./review-lines.ts";
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
  /** Of the first version and of the second. */
  readonly promotions: readonly Promotion[];
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
  const lines = split(linesFrom(input.corpus));
  const loop: Loop = { ...input, ...lines, conversation: converse(input.client) };
  const [first, before] = await learnFromFiles(loop);
  const firstPromotion = await promote(loop, before);
  if (firstPromotion.verdict === "reject")
    throw new DemonstrationStopped("without an approved version nobody is asked");
  const { ids } = loop.conversation;
  const labelled = await whileRouted(loop.conversation, ids.model, () => askPeople(loop, before));
  const [second, after] = await learnFromPeople(loop, { first, position: labelled.position });
  const secondPromotion = await promote(loop, after, before);

  const { correlationId } = loop.conversation;
  const walk = { client: input.client, correlationId, maxFeedback: shownFeedback };
  const { rows, sha256 } = second.set;
  return {
    correlationId,
    dataset: { id: ids.dataset, position: labelled.position, rows: rows.length, sha256 },
    predictions: { asked: lines.pool.length, flagged: labelled.flagged },
    labels: { given: labelled.given, corrected: labelled.corrected },
    promotions: [firstPromotion, secondPromotion],
    heldOutLines: lines.heldOut.length,
    accuracy: { before: before.accuracy, after: after.accuracy },
    losses: { before: before.losses, after: after.losses },
    lineage: await lineageOfModel(walk, ids.model, after.version),
    replay: await replay(input.client, input.isOwnLog ? {} : { correlationId }),
  };
}

/** What every part of the loop works with. */
interface Loop extends LoopInput, Split {
  readonly conversation: Conversation;
}

/** A training set as it is in the log. */
type RecordedSet = Pick<Training, "set" | "datasetPosition">;

async function learnFromFiles(loop: Loop): Promise<[RecordedSet, TrainedVersion]> {
  const { conversation, training, corpus, tell } = loop;
  const first = await ingest(loop, trainingSet(training.map(({ text, label }) => ({ text, label, weight: 1 }))));
  tell("dataset", `@1: ${first.set.rows.length} lines of ${corpus.files} files, sha256 ${short(first.set)}`);

  const before = await trainVersion(conversation, { ...loop, ...first, version: "1" });
  tellVersion(loop, before);
  return [first, before];
}

async function askPeople(loop: Loop, before: TrainedVersion): Promise<Labelled & { flagged: number; given: number }> {
  const { conversation, pool, labeller, tell } = loop;
  const flagged = uncertain(await predictLines(conversation, before, pool));
  tell(
    "inference",
    `${pool.length} new lines asked, ${flagged.length} less than ${Math.round(threshold * 100)} % sure: sent to people`,
  );
  const asked = flagged.slice(0, maxLabels);
  if (asked.length === 0) throw new DemonstrationStopped("the first model is sure of every line: nobody can help it");
  await withdraw(conversation, flagged.slice(maxLabels));
  const labelled = await labelLines(conversation, asked, labeller);
  tell("feedback", `${asked.length} lines labelled by ${labeller.actor}, ${labelled.corrected} of them corrected`);
  return { ...labelled, flagged: flagged.length, given: asked.length };
}

interface FirstRound {
  readonly first: RecordedSet;
  /** The position of the log up to which people's labels count. */
  readonly position: number;
}

async function learnFromPeople(loop: Loop, round: FirstRound): Promise<[RecordedSet, TrainedVersion]> {
  const { conversation, tell } = loop;
  const second = await rebuild(loop, round);
  const size = `${second.set.rows.length} lines, sha256 ${short(second.set)}`;
  tell("dataset", `@2 as of position ${round.position}, built twice alike: ${size}`);
  const after = await trainVersion(conversation, { ...loop, ...second, version: "2" });
  tellVersion(loop, after);
  return [second, after];
}

function linesFrom(corpus: Corpus): Line[] {
  const lines = balanced(corpus.lines);
  if (lines.length >= minLines) return lines;
  throw new DemonstrationStopped(`${lines.length} usable lines in ${corpus.files} files are too few to learn from`);
}

async function ingest({ conversation, artifacts, corpus }: Loop, set: TrainingSet): Promise<RecordedSet> {
  const dataset = { category: "dataset", id: conversation.ids.dataset };
  const contentRef = await keep(artifacts, set.jsonl, "application/jsonl");
  await conversation.send(dataset, "IngestData", {
    source: { kind: "the files of this package", files: corpus.files },
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
async function rebuild({ conversation, artifacts }: Loop, { first, position }: FirstRound): Promise<RecordedSet> {
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

/** Waits for the review that the saga requests, has it answered, and waits for what the saga makes of the answer. */
async function promote(loop: Loop, trained: TrainedVersion, before?: TrainedVersion): Promise<Promotion> {
  const { conversation, labeller, tell } = loop;
  const promotion = await promoted(conversation, trained, {
    actor: labeller.actor,
    verdict: () => {
      const { version, accuracy } = trained;
      return labeller.judge({ version, accuracy, ...(before !== undefined && { before: before.accuracy }) });
    },
  });
  tell("review", `${promotion.review}: ${labeller.actor} says ${promotion.verdict}`);
  for (const step of promotion.steps) tell("saga", step);
  return promotion;
}

function tellVersion({ tell, heldOut }: Loop, { version, run, losses, accuracy }: TrainedVersion): void {
  const [from, to] = [losses[0] as number, losses.at(-1) as number];
  const loss = `loss ${from.toFixed(2)} -> ${to.toFixed(2)}`;
  tell("training", `${run}: ${losses.length} steps in ${hyperparameters.epochs} epochs, ${loss}`);
  tell("model", `@${version}: ${(accuracy * 100).toFixed(1)} % of ${heldOut.length} held-out lines right`);
}

function short({ sha256 }: TrainingSet): string {
  return sha256.slice(0, 12);
}
