/** The way of documents into the index: what the saga asks for, when it gives up, and what it leaves behind. */
import assert from "node:assert/strict";
import { Fault } from "retrace";
import { describe, expect, test } from "vitest";
import document from "../../../actors/aggregates/document.ts";
import policy from "../../../actors/aggregates/policy.ts";
import ingestion from "../../../actors/sagas/document-ingestion.ts";
import { checkSaga } from "../../../src/core/check-saga.ts";
import { openSagas, type SagaSetting } from "../../sagas/setting.ts";

const minuteMs = 60_000;

interface Documents extends SagaSetting {
  /** Sends, asserts that it is accepted, and lets the saga react. */
  tell(type: string, data?: object, id?: string): Promise<void>;
  /** What the document has on record, from a version on. */
  events(
    type?: string,
    id?: string,
  ): readonly { readonly type: string; readonly data: Data; readonly actor?: string }[];
  /** The state of the saga's instance; undefined when there is none under way. */
  state(round?: number, id?: string): unknown;
  ended(round?: number, id?: string): unknown;
  embedAndIndex(ids: readonly string[], pipeline?: string, id?: string): Promise<void>;
}

type Data = Readonly<Record<string, unknown>>;

async function openDocuments(settings?: object): Promise<Documents> {
  const setting = await openSagas([document, policy, ingestion]);
  const { store, send, settle } = setting;
  const tell = async (type: string, data: object = {}, id = "d"): Promise<void> => {
    const outcome = await send("document", id, type, data);
    assert(!(outcome instanceof Fault), `${type}: ${(outcome as Fault).message}`);
    await settle();
  };
  if (settings !== undefined) {
    await send("policy", "document-ingestion", "SetPolicy", { settings });
    await settle();
  }
  return {
    ...setting,
    tell,
    events: (type, id = "d") =>
      Array.from(store.readStream(`document-${id}`), (event) => {
        const actor = event.metadata.actor?.id;
        return { type: event.type, data: event.data as Data, ...(actor !== undefined && { actor }) };
      }).filter((event) => type === undefined || event.type === type),
    state: (round = 1, id = "d") => {
      return (store.get("sagas", ["document-ingestion", `${id}~${round}`]) as { value: unknown } | undefined)?.value;
    },
    ended: (round = 1, id = "d") => {
      const last = setting.story("document-ingestion", `${id}~${round}`).at(-1);
      return last?.type === "SagaEnded" ? (last.data as { state: unknown }).state : undefined;
    },
    embedAndIndex: async (ids, pipeline = "p1", id = "d") => {
      for (const chunkId of ids) {
        await tell("EmbedChunk", { chunkId, pipeline }, id);
        await tell("IndexChunk", { chunkId, pipeline, indexName: "main" }, id);
      }
    },
  };
}

const chunks = (...ids: string[]) => ids.map((chunkId) => ({ chunkId }));
const three = ["c1", "c2", "c3"];

/** Submitted, validated and cut into three. */
async function chunked(settings?: object): Promise<Documents> {
  const documents = await openDocuments(settings);
  await documents.tell("SubmitDocument");
  await documents.tell("ValidateDocument");
  await documents.tell("ChunkDocument", { pipeline: "p1", chunks: chunks(...three) });
  return documents;
}

/** With all three indexed under p1. */
async function ingested(settings?: object): Promise<Documents> {
  const documents = await chunked(settings);
  await documents.embedAndIndex(three);
  return documents;
}

const awaitingIndex = { indexing: { progress: "awaited", retries: "none" } };

test("the saga keeps the loader's rules", () => {
  expect(checkSaga(ingestion, new Set(Object.keys(document.schemas.events)))).toEqual([]);
});

