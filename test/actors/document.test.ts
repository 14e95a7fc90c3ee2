/** The document: revisions, chunks under each pipeline, what the indexes hold, cutting over, and the tombstone. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { EventOf } from "retrace";
import { type CommandOf, given } from "retrace/testing";
import { describe, expect, test } from "vitest";
import document from "../../actors/aggregates/document.ts";
import { acceptedIn } from "./accepted-in.ts";
import { arbitraryCommand } from "./arbitrary-command.ts";
import { decideAll } from "./decide-all.ts";

type Event = EventOf<typeof document.schemas>;
type Command = CommandOf<typeof document.schemas>;

const source = { name: "handbook", path: "streams.md" };
const contentRef = { ref: "s3://docs/streams-1.md", sha256: "aa", bytes: 3158, mediaType: "text/markdown" };
const submittedAt = "2026-01-01T00:00:00.000Z";

const submitted: Event = { type: "DocumentSubmitted", data: { source, contentRef, revision: 1, submittedAt } };
const validated: Event = { type: "DocumentValidated", data: { format: "markdown", byteCount: 3158 } };
const updated: Event = { type: "DocumentUpdated", data: { revision: 2, source } };
const deleted: Event = { type: "DocumentDeleted", data: {} };
const failed: Event = { type: "DocumentStepFailed", data: { step: "embed", chunkId: "c1" } };
const cutOver: Event = { type: "PipelineCutOver", data: { from: "p1", to: "p2" } };

const chunked = (pipeline: string, ...ids: string[]): Event => ({
  type: "DocumentChunked",
  data: { pipeline, chunks: ids.map((chunkId, position) => ({ chunkId, position })) },
});
const embedded = (chunkId: string, pipeline = "p1", embeddingModel = "e5"): Event => ({
  type: "ChunkEmbedded",
  data: { chunkId, pipeline, embeddingModel },
});
const indexed = (chunkId: string, pipeline = "p1", indexName = "main"): Event => ({
  type: "ChunkIndexed",
  data: { chunkId, pipeline, indexName, embeddingModel: "e5" },
});
const removed = (chunkId: string, pipeline = "p1", indexName = "main"): Event => ({
  type: "ChunkRemoved",
  data: { chunkId, pipeline, indexName },
});

const chunk = (pipeline: string, ...ids: string[]) =>
  ({ type: "ChunkDocument", data: { pipeline, chunks: ids.map((chunkId) => ({ chunkId })) } }) as const;
const embed = (chunkId: string, data: object = {}) =>
  ({ type: "EmbedChunk", data: { chunkId, pipeline: "p1", embeddingModel: "e5", ...data } }) as const;
const index = (chunkId: string, data: object = {}) =>
  ({ type: "IndexChunk", data: { chunkId, pipeline: "p1", indexName: "main", ...data } }) as const;
const remove = (chunkId: string, data: object = {}) =>
  ({ type: "RemoveChunk", data: { chunkId, indexName: "main", reason: "stale", ...data } }) as const;
const part = (chunkId: string, pipeline = "p1") => ({ name: "chunk", key: JSON.stringify([chunkId, pipeline]) });

/** Two chunks, of which the first is indexed. */
const half: Event[] = [submitted, validated, chunked("p1", "c1", "c2"), embedded("c1"), indexed("c1")];
const whole: Event[] = [...half, embedded("c2"), indexed("c2")];
const about = { revision: 1, source };

describe("the chart", () => {
  const commands: Command[] = [
    { type: "SubmitDocument", data: { revision: 7 } },
    { type: "ValidateDocument", data: { format: "pdf" } },
    chunk("p2", "x1"),
    embed("c2"),
    index("c1", { indexName: "other" }),
    remove("c1"),
    { type: "FailDocumentStep", data: { step: "embed" } },
    { type: "CutOverPipeline", data: { to: "p1" } },
    { type: "UpdateDocument", data: { revision: 3 } },
    { type: "DeleteDocument", data: {} },
  ];
  const always = ["FailDocumentStep", "UpdateDocument", "DeleteDocument"];

  test.each<[string, Event[], string[]]>([
    ["empty", [], ["SubmitDocument"]],
    ["submitted", [submitted], ["ValidateDocument", "RemoveChunk", ...always]],
    ["validated", [submitted, validated], ["ChunkDocument", "RemoveChunk", ...always]],
    [
      "chunked",
      half,
      [
        "ChunkDocument",
        "EmbedChunk",
        "IndexChunk",
        "RemoveChunk",
        "FailDocumentStep",
        "CutOverPipeline",
        ...always.slice(1),
      ],
    ],
    ["submitted", [...half, updated], ["ValidateDocument", "RemoveChunk", ...always]],
    ["validated", [...half, updated, validated], ["ChunkDocument", "RemoveChunk", ...always]],
    ["deleted", [...half, deleted], []],
  ])("%s accepts what its arrows say", (value, history, accepted) => {
    expect(given(document, history).state.value).toBe(value);
    expect(acceptedIn(document, history, commands)).toEqual(accepted);
  });

  test("a late worker of an older revision is refused until the new one has been chunked", () => {
    given(document, [...half, updated])
      .when(embed("c2"))
      .thenNotAllowed({ state: "submitted" });
    given(document, [...half, updated, validated])
      .when(index("c1"))
      .thenNotAllowed({ state: "validated" });
  });
});

