/** What a document knows of work that is wanted again: requests, failures, removals of many, rounds of ingestion. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { EventOf } from "retrace";
import { given } from "retrace/testing";
import { describe, expect, test } from "vitest";
import document from "../../actors/aggregates/document.ts";
import { arbitraryCommand } from "./arbitrary-command.ts";
import { decideAll } from "./decide-all.ts";

type Event = EventOf<typeof document.schemas>;

const submitted: Event = { type: "DocumentSubmitted", data: { revision: 1, submittedAt: "2026-01-01T00:00:00.000Z" } };
const validated: Event = { type: "DocumentValidated", data: {} };
const updated: Event = { type: "DocumentUpdated", data: { revision: 2 } };
const deleted: Event = { type: "DocumentDeleted", data: {} };
const cutOver: Event = { type: "PipelineCutOver", data: { from: "p1", to: "p2" } };
const completed: Event = { type: "IngestionCompleted", data: { pipeline: "p1", chunks: 2 } };

const chunked = (pipeline: string, ...ids: string[]): Event => ({
  type: "DocumentChunked",
  data: { pipeline, chunks: ids.map((chunkId, position) => ({ chunkId, position })) },
});
const embedded = (chunkId: string, pipeline = "p1"): Event => ({ type: "ChunkEmbedded", data: { chunkId, pipeline } });
const indexed = (chunkId: string, pipeline = "p1", indexName = "main"): Event => ({
  type: "ChunkIndexed",
  data: { chunkId, pipeline, indexName },
});
const failed = (chunkId: string, data: object = {}): Event => ({
  type: "DocumentStepFailed",
  data: { step: "embed", chunkId, pipeline: "p1", retryable: true, ...data },
});
const asked = (pipeline: string, ...chunkIds: string[]): Event => ({
  type: "DocumentStepRequested",
  data: { step: "embed", pipeline, attempt: 1, chunkIds },
});

const ready = (chunkId: string, pipeline = "p1", indexName = "main"): Event[] => [
  embedded(chunkId, pipeline),
  indexed(chunkId, pipeline, indexName),
];
const begun: Event[] = [submitted, validated, chunked("p1", "c1", "c2", "c3")];
/** c1 is indexed, c2 embedded, c3 neither. */
const halfWay: Event[] = [...begun, ...ready("c1"), embedded("c2")];
const whole: Event[] = [...halfWay, indexed("c2"), ...ready("c3")];

const request = (data: object) => ({ type: "RequestDocumentStep", data: { step: "index", ...data } }) as const;
const remove = (data: object) => ({ type: "RemoveChunks", data }) as const;