describe("a document", () => {
  test("is waited for step by step, and is ingested when every chunk is indexed", async () => {
    const documents = await openDocuments();
    await documents.tell("SubmitDocument");
    expect(documents.state()).toEqual({ validating: "awaited" });
    await documents.tell("ValidateDocument");
    expect(documents.state()).toEqual({ chunking: "awaited" });
    await documents.tell("ChunkDocument", { pipeline: "p1", chunks: chunks(...three) });
    expect(documents.state()).toEqual(awaitingIndex);
    await documents.embedAndIndex(["c3", "c1"]);
    expect(documents.state()).toEqual(awaitingIndex);
    await documents.embedAndIndex(["c2"]);
    expect(documents.ended()).toBe("ingested");
    expect(documents.events().at(-1)).toEqual({
      type: "IngestionCompleted",
      data: { pipeline: "p1", chunks: 3, revision: 1, round: 1 },
      actor: "saga:document-ingestion",
    });
    expect(documents.reactor.nextDueMs()).toBeUndefined();
    expect(documents.events("DocumentStepRequested")).toEqual([]);
  });

  test("without a chunk is ingested at once", async () => {
    const documents = await openDocuments();
    await documents.tell("SubmitDocument");
    await documents.tell("ValidateDocument");
    await documents.tell("ChunkDocument", { pipeline: "p1", chunks: [] });
    expect(documents.ended()).toBe("ingested");
  });

  test("of more than a thousand chunks leaves a handful of steps and a small state", async () => {
    const ids = Array.from({ length: 1_200 }, (_, i) => `c${i}`);
    const documents = await openDocuments();
    await documents.tell("SubmitDocument");
    await documents.tell("ValidateDocument");
    await documents.tell("ChunkDocument", { pipeline: "p1", chunks: chunks(...ids) });
    const size = () =>
      (documents.store.get("sagas", ["document-ingestion", "d~1"]) as { state: Uint8Array }).state.length;
    const before = size();
    const half = ids.slice(0, 800);
    await Promise.all(ids.map((chunkId) => documents.send("document", "d", "EmbedChunk", { chunkId, pipeline: "p1" })));
    const index = (chunkId: string) => {
      return documents.send("document", "d", "IndexChunk", { chunkId, pipeline: "p1", indexName: "main" });
    };
    await Promise.all(half.map(index));
    await documents.settle();
    expect(size()).toBeLessThan(before + 100);
    await Promise.all(ids.slice(800).map(index));
    await documents.settle();
    expect(documents.ended()).toBe("ingested");
    expect(documents.story("document-ingestion", "d~1").length).toBeLessThan(10);
  });

  test("whose id is as long as ids may be is watched too", async () => {
    const documents = await openDocuments();
    const id = "x".repeat(128);
    await documents.tell("SubmitDocument", {}, id);
    const running = [...documents.store.scan("sagas", { prefix: ["document-ingestion"] })];
    expect(running).toHaveLength(1);
    await documents.tell("DeleteDocument", {}, id);
    expect([...documents.store.scan("sagas", {})]).toEqual([]);
  });

  test("from before, imported, is nobody's business until somebody works on it", async () => {
    const documents = await openDocuments();
    const old = { occurredAt: "2020-01-01T00:00:00.000Z", recordedAt: documents.clock.now() };
    const metadata = { correlationId: "c", causationId: "c", commandId: "c" };
    await documents.store.append([
      {
        id: "old",
        stream: "document-d",
        category: "document",
        type: "DocumentSubmitted",
        schemaVersion: 1,
        data: { revision: 1, submittedAt: old.occurredAt, round: 1 },
        ...old,
        metadata,
      },
    ]);
    await documents.settle();
    expect(documents.state()).toBeUndefined();
    await documents.tell("ValidateDocument");
    expect(documents.state()).toBeUndefined();
    await documents.tell("ChunkDocument", { pipeline: "p1", chunks: chunks("c1") });
    await documents.embedAndIndex(["c1"]);
    expect(documents.ended()).toBe("ingested");
  });
});