describe("the chart of a chunk", () => {
  const commands: Command[] = [embed("c1", { embeddingModel: "other" }), index("c1", { indexName: "other" })];
  const pending: Event[] = [submitted, validated, chunked("p1", "c1", "c2")];

  test.each<[string | undefined, Event[], string[]]>([
    [undefined, [submitted, validated, chunked("p1", "c2")], []],
    ["pending", pending, ["EmbedChunk"]],
    ["embedded", [...pending, embedded("c1")], ["EmbedChunk", "IndexChunk"]],
    ["indexed", [...pending, embedded("c1"), indexed("c1")], ["EmbedChunk", "IndexChunk"]],
    ["embedded", [...pending, embedded("c1"), indexed("c1"), removed("c1")], ["EmbedChunk", "IndexChunk"]],
    ["embedded", [...pending, embedded("c1"), indexed("c1"), embedded("c1", "p1", "e6")], ["EmbedChunk", "IndexChunk"]],
    ["pending", [...half, updated, validated, chunked("p1", "c1")], ["EmbedChunk"]],
    [undefined, [...half, updated, validated, chunked("p1", "c9")], []],
  ])("%s accepts what its arrows say", (value, history, accepted) => {
    expect(chunkIn(history, "c1")?.state).toBe(value);
    expect(acceptedIn(document, history, commands)).toEqual(accepted);
  });

  test("a refusal names the chunk with its pipeline, and its state", () => {
    given(document, half)
      .when(index("c2"))
      .thenNotAllowed({ state: "pending", part: part("c2") });
    given(document, half)
      .when(embed("c9"))
      .thenNotAllowed({ state: "absent", part: part("c9") });
    given(document, half)
      .when(index("constructor"))
      .thenNotAllowed({ state: "absent", part: part("constructor") });
    given(document, [...half, updated, validated, chunked("p1", "c9")])
      .when(embed("c1"))
      .thenNotAllowed({ state: "outdated", part: part("c1") });
  });

  test("chunk and pipeline cannot be taken for one another, whatever their names", () => {
    const history = [submitted, validated, chunked('a","b', "c"), chunked("b", 'c","a')];
    given(document, history)
      .when(embed("c", { pipeline: "b" }))
      .thenNotAllowed({ state: "absent", part: part("c", "b") });
    given(document, history)
      .when(embed("c", { pipeline: 'a","b' }))
      .then([{ type: "ChunkEmbedded", data: { chunkId: "c", pipeline: 'a","b' } }]);
  });

  test("under names that every object has", () => {
    const history = [submitted, validated, chunked("constructor", "toString"), embedded("toString", "constructor")];
    given(document, history)
      .when(index("toString", { pipeline: "constructor", indexName: "valueOf" }))
      .then([{ type: "ChunkIndexed", data: { chunkId: "toString", pipeline: "constructor", indexName: "valueOf" } }]);
    given(document, [...history, deleted])
      .when({ type: "DeleteDocument", data: {} })
      .thenNotAllowed({ state: "deleted" });
  });
});

describe("submitting and validating", () => {
  test("record what they were told, and what was left out", () => {
    given(document)
      .when({ type: "SubmitDocument", data: { source, contentRef, revision: "a476d57", submittedAt } })
      .then([{ type: "DocumentSubmitted", data: { source, contentRef, revision: "a476d57", submittedAt } }]);
    given(document)
      .when({ type: "SubmitDocument", data: {} }, { occurredAt: "2021-11-22T15:51:02.000Z" })
      .then([{ type: "DocumentSubmitted", data: { revision: 1, submittedAt: "2021-11-22T15:51:02.000Z" } }]);
    given(document, [submitted])
      .when({ type: "ValidateDocument", data: { format: "markdown", byteCount: 3158, revision: 1 } })
      .then([{ type: "DocumentValidated", data: { format: "markdown", byteCount: 3158, ...about } }]);
  });

  test("again are success without an event", () => {
    const again = { type: "SubmitDocument", data: { source, contentRef } } as const;
    given(document, [submitted]).when(again).thenNothing();
    given(document, half).when(again).thenNothing();
    given(document, half)
      .when({ type: "ValidateDocument", data: { byteCount: 3158, format: "markdown" } })
      .thenNothing();
  });

  test("as something else are refused", () => {
    given(document, half).when({ type: "SubmitDocument", data: { source } }).thenNotAllowed({ state: "chunked" });
    given(document, half)
      .when({ type: "ValidateDocument", data: { format: "pdf" } })
      .thenNotAllowed({ state: "chunked" });
    given(document, [...half, updated])
      .when({ type: "SubmitDocument", data: { source, contentRef } })
      .thenNotAllowed({ state: "submitted" });
  });
});

