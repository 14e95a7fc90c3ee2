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
  failed,
  findChunk,
  indexed,
  isWhole,
  pipelineNamed,
  progressAfter,
  progressOf,
  removals,
  removed,
  replaced,
  requested,
  type Service,
} from "./document/chunks.ts";
import { whyNoIndex, whyNoRoom, whyNotFrom, whyNotTo } from "./document/refusals.ts";
import { removalsOfMany } from "./document/removals.ts";
import { bringsIn, requestsOf, type Stage } from "./document/requests.ts";

type DocumentEvent = ChartEventOf<typeof document>;
type Submitted = EventData<typeof document, "DocumentSubmitted">;

/** What makes a revision; the same again is no news. */
type Content = Partial<Pick<Submitted, "revision" | "source" | "contentRef">>;

interface Document extends Chunks, Service, Imported {
  readonly current: Chunks["current"] & Content & { readonly validation?: number };
  /** The ingestion that is under way, or would begin now; from 1. */
  readonly round: number;
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
      const next = { current: contentIn(event.data), ...replaced(context), candidate: null };
      return { ...next, ...afterImport(context, event.data as FromFile) };
    }),
    validate: assign(({ context, event }) => {
      assertEvent(event, "DocumentValidated");
      return { current: { ...context.current, validation: digestOfValidation(event.data) } };
    }),
    chunk: assign(({ context, event }) => {
      assertEvent(event, "DocumentChunked");
      const { pipeline } = event.data;
      const { current, candidate, inService = pipeline } = context;
      const isFirst = current.chunkedBy === undefined;
      return {
        ...chunked(context, event.data),
        current: { ...current, chunkedBy: pipeline },
        inService,
        candidate: isFirst && pipeline !== inService ? pipeline : candidate,
      };
    }),
    embed: assign(({ context, event }) => {
      assertEvent(event, "ChunkEmbedded");
      return embedded(context, event.data, chunk.next(context, event) as ChunkValue);
    }),
    index: assign(({ context, event }) => {
      assertEvent(event, "ChunkIndexed");
      return indexed(context, event, chunk.next(context, event) as ChunkValue);
    }),
    remove: assign(({ context, event }) => {
      assertEvent(event, "ChunkRemoved");
      return removed(context, event.data, chunk.next(context, event) as ChunkValue);
    }),
    fail: assign(({ context, event }) => {
      assertEvent(event, "DocumentStepFailed");
      const { pipeline, retryable } = event.data;
      const isGivenUp = retryable === false && pipeline === context.candidate;
      return { ...failed(context, event.data), ...(isGivenUp && { candidate: null }) };
    }),
    request: assign(({ context, event }) => {
      assertEvent(event, "DocumentStepRequested");
      const { step, pipeline, chunkIds } = event.data;
      if (pipeline === undefined || !bringsIn.includes(step)) return {};
      const isBeside = context.current.chunkedBy !== undefined && pipeline !== context.inService;
      const candidate = isBeside ? { candidate: pipeline } : {};
      return { ...candidate, ...(chunkIds !== undefined && requested(context, pipeline, chunkIds)) };
    }),
    cutOver: assign(({ context, event }) => {
      assertEvent(event, "PipelineCutOver");
      const { to } = event.data;
      return { inService: to, ...(to === context.candidate && { candidate: null }) };
    }),
    complete: assign({ round: ({ context }) => context.round + 1 }),
    forget: assign({ pipelines: {}, outdated: [], indexNames: [], candidate: null }),
  },
}).createMachine({
  id: "document",
  context: { current: {}, pipelines: {}, outdated: [], indexNames: [], candidate: null, round: 1 },
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
        DocumentStepFailed: { actions: "fail" },
        DocumentStepRequested: { actions: "request" },
        DocumentUpdated: { target: "submitted", actions: "update" },
        DocumentDeleted: { target: "deleted", actions: "forget" },
      },
    },
    validated: {
      on: {
        DocumentChunked: { target: "chunked", actions: "chunk" },
        ChunkRemoved: { guard: "chunkAccepts", actions: "remove" },
        DocumentStepFailed: { actions: "fail" },
        DocumentStepRequested: { actions: "request" },
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
        DocumentStepFailed: { actions: "fail" },
        DocumentStepRequested: { actions: "request" },
        PipelineCutOver: { actions: "cutOver" },
        IngestionCompleted: { actions: "complete" },
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
        : { type: "DocumentSubmitted", data: { ...submitted, round: state.context.round } };
    }),

    ValidateDocument: (state, { data }) => {
      const isKnown = isAlive(state) && state.context.current.validation === digestOfValidation(data);
      return whyNotCurrent(state, data) ?? (isKnown ? [] : { type: "DocumentValidated", data: about(state, data) });
    },

    ChunkDocument: (state, { data }) => {
      const { pipelines, current } = state.context;
      const chunks = data.chunks.map((chunk, index) => ({ ...chunk, position: chunk.position ?? index }));
      const { contentRef = current.contentRef } = data;
      const { inService = data.pipeline } = state.context;
      const told = about(state, { ...data, ...(contentRef !== undefined && { contentRef }), chunks, inService });
      const made = isUnasked(state, data.pipeline) ? withoutRound(told) : told;
      const before = Object.hasOwn(pipelines, data.pipeline) ? pipelines[data.pipeline] : undefined;
      const isKnown = before?.chunking === digestOfChunking(made);
      return (
        whyNotCurrent(state, data) ??
        (isKnown
          ? []
          : (whyNoRoom(state.context, data.pipeline, chunks.length) ?? { type: "DocumentChunked", data: made }))
      );
    },

    EmbedChunk: (state, { data }) => {
      const pipeline = pipelineNamed(state.context, data.pipeline);
      const before = findChunk(pipeline, data.chunkId);
      const added = Object.hasOwn(state.context.pipelines, data.pipeline) ? 0 : (pipeline?.chunks.length ?? 0);
      const rejection =
        whyNotCurrent(state, data) ?? (added > 0 ? whyNoRoom(state.context, data.pipeline, added) : undefined);
      if (rejection !== undefined) return rejection;
      if (pipeline === undefined || before === undefined) return { type: "ChunkEmbedded", data: about(state, data) };
      if (before.embedding === digestOfEmbedding(data)) return [];
      const progress = progressAfter(pipeline, before.state, "embedded");
      return { type: "ChunkEmbedded", data: { ...about(state, data), progress } };
    },

    IndexChunk: (state, { data }) => {
      const pipeline = pipelineNamed(state.context, data.pipeline);
      const before = findChunk(pipeline, data.chunkId);
      const rejection = whyNotCurrent(state, data) ?? whyNoIndex(state.context, data.indexName);
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

    RemoveChunks: (state, { data }) => {
      const { pipeline = "", outdated } = data;
      if (!isAlive(state)) return { type: "ChunkRemoved", data: { chunkId: "", indexName: "", pipeline } };
      const rejection = whyNotCurrent(state, data);
      if (rejection !== undefined) return rejection;
      const removed = removalsOfMany(state.context, data, (one) => about(state, one));
      if (removed.length > 0) return removed.map((one) => ({ type: "ChunkRemoved", data: one }) as const);
      const what = outdated === true ? "nothing outdated, and nothing" : "nothing";
      return reject("NOTHING_TO_REMOVE", `the indexes hold ${what} of the revision under ${pipeline || "no pipeline"}`);
    },

    FailDocumentStep: (state, { data }) => {
      const { pipeline, chunkId } = data;
      const own = pipeline === undefined || progressOf(state.context, pipeline) === undefined ? undefined : pipeline;
      const before = own === undefined ? undefined : findChunk(state.context.pipelines[own], chunkId ?? "");
      const failures = before === undefined ? {} : { failures: (before.failures ?? 0) + 1 };
      const failed = about(state, { retryable: true, ...data, ...failures });
      return whyNotCurrent(state, data) ?? { type: "DocumentStepFailed", data: failed };
    },

    RequestDocumentStep: (state, { data }) => {
      const rejection = whyNotCurrent(state, data);
      if (rejection !== undefined) return rejection;
      if (!isAlive(state)) return { type: "DocumentStepRequested", data: { step: data.step, attempt: 1 } };
      const requests = requestsOf(state.context, state.value as Stage, data);
      if ("outcome" in requests) return requests;
      return requests.map((one) => ({ type: "DocumentStepRequested", data: about(state, one) }) as const);
    },

    CompleteIngestion: (state, { data }) => {
      const { context } = state;
      const { inService, candidate } = context;
      if (!state.matches("chunked")) return { type: "IngestionCompleted", data: { pipeline: "", chunks: 0 } };
      const rejection = whyNotCurrent(state, data);
      if (rejection !== undefined) return rejection;
      if (candidate !== null) {
        return reject("PIPELINE_REQUESTED", `${candidate} is being brought in; it has to be cut over to, or fail`);
      }
      if (!isWhole(context, inService)) {
        return reject("INGESTION_INCOMPLETE", `not every chunk is indexed under ${inService}; index them first`);
      }
      const chunks = progressOf(context, inService)?.chunks ?? 0;
      return { type: "IngestionCompleted", data: about(state, { pipeline: inService as string, chunks }) };
    },

    CutOverPipeline: (state, { data }) => {
      if (!state.matches("chunked")) return { type: "PipelineCutOver", data: about(state, data) };
      const { inService } = state.context;
      if (data.to === inService) return [];
      const from = inService === undefined ? {} : { from: inService };
      const cutOver = { type: "PipelineCutOver", data: about(state, { ...data, ...from }) } as const;
      return whyNotFrom(state.context, data) ?? whyNotTo(state.context, data) ?? cutOver;
    },

    UpdateDocument: onceHere((state, { data }) => {
      const { current, round } = state.context;
      const { revision, source } = current;
      const updated = { ...(source !== undefined && { source }), ...data };
      if (isAlive(state) && isCurrent(state.context, updated)) return [];
      const previous = revision === undefined ? {} : { previousRevision: revision };
      return whyNotAfter(state, data) ?? { type: "DocumentUpdated", data: { ...updated, ...previous, round } };
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

/** The data with what every event carries: the current revision, its round, and where the document comes from. */
function about<Data extends object>(state: State, data: Data): Data & About {
  const { current, round } = state.context;
  const { revision, source } = current;
  return { ...data, ...(revision !== undefined && { revision }), ...(source !== undefined && { source }), round };
}

type About = Pick<Content, "revision" | "source"> & { readonly round?: number };

/** A chunking under a pipeline that neither serves nor was asked for is an experiment: nobody waits for it. */
function isUnasked({ context }: State, pipeline: string): boolean {
  const { current, inService, candidate } = context;
  return current.chunkedBy !== undefined && pipeline !== inService && pipeline !== candidate;
}

function withoutRound<Data extends About>({ round: _, ...data }: Data): Omit<Data, "round"> {
  return data;
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