describe("a silent worker", () => {
  test("is asked again at each deadline, and then the document is given up", async () => {
    const documents = await openDocuments({ attempts: 3, validateWithinMs: minuteMs });
    await documents.tell("SubmitDocument");
    await documents.pass(minuteMs - 1);
    expect(documents.events("DocumentStepRequested")).toEqual([]);
    await documents.pass(1);
    expect(documents.events("DocumentStepRequested")).toMatchObject([
      { data: { step: "validate", attempt: 2, dueAt: "2026-01-01T00:02:00.000Z", revision: 1 } },
    ]);
    await documents.pass(minuteMs);
    expect(documents.events("DocumentStepRequested").map(({ data }) => data.attempt)).toEqual([2, 3]);
    await documents.pass(minuteMs);
    expect(documents.state()).toBe("failed");
    expect(documents.events().at(-1)).toMatchObject({
      type: "DocumentStepFailed",
      data: { step: "validate", retryable: false, reason: expect.stringContaining("3 times") },
    });
    expect(documents.reactor.nextDueMs()).toBeUndefined();
  });

  test("that answers late is heard", async () => {
    const documents = await openDocuments({ attempts: 2, validateWithinMs: minuteMs });
    await documents.tell("SubmitDocument");
    await documents.pass(2 * minuteMs);
    expect(documents.state()).toBe("failed");
    await documents.tell("ValidateDocument");
    expect(documents.state()).toEqual({ chunking: "awaited" });
  });

  test("is asked for what is missing only, and every chunk that gets on gives the others time", async () => {
    const documents = await chunked({ attempts: 2, progressWithinMs: 10 * minuteMs });
    await documents.pass(9 * minuteMs);
    await documents.tell("EmbedChunk", { chunkId: "c1", pipeline: "p1" });
    await documents.pass(9 * minuteMs);
    expect(documents.events("DocumentStepRequested")).toEqual([]);
    await documents.pass(minuteMs);
    expect(documents.events("DocumentStepRequested")).toMatchObject([
      { data: { step: "embed", chunkIds: ["c2", "c3"], attempt: 2 } },
      { data: { step: "index", chunkIds: ["c1"], attempt: 2 } },
    ]);
    await documents.pass(9 * minuteMs);
    await documents.embedAndIndex(["c1"]);
    await documents.pass(10 * minuteMs);
    expect(documents.events("DocumentStepRequested").slice(2)).toMatchObject([
      { data: { step: "embed", chunkIds: ["c2", "c3"], attempt: 2 } },
    ]);
  });

  test("was not silent when all is indexed and only the saga had not heard", async () => {
    const documents = await chunked({ progressWithinMs: minuteMs });
    // All three events come before the saga looks, as they do after it was down.
    for (const chunkId of three) {
      await documents.send("document", "d", "EmbedChunk", { chunkId, pipeline: "p1" });
      await documents.send("document", "d", "IndexChunk", { chunkId, pipeline: "p1", indexName: "main" });
    }
    documents.clock.advance(minuteMs);
    await documents.reactor.fireDue();
    await documents.settle();
    expect(documents.ended()).toBe("ingested");
    expect(documents.events("DocumentStepRequested")).toEqual([]);
  });
});