describe("asking for a step again", () => {
  test("names the chunks it is missing for: to be embedded, then to be indexed", () => {
    const progress = { chunks: 3, embedded: 2, indexed: 1 };
    const about = { pipeline: "p1", attempt: 2, round: 1, revision: 1, progress, inService: "p1" };
    const dueAt = "2026-01-01T01:00:00.000Z";
    given(document, halfWay)
      .when(request({ attempt: 2, dueAt, reason: "silence" }))
      .then([
        {
          type: "DocumentStepRequested",
          data: { ...about, step: "embed", dueAt, reason: "silence", chunkIds: ["c3"] },
        },
        {
          type: "DocumentStepRequested",
          data: { ...about, step: "index", dueAt, reason: "silence", chunkIds: ["c2"] },
        },
      ]);
    given(document, halfWay)
      .when(request({ step: "embed" }))
      .then([{ type: "DocumentStepRequested", data: { step: "embed", attempt: 1, chunkIds: ["c3"] } }]);
    given(document, halfWay)
      .when(request({ chunkId: "c2" }))
      .then([{ type: "DocumentStepRequested", data: { step: "index", attempt: 1, chunkIds: ["c2"] } }]);
  });

  test("can be narrowed to what has failed since it was asked for last", () => {
    const state = given(document, [...begun, failed("c2"), failed("c3")])
      .when(request({ onlyFailed: true }))
      .then([{ type: "DocumentStepRequested", data: { step: "embed", attempt: 1, chunkIds: ["c2", "c3"] } }]);
    expect(state.context.pipelines.p1.chunks[1]).toMatchObject({ chunkId: "c2", failures: 1 });
    const again = [...begun, failed("c2"), failed("c3"), asked("p1", "c2", "c3")];
    given(document, again)
      .when(request({ onlyFailed: true }))
      .thenRejected("NOTHING_MISSING");
    given(document, [...again, failed("c3")])
      .when(request({ onlyFailed: true }))
      .then([{ type: "DocumentStepRequested", data: { step: "embed", attempt: 1, chunkIds: ["c3"] } }]);
  });

  test("for thousands of chunks takes several events, in the order of the document", () => {
    const ids = Array.from({ length: 1_234 }, (_, i) => `c${i}`);
    const slices = [ids.slice(0, 500), ids.slice(500, 1_000), ids.slice(1_000)];
    given(document, [submitted, validated, chunked("p1", ...ids)])
      .when(request({}))
      .then(
        slices.map((chunkIds) => ({ type: "DocumentStepRequested", data: { step: "embed", attempt: 1, chunkIds } })),
      );
  });

  test("of the document as a whole, and of steps of one's own", () => {
    const only = (step: string): Event[] => [{ type: "DocumentStepRequested", data: { step, attempt: 1 } }];
    given(document, [submitted])
      .when(request({ step: "validate" }))
      .then(only("validate"));
    given(document, [submitted, validated])
      .when(request({ step: "chunk" }))
      .then(only("chunk"));
    given(document, whole)
      .when(request({ step: "summarise" }))
      .then(only("summarise"));
  });

  test.each<[string, Event[], object, string]>([
    ["validating what is validated", [submitted, validated], { step: "validate" }, "NOTHING_MISSING"],
    ["chunking what is chunked", begun, { step: "chunk" }, "NOTHING_MISSING"],
    ["indexing what is indexed", whole, {}, "NOTHING_MISSING"],
    ["a chunk that nobody knows", begun, { chunkId: "c9" }, "NOTHING_MISSING"],
    ["chunking before it is valid", [submitted], { step: "chunk" }, "STEP_TOO_EARLY"],
    ["indexing before there are chunks", [submitted, validated], {}, "STEP_TOO_EARLY"],
    ["an older revision", [...begun, updated], { revision: 1 }, "OTHER_REVISION"],
    ["a pipeline beside one that is not whole", halfWay, { pipeline: "p2" }, "NOT_INGESTED"],
    ["a second pipeline beside", [...whole, asked("p2", "c1")], { pipeline: "p3" }, "PIPELINE_BUSY"],
    ["comparing what is not there", whole, { step: "compare", pipeline: "p2" }, "UNKNOWN_PIPELINE"],
  ])("%s is refused", (_what, history, data, reason) => {
    given(document, history).when(request(data)).thenRejected(reason);
  });

  test("of what is not there, or not there any more, is refused", () => {
    given(document).when(request({})).thenNotAllowed({ state: "empty" });
    given(document, [...whole, deleted])
      .when(request({}))
      .thenNotAllowed({ state: "deleted" });
  });
});

describe("a pipeline beside the one in service", () => {
  test("takes the chunks over when it is asked to embed them, and says how far the other one is", () => {
    const state = given(document, whole)
      .when(request({ pipeline: "p2", embeddingModel: "e6" }))
      .then([
        {
          type: "DocumentStepRequested",
          data: {
            step: "embed",
            attempt: 1,
            pipeline: "p2",
            embeddingModel: "e6",
            chunkIds: ["c1", "c2", "c3"],
            inService: "p1",
            inServiceProgress: { chunks: 3, embedded: 3, indexed: 3 },
          },
        },
      ]);
    expect(state.context.candidate).toBe("p2");
    expect(state.context.pipelines.p2.progress).toEqual({ chunks: 3, embedded: 0, indexed: 0 });
  });

  test("is a candidate without chunks, too, where the document has none", () => {
    const state = given(document, [submitted, validated, chunked("p1")])
      .when(request({ pipeline: "p2" }))
      .then([{ type: "DocumentStepRequested", data: { step: "index", pipeline: "p2", attempt: 1, chunkIds: [] } }]);
    expect(state.context.candidate).toBe("p2");
    expect(state.context.pipelines.p2.progress).toEqual({ chunks: 0, embedded: 0, indexed: 0 });
  });

  test("is no candidate by a step of one's own", () => {
    const state = given(document, whole)
      .when(request({ step: "summarise", pipeline: "p2" }))
      .then([{ type: "DocumentStepRequested", data: { step: "summarise", pipeline: "p2", attempt: 1 } }]);
    expect(state.context.candidate).toBeNull();
  });

  test("is the candidate until it is cut over to, given up, or made pointless by a new revision", () => {
    const candidateAfter = (...events: Event[]) =>
      given(document, [...whole, asked("p2", "c1"), ...events]).state.context.candidate;
    expect(candidateAfter()).toBe("p2");
    expect(candidateAfter(failed("c1", { pipeline: "p2" }))).toBe("p2");
    expect(candidateAfter(failed("c1", { pipeline: "p2", retryable: false }))).toBeNull();
    expect(candidateAfter(failed("c1", { retryable: false }))).toBe("p2");
    expect(candidateAfter(cutOver)).toBeNull();
    expect(candidateAfter(updated)).toBeNull();
    expect(candidateAfter(deleted)).toBeNull();
  });

  test("is what a new revision is chunked under when that does not serve yet", () => {
    const next = given(document, [...whole, cutOver, updated, validated, chunked("p1", "c1")]).state;
    expect(next.context).toMatchObject({ inService: "p2", candidate: "p1" });
  });

  test("that nobody asked for belongs to no round", () => {
    const chunk = { type: "ChunkDocument", data: { pipeline: "p3", chunks: [] } } as const;
    const roundOf = (history: Event[], pipeline: string) => {
      const last = decideAll(document, [...commandsFor(history), { ...chunk, data: { pipeline, chunks: [] } }]).at(-1);
      return (last?.events[0]?.data as { round?: number }).round;
    };
    expect(roundOf(whole, "p3")).toBeUndefined();
    expect(roundOf(whole, "p1")).toBe(1);
    expect(roundOf([...whole, asked("p3", "c1")], "p3")).toBe(1);
  });
});

