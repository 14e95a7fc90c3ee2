/**
 * What a document knows of its chunks: which there are under each pipeline, how far each has come, and what the indexes
 * hold that is out of date. Each function returns what one event changes; nothing is changed in place.
 */
import type { EventData } from "retrace";
import type { document } from "../../../schemas/document.ts";
import { digestOf } from "../../digest.ts";

type Chunked = EventData<typeof document, "DocumentChunked">;
type Embedded = EventData<typeof document, "ChunkEmbedded">;
type Indexed = EventData<typeof document, "ChunkIndexed">;
type Removed = EventData<typeof document, "ChunkRemoved">;
type Failed = EventData<typeof document, "DocumentStepFailed">;
type Submitted = EventData<typeof document, "DocumentSubmitted">;

/** How far the chunks of one pipeline are; `embedded` includes `indexed`. */
export type Progress = NonNullable<Embedded["progress"]>;

/** Of a chunk that the current revision has. */
export type ChunkValue = "pending" | "embedded" | "indexed";

/** One chunk of the current revision under one pipeline. */
export interface Chunk {
  readonly chunkId: string;
  readonly state: ChunkValue;
  readonly embeddingModel?: string;
  /** Digest of its embedding. */
  readonly embedding?: number;
  /** The indexes that hold this embedding. */
  readonly indexNames: readonly string[];
  /** The version of the document that brought it into an index last: the greater, the newer. */
  readonly indexedAt?: number;
  /** How often it has failed since it last got on. */
  readonly failures?: number;
  /** It has failed, and nobody has asked for it again. */
  readonly hasFailed?: true;
}

/** The current revision under one pipeline. */
export interface Pipeline {
  /** Digest of its chunking; absent when it took the chunks over from another pipeline. */
  readonly chunking?: number;
  /** A list, because copying a list is cheap: each event about a chunk makes a new one. */
  readonly chunks: readonly Chunk[];
  /** Where in the list each chunk is. */
  readonly at: Readonly<Record<string, number>>;
  readonly progress: Progress;
}

/** What an index still holds, although the document has something newer in its place, or nothing. */
export interface Outdated {
  readonly chunkId: string;
  readonly pipeline: string;
  readonly indexName: string;
  readonly revision?: Submitted["revision"];
}

/** The chunks of a document. */
export interface Chunks {
  readonly current: {
    readonly revision?: Submitted["revision"];
    /** The pipeline that chunked the revision last. */
    readonly chunkedBy?: string;
  };
  readonly pipelines: Readonly<Record<string, Pipeline>>;
  readonly outdated: readonly Outdated[];
  /** The indexes that may hold something of this document. */
  readonly indexNames: readonly string[];
}

/** Which pipelines a document has use for. */
export interface Service {
  /** The pipeline whose chunks answer queries: the first one, until another is cut over to. */
  readonly inService?: string;
  /** One that was asked for beside it, until it is cut over to or given up. */
  readonly candidate: string | null;
}

/** Whether every chunk of the current revision is indexed under the pipeline. */
export function isWhole(context: Chunks, pipeline: string | undefined): boolean {
  const progress = progressOf(context, pipeline);
  return progress !== undefined && progress.indexed === progress.chunks;
}

/** How far the chunks of the current revision are under a pipeline that has any. */
export function progressOf({ pipelines }: Chunks, pipeline: string | undefined): Progress | undefined {
  return pipeline !== undefined && Object.hasOwn(pipelines, pipeline) ? pipelines[pipeline]?.progress : undefined;
}

/** The chunks under a pipeline. One without a chunking of its own starts with those that were made last. */
export function pipelineNamed({ current, pipelines }: Chunks, name: string): Pipeline | undefined {
  if (Object.hasOwn(pipelines, name)) return pipelines[name];
  const { chunkedBy } = current;
  const latest = chunkedBy !== undefined && Object.hasOwn(pipelines, chunkedBy) ? pipelines[chunkedBy] : undefined;
  return (
    latest && { chunks: latest.chunks.map(({ chunkId }) => pending(chunkId)), at: latest.at, progress: none(latest) }
  );
}

/** The chunk of that id; undefined where the pipeline has none. */
export function findChunk(pipeline: Pipeline | undefined, chunkId: string): Chunk | undefined {
  if (pipeline === undefined || !Object.hasOwn(pipeline.at, chunkId)) return undefined;
  return pipeline.chunks[pipeline.at[chunkId] as number];
}