describe("a step that failed", () => {
  test("is asked for again after a while that doubles, and is given up in the end", async () => {
    const documents = await openDocuments({ attempts: 3, backoffMs: 10_000, chunkWithinMs: 60 * minuteMs });
    await documents.tell("SubmitDocument");
    await documents.tell("ValidateDocument");
    const fail = () => documents.tell("FailDocumentStep", { step: "chunk", reason: "no memory" });
    await fail();
    expect(documents.state()).toEqual({ chunking: "paused" });
    await documents.pass(9_999);
    expect(documents.events("DocumentStepRequested")).toEqual([]);
    await documents.pass(1);
    expect(documents.events("DocumentStepRequested")).toMatchObject([{ data: { step: "chunk", attempt: 2 } }]);
    await fail();
    await documents.pass(19_999);
    expect(documents.events("DocumentStepRequested")).toHaveLength(1);
    await documents.pass(1);
    expect(documents.events("DocumentStepRequested")).toHaveLength(2);
    await fail();
    expect(documents.state()).toBe("failed");
    expect(documents.events().at(-1)?.data).toMatchObject({ reason: "given up: chunk: no memory", retryable: false });
  });

  test("that cannot be retried ends it at once", async () => {
    const documents = await openDocuments();
    await documents.tell("SubmitDocument");
    await documents.tell("FailDocumentStep", { step: "validate", reason: "encrypted", retryable: false });
    expect(documents.state()).toBe("failed");
    expect(documents.events("DocumentStepRequested")).toEqual([]);
  });

  test("of single chunks is retried for those that failed, each with its own tries", async () => {
    const documents = await chunked({ attempts: 2, backoffMs: 10_000 });
    const fail = (chunkId: string) => documents.tell("FailDocumentStep", { step: "embed", chunkId, pipeline: "p1" });
    await fail("c1");
    await fail("c3");
    expect(documents.state()).toEqual({ indexing: { progress: "awaited", retries: "due" } });
    await documents.pass(10_000);
    expect(documents.events("DocumentStepRequested")).toMatchObject([
      { data: { step: "embed", chunkIds: ["c1", "c3"], attempt: 2 } },
    ]);
    await documents.embedAndIndex(["c1"]);
    await fail("c2");
    await documents.pass(10_000);
    expect(documents.state()).toEqual(awaitingIndex);
    await fail("c3");
    expect(documents.state()).toBe("failed");
  });

  test("for no chunk in particular is retried for all that are missing", async () => {
    const documents = await chunked({ attempts: 2, backoffMs: 10_000 });
    const fail = () => documents.tell("FailDocumentStep", { step: "embed", pipeline: "p1", reason: "502" });
    await documents.tell("EmbedChunk", { chunkId: "c2", pipeline: "p1" });
    await fail();
    await documents.pass(10_000);
    expect(documents.events("DocumentStepRequested")).toMatchObject([
      { data: { step: "embed", chunkIds: ["c1", "c3"], attempt: 2 } },
      { data: { step: "index", chunkIds: ["c2"], attempt: 2 } },
    ]);
    await fail();
    expect(documents.state()).toBe("failed");
  });
});

describe("giving up", () => {
  test("takes out what was indexed, newest first, each once, and says why", async () => {
    const documents = await chunked({ removedAtOnce: 2 });
    await documents.tell("ChunkDocument", { pipeline: "p1", chunks: chunks("c1", "c2", "c3", "c4", "c5") });
    await documents.embedAndIndex(["c4", "c1", "c5", "c2"]);
    await documents.tell("FailDocumentStep", {
      step: "embed",
      chunkId: "c3",
      pipeline: "p1",
      reason: "too long",
      retryable: false,
    });
    expect(documents.events("ChunkRemoved").map(({ data }) => data.chunkId)).toEqual(["c2", "c5", "c1", "c4"]);
    expect(documents.events("ChunkRemoved")[0]).toMatchObject({
      data: { reason: "given up: embed of c3: too long", indexName: "main", pipeline: "p1" },
      actor: "saga:document-ingestion",
    });
    expect(documents.events().at(-1)).toMatchObject({
      type: "DocumentStepFailed",
      data: { step: "embed", chunkId: "c3", pipeline: "p1", retryable: false },
    });
    expect(documents.state()).toBe("failed");
  });

  test("takes out what a slow worker still brings", async () => {
    const documents = await chunked();
    await documents.tell("EmbedChunk", { chunkId: "c1", pipeline: "p1" });
    await documents.tell("FailDocumentStep", { step: "embed", chunkId: "c3", pipeline: "p1", retryable: false });
    await documents.tell("IndexChunk", { chunkId: "c1", pipeline: "p1", indexName: "main" });
    expect(documents.events("ChunkRemoved").map(({ data }) => data.chunkId)).toEqual(["c1"]);
    expect(documents.state()).toBe("failed");
  });

  test("is not for ever: whoever asks again sets it going again", async () => {
    const documents = await chunked({ attempts: 1 });
    await documents.tell("FailDocumentStep", { step: "embed", chunkId: "c3", pipeline: "p1" });
    expect(documents.state()).toBe("failed");
    await documents.tell("RequestDocumentStep", { step: "index" });
    expect(documents.state()).toEqual(awaitingIndex);
    await documents.embedAndIndex(three);
    expect(documents.ended()).toBe("ingested");
  });
});

