/**
 * Every document in one row: how far it has come, how many of its chunks are embedded and indexed under each pipeline,
 * and what went wrong. The key is the document's id.
 */
import { defineProjection, type EventData, type KeyedRows, type Rows } from "retrace";
import type { document } from "../../schemas/document.ts";
import { fieldIn, given } from "../given-fields.ts";
import { idOf } from "../stream-id.ts";

type Schemas = typeof document;
type Data<Type extends keyof Schemas["events"]> = EventData<Schemas, Type>;

/** How far the chunks of the current revision are under one pipeline. */
interface Pipeline {
  readonly chunks: number;
  /** Those that are indexed as well, too. */
  readonly embedded: number;
  /** In one index at least. */
  readonly indexed: number;
  readonly embeddingModel?: string;
  /** How many of them each index has. */
  readonly indexes: Readonly<Record<string, number>>;
}

interface Failure {
  readonly step: string;
  readonly at: string;
  readonly chunkId?: string;
  readonly pipeline?: string;
  readonly reason?: string;
  readonly retryable?: boolean;
}

type Step = "submitted" | "validated" | "chunked" | "embedded" | "indexed" | "deleted";

interface Status {
  /** Embedded and indexed: every chunk, under the pipeline in service. */
  readonly step: Step;
  readonly revision?: Data<"DocumentSubmitted">["revision"];
  readonly source?: unknown;
  readonly submittedAt?: string;
  readonly updatedAt: string;
  readonly format?: string;
  readonly byteCount?: number;
  /** The pipeline whose chunks answer queries: the first, until another is cut over to. */
  readonly inService?: string;
  /** The pipeline that chunked the revision last: others without a chunking of their own start with its chunks. */
  readonly chunkedBy?: string;
  readonly pipelines: Readonly<Record<string, Pipeline>>;
  /** Of this revision, the newest last. */
  readonly failures: readonly Failure[];
  /** Also those that are not listed any more. */
  readonly failureCount: number;
  readonly deletedAt?: string;
  /** Why it was deleted. */
  readonly reason?: string;
}

/** What is remembered of a chunk under a pipeline from its embedding on: the indexes that have that embedding. */
type ChunkNote = readonly string[];

const maxFailures = 20;

export default defineProjection<Status, Schemas>({
  name: "document-status",
  version: 1,
  mode: "async",
  description: "Documents: step, chunks embedded and indexed by pipeline and index, failures",
  indexes: ["step", "updatedAt"],
  on: {
    DocumentSubmitted: (event, rows) => {
      const { revision, source, submittedAt } = event.data;
      const begun = { step: "submitted", revision, submittedAt, updatedAt: event.occurredAt } as const;
      rows.put(idOf(event), { ...begun, ...given({ source }), pipelines: {}, failures: [], failureCount: 0 });
    },

    DocumentValidated: (event, rows) => {
      const { format, byteCount } = event.data;
      change(rows, event, (row) => ({ ...row, ...given({ format, byteCount }), step: "validated" }));
    },

    DocumentChunked: (event, rows) => {
      const { pipeline, chunks } = event.data;
      forget(rows.notes, idOf(event), pipeline);
      change(rows, event, (row) => {
        const made = { chunks: chunks.length, embedded: 0, indexed: 0, indexes: {} };
        const inService = row.inService ?? pipeline;
        return withStep({ ...row, inService, chunkedBy: pipeline, pipelines: { ...row.pipelines, [pipeline]: made } });
      });
    },

    ChunkEmbedded: (event, rows) => {
      const { chunkId, pipeline, embeddingModel } = event.data;
      const key = noteKey(idOf(event), pipeline, chunkId);
      const before = rows.notes.get(key) as ChunkNote | undefined;
      rows.notes.put(key, []);
      changePipeline(rows, event, (counts) => ({
        ...counts,
        ...given({ embeddingModel }),
        embedded: counts.embedded + (before === undefined ? 1 : 0),
        indexed: counts.indexed - (before !== undefined && before.length > 0 ? 1 : 0),
        indexes: (before ?? []).reduce((indexes, name) => counted(indexes, name, -1), counts.indexes),
      }));
    },

    ChunkIndexed: (event, rows) => {
      const { chunkId, pipeline, indexName, embeddingModel } = event.data;
      const key = noteKey(idOf(event), pipeline, chunkId);
      const before = (rows.notes.get(key) as ChunkNote | undefined) ?? [];
      if (before.includes(indexName)) return;
      rows.notes.put(key, [...before, indexName]);
      changePipeline(rows, event, (counts) => ({
        ...counts,
        ...given({ embeddingModel }),
        indexed: counts.indexed + (before.length === 0 ? 1 : 0),
        indexes: counted(counts.indexes, indexName, 1),
      }));
    },

    ChunkRemoved: (event, rows) => {
      const { chunkId, pipeline, indexName } = event.data;
      const key = noteKey(idOf(event), pipeline, chunkId);
      const before = rows.notes.get(key) as ChunkNote | undefined;
      // What an index had from before is not counted any more.
      if (before === undefined || !before.includes(indexName)) return;
      const left = before.filter((name) => name !== indexName);
      rows.notes.put(key, left);
      changePipeline(rows, event, (counts) => ({
        ...counts,
        indexed: counts.indexed - (left.length === 0 ? 1 : 0),
        indexes: counted(counts.indexes, indexName, -1),
      }));
    },

    DocumentStepFailed: (event, rows) => {
      const { step, chunkId, pipeline, reason, retryable } = event.data;
      const failure = { step, at: event.occurredAt, ...given({ chunkId, pipeline, reason, retryable }) };
      change(rows, event, (row) => ({
        ...row,
        failures: [...row.failures.slice(1 - maxFailures), failure],
        failureCount: row.failureCount + 1,
      }));
    },

    PipelineCutOver: (event, rows) => {
      change(rows, event, (row) => withStep({ ...row, inService: event.data.to }));
    },

    DocumentUpdated: (event, rows) => {
      const { revision, source } = event.data;
      forget(rows.notes, idOf(event));
      change(rows, event, ({ format: _, byteCount: __, chunkedBy: ___, ...row }) => {
        const begun = { step: "submitted", revision, pipelines: {}, failures: [], failureCount: 0 } as const;
        return { ...row, ...given({ source }), ...begun };
      });
    },

    DocumentDeleted: (event, rows) => {
      const { reason } = event.data;
      forget(rows.notes, idOf(event));
      change(rows, event, (row) => {
        return { ...row, step: "deleted", pipelines: {}, deletedAt: event.occurredAt, ...given({ reason }) };
      });
    },
  },
});