describe("chunking", () => {
  test("tells of which content, and where each chunk is", () => {
    const textRef = { ref: "s3://docs/streams-1/c2" };
    const chunking = { by: "heading", maxTokens: 400 };
    const chunks = [{ chunkId: "c1" }, { chunkId: "c2", position: 7, textRef, heading: "Limits" }];
    given(document, [submitted, validated])
      .whenRaw("ChunkDocument", { pipeline: "p1", chunking, chunks })
      .then([
        {
          type: "DocumentChunked",
          data: {
            ...about,
            contentRef,
            pipeline: "p1",
            chunking,
            chunks: [
              { chunkId: "c1", position: 0 },
              { chunkId: "c2", position: 7, textRef, heading: "Limits" },
            ],
          },
        } as Event,
      ]);
  });

  test("again is success without an event, and loses no progress", () => {
    given(document, half)
      .when(chunk("p1", "c1", "c2"))
      .thenNothing();
    given(document, half)
      .when({
        type: "ChunkDocument",
        data: { pipeline: "p1", chunks: [{ position: 0, chunkId: "c1" }, { chunkId: "c2" }] },
      })
      .thenNothing();
  });

  test("otherwise begins anew, and what the index holds is out of date", () => {
    const state = given(document, half)
      .when(chunk("p1", "c1", "c3"))
      .then([chunked("p1", "c1", "c3")]);
    expect(state.context.pipelines.p1.chunks.map(({ state }: { state: string }) => state)).toEqual([
      "pending",
      "pending",
    ]);
    expect(state.context.pipelines.p1.progress).toEqual({ chunks: 2, embedded: 0, indexed: 0 });
    expect(state.context.outdated).toEqual([{ chunkId: "c1", pipeline: "p1", indexName: "main", revision: 1 }]);
  });

  test("for another pipeline leaves the first alone", () => {
    const { context } = given(document, [...half, chunked("p2", "x1", "c1"), embedded("c1", "p2")]).state;
    expect(context.pipelines.p1.progress).toEqual({ chunks: 2, embedded: 1, indexed: 1 });
    expect(context.pipelines.p2.progress).toEqual({ chunks: 2, embedded: 1, indexed: 0 });
    expect(context.inService).toBe("p1");
  });

  test("into nothing is complete at once", () => {
    const state = given(document, [submitted, validated])
      .when(chunk("p1"))
      .then([chunked("p1")]);
    expect(state.context.pipelines.p1.progress).toEqual({ chunks: 0, embedded: 0, indexed: 0 });
  });

  test("is bounded, with what the indexes hold from before", () => {
    const many = (n: number) => Array.from({ length: n }, (_, i) => `c${i}`);
    const full = [submitted, validated, ...["a", "b", "c"].map((name) => chunked(name, ...many(5000)))];
    given(document, full)
      .when(chunk("d", ...many(4996)))
      .then([chunked("d", ...many(4996))]);
    given(document, full)
      .when(chunk("d", ...many(4997)))
      .thenRejected("TOO_MANY_CHUNKS");
    given(document, [...full, chunked("d", "x")])
      .when(embed("x", { pipeline: "e" }))
      .then([{ type: "ChunkEmbedded", data: { chunkId: "x", pipeline: "e" } }]);
    given(document, [...full, chunked("d", ...many(4996))])
      .when(embed("c1", { pipeline: "e" }))
      .thenRejected("TOO_MANY_CHUNKS");
    given(document, [...full, chunked("d", ...many(4996))])
      .when(embed("c1", { pipeline: "d" }))
      .then([embedded("c1", "d")]);
  });
});