describe("a document that changes", () => {
  test("while it is ingested begins again with the new revision", async () => {
    const documents = await chunked();
    await documents.embedAndIndex(["c1", "c2"]);
    await documents.tell("UpdateDocument", { revision: 2 });
    expect(documents.state()).toEqual({ validating: "awaited" });
    await documents.tell("ValidateDocument");
    await documents.tell("ChunkDocument", { pipeline: "p1", chunks: chunks("c1", "x1") });
    await documents.embedAndIndex(["c1", "x1"]);
    expect(documents.ended()).toBe("ingested");
    // c1 was overwritten in the index; c2 is of the old revision only.
    expect(documents.events("ChunkRemoved")).toMatchObject([
      { data: { chunkId: "c2", revision: 1, reason: "replaced under p1" } },
    ]);
  });

  test("while it is failed begins again, too", async () => {
    const documents = await openDocuments();
    await documents.tell("SubmitDocument");
    await documents.tell("FailDocumentStep", { step: "validate", retryable: false });
    await documents.tell("UpdateDocument", { revision: 2 });
    expect(documents.state()).toEqual({ validating: "awaited" });
  });

  test("after it is ingested begins another round, which removes what it replaces", async () => {
    const documents = await ingested({ removedAtOnce: 2 });
    await documents.tell("UpdateDocument", { revision: 2 });
    expect(documents.state(2)).toEqual({ validating: "awaited" });
    await documents.tell("ValidateDocument");
    await documents.tell("ChunkDocument", { pipeline: "p1", chunks: chunks("x1") });
    expect(documents.events("ChunkRemoved")).toEqual([]);
    await documents.embedAndIndex(["x1"]);
    expect(documents.events("ChunkRemoved").map(({ data }) => data.chunkId)).toEqual(["c3", "c2", "c1"]);
    expect(documents.ended(2)).toBe("ingested");
  });

  test("before the saga heard of its last chunk is not lost", async () => {
    const documents = await chunked();
    for (const chunkId of three) {
      await documents.send("document", "d", "EmbedChunk", { chunkId, pipeline: "p1" });
      await documents.send("document", "d", "IndexChunk", { chunkId, pipeline: "p1", indexName: "main" });
    }
    await documents.send("document", "d", "UpdateDocument", { revision: 2 });
    await documents.settle();
    expect(documents.state()).toEqual({ validating: "awaited" });
  });

  test("and is cut into other chunks begins again with those", async () => {
    const documents = await chunked({ attempts: 2, progressWithinMs: minuteMs });
    await documents.embedAndIndex(["c1", "c2"]);
    await documents.pass(minuteMs - 1);
    await documents.tell("ChunkDocument", { pipeline: "p1", chunks: chunks("c1", "x1") });
    await documents.pass(minuteMs - 1);
    expect(documents.events("DocumentStepRequested")).toEqual([]);
    await documents.embedAndIndex(["c1", "x1"]);
    expect(documents.ended()).toBe("ingested");
    expect(documents.events("ChunkRemoved").map(({ data }) => data.chunkId)).toEqual(["c2"]);
  });

  test("and is cut into other chunks after it was ingested is watched again", async () => {
    const documents = await ingested();
    await documents.tell("ChunkDocument", { pipeline: "p1", chunks: chunks("c1", "x1") });
    expect(documents.state(2)).toEqual(awaitingIndex);
    await documents.embedAndIndex(["c1", "x1"]);
    expect(documents.ended(2)).toBe("ingested");
  });

  test("and is deleted ends it, with its timers, whatever it was about to do", async () => {
    const histories: readonly ((documents: Documents) => Promise<void>)[] = [
      (documents) => documents.tell("SubmitDocument"),
      async (documents) => {
        await documents.tell("SubmitDocument");
        await documents.tell("FailDocumentStep", { step: "validate" });
      },
      async (documents) => {
        await documents.tell("SubmitDocument");
        await documents.tell("FailDocumentStep", { step: "validate", retryable: false });
      },
    ];
    for (const live of histories) {
      const documents = await openDocuments();
      await live(documents);
      await documents.tell("DeleteDocument");
      expect(documents.ended()).toBe("deleted");
      expect(documents.reactor.nextDueMs()).toBeUndefined();
    }
  });

  test("and is deleted before the saga heard of its last chunk gets no late command", async () => {
    const documents = await chunked();
    for (const chunkId of three) {
      await documents.send("document", "d", "EmbedChunk", { chunkId, pipeline: "p1" });
      await documents.send("document", "d", "IndexChunk", { chunkId, pipeline: "p1", indexName: "main" });
    }
    await documents.send("document", "d", "DeleteDocument");
    await documents.settle();
    expect(documents.ended()).toBe("deleted");
    expect(documents.events().at(-1)?.type).toBe("DocumentDeleted");
  });

  test("under a pipeline that nobody asked for is not the saga's business", async () => {
    const documents = await ingested();
    await documents.tell("ChunkDocument", { pipeline: "p9", chunks: chunks("x1") });
    await documents.embedAndIndex(["x1"], "p9");
    expect(documents.state(2)).toBeUndefined();
    expect(documents.events("PipelineCutOver")).toEqual([]);
  });
});

