/**
 * What came from what: data, features, runs, model versions, deployments, inferences, reviews, corrections, and datasets
 * again. A node is a row under `node/NAME`; a step from cause to effect is two rows, `down/CAUSE<tab>EFFECT<tab>KIND` and
 * `up/EFFECT<tab>CAUSE<tab>KIND`, so that either direction is one range of keys. NAME is `<category>-<id>[@version]`.
 */
import { defineProjection, type EventData, type RecordedEvent, type Rows } from "retrace";
import type { agentSession } from "../../schemas/agent-session.ts";
import type { dataset } from "../../schemas/dataset.ts";
import type { document } from "../../schemas/document.ts";
import type { featureSet } from "../../schemas/feature-set.ts";
import type { feedback } from "../../schemas/feedback.ts";
import type { inference } from "../../schemas/inference.ts";
import type { model } from "../../schemas/model.ts";
import type { review } from "../../schemas/review.ts";
import type { trainingRun } from "../../schemas/training-run.ts";
import { given } from "../given-fields.ts";
import { idOf } from "../stream-id.ts";
import { deploymentOf, type Edge, edge, type Node, type Ref, record, type Thing } from "./lineage/graph.ts";

type Schemas = typeof agentSession &
  typeof dataset &
  typeof document &
  typeof featureSet &
  typeof feedback &
  typeof inference &
  typeof model &
  typeof review &
  typeof trainingRun;
type Event<Type extends keyof Schemas["events"]> = RecordedEvent<Type, EventData<Schemas, Type>>;
type Graph = Rows<Node | Edge>;

export default defineProjection<Node | Edge, Schemas>({
  name: "lineage",
  version: 1,
  mode: "async",
  description: "The graph from data over models to inferences, corrections and data again",
  on: {
    DatasetVersioned: datasetVersioned,
    DatasetVersionRetracted: (event, rows) => {
      const { version, reason } = event.data;
      record(rows, event, own(event, version), given({ retractedAt: event.occurredAt, retractedBecause: reason }));
    },
    FeatureVersioned: (event, rows) => {
      const { version, datasetId, datasetVersion, definitionHash, codeVersion } = event.data;
      const made = own(event, version);
      record(rows, event, made, given({ definitionHash, codeVersion }));
      edge(rows, event, { from: ref("dataset", datasetId, datasetVersion), to: made, kind: "computed into" });
    },
    TrainingRequested: trained,
    TrainingStarted: trained,
    ModelVersioned: (event, rows) => {
      const { version, trainingRunId, metrics } = event.data;
      const made = own(event, version);
      record(rows, event, made, given({ metrics: short(metrics) }));
      edge(rows, event, { from: ref("training-run", trainingRunId), to: made, kind: "produced" });
    },
    ModelDeployed: (event, rows) => {
      const { version, environment } = event.data;
      deployed(rows, event, { version, environment });
    },
    DeploymentRolledBack: (event, rows) => {
      const { environment, fromVersion, toVersion } = event.data;
      record(rows, event, deploymentOf(idOf(event), environment, fromVersion), { rolledBackAt: event.occurredAt });
      undeployed(rows, own(event, fromVersion), environment);
      if (toVersion !== undefined) deployed(rows, event, { version: toVersion, environment });
    },
    DocumentSubmitted: (event, rows) => record(rows, event, own(event, event.data.revision)),
    DocumentUpdated: (event, rows) => {
      const { revision, previousRevision } = event.data;
      const made = own(event, revision);
      record(rows, event, made);
      edge(rows, event, {
        from: previousRevision === undefined ? undefined : own(event, previousRevision),
        to: made,
        kind: "updated to",
      });
    },
    ContextRetrieved: (event, rows) => {
      const made = own(event);
      record(rows, event, made);
      for (const { documentId, revision } of event.data.chunks) {
        const version = typeof revision === "string" || typeof revision === "number" ? revision : undefined;
        edge(rows, event, { from: ref("document", documentId, version), to: made, kind: "retrieved for" });
      }
    },
    InferenceRequested: answered,
    InferenceCompleted: answered,
    HumanReviewRequested: (event, rows) => {
      const { subject, taskKind } = event.data;
      const made = own(event);
      record(rows, event, made, given({ taskKind }));
      if (subject === undefined) return;
      edge(rows, event, { from: ref(subject.category, subject.id, subject.version), to: made, kind: "reviewed in" });
    },
    UserRatedOutput: signalled,
    CorrectionSubmitted: signalled,
    PreferenceLogged: signalled,
    RewardModelScored: signalled,
    OutputApproved: signalled,
    OutputRejected: signalled,
    TransitionRecorded: signalled,
    SessionStarted: (event, rows) => {
      const { agent, forkedFrom } = event.data;
      const made = own(event);
      record(rows, event, made, given({ agent }));
      edge(rows, event, { from: ref("agent-session", forkedFrom?.session), to: made, kind: "forked into" });
    },
  },
});

/** The event's own thing. */
function own(event: RecordedEvent, version?: string | number): Thing {
  return { category: event.category, id: idOf(event), ...given({ version: version?.toString() }) };
}

