/**
 * A document: its revisions, and under each pipeline the chunks of the current one, embedded and indexed in any order. A
 * new revision or a new chunking leaves what the indexes hold outdated until it is removed or overwritten; a deleted
 * document is a tombstone that refuses the late worker.
 */
import { isDeepStrictEqual } from "node:util";
import {
  type ChartEventOf,
  type Command,
  type CommandData,
  type DecideContext,
  defineAggregate,
  type EventData,
  type Rejection,
  reject,
} from "retrace";
import { assertEvent, assign, type SnapshotFrom, setup } from "xstate";
import { document } from "../../schemas/document.ts";
import { digestOf } from "../digest.ts";
import { afterImport, type FromFile, type Imported, onceImported } from "../imported.ts";
import { chunk } from "./document/chunk.ts";
import {
  type Chunks,
  type ChunkValue,
  chunked,
  digestOfChunking,
  digestOfEmbedding,
  embedded,
  findChunk,
  indexed,
  pipelineNamed,
  progressAfter,
  removals,
  removed,
  replaced,
  sizeWithout,
} from "./document/chunks.ts";

/** How many chunks the state may hold: of all pipelines, and outdated ones that an index still has. */
const maxChunks = 20_000;
/** How many indexes may hold chunks of one document. */
const maxIndexes = 32;
/** How many chunk ids a rejection lists. */
const maxListed = 100;

type DocumentEvent = ChartEventOf<typeof document>;
type Submitted = EventData<typeof document, "DocumentSubmitted">;

/** What makes a revision; the same again is no news. */
type Content = Partial<Pick<Submitted, "revision" | "source" | "contentRef">>;

interface Document extends Chunks, Imported {
  readonly current: Chunks["current"] & Content & { readonly validation?: number };
  /** The pipeline whose chunks answer queries: the first one, until another is cut over to. */
  readonly inService?: string;
}

const machine = setup({
  types: { context: {} as Document, events: {} as DocumentEvent },
  guards: {
    chunkAccepts: ({ context, event }) => chunk.accepts(context, event),
  },
  actions: {
    begin: assign(({ context, event }) => {
      assertEvent(event, "DocumentSubmitted");
      return { current: contentIn(event.data), ...afterImport(context, event.data as FromFile) };
    }),
    update: assign(({ context, event }) => {
      assertEvent(event, "DocumentUpdated");
      return { current: contentIn(event.data), ...replaced(context), ...afterImport(context, event.data as FromFile) };
    }),
    validate: assign(({ context, event }) => {
      assertEvent(event, "DocumentValidated");
      return { current: { ...context.current, validation: digestOfValidation(event.data) } };
    }),
    chunk: assign(({ context, event }) => {
      assertEvent(event, "DocumentChunked");
      const { pipeline } = event.data;
      return {
        ...chunked(context, event.data),
        current: { ...context.current, chunkedBy: pipeline },
        inService: context.inService ?? pipeline,
      };
    }),
    embed: assign(({ context, event }) => {
      assertEvent(event, "ChunkEmbedded");
      return embedded(context, event.data, chunk.next(context, event) as ChunkValue);
    }),
    index: assign(({ context, event }) => {
      assertEvent(event, "ChunkIndexed");
      return indexed(context, event.data, chunk.next(context, event) as ChunkValue);
    }),
    remove: assign(({ context, event }) => {
      assertEvent(event, "ChunkRemoved");
      return removed(context, event.data, chunk.next(context, event) as ChunkValue);
    }),
    cutOver: assign(({ event }) => {
      assertEvent(event, "PipelineCutOver");
      return { inService: event.data.to };
    }),
    forget: assign({ pipelines: {}, outdated: [], indexNames: [] }),
  },
}).createMachine({
  id: "document",
  context: { current: {}, pipelines: {}, outdated: [], indexNames: [] },
  initial: "empty",
  states: {
    empty: {
      on: {
        DocumentSubmitted: { target: "submitted", actions: "begin" },
      },
    },
    submitted: {
      on: {
        DocumentValidated: { target: "validated", actions: "validate" },
        ChunkRemoved: { guard: "chunkAccepts", actions: "remove" },
        DocumentStepFailed: "submitted",
        DocumentUpdated: { target: "submitted", actions: "update" },
        DocumentDeleted: { target: "deleted", actions: "forget" },
      },
    },
    validated: {
      on: {
        DocumentChunked: { target: "chunked", actions: "chunk" },
        ChunkRemoved: { guard: "chunkAccepts", actions: "remove" },
        DocumentStepFailed: "validated",
        DocumentUpdated: { target: "submitted", actions: "update" },
        DocumentDeleted: { target: "deleted", actions: "forget" },
      },
    },
    chunked: {
      on: {
        DocumentChunked: { actions: "chunk" },
        ChunkEmbedded: { guard: "chunkAccepts", actions: "embed" },
        ChunkIndexed: { guard: "chunkAccepts", actions: "index" },
        ChunkRemoved: { guard: "chunkAccepts", actions: "remove" },
        DocumentStepFailed: "chunked",
        PipelineCutOver: { actions: "cutOver" },
        DocumentUpdated: { target: "submitted", actions: "update" },
        DocumentDeleted: { target: "deleted", actions: "forget" },
      },
    },
    deleted: { type: "final" },
  },
});