describe("another pipeline", () => {
  const upgrade = { step: "index", pipeline: "p2", embeddingModel: "e6" };

  test("goes beside the one in service, is compared, cut over to, and takes its place in the index", async () => {
    const documents = await ingested();
    await documents.tell("RequestDocumentStep", upgrade);
    expect(documents.state(2)).toEqual(awaitingIndex);
    await documents.embedAndIndex(["c1", "c2"], "p2");
    expect(documents.events("PipelineCutOver")).toEqual([]);
    await documents.embedAndIndex(["c3"], "p2");
    const progress = { chunks: 3, embedded: 3, indexed: 3 };
    expect(documents.events("PipelineCutOver")).toMatchObject([
      {
        data: { from: "p1", to: "p2", comparison: { by: "counts", from: progress, to: progress } },
        actor: "saga:document-ingestion",
      },
    ]);
    expect(documents.events("ChunkRemoved").map(({ data }) => [data.chunkId, data.pipeline])).toEqual([
      ["c3", "p1"],
      ["c2", "p1"],
      ["c1", "p1"],
    ]);
    expect(documents.ended(2)).toBe("ingested");
    expect(documents.events().at(-1)).toMatchObject({ data: { pipeline: "p2", round: 2 } });
  });

  test("may chunk the document otherwise", async () => {
    const documents = await ingested();
    await documents.tell("RequestDocumentStep", { ...upgrade, step: "chunk" });
    expect(documents.state(2)).toEqual({ chunking: "awaited" });
    await documents.tell("ChunkDocument", { pipeline: "p2", chunks: chunks("x1", "x2") });
    await documents.embedAndIndex(["x1", "x2"], "p2");
    expect(documents.events("PipelineCutOver")).toMatchObject([{ data: { from: "p1", to: "p2" } }]);
    expect(documents.ended(2)).toBe("ingested");
  });

  test("of a document without chunks is cut over to at once", async () => {
    const documents = await openDocuments();
    await documents.tell("SubmitDocument");
    await documents.tell("ValidateDocument");
    await documents.tell("ChunkDocument", { pipeline: "p1", chunks: [] });
    await documents.tell("RequestDocumentStep", upgrade);
    expect(documents.ended(2)).toBe("ingested");
    expect(documents.events("PipelineCutOver")).toMatchObject([{ data: { from: "p1", to: "p2" } }]);
  });

  test("and back again", async () => {
    const documents = await ingested();
    await documents.tell("RequestDocumentStep", upgrade);
    await documents.embedAndIndex(three, "p2");
    await documents.tell("RequestDocumentStep", { step: "index", pipeline: "p1" });
    expect(documents.events("DocumentStepRequested").at(-1)).toMatchObject({
      data: { step: "index", chunkIds: three, pipeline: "p1", inService: "p2" },
    });
    for (const chunkId of three) await documents.tell("IndexChunk", { chunkId, pipeline: "p1", indexName: "main" });
    expect(documents.events("PipelineCutOver").at(-1)).toMatchObject({ data: { from: "p2", to: "p1" } });
    expect(documents.ended(3)).toBe("ingested");
  });

  test("with too few chunks does not hold up: it goes, and the old one stays", async () => {
    const documents = await ingested({ minChunkShare: 0.5 });
    await documents.tell("RequestDocumentStep", { ...upgrade, step: "chunk" });
    await documents.tell("ChunkDocument", { pipeline: "p2", chunks: chunks("x1") });
    await documents.embedAndIndex(["x1"], "p2");
    expect(documents.events("PipelineCutOver")).toEqual([]);
    expect(documents.events("ChunkRemoved")).toMatchObject([{ data: { chunkId: "x1", pipeline: "p2" } }]);
    expect(documents.events().at(-1)).toMatchObject({
      type: "DocumentStepFailed",
      data: {
        step: "compare",
        pipeline: "p2",
        retryable: false,
        reason: expect.stringContaining('"minChunkShare":0.5'),
      },
    });
    expect(documents.state(2)).toBe("failed");
  });

  test("is compared by a worker where the policy says so, who cuts over or refuses", async () => {
    for (const verdict of ["better", "worse"]) {
      const documents = await ingested({ comparedBy: "worker", compareWithinMs: 30 * minuteMs });
      await documents.tell("RequestDocumentStep", upgrade);
      await documents.embedAndIndex(three, "p2");
      expect(documents.state(2)).toEqual({ comparing: "awaited" });
      expect(documents.events("DocumentStepRequested").at(-1)).toMatchObject({
        data: { step: "compare", pipeline: "p2", inService: "p1", dueAt: "2026-01-01T00:30:00.000Z", attempt: 1 },
      });
      await documents.pass(30 * minuteMs);
      expect(documents.events("DocumentStepRequested").at(-1)).toMatchObject({ data: { attempt: 2 } });
      if (verdict === "better") {
        await documents.tell("CutOverPipeline", { from: "p1", to: "p2", comparison: { recallAt10: [0.7, 0.8] } });
        expect(documents.ended(2)).toBe("ingested");
        expect(documents.events("ChunkRemoved")).toHaveLength(3);
      } else {
        const failure = { step: "compare", pipeline: "p2", reason: "recall fell", retryable: false };
        await documents.tell("FailDocumentStep", failure);
        expect(documents.state(2)).toBe("failed");
        expect(documents.events("ChunkRemoved").map(({ data }) => data.pipeline)).toEqual(["p2", "p2", "p2"]);
      }
    }
  });

  test("that fails leaves the one in service alone", async () => {
    const documents = await ingested({ attempts: 1 });
    await documents.tell("RequestDocumentStep", upgrade);
    await documents.embedAndIndex(["c1"], "p2");
    await documents.tell("FailDocumentStep", { step: "embed", chunkId: "c2", pipeline: "p2", reason: "no such model" });
    expect(documents.events("ChunkRemoved").map(({ data }) => [data.chunkId, data.pipeline])).toEqual([["c1", "p2"]]);
    expect(documents.events("PipelineCutOver")).toEqual([]);
    await documents.tell("RequestDocumentStep", upgrade);
    expect(documents.state(2)).toEqual(awaitingIndex);
    await documents.tell("IndexChunk", { chunkId: "c1", pipeline: "p2", indexName: "main" });
    await documents.embedAndIndex(["c2", "c3"], "p2");
    expect(documents.ended(2)).toBe("ingested");
  });

  test("asked for while the saga clears up comes next", async () => {
    const documents = await ingested({ removedAtOnce: 1 });
    await documents.tell("UpdateDocument", { revision: 2 });
    await documents.tell("ValidateDocument");
    await documents.tell("ChunkDocument", { pipeline: "p1", chunks: chunks("x1") });
    await documents.tell("EmbedChunk", { chunkId: "x1", pipeline: "p1" });
    await documents.send("document", "d", "IndexChunk", { chunkId: "x1", pipeline: "p1", indexName: "main" });
    await documents.send("document", "d", "RequestDocumentStep", upgrade);
    await documents.settle();
    expect(documents.events("ChunkRemoved")).toHaveLength(3);
    expect(documents.state(2)).toEqual(awaitingIndex);
    await documents.embedAndIndex(["x1"], "p2");
    expect(documents.ended(2)).toBe("ingested");
    expect(documents.events("PipelineCutOver")).toHaveLength(1);
  });

  test("is given up when the document changes, and the new revision is ingested under what its chunker uses", async () => {
    const documents = await ingested();
    await documents.tell("RequestDocumentStep", upgrade);
    await documents.embedAndIndex(["c1"], "p2");
    await documents.tell("UpdateDocument", { revision: 2 });
    expect(documents.state(2)).toEqual({ validating: "awaited" });
    await documents.tell("ValidateDocument");
    await documents.tell("ChunkDocument", { pipeline: "p1", chunks: chunks("x1") });
    await documents.embedAndIndex(["x1"]);
    expect(documents.ended(2)).toBe("ingested");
    expect(documents.events("ChunkRemoved")).toHaveLength(4);
  });

  test("is cut over to when a new revision is chunked under it, because nothing else has it", async () => {
    const documents = await ingested();
    await documents.tell("UpdateDocument", { revision: 2 });
    await documents.tell("ValidateDocument");
    await documents.tell("ChunkDocument", { pipeline: "p2", chunks: chunks("x1") });
    await documents.embedAndIndex(["x1"], "p2");
    expect(documents.events("PipelineCutOver")).toMatchObject([
      { data: { from: "p1", to: "p2", comparison: { from: null } } },
    ]);
    expect(documents.events("ChunkRemoved").map(({ data }) => data.chunkId)).toEqual(["c3", "c2", "c1"]);
    expect(documents.ended(2)).toBe("ingested");
  });
});

