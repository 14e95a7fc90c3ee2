/** What the saga keeps of one ingestion. The chunks are not among it: the document knows them, and its events count them. */
import type { EventData, SagaEventOf, SagaReplies } from "retrace";
import type { document } from "../../../schemas/document.ts";
import { given } from "../../given-fields.ts";
import type { Settings } from "./settings.ts";

/** What reaches the chart. */
export type IngestionEvent =
  | SagaEventOf<typeof document, keyof (typeof document)["events"] & string, Settings>
  | SagaReplies<Settings>;

type Requested = EventData<typeof document, "DocumentStepRequested">;
type Failed = EventData<typeof document, "DocumentStepFailed">;

/** One ingestion of a document, whatever revisions and pipelines it takes. */
export interface Ingestion {
  readonly documentId: string;
  readonly revision: EventData<typeof document, "DocumentSubmitted">["revision"] | undefined;
  /** What is waited for now. */
  readonly step: "validate" | "chunk" | "index" | "compare";
  /** Under which pipeline; unknown until the document is chunked, or it was asked for. */
  readonly pipeline: string | undefined;
  readonly embeddingModel: string | undefined;
  /** It was asked for although the revision is chunked under another one. */
  readonly isBeside: boolean;
  readonly inService: string | undefined;
  /** Whose entries go out of the indexes when this pipeline serves. */
  readonly replaced: string | undefined;
  /** Asked for beside what is at hand; its turn comes next. */
  readonly next: Next | undefined;
  /** Of the step, or since a chunk got on last; from 1. */
  readonly attempt: number;
  /** Embeddings and index entries there were when progress was last noted. */
  readonly done: number;
  readonly notedAt: string;
  /** Of the retry that is due next: how often it has failed, and whether all that is missing is meant. */
  readonly retry: { readonly failures: number; readonly isForAll: boolean };
  readonly failure: Failure | undefined;
}

/** What was asked for beside. */
export type Next = Pick<Requested, "step" | "pipeline" | "embeddingModel"> & { readonly isEmpty: boolean };

/** What went wrong at last. */
export type Failure = Pick<Failed, "step" | "chunkId" | "reason">;

/** Before anything is known. */
export const nothingYet: Ingestion = {
  documentId: "",
  revision: undefined,
  step: "validate",
  pipeline: undefined,
  embeddingModel: undefined,
  isBeside: false,
  inService: undefined,
  replaced: undefined,
  next: undefined,
  attempt: 1,
  done: 0,
  notedAt: "",
  retry: { failures: 1, isForAll: false },
  failure: undefined,
};

/** A step begins. */
export function beginning({ now }: { readonly now: string }): Pick<Ingestion, "attempt" | "done" | "notedAt"> {
  return { attempt: 1, done: 0, notedAt: now };
}

/** The actor under which the saga acts. */
export const self = "saga:document-ingestion";

/** Whether the saga itself caused the event. */
export function isOwn(event: IngestionEvent): boolean {
  return "actor" in event && event.actor?.id === self;
}

/** Whether it is about the pipeline at hand; what names none is about the document as a whole. */
export function isOurs({ pipeline }: Ingestion, data: { readonly pipeline?: string | undefined }): boolean {
  return data.pipeline === undefined || pipeline === undefined || data.pipeline === pipeline;
}

/** Whether another try may help, and there is one left. */
export function isRetryable({ attempt }: Ingestion, { retryable, failures = attempt }: Failed, settings: Settings) {
  return retryable !== false && failures < settings.attempts;
}

/** How long a worker may take. */
export function withinMs({ step }: Ingestion, settings: Settings): number {
  if (step === "validate") return settings.validateWithinMs;
  if (step === "chunk") return settings.chunkWithinMs;
  return step === "compare" ? settings.compareWithinMs : settings.progressWithinMs;
}

/** Before the next try. */
export function backoffMs({ retry }: Ingestion, settings: Settings): number {
  return Math.min(settings.maxBackoffMs, settings.backoffMs * 2 ** (retry.failures - 1));
}

/** Progress is noted this often within the time that a chunk may take, so that thousands of chunks leave a few traces. */
const notesPerDeadline = 10;

/** Whether chunks have got on, and it was not noted lately. */
export function isNews(
  { done, notedAt }: Ingestion,
  progress: Requested["progress"],
  { now, settings }: StepAt,
): boolean {
  if (progress === undefined || progress.embedded + progress.indexed <= done) return false;
  return Date.parse(now) - Date.parse(notedAt) >= settings.progressWithinMs / notesPerDeadline;
}

/** What a cut-over is decided by. */
export interface Comparison {
  readonly by: "counts";
  readonly from: Requested["progress"] | null;
  readonly to: Requested["progress"] | null;
  readonly minChunkShare: number;
}

/** How the two pipelines compare, as the request for the comparison tells. */
export function comparisonOf(data: Requested, { minChunkShare }: Settings): Comparison {
  return { by: "counts", from: data.inServiceProgress ?? null, to: data.progress ?? null, minChunkShare };
}

/** Whether the new pipeline may serve. Where nothing of this revision serves, anything is better. */
export function holdsUp({ from, to, minChunkShare }: Comparison): boolean {
  if (to === null || to === undefined || to.indexed < to.chunks) return false;
  return from === null || from === undefined || to.chunks >= minChunkShare * from.chunks;
}

interface StepAt {
  readonly now: string;
  readonly settings: Settings;
}

/** The command that asks for the step at hand. */
export function requestOf(context: Ingestion, { now, settings }: StepAt) {
  const { documentId, step, pipeline, embeddingModel, attempt, revision } = context;
  const dueAt = new Date(Date.parse(now) + withinMs(context, settings)).toISOString();
  const data = given({ step, pipeline, embeddingModel, attempt, dueAt, revision });
  return { id: documentId, type: "RequestDocumentStep", data };
}

const maxReasonLength = 4_096;

/** Why what was indexed goes out again, for people. */
export function reasonOf(failure: Failure | undefined): string {
  if (failure === undefined) return "given up";
  const { step, chunkId, reason = "it failed" } = failure;
  return `given up: ${step}${chunkId === undefined ? "" : ` of ${chunkId}`}: ${reason}`.slice(0, maxReasonLength);
}
