import fc from "fast-check";
import { describe, expect, test } from "vitest";
import document from "../../actors/aggregates/document.ts";
import documentStatus from "../../actors/projections/document-status.ts";
import { decideCommand } from "../../src/core/aggregate.ts";
import { initialState } from "../../src/core/chart.ts";
import { at, type Happened, project } from "./project.ts";

const event = (type: string, data: unknown = {}): Happened => ({ stream: "document-d1", type, data });
const rowOf = async (history: readonly Happened[]) => (await project(documentStatus, history)).d1;
const chunks = (...ids: readonly string[]) => ids.map((chunkId, position) => ({ chunkId, position }));
const submitted = event("DocumentSubmitted", { revision: 1, source: "crawl", submittedAt: at(0) });
const chunkedUnder = (pipeline: string, ...ids: readonly string[]) => {
  return event("DocumentChunked", { revision: 1, pipeline, chunks: chunks(...ids) });
};
const embedded = (chunkId: string, pipeline = "p1") => {
  return event("ChunkEmbedded", { chunkId, pipeline, embeddingModel: "e5" });
};
const indexed = (chunkId: string, indexName = "main", pipeline = "p1") => {
  return event("ChunkIndexed", { chunkId, pipeline, indexName });
};
const removed = (chunkId: string, indexName = "main", pipeline = "p1") => {
  return event("ChunkRemoved", { chunkId, pipeline, indexName });
};

describe("a document's status", () => {
  test("follows it from the submission to the index", async () => {
    const history = [
      submitted,
      event("DocumentValidated", { format: "pdf", byteCount: 12 }),
      chunkedUnder("p1", "a", "b"),
      embedded("a"),
      embedded("b"),
      indexed("a"),
      indexed("b"),
    ];
    const steps: unknown[] = [];
    for (let length = 1; length <= history.length; length++) steps.push((await rowOf(history.slice(0, length)))?.step);

    expect(steps).toEqual(["submitted", "validated", "chunked", "chunked", "embedded", "embedded", "indexed"]);
    expect(await rowOf(history)).toEqual({
      step: "indexed",
      revision: 1,
      source: "crawl",
      submittedAt: at(0),
      updatedAt: at(7),
      format: "pdf",
      byteCount: 12,
      inService: "p1",
      chunkedBy: "p1",
      pipelines: { p1: { chunks: 2, embedded: 2, indexed: 2, embeddingModel: "e5", indexes: { main: 2 } } },
      failures: [],
      failureCount: 0,
    });
  });

  test("counts each chunk once, in every index that has its newest embedding", async () => {
    const before = [submitted, chunkedUnder("p1", "a", "b"), embedded("a"), indexed("a"), indexed("a", "other")];
    const pipelineOf = async (...more: readonly Happened[]) => {
      return ((await rowOf([...before, ...more]))?.pipelines as Record<string, unknown>).p1;
    };
    const counts = { chunks: 2, embeddingModel: "e5" };

    expect(await pipelineOf()).toEqual({ ...counts, embedded: 1, indexed: 1, indexes: { main: 1, other: 1 } });
    expect(await pipelineOf(removed("a"))).toEqual({ ...counts, embedded: 1, indexed: 1, indexes: { other: 1 } });
    expect(await pipelineOf(removed("a"), removed("a", "other"))).toEqual({
      ...{ ...counts, embedded: 1, indexed: 0, indexes: {} },
    });
    expect(await pipelineOf(embedded("a"))).toEqual({ ...counts, embedded: 1, indexed: 0, indexes: {} });
    // What the index had from before the new embedding is of no matter.
    expect(await pipelineOf(embedded("a"), removed("a", "other"), indexed("a"))).toEqual({
      ...{ ...counts, embedded: 1, indexed: 1, indexes: { main: 1 } },
    });
  });

  test("stands by the pipeline in service while another is filled, and then cut over to", async () => {
    const history = [
      ...[submitted, chunkedUnder("p1", "a"), embedded("a"), indexed("a"), chunkedUnder("p2", "x", "y")],
      embedded("x", "p2"),
    ];
    expect(await rowOf(history)).toMatchObject({
      step: "indexed",
      inService: "p1",
      pipelines: { p1: { indexed: 1 }, p2: { chunks: 2, embedded: 1, indexed: 0 } },
    });
    expect(await rowOf([...history, event("PipelineCutOver", { from: "p1", to: "p2" })])).toMatchObject({
      step: "chunked",
      inService: "p2",
    });
  });

  test("begins anew with a new revision, and ends with a reason", async () => {
    const history = [
      ...[submitted, chunkedUnder("p1", "a"), embedded("a"), indexed("a")],
      event("DocumentStepFailed", { step: "embed", chunkId: "a", pipeline: "p1", reason: "timeout", retryable: true }),
    ];
    expect(await rowOf(history)).toMatchObject({
      failureCount: 1,
      failures: [{ step: "embed", at: at(5), chunkId: "a", pipeline: "p1", reason: "timeout", retryable: true }],
    });
    const updated = [...history, event("DocumentUpdated", { revision: 2 })];
    expect(await rowOf(updated)).toMatchObject({
      ...{ step: "submitted", revision: 2, source: "crawl", pipelines: {}, failures: [], failureCount: 0 },
    });
    // An index loses what it had of the old revision: nothing is counted for the new one.
    const chunked = [...updated, chunkedUnder("p1", "a"), removed("a")];
    expect(await rowOf(chunked)).toMatchObject({ pipelines: { p1: { embedded: 0, indexed: 0, indexes: {} } } });
    expect(await rowOf([...chunked, event("DocumentDeleted", { reason: "gdpr" })])).toMatchObject({
      ...{ step: "deleted", deletedAt: at(9), reason: "gdpr", pipelines: {} },
    });
  });
});