describe("embedding and indexing", () => {
  const vectorRef = { ref: "s3://vectors/c1.npy", sha256: "bb" };

  test("tell how far the pipeline is", () => {
    given(document, half)
      .when(embed("c2", { vectorRef }))
      .then([
        {
          type: "ChunkEmbedded",
          data: {
            ...about,
            chunkId: "c2",
            pipeline: "p1",
            embeddingModel: "e5",
            vectorRef,
            progress: { chunks: 2, embedded: 2, indexed: 1 },
          },
        },
      ]);
    given(document, [...half, embedded("c2")])
      .when(index("c2"))
      .then([
        {
          type: "ChunkIndexed",
          data: {
            ...about,
            chunkId: "c2",
            pipeline: "p1",
            embeddingModel: "e5",
            indexName: "main",
            progress: { chunks: 2, embedded: 2, indexed: 2 },
          },
        },
      ]);
  });

  test("again with the same values are success without an event", () => {
    const withVector: Event = {
      type: "ChunkEmbedded",
      data: { chunkId: "c2", pipeline: "p1", embeddingModel: "e5", vectorRef },
    };
    given(document, half).when(embed("c1")).thenNothing();
    given(document, half).when(index("c1")).thenNothing();
    given(document, [...half, withVector])
      .when(embed("c2", { vectorRef: { sha256: "bb", ref: "s3://vectors/c1.npy" } }))
      .thenNothing();
  });

  test("with another embedding takes the chunk back until it is indexed again", () => {
    const state = given(document, half)
      .when(embed("c1", { vectorRef }))
      .then([
        {
          type: "ChunkEmbedded",
          data: { chunkId: "c1", pipeline: "p1", progress: { chunks: 2, embedded: 1, indexed: 0 } },
        },
      ]);
    expect(state.context.outdated).toHaveLength(1);
    const again = given(document, [...half, embedded("c1", "p1", "e6")])
      .when(index("c1"))
      .then([
        { type: "ChunkIndexed", data: { chunkId: "c1", pipeline: "p1", indexName: "main", embeddingModel: "e6" } },
      ]);
    expect(again.context.outdated).toEqual([]);
  });

  test("into a second index counts the chunk once", () => {
    const state = given(document, half)
      .when(index("c1", { indexName: "copy" }))
      .then([
        {
          type: "ChunkIndexed",
          data: { chunkId: "c1", pipeline: "p1", indexName: "copy", progress: { chunks: 2, embedded: 1, indexed: 1 } },
        } as Event,
      ]);
    expect(chunkIn(half, "c1")?.indexNames).toEqual(["main"]);
    expect(state.context.pipelines.p1.chunks[0].indexNames).toEqual(["main", "copy"]);
  });

  test("by another model than it was embedded by is refused", () => {
    given(document, half)
      .when(index("c1", { indexName: "copy", embeddingModel: "e6" }))
      .thenRejected("OTHER_EMBEDDING_MODEL");
    given(document, half)
      .when(index("c2", { embeddingModel: "e6" }))
      .thenNotAllowed({ state: "pending" });
  });

  test("for another revision is refused, where the worker names it", () => {
    const history = [...half, updated, validated, chunked("p1", "c1")];
    for (const command of [embed("c1", { revision: 1 }), index("c1", { revision: 1 })]) {
      given(document, history).when(command).thenRejected("OTHER_REVISION");
    }
    given(document, history)
      .when(embed("c1", { revision: 2 }))
      .then([{ type: "ChunkEmbedded", data: { chunkId: "c1", pipeline: "p1", revision: 2 } }]);
    given(document, [...half, updated])
      .when({ type: "ValidateDocument", data: { revision: 1 } })
      .thenRejected("OTHER_REVISION");
    given(document, history)
      .when({ type: "ChunkDocument", data: { pipeline: "p1", chunks: [], revision: "1" } })
      .thenRejected("OTHER_REVISION");
    given(document, history)
      .when({ type: "FailDocumentStep", data: { step: "embed", revision: 1 } })
      .thenRejected("OTHER_REVISION");
  });

  test("under a pipeline without a chunking of its own take over the newest chunks", () => {
    const state = given(document, half)
      .when(embed("c2", { pipeline: "p2" }))
      .then([
        {
          type: "ChunkEmbedded",
          data: { chunkId: "c2", pipeline: "p2", progress: { chunks: 2, embedded: 1, indexed: 0 } },
        },
      ]);
    expect(state.context.pipelines.p1.progress).toEqual({ chunks: 2, embedded: 1, indexed: 1 });
    given(document, [...half, chunked("p3", "x1")])
      .when(embed("c2", { pipeline: "p2" }))
      .thenNotAllowed({ state: "absent", part: part("c2", "p2") });
  });

  test("lie in at most 32 indexes", () => {
    const copies = Array.from({ length: 31 }, (_, i) => indexed("c1", "p1", `copy${i}`));
    given(document, [...half, ...copies])
      .when(index("c1", { indexName: "one-more" }))
      .thenRejected("TOO_MANY_INDEXES");
    given(document, [...half, ...copies, embedded("c2")])
      .when(index("c2"))
      .then([indexed("c2")]);
    const left = copies.map((_, i) => removed("c1", "p1", `copy${i}`));
    given(document, [...half, ...copies, ...left, updated, validated, chunked("p1", "c1"), embedded("c1")])
      .when(index("c1", { indexName: "one-more" }))
      .then([indexed("c1", "p1", "one-more")]);
  });
});

describe("removing a chunk", () => {
  test("takes it back to embedded", () => {
    const state = given(document, half)
      .when(remove("c1"))
      .then([
        {
          type: "ChunkRemoved",
          data: {
            ...about,
            chunkId: "c1",
            pipeline: "p1",
            indexName: "main",
            reason: "stale",
            remaining: [],
            progress: { chunks: 2, embedded: 1, indexed: 0 },
          },
        },
      ]);
    expect(state.context.pipelines.p1.chunks[0]).toMatchObject({ state: "embedded", indexNames: [] });
  });

  test("from one of two indexes leaves it indexed", () => {
    const state = given(document, [...half, indexed("c1", "p1", "copy")])
      .when(remove("c1"))
      .then([
        {
          type: "ChunkRemoved",
          data: {
            chunkId: "c1",
            pipeline: "p1",
            indexName: "main",
            remaining: ["copy"],
            progress: { chunks: 2, embedded: 1, indexed: 1 },
          },
        },
      ]);
    expect(state.context.pipelines.p1.chunks[0]).toMatchObject({ state: "indexed", indexNames: ["copy"] });
  });

  test.each<[string, Event[]]>([
    ["submitted", [updated]],
    ["validated", [updated, validated]],
    ["chunked", [updated, validated, chunked("p1", "c9")]],
    ["chunked", [updated, validated, chunked("p1", "c1")]],
    ["chunked", [updated, validated, chunked("p2", "c1")]],
  ])("of an older revision is possible while the new one is %s, and names the older one", (_state, since) => {
    const state = given(document, [...half, ...since])
      .when(remove("c1"))
      .then([
        {
          type: "ChunkRemoved",
          data: { chunkId: "c1", pipeline: "p1", indexName: "main", revision: 1, source, remaining: [] },
        },
      ]);
    expect(state.context.outdated).toEqual([]);
  });

  test("takes it out under every pipeline and revision, unless it names a pipeline", () => {
    const both = [...half, chunked("p2", "c1"), embedded("c1", "p2"), indexed("c1", "p2")];
    given(document, both)
      .when(remove("c1"))
      .then([removed("c1", "p1"), removed("c1", "p2")]);
    given(document, both)
      .when(remove("c1", { pipeline: "p1" }))
      .then([removed("c1", "p1")]);
    const state = given(document, [
      ...half,
      updated,
      validated,
      chunked("p2", "c1"),
      embedded("c1", "p2"),
      indexed("c1", "p2"),
    ])
      .when(remove("c1"))
      .then([
        { type: "ChunkRemoved", data: { chunkId: "c1", pipeline: "p2", indexName: "main", revision: 2 } },
        { type: "ChunkRemoved", data: { chunkId: "c1", pipeline: "p1", indexName: "main", revision: 1 } },
      ]);
    expect(state.context.outdated).toEqual([]);
  });

  test("that is not in that index is success without an event", () => {
    given(document, half).when(remove("c2")).thenNothing();
    given(document, half)
      .when(remove("c1", { indexName: "copy" }))
      .thenNothing();
    given(document, half)
      .when(remove("c1", { pipeline: "p2" }))
      .thenNothing();
    given(document, [...half, removed("c1")])
      .when(remove("c1"))
      .thenNothing();
    given(document, [...half, updated])
      .when(remove("c1", { indexName: "copy" }))
      .thenNothing();
  });

  test("that nobody knows is refused", () => {
    given(document, half).when(remove("c9")).thenRejected("UNKNOWN_CHUNK");
    given(document, [...half, updated])
      .when(remove("c2"))
      .thenRejected("UNKNOWN_CHUNK");
    given(document).when(remove("c1")).thenNotAllowed({ state: "empty" });
  });
});

