/**
 * The way of a document into the index: validated, chunked, every chunk embedded and indexed. Workers do all of that; the
 * saga waits for them, asks again when they fail or fall silent, and when they cannot, takes out what is indexed and says
 * why. A pipeline that is asked for beside the one in service goes the same way, is compared, and takes its place.
 *
 * An instance is one round of a document's ingestion, with all revisions and pipelines that come while it lasts.
 */
import { defineSaga, type SagaInput, send } from "retrace";
import { and, assertEvent, assign, setup } from "xstate";
import { given } from "../given-fields.ts";
import { correlate } from "./document-ingestion/correlate.ts";
import { guards } from "./document-ingestion/guards.ts";
import {
  backoffMs,
  beginning,
  comparisonOf,
  type Ingestion,
  type IngestionEvent,
  nothingYet,
  reasonOf,
  requestOf,
  withinMs,
} from "./document-ingestion/ingestion.ts";
import { type Settings, settings } from "./document-ingestion/settings.ts";

const chunkEvents = ["ChunkEmbedded", "ChunkIndexed"] as const;

/** A step of the whole document: asked for again when its worker is silent, and, after a while, when it has failed. */
const tries = {
  initial: "awaited",
  states: {
    awaited: {
      after: {
        deadline: [
          { target: "awaited", reenter: true, guard: "hasTriesLeft", actions: ["countTry", "requestStep"] },
          { target: "#ingestion.failing", actions: "noteSilence" },
        ],
      },
    },
    paused: {
      after: { backoff: { target: "awaited", actions: ["countTry", "requestStep"] } },
    },
  },
} as const;