/** How many entries the state holds, without those of one pipeline. */
export function sizeWithout({ pipelines, outdated }: Chunks, name: string): number {
  const others = Object.entries(pipelines).filter(([other]) => other !== name);
  return others.reduce((sum, [, { chunks }]) => sum + 1 + chunks.length, outdated.length);
}

/** The progress when one chunk goes from one state to another. */
export function progressAfter({ progress }: Pipeline, from: ChunkValue, to: ChunkValue): Progress {
  const change = (state: ChunkValue) => (to === state ? 1 : 0) - (from === state ? 1 : 0);
  return {
    ...progress,
    embedded: progress.embedded - change("pending"),
    indexed: progress.indexed + change("indexed"),
  };
}

/** By what a chunking is recognised when it is sent again. */
export function digestOfChunking({ chunking, chunks }: Pick<Chunked, "chunking" | "chunks">): number {
  return digestOf([chunking, chunks]);
}

/** By what an embedding is recognised when it is sent again. */
export function digestOfEmbedding({
  embeddingModel,
  vectorRef,
}: Pick<Embedded, "embeddingModel" | "vectorRef">): number {
  return digestOf([embeddingModel, vectorRef]);
}

/** All chunks of the pipeline begin anew. */
export function chunked(context: Chunks, data: Chunked): Pick<Chunks, "pipelines" | "outdated"> {
  const made: Pipeline = {
    chunking: digestOfChunking(data),
    chunks: data.chunks.map(({ chunkId }) => pending(chunkId)),
    at: Object.fromEntries(data.chunks.map(({ chunkId }, index) => [chunkId, index])),
    progress: none(data),
  };
  return {
    pipelines: { ...context.pipelines, [data.pipeline]: made },
    outdated: [...context.outdated, ...heldBy(context, data.pipeline)],
  };
}

/** The revision is replaced: whatever an index holds of it is out of date. */
export function replaced(context: Chunks): Omit<Chunks, "current"> {
  const held = Object.keys(context.pipelines).flatMap((name) => heldBy(context, name));
  const outdated = [...context.outdated, ...held];
  return { pipelines: {}, outdated, indexNames: [...new Set(outdated.map(({ indexName }) => indexName))] };
}

/** The chunk has another embedding than the indexes hold. */
export function embedded(context: Chunks, data: Embedded, state: ChunkValue): Pick<Chunks, "pipelines" | "outdated"> {
  const { chunkId, pipeline, embeddingModel } = data;
  const before = findChunk(pipelineNamed(context, pipeline), chunkId) as Chunk;
  const embedding = digestOfEmbedding(data);
  const after = { chunkId, state, ...(embeddingModel !== undefined && { embeddingModel }), embedding, indexNames: [] };
  return {
    pipelines: withChunk(context, pipeline, after),
    outdated: [...context.outdated, ...outdatedIn(context, pipeline, before)],
  };
}

/** The index has got the chunk's embedding, in place of what it had. */
export function indexed(
  context: Chunks,
  { data, version }: { readonly data: Indexed; readonly version: number },
  state: ChunkValue,
): Omit<Chunks, "current"> {
  const { chunkId, pipeline, indexName, embeddingModel } = data;
  const { failures: _, hasFailed: __, ...before } = findChunk(pipelineNamed(context, pipeline), chunkId) as Chunk;
  const indexNames = withName(before.indexNames, indexName);
  const model = embeddingModel === undefined ? {} : { embeddingModel };
  const after = { ...before, ...model, state, indexNames, indexedAt: version };
  return {
    pipelines: withChunk(context, pipeline, after),
    outdated: withoutOutdated(context, data),
    indexNames: withName(context.indexNames, indexName),
  };
}

/** The index has lost the chunk. `state` is that of the chunk in the current revision, if it is there. */
export function removed(context: Chunks, data: Removed, state: ChunkValue): Pick<Chunks, "pipelines" | "outdated"> {
  const { chunkId, pipeline, indexName } = data;
  const outdated = withoutOutdated(context, data);
  const before = Object.hasOwn(context.pipelines, pipeline)
    ? findChunk(context.pipelines[pipeline], chunkId)
    : undefined;
  if (before === undefined) return { pipelines: context.pipelines, outdated };
  const indexNames = before.indexNames.filter((name) => name !== indexName);
  return { pipelines: withChunk(context, pipeline, { ...before, state, indexNames }), outdated };
}