type State = SnapshotFrom<typeof machine>;

export default defineAggregate({
  category: "document",
  schemas: document,
  machine,
  parts: [chunk],
  decide: {
    SubmitDocument: onceHere((state, { data, occurredAt }) => {
      const submitted = { revision: 1, submittedAt: occurredAt, ...data };
      return isAlive(state) && isCurrent(state.context, submitted)
        ? []
        : { type: "DocumentSubmitted", data: submitted };
    }),

    ValidateDocument: (state, { data }) => {
      const isKnown = isAlive(state) && state.context.current.validation === digestOfValidation(data);
      return whyNotCurrent(state, data) ?? (isKnown ? [] : { type: "DocumentValidated", data: about(state, data) });
    },

    ChunkDocument: (state, { data }) => {
      const { pipelines, current } = state.context;
      const chunks = data.chunks.map((chunk, index) => ({ ...chunk, position: chunk.position ?? index }));
      const { contentRef = current.contentRef } = data;
      const made = about(state, { ...data, ...(contentRef !== undefined && { contentRef }), chunks });
      const before = Object.hasOwn(pipelines, data.pipeline) ? pipelines[data.pipeline] : undefined;
      const isKnown = before?.chunking === digestOfChunking(made);
      return (
        whyNotCurrent(state, data) ??
        (isKnown ? [] : (whyNoRoom(state, data.pipeline, chunks.length) ?? { type: "DocumentChunked", data: made }))
      );
    },

    EmbedChunk: (state, { data }) => {
      const pipeline = pipelineNamed(state.context, data.pipeline);
      const before = findChunk(pipeline, data.chunkId);
      const added = Object.hasOwn(state.context.pipelines, data.pipeline) ? 0 : (pipeline?.chunks.length ?? 0);
      const rejection = whyNotCurrent(state, data) ?? (added > 0 ? whyNoRoom(state, data.pipeline, added) : undefined);
      if (rejection !== undefined) return rejection;
      if (pipeline === undefined || before === undefined) return { type: "ChunkEmbedded", data: about(state, data) };
      if (before.embedding === digestOfEmbedding(data)) return [];
      const progress = progressAfter(pipeline, before.state, "embedded");
      return { type: "ChunkEmbedded", data: { ...about(state, data), progress } };
    },

    IndexChunk: (state, { data }) => {
      const pipeline = pipelineNamed(state.context, data.pipeline);
      const before = findChunk(pipeline, data.chunkId);
      const rejection = whyNotCurrent(state, data) ?? whyNoIndex(state, data.indexName);
      if (rejection !== undefined) return rejection;
      if (pipeline === undefined || before === undefined || before.state === "pending") {
        return { type: "ChunkIndexed", data: about(state, data) };
      }
      const { embeddingModel = data.embeddingModel } = before;
      if (data.embeddingModel !== undefined && data.embeddingModel !== embeddingModel) {
        const message = `${data.chunkId} was embedded by ${embeddingModel}; embed it by ${data.embeddingModel} first`;
        return reject("OTHER_EMBEDDING_MODEL", message, { chunkId: data.chunkId, embeddingModel });
      }
      if (before.indexNames.includes(data.indexName)) return [];
      const made = { ...about(state, data), ...(embeddingModel !== undefined && { embeddingModel }) };
      return {
        type: "ChunkIndexed",
        data: { ...made, progress: progressAfter(pipeline, before.state, "indexed") },
      };
    },

    RemoveChunk: (state, { data }) => {
      const { context } = state;
      const { chunkId, pipeline } = data;
      if (!isAlive(state)) return { type: "ChunkRemoved", data: { ...data, pipeline: pipeline ?? "" } };
      const found = removals(context, data).filter((one) => pipeline === undefined || one.pipeline === pipeline);
      if (found.length === 0 && !isKnownChunk(context, chunkId)) {
        const message = `no chunk ${chunkId} is known: neither of the current revision, nor in an index from before`;
        return reject("UNKNOWN_CHUNK", message, { chunkId });
      }
      return found.map((one) => ({ type: "ChunkRemoved", data: { ...about(state, data), ...one } }) as const);
    },

    FailDocumentStep: (state, { data }) => {
      const failed = about(state, { retryable: true, ...data });
      return whyNotCurrent(state, data) ?? { type: "DocumentStepFailed", data: failed };
    },

    CutOverPipeline: (state, { data }) => {
      if (!state.matches("chunked")) return { type: "PipelineCutOver", data: about(state, data) };
      const { inService } = state.context;
      if (data.to === inService) return [];
      const from = inService === undefined ? {} : { from: inService };
      const cutOver = { type: "PipelineCutOver", data: about(state, { ...data, ...from }) } as const;
      return whyNotFrom(state, data) ?? whyNotTo(state, data) ?? cutOver;
    },

    UpdateDocument: onceHere((state, { data }) => {
      const { current } = state.context;
      const { revision, source } = current;
      const updated = { ...(source !== undefined && { source }), ...data };
      if (isAlive(state) && isCurrent(state.context, updated)) return [];
      const previous = revision === undefined ? {} : { previousRevision: revision };
      return whyNotAfter(state, data) ?? { type: "DocumentUpdated", data: { ...updated, ...previous } };
    }),

    DeleteDocument: (state, { data }) => {
      const { indexNames } = state.context;
      return { type: "DocumentDeleted", data: { ...about(state, data), indexNames: [...indexNames] } };
    },
  },
});

