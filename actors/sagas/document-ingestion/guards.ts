/** By what the chart of an ingestion decides where to go. */
import { assertEvent } from "xstate";
import {
  comparisonOf,
  holdsUp,
  type Ingestion,
  type IngestionEvent,
  isNews,
  isOurs,
  isOwn,
  isRetryable,
} from "./ingestion.ts";

interface Args {
  readonly context: Ingestion;
  readonly event: IngestionEvent;
}

/** Of commands that lost a race: against a new revision, a worker, or a failure that ends a candidate. */
const overtakenReasons: ReadonlySet<string> = new Set([
  "OTHER_REVISION",
  "NOTHING_MISSING",
  "NOT_INGESTED",
  "PIPELINE_BUSY",
]);

/** By name. */
export const guards = {
  asksToValidate: ({ event }: Args) => event.type === "DocumentStepRequested" && event.data.step === "validate",
  asksToChunk: ({ event }: Args) => event.type === "DocumentStepRequested" && event.data.step === "chunk",
  asksToCompare: ({ event }: Args) => {
    if (event.type !== "DocumentStepRequested" || event.data.step !== "compare") return false;
    return event.data.pipeline !== event.data.inService;
  },
  asksForNoChunk: ({ event }: Args) => {
    return event.type === "DocumentStepRequested" && event.data.chunkIds?.length === 0;
  },
  /** What the saga itself asks for is for workers. */
  isAsked: ({ event }: Args) => event.type === "DocumentStepRequested" && !isOwn(event),
  isAskedBeside: ({ context, event }: Args) => {
    if (event.type !== "DocumentStepRequested") return false;
    const { pipeline, inService } = event.data;
    return pipeline !== undefined && pipeline !== inService && !isOurs(context, event.data);
  },
  isExpected: ({ context, event }: Args) => event.type === "DocumentChunked" && isOurs(context, event.data),
  /** Who chunks a revision first chooses the pipeline. */
  isAwaited: ({ context, event }: Args) => {
    return event.type === "DocumentChunked" && (!context.isBeside || isOurs(context, event.data));
  },
  isEmpty: ({ event }: Args) => event.type === "DocumentChunked" && event.data.chunks.length === 0,
  hasTriesLeft: ({ context, event }: Args) => context.attempt < event.settings.attempts,
  canBeRetried: ({ context, event }: Args) => {
    if (event.type !== "DocumentStepFailed" || isOwn(event) || !isOurs(context, event.data)) return false;
    return isRetryable(context, event.data, event.settings);
  },
  /** What the saga itself recorded is over. */
  cannotBeRetried: ({ context, event }: Args) => {
    if (event.type !== "DocumentStepFailed" || isOwn(event) || !isOurs(context, event.data)) return false;
    return !isRetryable(context, event.data, event.settings);
  },
  isWhole: ({ context, event }: Args) => {
    if (event.type !== "ChunkIndexed" || !isOurs(context, event.data)) return false;
    const { progress } = event.data;
    return progress !== undefined && progress.indexed === progress.chunks;
  },
  isNews: ({ context, event }: Args) => {
    assertEvent(event, ["ChunkEmbedded", "ChunkIndexed"]);
    const { progress } = event.data;
    const isLast = progress?.indexed === progress?.chunks;
    return isOurs(context, event.data) && !isLast && isNews(context, progress, event);
  },
  /** Every chunk is indexed, although the event that says so has not come, or came too early. */
  misses: ({ event }: Args) => {
    if (event.type !== "SagaCommandRejected" || event.data.reason !== "NOTHING_MISSING") return false;
    return (event.data.command.data as { readonly onlyFailed?: boolean }).onlyFailed !== true;
  },
  missesUnderPipeline: ({ context, event }: Args) => {
    if (event.type !== "SagaCommandRejected" || event.data.reason !== "NOTHING_MISSING") return false;
    return context.pipeline !== undefined;
  },
  servesAlready: ({ context }: Args) => context.pipeline === context.inService,
  holdsUp: ({ context, event }: Args) => {
    if (event.type !== "DocumentStepRequested" || event.settings.comparedBy !== "counts") return false;
    const isOfOurs = event.data.step === "compare" && isOurs(context, event.data);
    return isOfOurs && holdsUp(comparisonOf(event.data, event.settings));
  },
  fallsShort: ({ context, event }: Args) => {
    if (event.type !== "DocumentStepRequested" || event.settings.comparedBy !== "counts") return false;
    return event.data.step === "compare" && isOurs(context, event.data);
  },
  /** Somebody chose another one than the saga works on. */
  isCutOverFrom: ({ context, event }: Args) => {
    return event.type === "PipelineCutOver" && event.data.from === context.pipeline;
  },
  isCutOverTo: ({ context, event }: Args) => event.type === "PipelineCutOver" && event.data.to === context.pipeline,
  isLastRemoval: ({ event }: Args) => event.type === "ChunkRemoved" && isOwn(event) && event.data.left === 0,
  isEndOfBatch: ({ event }: Args) => event.type === "ChunkRemoved" && isOwn(event) && (event.data.left ?? 0) > 0,
  isNothingToRemove: ({ event }: Args) => {
    return event.type === "SagaCommandRejected" && event.data.reason === "NOTHING_TO_REMOVE";
  },
  hasNothingIndexed: ({ context }: Args) => context.pipeline === undefined,
  /** It may serve already, if somebody was faster. */
  hasNext: ({ context }: Args) => context.next !== undefined && context.next.pipeline !== context.inService,
  isNextWhole: ({ context }: Args) => context.next?.isEmpty === true || context.next?.step === "compare",
  isNextToChunk: ({ context }: Args) => context.next?.step === "chunk",
  isIncomplete: ({ event }: Args) => {
    return event.type === "SagaCommandRejected" && event.data.reason === "INGESTION_INCOMPLETE";
  },
  /** A pipeline was asked for just now: the event that says so comes next. */
  isAskedForMore: ({ event }: Args) => {
    return event.type === "SagaCommandRejected" && event.data.reason === "PIPELINE_REQUESTED";
  },
  isLate: ({ context, event }: Args) => event.type === "ChunkIndexed" && event.data.pipeline === context.pipeline,
  /** Somebody was faster: the event that says so comes by itself. */
  isOvertaken: ({ event }: Args) =>
    event.type === "SagaCommandRejected" &&
    (event.data.code === "NOT_ALLOWED_IN_STATE" || overtakenReasons.has(event.data.reason ?? "")),
};