describe("a step that failed", () => {
  test("is recorded each time, and is retryable unless it says otherwise", () => {
    const data = { step: "embed", chunkId: "c2", pipeline: "p1", reason: "rate limit" };
    given(document, [...half, failed])
      .when({ type: "FailDocumentStep", data })
      .then([{ type: "DocumentStepFailed", data: { ...data, ...about, retryable: true } }]);
    given(document, [...half, failed])
      .when({ type: "FailDocumentStep", data: { ...data, chunkId: "c9" } })
      .then([{ type: "DocumentStepFailed", data: { ...data, chunkId: "c9" } }]);
    expect(given(document, [...half, failed]).state.context).toEqual(given(document, half).state.context);
    given(document, [submitted])
      .when({ type: "FailDocumentStep", data: { step: "validate", retryable: false } })
      .then([{ type: "DocumentStepFailed", data: { step: "validate", retryable: false, ...about } }]);
  });
});

describe("cutting over", () => {
  const cut = (data: object = {}) => ({ type: "CutOverPipeline", data: { from: "p1", to: "p2", ...data } }) as const;
  const beside = [
    ...whole,
    chunked("p2", "x1", "x2"),
    embedded("x1", "p2"),
    indexed("x1", "p2", "next"),
    embedded("x2", "p2"),
  ];
  const ready = [...beside, indexed("x2", "p2", "next")];

  test("needs every chunk of the revision indexed under the new pipeline", () => {
    const comparison = { recallAt10: { p1: 0.81, p2: 0.86 } };
    const state = given(document, ready)
      .when(cut({ comparison }))
      .then([{ type: "PipelineCutOver", data: { from: "p1", to: "p2", comparison, ...about } }]);
    expect(state.context.inService).toBe("p2");
    given(document, beside).when(cut()).thenRejected("PIPELINE_INCOMPLETE");
    given(document, [...ready, removed("x1", "p2", "next")])
      .when(cut())
      .thenRejected("PIPELINE_INCOMPLETE");
    given(document, [...ready, embedded("x1", "p2", "e6")])
      .when(cut())
      .thenRejected("PIPELINE_INCOMPLETE");
  });

  test("says how many are missing, and which", () => {
    const [message, details] = rejectionOf(
      [...whole, chunked("p2", ...Array.from({ length: 150 }, (_, i) => `x${i}`))],
      cut(),
    );
    expect(message).toContain("150 chunks are not indexed under p2 yet");
    expect(details).toMatchObject({ pipeline: "p2", missing: 150 });
    expect(details.chunkIds).toHaveLength(100);
  });

  test("to a pipeline that took its chunks over counts all of these", () => {
    const first = [...whole, embedded("c1", "p2"), indexed("c1", "p2", "next")];
    expect(rejectionOf(first, cut())[1]).toMatchObject({ missing: 1, chunkIds: ["c2"] });
    given(document, [...first, embedded("c2", "p2"), indexed("c2", "p2", "next")])
      .when(cut())
      .then([cutOver]);
  });

  test("needs a pipeline that has chunks of this revision", () => {
    given(document, whole).when(cut()).thenRejected("UNKNOWN_PIPELINE");
    given(document, whole)
      .when(cut({ to: "constructor" }))
      .thenRejected("UNKNOWN_PIPELINE");
    given(document, [...ready, updated, validated, chunked("p1", "c1")])
      .when(cut())
      .thenRejected("UNKNOWN_PIPELINE");
  });

  test("goes only from where the sender believes the document to be", () => {
    given(document, ready)
      .when(cut({ from: "p3" }))
      .thenRejected("NOT_IN_SERVICE");
    given(document, ready)
      .when({ type: "CutOverPipeline", data: { to: "p2" } })
      .then([cutOver]);
  });

  test("to where the document is already is success without an event", () => {
    given(document, [...ready, cutOver])
      .when(cut())
      .thenNothing();
    given(document, half)
      .when(cut({ to: "p1" }))
      .thenNothing();
    given(document, [...ready, cutOver, updated])
      .when(cut())
      .thenNotAllowed({ state: "submitted" });
  });

  test("holds for the next revision, too", () => {
    const next = [...ready, cutOver, updated, validated, chunked("p1", "c1"), embedded("c1"), indexed("c1")];
    expect(given(document, next).state.context.inService).toBe("p2");
    given(document, next)
      .when({ type: "CutOverPipeline", data: { to: "p1" } })
      .then([{ type: "PipelineCutOver", data: { from: "p2", to: "p1", revision: 2 } }]);
  });
});