/** As `onceImported`, but the file is named each time: it is part of where the document comes from. */
function onceHere<C extends Command, Decided>(decide: (state: State, command: C) => Decided) {
  return (state: State, command: C, context: DecideContext) =>
    onceImported(() => decide(state, command))(state, command, context);
}

/** Elsewhere the chart refuses, whatever else could be said against a command. */
function isAlive(state: State): boolean {
  return !state.matches("empty") && !state.matches("deleted");
}

function contentIn({ revision, source, contentRef }: Content): Content {
  return {
    ...(revision !== undefined && { revision }),
    ...(source !== undefined && { source }),
    ...(contentRef !== undefined && { contentRef }),
  };
}

function isCurrent({ current }: Document, content: Content): boolean {
  return isDeepStrictEqual(contentIn(current), contentIn(content));
}

/** The data with what every event carries: the current revision, and where the document comes from. */
function about<Data extends object>(state: State, data: Data): Data & Pick<Content, "revision" | "source"> {
  const { revision, source } = state.context.current;
  return { ...data, ...(revision !== undefined && { revision }), ...(source !== undefined && { source }) };
}

type Validation = Pick<CommandData<typeof document, "ValidateDocument">, "format" | "byteCount">;

function digestOfValidation({ format, byteCount }: Validation): number {
  return digestOf([format, byteCount]);
}