describe("removing many chunks", () => {
  const newest = ["c3", "c1", "c2"];
  const history: Event[] = [...begun, ...["c2", "c1", "c3"].flatMap((id) => ready(id))];

  test("takes the newest first, each once, and the last event says what is left", () => {
    const state = given(document, history)
      .when(remove({ pipeline: "p1", limit: 2, reason: "gave up" }))
      .then([
        removedEvent("c3", { progress: { chunks: 3, embedded: 3, indexed: 2 }, reason: "gave up" }),
        removedEvent("c1", { progress: { chunks: 3, embedded: 3, indexed: 1 }, left: 1 }),
      ]);
    expect(state.context.pipelines.p1.progress.indexed).toBe(1);
    given(document, history)
      .when(remove({ pipeline: "p1" }))
      .then(newest.map((id, i) => removedEvent(id, i === 2 ? { left: 0 } : {})));
  });

  test("counts a chunk in two indexes once", () => {
    const state = given(document, [...history, indexed("c2", "p1", "copy")])
      .when(remove({ pipeline: "p1" }))
      .then([
        removedEvent("c2", {
          indexName: "copy",
          remaining: ["main"],
          progress: { chunks: 3, embedded: 3, indexed: 3 },
        }),
        removedEvent("c2", { indexName: "main", remaining: [], progress: { chunks: 3, embedded: 3, indexed: 2 } }),
        removedEvent("c3"),
        removedEvent("c1", { left: 0, progress: { chunks: 3, embedded: 3, indexed: 0 } }),
      ]);
    expect(state.context.pipelines.p1.chunks.map(({ state: one }: { state: string }) => one)).toEqual([
      "embedded",
      "embedded",
      "embedded",
    ]);
  });

  test("leaves what is outdated, unless it says so", () => {
    const next = [...history, chunked("p1", "c1", "x1"), ...ready("x1")];
    given(document, next)
      .when(remove({ pipeline: "p1" }))
      .then([removedEvent("x1", { left: 0 })]);
    const state = given(document, next)
      .when(remove({ outdated: true }))
      .then([removedEvent("c3"), removedEvent("c2"), removedEvent("c1", { left: 0 })]);
    expect(state.context.outdated).toEqual([]);
    expect(state.context.pipelines.p1.progress).toEqual({ chunks: 2, embedded: 1, indexed: 1 });
  });

  test("of an older revision names that one", () => {
    given(document, [...history, updated])
      .when(remove({ outdated: true, limit: 1 }))
      .then([removedEvent("c3", { revision: 1, left: 2 })]);
  });

  test("that are not there is refused, so that whoever waits for it knows", () => {
    given(document, begun)
      .when(remove({ pipeline: "p1" }))
      .thenRejected("NOTHING_TO_REMOVE");
    given(document, history)
      .when(remove({ pipeline: "p9" }))
      .thenRejected("NOTHING_TO_REMOVE");
    given(document, history)
      .when(remove({ outdated: true }))
      .thenRejected("NOTHING_TO_REMOVE");
    given(document, [...history, updated])
      .when(remove({ outdated: true, revision: 1 }))
      .thenRejected("OTHER_REVISION");
    given(document)
      .when(remove({ outdated: true }))
      .thenNotAllowed({ state: "empty" });
    given(document, [...history, deleted])
      .when(remove({ outdated: true }))
      .thenNotAllowed({ state: "deleted" });
  });

  test("until nothing is left leaves no chunk in any index, whatever came before", () => {
    const commands = fc.array(arbitraryCommand(document.schemas), { maxLength: 60, size: "max" });
    const beginning = [
      { type: "SubmitDocument", data: {} },
      { type: "ValidateDocument", data: {} },
      { type: "ChunkDocument", data: { pipeline: "a", chunks: [{ chunkId: "a" }, { chunkId: "b" }] } },
    ];
    fc.assert(
      fc.property(commands, fc.integer({ min: 1, max: 3 }), (some, limit) => {
        const pipelines = ["a", "b", "constructor", "e1", "e2"];
        const removing = pipelines.flatMap((pipeline) =>
          Array.from({ length: 20 }, () => remove({ pipeline, limit, outdated: true })),
        );
        const after = decideAll(document, [...beginning, ...some, ...removing]).at(-1)?.state;
        if (after?.value === "deleted") return;
        const held = Object.values(after?.context.pipelines as Record<string, { chunks: { indexNames: string[] }[] }>);
        assert.deepEqual(after?.context.outdated, []);
        for (const { chunks } of held) for (const { indexNames } of chunks) assert.deepEqual(indexNames, []);
      }),
      { numRuns: 50 },
    );
  });
});

