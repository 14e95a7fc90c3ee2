/** What the commands and events of a document carry. */
import { z } from "zod";
import { count, identifier, imported, importSource, json, key, nested, reference, text, time } from "./fields.ts";
import { sized } from "./sized.ts";

/** A number that grows, or a name: a commit, an edition. */
const revision = z.union([count, key]);

/** Where the document comes from. Every event carries it, so it is small. */
const source = sized(1024, json);

/** In an import, the number of the revision among those that the manifest gives: its lines may have another order. */
const { source: _manifest, ...line } = imported;

/** Of an imported revision, the source is a file: the manifest, with what else it says of the document. */
function namesItsManifest(data: { readonly source?: unknown; readonly sourceLine?: number | undefined }): boolean {
  return data.sourceLine === undefined || importSource.safeParse(data.source).success;
}

const manifestNeeded = { path: ["source"], error: "with a sourceLine, a file: {name, sha256}" };

/** The content of a revision; the state keeps it and later events copy it, so it is small, too. */
const contentRef = sized(4096, reference);

/** Of which revision a late worker speaks. Left out, it is the current one. */
const work = { revision: revision.optional() };

/** By what readers group: each event carries the revision it is about, and where the document comes from. */
const about = {
  revision: revision.optional(),
  source: source.optional(),
  /**
   * Which ingestion of the document it belongs to, from 1: the next one begins when one is completed. Absent on what
   * nobody asked for: a pipeline beside the one in service.
   */
  round: count.optional(),
};

/** So many chunk ids, however long, fit into an event. */
export const maxRequestedChunks = 500;

/** How far the chunks of this revision are under one pipeline, after the event. Embedded includes indexed. */
const progress = z.object({ chunks: count, embedded: count, indexed: count });

const submission = { source: source.optional(), contentRef: contentRef.optional(), ...line };

const validation = { format: identifier.optional(), byteCount: count.optional() };

/** At most 5,000 chunks: with short names about what fits into a command. */
function chunks<Position extends z.ZodType>(position: Position) {
  return z
    .array(nested({ chunkId: key, position, textRef: reference.optional() }))
    .max(5000)
    .refine((all) => new Set(all.map(({ chunkId }) => chunkId)).size === all.length, "each chunk id once");
}

const chunking = { pipeline: key, chunking: json.optional(), contentRef: contentRef.optional() };

const embedding = {
  chunkId: key,
  pipeline: key,
  embeddingModel: key.optional(),
  vectorRef: reference.optional(),
};

const indexing = { chunkId: key, pipeline: key, embeddingModel: key.optional(), indexName: key };

const removal = { chunkId: key, indexName: key, reason: text.optional() };

/** `step` is what failed, in the sender's words: validate, chunk, embed, index. */
const failure = { step: identifier, chunkId: key.optional(), pipeline: key.optional(), reason: text.optional() };

/**
 * A step that is wanted again, or under another pipeline. The first of its kind follows from the event before: a
 * submitted document is to be validated, a validated one chunked, a chunk embedded, an embedded one indexed.
 */
const request = {
  /** validate, chunk, embed, index, compare, or a name of one's own. */
  step: identifier,
  pipeline: key.optional(),
  embeddingModel: key.optional(),
  /** By when the sender wants it done. */
  dueAt: time.optional(),
  reason: text.optional(),
};

const attempt = z.int().min(1);

const cutOver = { to: key, comparison: json.optional() };

const update = {
  revision,
  contentRef: contentRef.optional(),
  source: source.optional(),
  reason: text.optional(),
  ...line,
};

const deletion = { reason: text.optional() };