const machine = setup({
  types: { context: {} as Ingestion, input: {} as SagaInput<Settings>, events: {} as IngestionEvent },
  delays: {
    deadline: ({ context, event }) => withinMs(context, event.settings),
    backoff: ({ context, event }) => backoffMs(context, event.settings),
  },
  guards,
  actions: {
    noteRevision: assign(({ context, event }) => {
      assertEvent(event, ["DocumentSubmitted", "DocumentUpdated"]);
      const { inService } = context;
      return { ...nothingYet, documentId: event.streamId, revision: event.data.revision, inService };
    }),
    noteRequest: assign(({ context, event }) => {
      assertEvent(event, "DocumentStepRequested");
      const { pipeline, embeddingModel, inService = context.inService, revision = context.revision } = event.data;
      const isBeside = event.data.inServiceProgress !== undefined;
      const asked = { documentId: event.streamId, revision, inService, pipeline, embeddingModel, isBeside };
      return { ...asked, ...beginning(event) };
    }),
    noteChunked: assign(({ context, event }) => {
      assertEvent(event, "DocumentChunked");
      const { pipeline, inService = pipeline, revision = context.revision } = event.data;
      return { documentId: event.streamId, revision, inService, pipeline, ...beginning(event) };
    }),
    noteNext: assign(({ event }) => {
      assertEvent(event, "DocumentStepRequested");
      const { step, pipeline, embeddingModel, chunkIds } = event.data;
      return { next: { step, pipeline, embeddingModel, isEmpty: chunkIds?.length === 0 } };
    }),
    takeNext: assign(({ context, event }) => ({
      pipeline: context.next?.pipeline,
      embeddingModel: context.next?.embeddingModel,
      next: undefined,
      isBeside: true,
      ...beginning(event),
    })),
    awaitValidation: assign(({ event }) => ({ step: "validate" as const, ...beginning(event) })),
    awaitChunks: assign(({ event }) => ({ step: "chunk" as const, ...beginning(event) })),
    awaitIndexing: assign({ step: "index" as const }),
    awaitComparison: assign(({ event }) => ({ step: "compare" as const, ...beginning(event) })),
    /** What serves is not whole any more, so that it is seen to. */
    awaitService: assign(({ context, event }) => ({ pipeline: context.inService, ...beginning(event) })),
    countTry: assign({ attempt: ({ context }) => context.attempt + 1 }),
    countRetry: assign({ attempt: ({ context }) => context.attempt + (context.retry.isForAll ? 1 : 0) }),
    noteProgress: assign(({ event }) => {
      assertEvent(event, chunkEvents);
      const { embedded = 0, indexed = 0 } = event.data.progress ?? {};
      return { done: embedded + indexed, notedAt: event.now, attempt: 1 };
    }),
    noteRetry: assign(({ context, event }) => {
      assertEvent(event, "DocumentStepFailed");
      return {
        retry: { failures: event.data.failures ?? context.attempt, isForAll: event.data.chunkId === undefined },
      };
    }),
    noteCutOver: assign(({ event }) => {
      assertEvent(event, "PipelineCutOver");
      const { from, to } = event.data;
      return { replaced: from, inService: to, pipeline: to };
    }),
    noteService: assign(({ event }) => {
      assertEvent(event, "PipelineCutOver");
      return { inService: event.data.to };
    }),
    noteFailure: assign(({ event }) => {
      assertEvent(event, "DocumentStepFailed");
      const { step, chunkId, reason } = event.data;
      return { failure: { step, chunkId, reason } };
    }),
    noteSilence: assign(({ context, event }) => {
      const { step, attempt } = context;
      const reason = `no worker has got on with it in ${withinMs(context, event.settings)} ms, ${attempt} times`;
      return { failure: { step, reason } };
    }),
    noteShortfall: assign(({ event }) => {
      assertEvent(event, "DocumentStepRequested");
      const comparison = comparisonOf(event.data, event.settings);
      return { failure: { step: "compare", reason: `it does not hold up: ${JSON.stringify(comparison)}` } };
    }),
    noteRefusal: assign(({ event }) => {
      assertEvent(event, "SagaCommandRejected");
      return { failure: { step: "cut-over", reason: event.data.message } };
    }),
    forgetFailure: assign({ failure: undefined }),
    requestStep: send("document", ({ context, event }) => requestOf(context, event)),
    requestFailed: send("document", ({ context, event }) => {
      const { failures, isForAll } = context.retry;
      const { id, type, data } = requestOf({ ...context, attempt: failures + 1 }, event);
      return { id, type, data: isForAll ? data : { ...data, onlyFailed: true } };
    }),
    cutOver: send("document", ({ context, event }) => {
      assertEvent(event, "DocumentStepRequested");
      const { pipeline: to, inService: from, documentId } = context;
      const comparison = comparisonOf(event.data, event.settings);
      return { id: documentId, type: "CutOverPipeline", data: given({ from, to, comparison }) };
    }),
    removeReplaced: send("document", ({ context, event }) => {
      const { documentId, revision, replaced: pipeline, inService } = context;
      const limit = event.settings.removedAtOnce;
      const data = { pipeline, outdated: true, limit, reason: `replaced under ${inService}`, revision };
      return { id: documentId, type: "RemoveChunks", data: given(data) };
    }),
    removeIndexed: send("document", ({ context, event }) => {
      const { documentId, revision, pipeline, failure } = context;
      if (pipeline === undefined) return undefined;
      const data = { pipeline, limit: event.settings.removedAtOnce, reason: reasonOf(failure), revision };
      return { id: documentId, type: "RemoveChunks", data: given(data) };
    }),
    removeLate: send("document", ({ context, event }) => {
      assertEvent(event, "ChunkIndexed");
      const { chunkId, pipeline, indexName } = event.data;
      const data = { chunkId, pipeline, indexName, reason: reasonOf(context.failure) };
      return { id: context.documentId, type: "RemoveChunk", data };
    }),
    recordFailure: send("document", ({ context }) => {
      const { documentId, revision, pipeline, failure } = context;
      const { step = context.step, chunkId } = failure ?? {};
      const data = { step, chunkId, pipeline, reason: reasonOf(failure), retryable: false, revision };
      return { id: documentId, type: "FailDocumentStep", data: given(data) };
    }),
    complete: send("document", ({ context: { documentId, revision } }) => {
      return { id: documentId, type: "CompleteIngestion", data: given({ revision }) };
    }),
  },
}).createMachine({
  id: "ingestion",
  context: nothingYet,
  initial: "begun",
  on: {
    DocumentUpdated: { target: ".validating", actions: "noteRevision" },
    DocumentDeleted: ".deleted",
    IngestionCompleted: ".ingested",
    DocumentStepRequested: { guard: "isAskedBeside", actions: "noteNext" },
    PipelineCutOver: [
      { target: ".cleaning", guard: "isCutOverTo", actions: "noteCutOver" },
      { target: ".cleaning", guard: "isCutOverFrom", actions: "noteCutOver" },
      { actions: "noteService" },
    ],
    SagaCommandRejected: { guard: "isOvertaken", actions: assign({}) },
  },
  states: {
    begun: {
      on: {
        DocumentSubmitted: { target: "validating", actions: "noteRevision" },
        DocumentChunked: [
          { target: "whole", guard: "isEmpty", actions: "noteChunked" },
          { target: "indexing", actions: "noteChunked" },
        ],
        DocumentStepRequested: [
          { target: "validating", guard: "asksToValidate", actions: "noteRequest" },
          { target: "chunking", guard: "asksToChunk", actions: "noteRequest" },
          { target: "comparing", guard: "asksToCompare", actions: "noteRequest" },
          { target: "whole", guard: "asksForNoChunk", actions: "noteRequest" },
          { target: "indexing", actions: "noteRequest" },
        ],
      },
    },
    validating: {
      entry: "awaitValidation",
      ...tries,
      on: {
        DocumentValidated: "chunking",
        DocumentStepFailed: [
          { target: ".paused", guard: "canBeRetried", actions: "noteRetry" },
          { target: "failing", guard: "cannotBeRetried", actions: "noteFailure" },
        ],
      },
    },
    chunking: {
      entry: "awaitChunks",
      ...tries,
      on: {
        DocumentChunked: [
          { target: "whole", guard: and(["isAwaited", "isEmpty"]), actions: "noteChunked" },
          { target: "indexing", guard: "isAwaited", actions: "noteChunked" },
        ],
        DocumentStepFailed: [
          { target: ".paused", guard: "canBeRetried", actions: "noteRetry" },
          { target: "failing", guard: "cannotBeRetried", actions: "noteFailure" },
        ],
        /** It was chunked while the saga was about something else. */
        SagaCommandRejected: { target: "indexing", guard: "missesUnderPipeline" },
      },
    },
    indexing: {
      entry: "awaitIndexing",
      type: "parallel",
      on: {
        ChunkIndexed: { target: "whole", guard: "isWhole" },
        DocumentChunked: [
          { target: "whole", guard: and(["isExpected", "isEmpty"]), actions: "noteChunked" },
          { target: "indexing", guard: "isExpected", reenter: true, actions: "noteChunked" },
        ],
        DocumentStepFailed: { target: "failing", guard: "cannotBeRetried", actions: "noteFailure" },
        SagaCommandRejected: { target: "whole", guard: "misses" },
      },
      states: {
        /** Chunks get on in any order; what counts is that some do. */
        progress: {
          initial: "awaited",
          states: {
            awaited: {
              on: {
                ChunkEmbedded: { target: "awaited", guard: "isNews", reenter: true, actions: "noteProgress" },
                ChunkIndexed: { target: "awaited", guard: "isNews", reenter: true, actions: "noteProgress" },
              },
              after: {
                deadline: [
                  { target: "awaited", reenter: true, guard: "hasTriesLeft", actions: ["countTry", "requestStep"] },
                  { target: "#ingestion.failing", actions: "noteSilence" },
                ],
              },
            },
          },
        },
        /** What fails while a retry is due already is tried again with it. */
        retries: {
          initial: "none",
          states: {
            none: {
              on: { DocumentStepFailed: { target: "due", guard: "canBeRetried", actions: "noteRetry" } },
            },
            due: {
              after: { backoff: { target: "none", actions: ["countRetry", "requestFailed"] } },
            },
          },
        },
      },
    },
    whole: {
      always: [{ target: "cleaning", guard: "servesAlready" }, { target: "comparing" }],
    },
    comparing: {
      entry: ["awaitComparison", "requestStep"],
      ...tries,
      on: {
        DocumentStepRequested: [
          { target: "cuttingOver", guard: "holdsUp", actions: "cutOver" },
          { target: "failing", guard: "fallsShort", actions: "noteShortfall" },
        ],
        DocumentStepFailed: [
          { target: ".paused", guard: "canBeRetried", actions: "noteRetry" },
          { target: "failing", guard: "cannotBeRetried", actions: "noteFailure" },
        ],
        DocumentChunked: { target: "indexing", guard: "isExpected", actions: "noteChunked" },
      },
    },
    cuttingOver: {
      on: {
        SagaCommandRejected: [
          { guard: "isOvertaken", actions: assign({}) },
          { target: "failing", actions: "noteRefusal" },
        ],
        DocumentChunked: { target: "indexing", guard: "isExpected", actions: "noteChunked" },
      },
    },
    /** What the indexes hold from before goes out, newest first, some at a time. */
    cleaning: {
      entry: "removeReplaced",
      on: {
        ChunkRemoved: [
          { target: "clean", guard: "isLastRemoval" },
          { target: "cleaning", guard: "isEndOfBatch", reenter: true },
        ],
        SagaCommandRejected: { target: "clean", guard: "isNothingToRemove" },
        DocumentChunked: { target: "indexing", guard: "isExpected", actions: "noteChunked" },
      },
    },
    clean: {
      always: [
        { target: "chunking", guard: and(["hasNext", "isNextToChunk"]), actions: "takeNext" },
        { target: "whole", guard: and(["hasNext", "isNextWhole"]), actions: "takeNext" },
        { target: "indexing", guard: "hasNext", actions: "takeNext" },
        { target: "completing" },
      ],
    },
    completing: {
      entry: "complete",
      on: {
        DocumentStepRequested: [
          { target: "chunking", guard: and(["isAskedBeside", "asksToChunk"]), actions: "noteRequest" },
          { target: "comparing", guard: and(["isAskedBeside", "asksToCompare"]), actions: "noteRequest" },
          { target: "whole", guard: and(["isAskedBeside", "asksForNoChunk"]), actions: "noteRequest" },
          { target: "indexing", guard: "isAskedBeside", actions: "noteRequest" },
        ],
        SagaCommandRejected: [
          { target: "indexing", guard: "isIncomplete", actions: "awaitService" },
          { guard: "isAskedForMore", actions: assign({}) },
          { guard: "isOvertaken", actions: assign({}) },
        ],
        DocumentChunked: { target: "indexing", guard: "isExpected", actions: "noteChunked" },
      },
      after: { deadline: { target: "completing", reenter: true } },
    },
    failing: {
      entry: "removeIndexed",
      always: { target: "failed", guard: "hasNothingIndexed" },
      on: {
        ChunkRemoved: [
          { target: "failed", guard: "isLastRemoval" },
          { target: "failing", guard: "isEndOfBatch", reenter: true },
        ],
        SagaCommandRejected: { target: "failed", guard: "isNothingToRemove" },
      },
    },
    /** Until somebody asks again, or the document changes. */
    failed: {
      entry: "recordFailure",
      exit: "forgetFailure",
      on: {
        ChunkIndexed: { guard: "isLate", actions: "removeLate" },
        DocumentStepRequested: [
          { target: "validating", guard: and(["isAsked", "asksToValidate"]), actions: "noteRequest" },
          { target: "chunking", guard: and(["isAsked", "asksToChunk"]), actions: "noteRequest" },
          { target: "comparing", guard: and(["isAsked", "asksToCompare"]), actions: "noteRequest" },
          { target: "whole", guard: and(["isAsked", "asksForNoChunk"]), actions: "noteRequest" },
          { target: "indexing", guard: "isAsked", actions: "noteRequest" },
        ],
        DocumentValidated: "chunking",
        DocumentChunked: [
          { target: "whole", guard: "isEmpty", actions: "noteChunked" },
          { target: "indexing", actions: "noteChunked" },
        ],
      },
    },
    ingested: { type: "final" },
    deleted: { type: "final" },
  },
});

export default defineSaga({
  name: "document-ingestion",
  description:
    "waits for the workers that validate, chunk, embed and index documents, and asks again, removes, cuts over",
  settings,
  startedBy: ["DocumentSubmitted", "DocumentUpdated", "DocumentChunked", "DocumentStepRequested"],
  correlate,
  machine,
});