describe("a new revision", () => {
  const update = (data: object) => ({ type: "UpdateDocument", data: { revision: 2, ...data } }) as const;

  test("names the one before, and comes from where that came from unless it says otherwise", () => {
    const next = { ref: "s3://docs/streams-2.md" };
    given(document, half)
      .when(update({ contentRef: next, reason: "typos" }))
      .then([
        {
          type: "DocumentUpdated",
          data: { revision: 2, previousRevision: 1, contentRef: next, reason: "typos", source },
        },
      ]);
    const state = given(document, half)
      .when(update({ source: "wiki" }))
      .then([{ type: "DocumentUpdated", data: { revision: 2, previousRevision: 1, source: "wiki" } }]);
    expect(state.context.current).toEqual({ revision: 2, source: "wiki" });
  });

  test("leaves what the indexes hold, and forgets what they do not", () => {
    const { context } = given(document, [...half, embedded("c2"), updated]).state;
    expect(context.pipelines).toEqual({});
    expect(context.outdated).toEqual([{ chunkId: "c1", pipeline: "p1", indexName: "main", revision: 1 }]);
    expect(context.inService).toBe("p1");
  });

  test("overwrites in the index what has the same name", () => {
    const state = given(document, [...half, updated, validated, chunked("p1", "c1"), embedded("c1")])
      .when(index("c1"))
      .then([
        {
          type: "ChunkIndexed",
          data: { chunkId: "c1", pipeline: "p1", indexName: "main", embeddingModel: "e5", revision: 2 },
        },
      ]);
    expect(state.context.outdated).toEqual([]);
  });

  test("again is success without an event", () => {
    given(document, [...half, updated])
      .when(update({}))
      .thenNothing();
    given(document, [...half, updated, validated])
      .when(update({ source }))
      .thenNothing();
  });

  test("comes after the one before", () => {
    given(document, [...half, updated])
      .when(update({ contentRef }))
      .thenRejected("REVISION_EXISTS");
    given(document, [...half, updated])
      .when(update({ revision: 1 }))
      .thenRejected("REVISION_BEHIND");
    const named: Event = { type: "DocumentUpdated", data: { revision: "b" } };
    given(document, [submitted, named])
      .when(update({ revision: "a" }))
      .then([{ type: "DocumentUpdated", data: { revision: "a", previousRevision: "b" } }]);
  });

  test("of a document that is not there is refused", () => {
    given(document).when(update({})).thenNotAllowed({ state: "empty" });
  });
});

describe("deleting", () => {
  test("says what has to be taken out of which index, and keeps no chunks", () => {
    const state = given(document, [
      ...half,
      updated,
      validated,
      chunked("p1", "c1"),
      embedded("c1"),
      indexed("c1", "p1", "copy"),
    ])
      .when({ type: "DeleteDocument", data: { reason: "licence ended" } })
      .then([
        {
          type: "DocumentDeleted",
          data: { reason: "licence ended", revision: 2, source, indexNames: ["main", "copy"] },
        },
      ]);
    expect(state.context).toMatchObject({ pipelines: {}, outdated: [], indexNames: [] });
    expect(state.status).toBe("done");
  });

  test("is for good: a deleted document accepts nothing", () => {
    const gone = given(document, [...whole, deleted]);
    fc.assert(
      fc.property(arbitraryCommand(document.schemas), ({ type, data }) => {
        const isValid = document.schemas.commands[type as Command["type"]]?.safeParse(data).success;
        if (isValid) gone.whenRaw(type, data).thenNotAllowed({ state: "deleted" });
      }),
      { numRuns: 500 },
    );
    for (const command of [embed("c1"), index("c1"), remove("c1"), chunk("p1", "c1", "c2")]) {
      gone.when(command).thenNotAllowed({ state: "deleted" });
    }
    gone.when({ type: "SubmitDocument", data: { source, contentRef } }).thenNotAllowed({ state: "deleted" });
    gone.when({ type: "DeleteDocument", data: {} }).thenNotAllowed({ state: "deleted" });
  });
});