describe("someone who was faster", () => {
  test("cuts over by hand: the saga clears up behind", async () => {
    const documents = await ingested({ comparedBy: "worker" });
    await documents.tell("RequestDocumentStep", { step: "index", pipeline: "p2" });
    for (const chunkId of three) {
      await documents.send("document", "d", "EmbedChunk", { chunkId, pipeline: "p2" });
      await documents.send("document", "d", "IndexChunk", { chunkId, pipeline: "p2", indexName: "main" });
    }
    await documents.send("document", "d", "CutOverPipeline", { to: "p2" });
    await documents.settle();
    expect(documents.ended(2)).toBe("ingested");
    expect(documents.events("ChunkRemoved")).toHaveLength(3);
  });

  test("cuts over by hand to what nobody asked for: that one is cleared up for", async () => {
    const documents = await chunked();
    await documents.embedAndIndex(["c1"]);
    await documents.tell("ChunkDocument", { pipeline: "p9", chunks: chunks("x1") });
    await documents.embedAndIndex(["x1"], "p9");
    await documents.tell("CutOverPipeline", { to: "p9" });
    expect(documents.events("ChunkRemoved").map(({ data }) => [data.chunkId, data.pipeline])).toEqual([["c1", "p1"]]);
    expect(documents.ended()).toBe("ingested");
  });

  test("completes the ingestion by hand: the saga ends", async () => {
    const documents = await chunked();
    for (const chunkId of three) {
      await documents.send("document", "d", "EmbedChunk", { chunkId, pipeline: "p1" });
      await documents.send("document", "d", "IndexChunk", { chunkId, pipeline: "p1", indexName: "main" });
    }
    await documents.send("document", "d", "CompleteIngestion");
    await documents.settle();
    expect(documents.ended()).toBe("ingested");
  });
});