/** Something that an event names; undefined when it does not. */
function ref(category: string, id: string | undefined, version?: string | number): Ref {
  return id === undefined ? undefined : { category, id, ...given({ version: version?.toString() }) };
}

function datasetVersioned(event: Event<"DatasetVersioned">, rows: Graph): void {
  const { version, parents = [], contentHash, builtFrom } = event.data;
  const made = own(event, version);
  record(rows, event, made, given({ contentHash, builtFromPosition: builtFrom?.position }));
  for (const parent of parents) {
    edge(rows, event, { from: ref("dataset", parent.datasetId, parent.version), to: made, kind: "parent of" });
  }
  if (builtFrom === undefined) return;
  const types = builtFrom.spec?.types;
  for (const { key, value } of [...rows.notes.scan("signals/")]) {
    const signals = value as Signals;
    if (isBuiltInto(signals, types, builtFrom.position)) {
      edge(rows, event, { from: ref("feedback", key.slice("signals/".length)), to: made, kind: "built into" });
    }
  }
}

/** Of a feedback thread, the first position of each type of signal. */
type Signals = Readonly<Record<string, number>>;

function isBuiltInto(signals: Signals, types: unknown, position: number): boolean {
  return Object.entries(signals).some(([type, first]) => {
    return first <= position && (!Array.isArray(types) || types.includes(type));
  });
}

function trained(event: Event<"TrainingRequested" | "TrainingStarted">, rows: Graph): void {
  const { datasetId, datasetVersion, datasetPosition, featureSetId, featureVersion } = event.data;
  const { codeVersion, seed, hyperparameters, environment, userId } = event.data;
  const made = own(event);
  const facts = { codeVersion, datasetPosition, userId, seed: short(seed) };
  record(rows, event, made, {
    ...given({ ...facts, hyperparameters: short(hyperparameters), environment: short(environment) }),
  });
  edge(rows, event, { from: ref("dataset", datasetId, datasetVersion), to: made, kind: "trained" });
  edge(rows, event, { from: ref("feature-set", featureSetId, featureVersion), to: made, kind: "trained" });
  edge(rows, event, { from: ref("code", codeVersion), to: made, kind: "ran as" });
}

interface Deployed {
  readonly version: string;
  readonly environment: string;
}

function deployed(rows: Graph, event: RecordedEvent, { version, environment }: Deployed): void {
  const from = { category: "model", id: idOf(event), version };
  const to = deploymentOf(idOf(event), environment, version);
  record(rows, event, to, { deployedAt: event.occurredAt });
  edge(rows, event, { from, to, kind: "deployed as" });
  const note = servingNote(from);
  const environments = (rows.notes.get(note) as readonly string[] | undefined) ?? [];
  if (!environments.includes(environment)) rows.notes.put(note, [...environments, environment]);
}

function undeployed(rows: Graph, version: Thing, environment: string): void {
  const note = servingNote(version);
  const environments = (rows.notes.get(note) as readonly string[] | undefined) ?? [];
  rows.notes.put(
    note,
    environments.filter((name) => name !== environment),
  );
}

function servingNote({ id, version }: Thing): string {
  return `serving/${id}@${version}`.slice(0, 512);
}

/** By the deployment, when the version serves one environment and no more; else nobody knows which, so by the version. */
function answered(event: Event<"InferenceRequested" | "InferenceCompleted">, rows: Graph): void {
  const { modelId, modelVersion } = event.data;
  const made = own(event);
  record(rows, event, made);
  const by = ref("model", modelId, modelVersion);
  if (by === undefined) return;
  const environments = (rows.notes.get(servingNote(by)) as readonly string[] | undefined) ?? [];
  const [only] = environments;
  const isSure = environments.length === 1 && only !== undefined && modelVersion !== undefined;
  edge(rows, event, { from: isSure ? deploymentOf(by.id, only, modelVersion) : by, to: made, kind: "answered" });
}

type SignalType =
  | "UserRatedOutput"
  | "CorrectionSubmitted"
  | "PreferenceLogged"
  | "RewardModelScored"
  | "OutputApproved"
  | "OutputRejected"
  | "TransitionRecorded";

function signalled(event: Event<SignalType>, rows: Graph): void {
  const { context } = event.data;
  const { reviewId } = event.data as { readonly reviewId?: string };
  const made = own(event);
  record(rows, event, made);
  const kind = event.type === "CorrectionSubmitted" ? "corrected in" : "rated in";
  edge(rows, event, { from: ref("inference", context?.requestId), to: made, kind });
  edge(rows, event, { from: ref("review", reviewId), to: made, kind: "led to" });
  const note = `signals/${idOf(event)}`;
  const signals = (rows.notes.get(note) as Signals | undefined) ?? {};
  if (!Object.hasOwn(signals, event.type)) rows.notes.put(note, { ...signals, [event.type]: event.position });
}

const maxShort = 4_096;

/** What is too long to stand in a node is in the log. */
function short<Value>(value: Value): Value | undefined {
  return value !== undefined && JSON.stringify(value).length <= maxShort ? value : undefined;
}