describe("importing", () => {
  const manifest = { name: "manifest.json", sha256: "ff", path: "streams.md" };
  const first: Event = {
    type: "DocumentSubmitted",
    data: { source: manifest, contentRef, revision: 3, submittedAt, sourceLine: 3 },
  };
  const update = (revision: number, data: object = {}) =>
    ({ type: "UpdateDocument", data: { revision, source: manifest, sourceLine: revision, ...data } }) as const;
  const second: Event = {
    type: "DocumentUpdated",
    data: { revision: 4, source: manifest, sourceLine: 4, previousRevision: 3 },
  };

  test("keeps the manifest as where the document comes from, and the number of each revision in it", () => {
    const submit = { source: manifest, contentRef, revision: 3, submittedAt, sourceLine: 3 };
    given(document).when({ type: "SubmitDocument", data: submit }).then([first]);
    const state = given(document, [first]).when(update(4)).then([second]);
    expect(state.context.imported).toEqual([{ name: "manifest.json", sha256: "ff", line: 4, part: 1 }]);
  });

  test("goes on where it ended, and again adds nothing, whatever has become of the document", () => {
    for (const history of [
      [first, second],
      [first, second, validated],
      [first, second, deleted],
    ]) {
      const { when } = given(document, history);
      when({ type: "SubmitDocument", data: { source: manifest, revision: 3, sourceLine: 3 } }).thenNothing();
      when(update(4)).thenNothing();
    }
    given(document, [first, second])
      .when(update(5))
      .then([{ type: "DocumentUpdated", data: { revision: 5, source: manifest, sourceLine: 5, previousRevision: 4 } }]);
  });

  test("of a newer manifest goes on behind the older one", () => {
    const newer = { ...manifest, name: "manifest-2.json", sha256: "ee" };
    given(document, [first, second])
      .when(update(5, { source: newer, sourceLine: 1 }))
      .then([{ type: "DocumentUpdated", data: { revision: 5, source: newer, sourceLine: 1, previousRevision: 4 } }]);
    given(document, [first, second])
      .when(update(5, { source: { ...manifest, sha256: "ee" }, sourceLine: 1 }))
      .thenRejected("SOURCE_CHANGED");
  });
});