export const document = {
  commands: {
    /** Revision 1, unless it says another. */
    SubmitDocument: z
      .strictObject({ ...submission, revision: revision.optional(), submittedAt: time.optional() })
      .refine(namesItsManifest, manifestNeeded),
    ValidateDocument: z.strictObject({ ...validation, ...work }),
    /** All the chunks of the revision under one pipeline; their position is that in the list, unless they say another. */
    ChunkDocument: z.strictObject({ ...chunking, chunks: chunks(count.optional()), ...work }),
    EmbedChunk: z.strictObject({ ...embedding, ...work }),
    IndexChunk: z.strictObject({ ...indexing, ...work }),
    /** From that index under all pipelines and revisions, unless it names one pipeline. */
    RemoveChunk: z.strictObject({ ...removal, pipeline: key.optional() }),
    /** Retryable, unless it says otherwise. */
    FailDocumentStep: z.strictObject({ ...failure, retryable: z.boolean().optional(), ...work }),
    /**
     * `index` is for all chunks that are not indexed yet, `embed` for those that are not embedded; both can be narrowed to
     * one chunk, or to those whose last attempt failed. Another pipeline than the one in service becomes its candidate.
     */
    RequestDocumentStep: z.strictObject({
      ...request,
      chunkId: key.optional(),
      onlyFailed: z.boolean().optional(),
      attempt: attempt.optional(),
      ...work,
    }),
    /**
     * Newest first, at most `limit` (default 100): what indexes hold of the current revision under the pipeline, and,
     * where `outdated` says so, what they hold from before.
     */
    RemoveChunks: z.strictObject({
      pipeline: key.optional(),
      outdated: z.boolean().optional(),
      limit: z.int().min(1).max(500).optional(),
      reason: text.optional(),
      ...work,
    }),
    /** Every chunk of the revision is indexed under the pipeline in service: this ingestion is over. */
    CompleteIngestion: z.strictObject(work),
    /** `from` is the pipeline that the sender believes to be in service. */
    CutOverPipeline: z.strictObject({ ...cutOver, from: key.optional() }),
    UpdateDocument: z.strictObject(update).refine(namesItsManifest, manifestNeeded),
    DeleteDocument: z.strictObject(deletion),
  },
  events: {
    DocumentSubmitted: z.looseObject({ ...submission, revision, submittedAt: time }),
    DocumentValidated: z.looseObject({ ...validation, ...about }),
    DocumentChunked: z.looseObject({ ...chunking, chunks: chunks(count), inService: key.optional(), ...about }),
    ChunkEmbedded: z.looseObject({ ...embedding, ...about, progress: progress.optional() }),
    ChunkIndexed: z.looseObject({ ...indexing, ...about, progress: progress.optional() }),
    ChunkRemoved: z.looseObject({
      ...removal,
      pipeline: key,
      ...about,
      /** The other indexes that hold the chunk's vector of this pipeline. */
      remaining: z.array(key).optional(),
      progress: progress.optional(),
      /** The last one of a RemoveChunks says how much of what it asked for is still there. */
      left: count.optional(),
    }),
    DocumentStepFailed: z.looseObject({
      ...failure,
      retryable: z.boolean().optional(),
      ...about,
      /** How often this chunk has failed since it last got on. */
      failures: count.optional(),
    }),
    DocumentStepRequested: z.looseObject({
      ...request,
      /** Those that are wanted, in the order of the document; more than fit become several events. */
      chunkIds: z.array(key).max(maxRequestedChunks).optional(),
      attempt,
      inService: key.optional(),
      progress: progress.optional(),
      /** Of the pipeline in service, where that is another one. */
      inServiceProgress: progress.optional(),
      ...about,
    }),
    IngestionCompleted: z.looseObject({ pipeline: key, chunks: count, ...about }),
    PipelineCutOver: z.looseObject({ ...cutOver, from: key.optional(), ...about }),
    DocumentUpdated: z.looseObject({ ...update, previousRevision: revision.optional() }),
    DocumentDeleted: z.looseObject({
      ...deletion,
      ...about,
      /** The indexes from which the document has to be taken: nobody can ask for its chunks any more. */
      indexNames: z.array(key).optional(),
    }),
  },
};