/** Commands that make sense often enough: few names, all kinds of orders. */
const [id, pipeline, indexName] = [
  fc.constantFrom("a", "b", "c"),
  fc.constantFrom("p1", "p2"),
  fc.constantFrom("i1", "i2"),
];
const command = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("UpdateDocument"),
      data: fc.record({ revision: fc.integer({ min: 2, max: 9 }) }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ type: "ValidateDocument", data: {} }) },
  {
    weight: 2,
    arbitrary: fc.tuple(pipeline, fc.subarray(["a", "b", "c"]), fc.nat(3)).map(([pipeline, ids, chunking]) => {
      return { type: "ChunkDocument", data: { pipeline, chunking, chunks: ids.map((chunkId) => ({ chunkId })) } };
    }),
  },
  {
    weight: 20,
    arbitrary: fc.tuple(id, pipeline, fc.constantFrom("e1", "e2")).map(([chunkId, pipeline, embeddingModel]) => {
      return { type: "EmbedChunk", data: { chunkId, pipeline, embeddingModel } };
    }),
  },
  {
    weight: 20,
    arbitrary: fc.tuple(id, pipeline, indexName).map(([chunkId, pipeline, indexName]) => {
      return { type: "IndexChunk", data: { chunkId, pipeline, indexName } };
    }),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(id, indexName)
      .map(([chunkId, indexName]) => ({ type: "RemoveChunk", data: { chunkId, indexName } })),
  },
);

const beginning = [
  { type: "SubmitDocument", data: {} },
  { type: "ValidateDocument", data: {} },
  { type: "ChunkDocument", data: { pipeline: "p1", chunks: ["a", "b", "c"].map((chunkId) => ({ chunkId })) } },
];

interface Chunk {
  readonly state: string;
  readonly indexNames: readonly string[];
}

test("after whatever commands, it counts what the document itself knows", async () => {
  let counted = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 10, maxLength: 60, size: "max" }), async (commands) => {
      let state = initialState(document.machine);
      const history: Happened[] = [];
      for (const [i, { type, data }] of [...beginning, ...commands].entries()) {
        const parsed = document.schemas.commands[type as "EmbedChunk"].parse(data);
        const metadata = { correlationId: "c", causationId: "c", commandId: "c" };
        const decided = decideCommand(document, {
          state,
          version: history.length,
          command: { type, data: parsed, occurredAt: at(i), metadata },
          context: { id: "d1", now: at(i) },
          newId: () => `id-${i}`,
        });
        if (decided.outcome !== "accepted") continue;
        state = decided.state;
        history.push(...decided.events.map(({ type, data }) => event(type, data)));
      }
      const { pipelines } = state.context as unknown as { pipelines: Record<string, { chunks: readonly Chunk[] }> };
      const expected = Object.entries(pipelines).map(([name, { chunks }]) => {
        const indexes: Record<string, number> = {};
        for (const index of chunks.flatMap(({ indexNames }) => indexNames)) indexes[index] = (indexes[index] ?? 0) + 1;
        const inState = (...states: readonly string[]) => chunks.filter(({ state }) => states.includes(state)).length;
        counted += inState("indexed");
        const [embedded, indexed] = [inState("embedded", "indexed"), inState("indexed")];
        return [name, { chunks: chunks.length, embedded, indexed, indexes }];
      });
      const shown = ((await rowOf(history))?.pipelines ?? {}) as Record<string, Record<string, unknown>>;
      const without = Object.entries(shown).map(([name, { embeddingModel: _, ...counts }]) => [name, counts]);
      expect(Object.fromEntries(without)).toEqual(Object.fromEntries(expected));
    }),
    { seed: 4, numRuns: 150 },
  );
  expect(counted).toBeGreaterThan(100);
});
