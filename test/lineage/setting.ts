/** Histories whose lineage the tests walk, over the projection and the query that a runtime has. */
import fc from "fast-check";
import type { EventStore } from "retrace";
import lineage from "../../actors/projections/lineage.ts";
import type { Reader } from "../../actors/verbs/lineage/rows.ts";
import { builtInActors } from "../../src/runtime/actor-files.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { type LoadedActors, loadActors } from "../../src/runtime/loader.ts";
import { openLog } from "../../src/runtime/log.ts";
import { Projections } from "../../src/runtime/projections/projections.ts";
import { projectionQuery } from "../../src/runtime/queries/projection.ts";
import { openMemoryStore } from "../../src/store/memory.ts";

/** An event of a lineage. */
export interface Happened {
  readonly category: string;
  readonly id: string;
  readonly type: string;
  readonly data: object;
}

/** Sync, so that its rows have every event without the follower of a runtime. */
const projection = { ...lineage, mode: "sync" as const };
let actors: Promise<LoadedActors> | undefined;

/** What a client would read after this history, as the runtime answers it. */
export async function readerOf(
  history: readonly Happened[],
  store: EventStore = openMemoryStore("test"),
): Promise<Reader> {
  actors ??= loadActors([builtInActors]);
  const { aggregates } = await actors;
  const projections = new Projections({
    ...{ store, aggregates, clock: systemClock(), log: openLog("silent") },
    projections: new Map([[projection.name, projection]]),
  });
  await store.withTransaction((tx) => {
    const result = store.append(history.map(newEvent), tx);
    if (result.outcome !== "appended") throw new Error("a conflict");
    projections.apply(tx, projection.mode, result.events);
    projections.flush(tx);
  });
  const query = projectionQuery({ store, projections });
  return {
    query: async <Reply>(name: string, body: unknown) => {
      const reply = name === "health" ? { position: store.position() } : await query.answer(body);
      return reply as Reply;
    },
  };
}

function newEvent({ category, id, type, data }: Happened, i: number) {
  const at = new Date(Date.UTC(2026, 0, 1) + i * 1_000).toISOString();
  const metadata = { correlationId: "c", causationId: "c", commandId: "c" };
  const stream = `${category}-${id}`;
  return { id: `e${i}`, stream, category, type, schemaVersion: 1, data, occurredAt: at, recordedAt: at, metadata };
}

/** Writes an event down. */
export function happened(category: string, id: string, type: string, data: object = {}): Happened {
  return { category, id, type, data };
}

const id = fc.constantFrom("a", "b", "c");
const version = fc.constantFrom("1", "2");
const optional = <Value>(arbitrary: fc.Arbitrary<Value>) => fc.option(arbitrary, { nil: undefined });

function event(category: string, type: string, fields: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Happened> {
  return fc.record({ id, data: fc.record(fields) }).map((one) => ({ category, type, ...one }));
}

/** Any history of a few things that know of one another, in circles, too. */
export const anyHistory: fc.Arbitrary<Happened[]> = fc.array(
  fc.oneof(
    event("dataset", "DatasetVersioned", {
      version,
      parents: fc.array(fc.record({ datasetId: id, version }), { maxLength: 2 }),
    }),
    event("dataset", "DatasetVersionRetracted", { version }),
    event("training-run", "TrainingStarted", {
      ...{ datasetId: optional(id), datasetVersion: version, codeVersion: optional(id) },
    }),
    event("model", "ModelVersioned", { version, trainingRunId: optional(id) }),
    event("model", "ModelDeployed", { version, environment: id }),
    event("model", "DeploymentRolledBack", { environment: id, fromVersion: version, toVersion: optional(version) }),
    event("inference", "InferenceCompleted", { modelId: id, modelVersion: optional(version) }),
    event("review", "HumanReviewRequested", {
      subject: optional(fc.record({ category: fc.constantFrom("inference", "review"), id })),
    }),
    event("feedback", "CorrectionSubmitted", {
      ...{ context: fc.record({ requestId: optional(id) }), reviewId: optional(id) },
    }),
  ),
  { minLength: 1, maxLength: 25 },
);
