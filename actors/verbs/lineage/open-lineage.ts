/**
 * Training runs as events of OpenLineage 2-0-2 (https://openlineage.io/spec/2-0-2/OpenLineage.json): a START when a run
 * began, and a COMPLETE, FAIL or ABORT when it ended. Datasets are what runs were made of, and the models they produced.
 */
import { type Edge, type Node, nameOf } from "../../projections/lineage/graph.ts";
import { namespaces, uuidOf } from "./uuid.ts";

/** A RunEvent. */
export interface RunEvent {
  readonly eventType: "START" | "COMPLETE" | "FAIL" | "ABORT";
  /** ISO 8601. */
  readonly eventTime: string;
  readonly producer: string;
  readonly schemaURL: string;
  readonly run: { readonly runId: string; readonly facets: Facets };
  readonly job: { readonly namespace: string; readonly name: string; readonly facets: Facets };
  readonly inputs: readonly DatasetReference[];
  readonly outputs: readonly DatasetReference[];
}

/** A dataset in the sense of OpenLineage; its version is a facet. */
interface DatasetReference {
  readonly namespace: string;
  readonly name: string;
  readonly facets: Facets;
}

type Facets = Readonly<Record<string, Facet>>;

interface Facet {
  readonly _producer: string;
  readonly _schemaURL: string;
  readonly [field: string]: unknown;
}

/** A training run with its neighbours in the lineage. */
export interface Run {
  readonly node: Node;
  /** Things it was made of, and things that it produced. */
  readonly sources: readonly Node[];
  readonly products: readonly Node[];
  readonly times: RunTimes;
}

/** Of the row of `training-summaries`. */
export interface RunTimes {
  readonly status?: string;
  readonly startedAt?: string;
  readonly finishedAt?: string;
}

/** The events of a run, in their order; none of one that has not begun. `storeId` names the log. */
export function runEvents({ node, sources, products, times }: Run, storeId: string): RunEvent[] {
  const { status = "", startedAt, finishedAt } = times;
  if (startedAt === undefined) return [];
  const namespace = `urn:retrace:${storeId}`;
  const references = (things: readonly Node[]) => things.map((thing) => datasetReference(thing, namespace));
  const common = {
    producer: namespace,
    schemaURL: `${specification}/2-0-2/OpenLineage.json#/$defs/RunEvent`,
    run: { runId: runIdOf(node, namespace), facets: runFacets(node, namespace) },
    job: { namespace, name: node.category, facets: { jobType: jobTypeFacet(namespace) } },
    inputs: references(sources.filter(({ category }) => category !== "code")),
  };
  const start: RunEvent = { eventType: "START", eventTime: startedAt, ...common, outputs: [] };
  const eventType = Object.hasOwn(ends, status) ? ends[status] : undefined;
  if (eventType === undefined || finishedAt === undefined) return [start];
  return [start, { eventType, eventTime: finishedAt, ...common, outputs: references(products) }];
}

const ends: Readonly<Record<string, RunEvent["eventType"]>> = {
  completed: "COMPLETE",
  failed: "FAIL",
  cancelled: "ABORT",
};

const specification = "https://openlineage.io/spec";

/** The same for the same run of the same log. */
function runIdOf(run: Node, namespace: string): string {
  return uuidOf(namespaces.url, `${namespace}:${nameOf(run)}`);
}

function datasetReference({ category, id, version }: Node, namespace: string): DatasetReference {
  const of = "1-0-0/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet";
  const facets: Facets = version === undefined ? {} : { version: facet(namespace, of, { datasetVersion: version }) };
  return { namespace, name: `${category}/${id}`, facets };
}

/** What the run was given, as far as the lineage knows it. */
function runFacets({ facts = {} }: Node, namespace: string): Facets {
  const { hyperparameters = {}, ...others } = facts;
  const given = { ...others, ...prefixed("hyperparameters.", hyperparameters as Readonly<Record<string, unknown>>) };
  const parameters = Object.entries(given).map(([key, value]) => ({ key, value }));
  if (parameters.length === 0) return {};
  const of = "1-0-0/JobRunParametersFacet.json#/$defs/JobRunParametersFacet";
  return { jobRunParameters: facet(namespace, of, { parameters }) };
}

function jobTypeFacet(namespace: string): Facet {
  const of = "2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet";
  return facet(namespace, of, { processingType: "BATCH", integration: "RETRACE", jobType: "TRAINING" });
}

function facet(producer: string, schema: string, fields: object): Facet {
  return { _producer: producer, _schemaURL: `${specification}/facets/${schema}`, ...fields };
}

function prefixed(prefix: string, fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [`${prefix}${name}`, value]));
}

/** The ends of edges that lead to runs, and of those that lead away from them. */
export function neighbours(edges: readonly Edge[], direction: "up" | "down"): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { from, to } of edges) {
    const [near, far] = direction === "up" ? [to, from] : [from, to];
    found.set(near, [...(found.get(near) ?? []), far]);
  }
  return found;
}