describe("laws", () => {
  const ids = ["c1", "c2", "c3"];
  const steps = ids.flatMap((id) => [
    embed(id),
    index(id),
    embed(id, { pipeline: "p2" }),
    index(id, { pipeline: "p2" }),
  ]);
  const begin = [{ type: "SubmitDocument", data: {} }, { type: "ValidateDocument", data: {} }, chunk("p1", ...ids)];

  test("chunks get ready in any order, each embedded before it is indexed", () => {
    const anyOrder = fc.shuffledSubarray(steps, { minLength: steps.length });
    fc.assert(
      fc.property(anyOrder, (order) => {
        // What came too early is sent once more, as a worker would.
        const after = decideAll(document, [...begin, ...order, ...order]).at(-1);
        for (const pipeline of ["p1", "p2"]) {
          assert.deepEqual(after?.state.context.pipelines[pipeline].progress, { chunks: 3, embedded: 3, indexed: 3 });
        }
      }),
    );
  });

  test("progress is what the chunks say, in the state and in every event", () => {
    const commands = fc.array(arbitraryCommand(document.schemas), { maxLength: 60, size: "max" });
    fc.assert(
      fc.property(commands, (some) => {
        for (const { state, events } of decideAll(document, [...begin, ...some])) {
          const pipelines = state.context.pipelines as Record<string, PipelineInState>;
          for (const pipeline of Object.values(pipelines)) assert.deepEqual(pipeline.progress, counted(pipeline));
          // Of several events about one pipeline, the last one says how far it is now.
          const told = new Map(
            (events as readonly { data: { pipeline?: string; progress?: object } }[]).map(({ data }) => [
              data.pipeline ?? "",
              data.progress,
            ]),
          );
          for (const [pipeline, progress] of told) {
            if (progress !== undefined) assert.deepEqual(progress, pipelines[pipeline]?.progress);
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  test("an index holds of each chunk under each pipeline one embedding: the present one or an outdated one", () => {
    const commands = fc.array(arbitraryCommand(document.schemas), { maxLength: 60, size: "max" });
    fc.assert(
      fc.property(commands, (some) => {
        for (const { state } of decideAll(document, [...begin, ...some])) {
          const present = Object.entries(state.context.pipelines as Record<string, PipelineInState>).flatMap(
            ([pipeline, { chunks }]) =>
              chunks.flatMap(({ chunkId, indexNames }) => indexNames.map((name) => [chunkId, pipeline, name])),
          );
          const outdated = (state.context.outdated as { chunkId: string; pipeline: string; indexName: string }[]).map(
            ({ chunkId, pipeline, indexName }) => [chunkId, pipeline, indexName],
          );
          const all = [...present, ...outdated];
          assert.equal(new Set(all.map((one) => JSON.stringify(one))).size, all.length);
          for (const [, , name] of all) assert(state.context.indexNames.includes(name));
        }
      }),
      { numRuns: 200 },
    );
  });

  test("a whole life of 35 revisions ends with nothing left over", () => {
    const revisions = Array.from({ length: 35 }, (_, i) => i + 1);
    const life = revisions.flatMap((revision) => {
      const content = { revision, contentRef: { ref: `streams-r${revision}.md` } };
      const chunks = Array.from({ length: 3 + (revision % 5) }, (_, i) => `r${revision}-${i}`);
      return [
        revision === 1 ? { type: "SubmitDocument", data: content } : { type: "UpdateDocument", data: content },
        { type: "ValidateDocument", data: { format: "markdown" } },
        chunk("p1", ...chunks),
        ...chunks.flatMap((id) => [embed(id), index(id)]),
        ...Array.from({ length: 3 + ((revision - 1) % 5) }, (_, i) => remove(`r${revision - 1}-${i}`)),
      ];
    });
    const last = decideAll(document, life).at(-1);
    expect(last?.state.context.current.revision).toBe(35);
    expect(last?.state.context.outdated).toEqual([]);
    expect(last?.state.context.pipelines.p1.progress).toEqual({ chunks: 3, embedded: 3, indexed: 3 });
  });
});

describe("fields", () => {
  const deep = JSON.parse(`${"[".repeat(50_000)}${"]".repeat(50_000)}`);
  const chunks = (...all: unknown[]) => ({ pipeline: "p1", chunks: all });

  test.each<[string, string, unknown, string]>([
    ["an unknown field", "SubmitDocument", { title: "x" }, "title"],
    ["a source that is large", "SubmitDocument", { source: { text: "x".repeat(1024) } }, "source"],
    ["a source that is deep", "SubmitDocument", { source: deep }, "source"],
    [
      "a reference that is large",
      "UpdateDocument",
      { revision: 2, contentRef: { ref: "x", note: "x".repeat(4096) } },
      "contentRef",
    ],
    ["a revision that no object can hold", "SubmitDocument", { revision: "__proto__" }, "revision"],
    ["a negative revision", "SubmitDocument", { revision: -1 }, "revision"],
    ["a time without its offset", "SubmitDocument", { submittedAt: "2026-01-01T00:00:00" }, "submittedAt"],
    ["a negative size", "ValidateDocument", { byteCount: -1 }, "byteCount"],
    ["a chunking under no pipeline", "ChunkDocument", { chunks: [] }, "pipeline"],
    ["a chunk without its id", "ChunkDocument", chunks({ position: 0 }), "chunks.0.chunkId"],
    ["a chunk id no object can hold", "ChunkDocument", chunks({ chunkId: "__proto__" }), "chunks.0.chunkId"],
    ["a chunk that is there twice", "ChunkDocument", chunks({ chunkId: "c1" }, { chunkId: "c1" }), "chunks"],
    [
      "too many chunks",
      "ChunkDocument",
      chunks(...Array.from({ length: 5001 }, (_, i) => ({ chunkId: `c${i}` }))),
      "chunks",
    ],
    [
      "a text where its place belongs",
      "ChunkDocument",
      chunks({ chunkId: "c1", textRef: "hello" }),
      "chunks.0.textRef",
    ],
    ["an embedding of nothing", "EmbedChunk", { pipeline: "p1" }, "chunkId"],
    ["an embedding under no pipeline", "EmbedChunk", { chunkId: "c1" }, "pipeline"],
    ["what decide computes", "EmbedChunk", { chunkId: "c1", pipeline: "p1", progress: { chunks: 1 } }, "progress"],
    ["an index without a name", "IndexChunk", { chunkId: "c1", pipeline: "p1" }, "indexName"],
    ["a removal from nowhere", "RemoveChunk", { chunkId: "c1" }, "indexName"],
    ["a failure of nothing", "FailDocumentStep", { reason: "x" }, "step"],
    ["a cut-over to nothing", "CutOverPipeline", { from: "p1" }, "to"],
    ["an update to nothing", "UpdateDocument", { contentRef }, "revision"],
    ["a line of no file", "SubmitDocument", { source: "wiki", sourceLine: 2 }, "source"],
    ["a line of a file without its hash", "UpdateDocument", { revision: 2, source, sourceLine: 2 }, "source"],
    ["a line before the first", "UpdateDocument", { revision: 2, sourceLine: 0 }, "sourceLine"],
  ])("%s is invalid", (_what, type, data, path) => {
    given(document, half).whenRaw(type, data).thenInvalid(path);
  });
});

interface ChunkInState {
  readonly chunkId: string;
  readonly state: string;
  readonly indexNames: readonly string[];
}

interface PipelineInState {
  readonly chunks: readonly ChunkInState[];
  readonly progress: object;
}

function chunkIn(history: Event[], chunkId: string): ChunkInState | undefined {
  const { pipelines } = given(document, history).state.context;
  return (pipelines.p1 as PipelineInState).chunks.find((one) => one.chunkId === chunkId);
}

function counted({ chunks }: PipelineInState) {
  const pending = chunks.filter(({ state }) => state === "pending").length;
  const done = chunks.filter(({ state }) => state === "indexed").length;
  return { chunks: chunks.length, embedded: chunks.length - pending, indexed: done };
}

function rejectionOf(
  history: Event[],
  command: Command,
): [message: string, details: Readonly<Record<string, unknown>>] {
  const { state } = given(document, history);
  const decide = document.decide[command.type] as (typeof document.decide)[string];
  const metadata = { correlationId: "c", causationId: "c", commandId: "c" };
  const now = "2026-01-01T00:00:00.000Z";
  const decision = decide(state, { ...command, occurredAt: now, metadata }, { id: "x1", now });
  assert("outcome" in decision);
  return [decision.message, decision.details];
}