/** A worker could not do the next step of a chunk. Given up, its failures count anew. One that nobody knows is let be. */
export function failed(context: Chunks, data: Failed): Pick<Chunks, "pipelines"> {
  const { pipeline: name, chunkId, retryable } = data;
  const own = name !== undefined && Object.hasOwn(context.pipelines, name) ? context.pipelines[name] : undefined;
  const before = chunkId === undefined ? undefined : findChunk(own, chunkId);
  if (name === undefined || before === undefined) return { pipelines: context.pipelines };
  const failures = retryable === false ? 0 : (before.failures ?? 0) + 1;
  return { pipelines: withChunk(context, name, { ...before, failures, hasFailed: true }) };
}

/** The chunks are wanted again, or for the first time under a pipeline that took them over. */
export function requested(context: Chunks, name: string, chunkIds: readonly string[]): Pick<Chunks, "pipelines"> {
  const pipeline = pipelineNamed(context, name);
  if (pipeline === undefined) return { pipelines: context.pipelines };
  const wanted = new Set(chunkIds);
  const chunks = pipeline.chunks.map(({ hasFailed, ...chunk }) => {
    return hasFailed && !wanted.has(chunk.chunkId) ? { ...chunk, hasFailed } : chunk;
  });
  return { pipelines: { ...context.pipelines, [name]: { ...pipeline, chunks } } };
}

/** What has to be removed so that an index holds nothing of a chunk: one removal for each pipeline and revision. */
export function removals(context: Chunks, where: Pick<Removed, "chunkId" | "indexName">): RemovalOfOne[] {
  const { chunkId, indexName } = where;
  const isHere = (old: Outdated) => old.chunkId === chunkId && old.indexName === indexName;
  const current = Object.keys(context.pipelines)
    .filter((name) => findChunk(context.pipelines[name], chunkId)?.indexNames.includes(indexName))
    .map((pipeline) => ({ pipeline, ...revisionOf(context.current) }));
  const outdated = context.outdated.filter(isHere).map((old) => ({ pipeline: old.pipeline, ...revisionOf(old) }));
  return [...current, ...outdated].map((one) => ({ ...one, ...afterRemoval(context, one.pipeline, where) }));
}

/** One of `removals`, as the event tells it. */
export type RemovalOfOne = Pick<Removed, "pipeline" | "revision" | "remaining" | "progress">;

/** What is left of a chunk under a pipeline when an index has lost it. */
export function afterRemoval(context: Chunks, pipeline: string, where: Pick<Removed, "chunkId" | "indexName">) {
  const own = Object.hasOwn(context.pipelines, pipeline) ? context.pipelines[pipeline] : undefined;
  const chunk = findChunk(own, where.chunkId);
  if (own === undefined || chunk === undefined) return { remaining: [] };
  const remaining = chunk.indexNames.filter((name) => name !== where.indexName);
  const after = chunk.state === "indexed" && remaining.length === 0 ? "embedded" : chunk.state;
  return { remaining, progress: progressAfter(own, chunk.state, after) };
}

function withChunk(context: Chunks, name: string, after: Chunk): Chunks["pipelines"] {
  const pipeline = pipelineNamed(context, name) as Pipeline;
  const index = pipeline.at[after.chunkId] as number;
  const progress = progressAfter(pipeline, (pipeline.chunks[index] as Chunk).state, after.state);
  const chunks = pipeline.chunks.with(index, after);
  return { ...context.pipelines, [name]: { ...pipeline, chunks, progress } };
}

function heldBy(context: Chunks, name: string): Outdated[] {
  if (!Object.hasOwn(context.pipelines, name)) return [];
  return (context.pipelines[name] as Pipeline).chunks.flatMap((chunk) => outdatedIn(context, name, chunk));
}

function outdatedIn({ current }: Chunks, pipeline: string, { chunkId, indexNames }: Chunk): Outdated[] {
  return indexNames.map((indexName) => ({ chunkId, pipeline, indexName, ...revisionOf(current) }));
}

function withoutOutdated({ outdated }: Chunks, gone: Pick<Outdated, "chunkId" | "pipeline" | "indexName">) {
  const isGone = (old: Outdated) =>
    old.chunkId === gone.chunkId && old.indexName === gone.indexName && old.pipeline === gone.pipeline;
  return outdated.some(isGone) ? outdated.filter((old) => !isGone(old)) : outdated;
}

function withName(names: readonly string[], name: string): readonly string[] {
  return names.includes(name) ? names : [...names, name];
}

function revisionOf({ revision }: { readonly revision?: Submitted["revision"] }) {
  return revision === undefined ? {} : { revision };
}

function pending(chunkId: string): Chunk {
  return { chunkId, state: "pending", indexNames: [] };
}

function none({ chunks }: { readonly chunks: readonly unknown[] }): Progress {
  return { chunks: chunks.length, embedded: 0, indexed: 0 };
}
