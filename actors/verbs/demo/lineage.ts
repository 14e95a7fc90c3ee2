/** Where a model version comes from: walked back through the log, cause by cause, by queries alone. */
import type { Client, RecordedEvent } from "retrace";
import { collectLog } from "../dataset/log-reader.ts";
import { feedbackTypes } from "./training-set.ts";

/** A thing, what is known of it, and what it was made from. */
export interface LineageNode {
  readonly name: string;
  readonly detail: string;
  readonly from: readonly LineageNode[];
  /** Causes of the same kind that are not listed. */
  readonly more?: number;
}

/** How to walk. */
export interface LineageWalk {
  readonly client: Client;
  /** Feedback is looked for in this conversation. */
  readonly correlationId: string;
  /** So many feedback events of a dataset are followed, the others counted. */
  readonly maxFeedback: number;
}

type Data = Record<string, unknown>;

/** From a version of a model to all that it was made from. */
export async function lineageOfModel(walk: LineageWalk, model: string, version: string): Promise<LineageNode> {
  const history = await historyOf(walk.client, "model", model);
  const made = dataOf(history, "ModelVersioned", { version });
  const verdict = history.filter((event) => (event.data as Data).version === version).at(-1);
  return {
    name: `model ${model}@${version}`,
    detail: `${percent((made.metrics as Data).accuracy)} of the held-out lines right, ${verdict?.type}`,
    from: [await lineageOfRun(walk, String(made.trainingRunId))],
  };
}

async function lineageOfRun(walk: LineageWalk, run: string): Promise<LineageNode> {
  const history = await historyOf(walk.client, "training-run", run);
  const started = dataOf(history, "TrainingStarted");
  const steps = history.filter((event) => event.type === "TrainingProgress").length;
  return {
    name: `training-run ${run}`,
    detail: `${steps} steps, seed ${started.seed}, code ${short(started.codeVersion)}`,
    from: [await lineageOfDataset(walk, String(started.datasetId), String(started.datasetVersion))],
  };
}

async function lineageOfDataset(walk: LineageWalk, dataset: string, version: string): Promise<LineageNode> {
  const history = await historyOf(walk.client, "dataset", dataset);
  const made = dataOf(history, "DatasetVersioned", { version });
  const parents = (made.parents ?? []) as { datasetId: string; version: string }[];
  const from: LineageNode[] = [];
  for (const parent of parents) from.push(await lineageOfDataset(walk, parent.datasetId, parent.version));
  const built = made.builtFrom as { position: number; rowCount: number } | undefined;
  if (built === undefined) {
    const ingested = dataOf(history, "DataIngested");
    const detail = `${ingested.rowCount} rows, sha256 ${short(made.contentHash)}`;
    return { name: `dataset ${dataset}@${version}`, detail, from };
  }
  const feedback = await collectLog(
    walk.client,
    { types: feedbackTypes, correlationId: walk.correlationId },
    built.position,
  );
  for (const event of feedback.slice(0, walk.maxFeedback)) from.push(await lineageOfFeedback(walk.client, event));
  const detail = `${built.rowCount} rows, the log up to position ${built.position}, sha256 ${short(made.contentHash)}`;
  const more = feedback.length - walk.maxFeedback;
  return { name: `dataset ${dataset}@${version}`, detail, from, ...(more > 0 ? { more } : {}) };
}

async function lineageOfFeedback(client: Client, event: RecordedEvent): Promise<LineageNode> {
  const { corrected, original, context } = event.data as Data & { context: { requestId: string } };
  const history = await historyOf(client, "inference", context.requestId);
  const asked = dataOf(history, "InferenceRequested");
  const answered = dataOf(history, "InferenceCompleted");
  const said =
    event.type === "OutputApproved" ? `agreed with ${answered.output}` : `${original} corrected to ${corrected}`;
  return {
    name: `feedback ${context.requestId}`,
    detail: `${said} by ${event.metadata.actor?.id}`,
    from: [
      {
        name: `inference ${context.requestId}`,
        detail: `${answered.output}, ${percent(answered.confidence)} sure, by ${asked.modelId}@${asked.modelVersion}`,
        from: [],
      },
    ],
  };
}

async function historyOf(client: Client, category: string, id: string): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  let fromVersion: number | null = 1;
  while (fromVersion !== null) {
    const page = await client.history(category, id, { fromVersion });
    events.push(...page.events);
    fromVersion = page.next;
  }
  return events;
}

/** The data of the first event of a type, with these fields. */
function dataOf(history: readonly RecordedEvent[], type: string, fields: Data = {}): Data {
  const event = history.find(
    (candidate) =>
      candidate.type === type &&
      Object.entries(fields).every(([name, value]) => (candidate.data as Data)[name] === value),
  );
  if (event === undefined) throw new Error(`no ${type} ${JSON.stringify(fields)} in ${history[0]?.stream}`);
  return event.data as Data;
}

function percent(share: unknown): string {
  return typeof share === "number" ? `${(share * 100).toFixed(1)} %` : String(share);
}

function short(hash: unknown): string {
  return String(hash).slice(0, 12);
}