function isKnownChunk({ pipelines, outdated }: Document, chunkId: string): boolean {
  const isCurrent = Object.values(pipelines).some((pipeline) => findChunk(pipeline, chunkId) !== undefined);
  return isCurrent || outdated.some((old) => old.chunkId === chunkId);
}

/** What was done for another revision is of no use to this one. */
function whyNotCurrent(state: State, { revision }: Pick<Content, "revision">): Rejection | undefined {
  const { current } = state.context;
  if (!isAlive(state) || revision === undefined || revision === current.revision) return undefined;
  const message = `the document is at revision ${current.revision}; start again from that one`;
  return reject("OTHER_REVISION", message, { revision, current: current.revision });
}

function whyNotAfter(state: State, { revision }: Pick<Content, "revision">): Rejection | undefined {
  const { revision: current } = state.context.current;
  if (!isAlive(state) || revision === undefined) return undefined;
  if (revision === current) {
    return reject("REVISION_EXISTS", `revision ${revision} has other content; name the new one otherwise`, {
      revision,
    });
  }
  if (typeof revision !== "number" || typeof current !== "number" || revision > current) return undefined;
  return reject("REVISION_BEHIND", `the document is at revision ${current}; a new one is higher`, {
    revision,
    current,
  });
}

function whyNoRoom(state: State, pipeline: string, chunks: number): Rejection | undefined {
  if (!isAlive(state) || sizeWithout(state.context, pipeline) + 1 + chunks <= maxChunks) return undefined;
  const message = `a document keeps at most ${maxChunks} chunks, with those that an index holds from before: remove the latter with RemoveChunk, or split the document`;
  return reject("TOO_MANY_CHUNKS", message, { limit: maxChunks });
}

function whyNoIndex(state: State, indexName: string): Rejection | undefined {
  const { indexNames } = state.context;
  if (!isAlive(state) || indexNames.includes(indexName) || indexNames.length < maxIndexes) return undefined;
  const message = `a document lies in at most ${maxIndexes} indexes; those it has left are forgotten with the next revision`;
  return reject("TOO_MANY_INDEXES", message, { limit: maxIndexes });
}

type CutOver = CommandData<typeof document, "CutOverPipeline">;

function whyNotFrom(state: State, { from }: CutOver): Rejection | undefined {
  const { inService } = state.context;
  if (from === undefined || from === inService) return undefined;
  const message = `pipeline ${inService} is in service, not ${from}; compare with that one`;
  return reject("NOT_IN_SERVICE", message, { from, inService });
}

function whyNotTo(state: State, { to }: CutOver): Rejection | undefined {
  const { pipelines } = state.context;
  if (!Object.hasOwn(pipelines, to)) {
    const message = `pipeline ${to} has no chunk of this revision; chunk, embed and index under it first`;
    return reject("UNKNOWN_PIPELINE", message, { pipeline: to, known: Object.keys(pipelines).slice(0, maxListed) });
  }
  const missing = (pipelines[to]?.chunks ?? []).filter((chunk) => chunk.state !== "indexed");
  if (missing.length === 0) return undefined;
  const message = `${missing.length} chunks are not indexed under ${to} yet; index them first`;
  const chunkIds = missing.slice(0, maxListed).map(({ chunkId }) => chunkId);
  return reject("PIPELINE_INCOMPLETE", message, { pipeline: to, missing: missing.length, chunkIds });
}