interface DocumentEvent {
  readonly stream: string;
  readonly category: string;
  readonly occurredAt: string;
}

function change(rows: Rows<Status>, event: DocumentEvent, make: (row: Status) => Status): void {
  const key = idOf(event);
  const row = rows.get(key);
  if (row === undefined) throw new Error(`document ${key} was never submitted`);
  rows.put(key, { ...make(row), updatedAt: event.occurredAt });
}

function changePipeline(
  rows: Rows<Status>,
  event: DocumentEvent & { readonly data: { readonly pipeline: string } },
  make: (counts: Pipeline) => Pipeline,
): void {
  const { pipeline } = event.data;
  change(rows, event, (row) => {
    const before = fieldIn(row.pipelines, pipeline) ?? takenOver(row);
    if (before === undefined) throw new Error(`there are no chunks under ${pipeline}`);
    return withStep({ ...row, pipelines: { ...row.pipelines, [pipeline]: make(before) } });
  });
}

function takenOver({ pipelines, chunkedBy = "" }: Status): Pipeline | undefined {
  const latest = fieldIn(pipelines, chunkedBy);
  return latest && { chunks: latest.chunks, embedded: 0, indexed: 0, indexes: {} };
}

function withStep(row: Status): Status {
  const { chunks = 0, embedded = 0, indexed = 0 } = fieldIn(row.pipelines, row.inService ?? "") ?? {};
  const isEmpty = chunks === 0;
  return { ...row, step: isEmpty || embedded < chunks ? "chunked" : indexed < chunks ? "embedded" : "indexed" };
}

/** A name that no chunk is left in is left out. */
function counted(indexes: Pipeline["indexes"], name: string, by: 1 | -1): Pipeline["indexes"] {
  const { [name]: _, ...others } = indexes;
  const count = (fieldIn(indexes, name) ?? 0) + by;
  return count === 0 ? others : { ...others, [name]: count };
}

/** Names have no control characters, so that none can be read as another. */
const separator = "\u001f";

function noteKey(documentId: string, pipeline: string, chunkId: string): string {
  return [documentId, pipeline, chunkId].join(separator);
}

/** The chunks under a pipeline, or under all of them, are not those of before any more. */
function forget(notes: KeyedRows, documentId: string, pipeline?: string): void {
  const prefix = [documentId, ...(pipeline === undefined ? [] : [pipeline]), ""].join(separator);
  const keys = Array.from(notes.scan(prefix), ({ key }) => key);
  for (const key of keys) notes.delete(key);
}