describe("rounds of ingestion", () => {
  const complete = { type: "CompleteIngestion", data: {} } as const;

  test("end when the pipeline in service is whole", () => {
    given(document, halfWay).when(complete).thenRejected("INGESTION_INCOMPLETE");
    const state = given(document, whole)
      .when(complete)
      .then([{ type: "IngestionCompleted", data: { pipeline: "p1", chunks: 3, round: 1, revision: 1 } }]);
    expect(state.context.round).toBe(2);
    given(document, [...whole, completed])
      .when({ type: "UpdateDocument", data: { revision: 2 } })
      .then([{ type: "DocumentUpdated", data: { revision: 2, round: 2 } }]);
  });

  test("do not end while a candidate is on its way, or for another revision", () => {
    given(document, [...whole, asked("p2", "c1")])
      .when(complete)
      .thenRejected("PIPELINE_REQUESTED");
    given(document, whole)
      .when({ ...complete, data: { revision: 7 } })
      .thenRejected("OTHER_REVISION");
    given(document, [...whole, updated])
      .when(complete)
      .thenNotAllowed({ state: "submitted" });
    given(document).when(complete).thenNotAllowed({ state: "empty" });
  });

  test("are named by every event, and never go back", () => {
    const commands = fc.array(arbitraryCommand(document.schemas), { maxLength: 60, size: "max" });
    fc.assert(
      fc.property(commands, (some) => {
        let round = 1;
        for (const { type, data } of decideAll(document, some).flatMap(({ events }) => events)) {
          const named = (data as { round?: number }).round;
          if (named !== undefined) assert.equal(named, round, type);
          else assert.equal(type, "DocumentChunked");
          if (type === "IngestionCompleted") round += 1;
        }
      }),
      { numRuns: 100 },
    );
  });
});

function removedEvent(chunkId: string, data: object = {}): Event {
  return { type: "ChunkRemoved", data: { chunkId, pipeline: "p1", indexName: "main", ...data } };
}

/** The commands by which a history of this file comes about. */
function commandsFor(history: readonly Event[]): { readonly type: string; readonly data: unknown }[] {
  const names: Readonly<Record<string, string>> = {
    DocumentSubmitted: "SubmitDocument",
    DocumentValidated: "ValidateDocument",
    DocumentChunked: "ChunkDocument",
    ChunkEmbedded: "EmbedChunk",
    ChunkIndexed: "IndexChunk",
    DocumentStepRequested: "RequestDocumentStep",
  };
  return history.map(({ type, data }) => {
    const { chunkIds: _, ...rest } = data as { readonly chunkIds?: unknown };
    return { type: names[type] as string, data: rest };
  });
}
