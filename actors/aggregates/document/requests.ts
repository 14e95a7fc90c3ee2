/**
 * Asking workers for a step: again, because it failed or nobody answered, or under another pipeline. Which chunks a step
 * is missing for is known here, so nobody who asks has to keep count.
 */
import { type CommandData, type EventData, type Rejection, reject } from "retrace";
import { type document, maxRequestedChunks } from "../../../schemas/document.ts";
import { type Chunk, type Chunks, isWhole, type Pipeline, pipelineNamed, progressOf, type Service } from "./chunks.ts";
import { whyNoRoom } from "./refusals.ts";

type Known = Chunks & Service;
type Request = CommandData<typeof document, "RequestDocumentStep">;
type Requested = EventData<typeof document, "DocumentStepRequested">;

/** Where the document is, as its chart says. */
export type Stage = "submitted" | "validated" | "chunked";

/** The events of a request, or why there is nothing to ask for. */
export function requestsOf(context: Known, stage: Stage, request: Request): Requested[] | Rejection {
  const { step } = request;
  const rejection = whyNotNow(context, stage, request);
  if (rejection !== undefined) return rejection;
  if (step !== "embed" && step !== "index") return [requestFor(context, request)];
  const { pipeline = context.inService ?? "" } = request;
  const chunks = pipelineNamed(context, pipeline);
  const isNew = chunks !== undefined && progressOf(context, pipeline) === undefined;
  const noRoom = isNew ? whyNoRoom(context, pipeline, chunks.chunks.length) : undefined;
  if (noRoom !== undefined) return noRoom;
  const missing = missingIn(chunks, request);
  const events = (["embed", "index"] as const).flatMap((each) => {
    const told = requestFor(context, { ...request, step: each, pipeline });
    return inSlices(missing[each]).map((chunkIds) => ({ ...told, chunkIds }));
  });
  // A document without chunks can be brought under another pipeline, too.
  if (isNew && chunks.chunks.length === 0) return [{ ...requestFor(context, { ...request, pipeline }), chunkIds: [] }];
  return events.length > 0 ? events : nothingMissing(`every chunk that is meant is past ${step} under ${pipeline}`);
}

const tooEarly: Readonly<Record<Stage, readonly string[]>> = {
  submitted: ["chunk", "embed", "index", "compare"],
  validated: ["embed", "index", "compare"],
  chunked: [],
};

/** Steps by which a pipeline is brought in; others may be asked for under any. */
export const bringsIn: readonly string[] = ["chunk", "embed", "index", "compare"];

function whyNotNow(context: Known, stage: Stage, { step, pipeline }: Request): Rejection | undefined {
  if (tooEarly[stage].includes(step)) {
    return reject("STEP_TOO_EARLY", `the document is only ${stage}; ${step} comes later`, { step, state: stage });
  }
  if (step === "validate" && stage !== "submitted") return nothingMissing(`the document is ${stage}`);
  if (stage !== "chunked") return undefined;
  const own = pipeline !== undefined && Object.hasOwn(context.pipelines, pipeline);
  const isChunked = pipeline === undefined || (own && context.pipelines[pipeline]?.chunking !== undefined);
  if (step === "chunk" && isChunked)
    return nothingMissing("the document is chunked; ChunkDocument chunks it otherwise");
  if (step === "compare" && pipeline !== undefined && !own) {
    return reject("UNKNOWN_PIPELINE", `pipeline ${pipeline} has no chunk of this revision to compare`, { pipeline });
  }
  return pipeline === undefined || !bringsIn.includes(step) ? undefined : whyNotBeside(context, pipeline);
}

/** One candidate at a time, beside something that serves. */
function whyNotBeside(context: Known, pipeline: string): Rejection | undefined {
  const { inService, candidate } = context;
  if (pipeline === inService || pipeline === candidate) return undefined;
  if (candidate !== null) {
    const message = `${candidate} is being brought in; ask again when it is cut over to, or has failed for good`;
    return reject("PIPELINE_BUSY", message, { candidate });
  }
  if (isWhole(context, inService)) return undefined;
  const message = `the document is not ingested under ${inService} yet; ask again when it is`;
  return reject("NOT_INGESTED", message, { inService: inService ?? null });
}

function requestFor(context: Known, request: Request): Requested {
  const { chunkId: _, onlyFailed: __, revision: ___, attempt = 1, ...rest } = request;
  const { inService } = context;
  const isOther = inService !== undefined && request.pipeline !== undefined && request.pipeline !== inService;
  const progress = progressOf(context, request.pipeline);
  const inServiceProgress = isOther ? progressOf(context, inService) : undefined;
  return {
    ...rest,
    attempt,
    ...(inService !== undefined && { inService }),
    ...(progress !== undefined && { progress }),
    ...(inServiceProgress !== undefined && { inServiceProgress }),
  };
}

/** `index` means the embedding too, where it is missing. */
function missingIn(
  pipeline: Pipeline | undefined,
  { step, chunkId, onlyFailed }: Request,
): Readonly<Record<"embed" | "index", readonly string[]>> {
  const meant = (pipeline?.chunks ?? []).filter(
    (chunk) =>
      (chunkId === undefined || chunk.chunkId === chunkId) && (onlyFailed !== true || chunk.hasFailed === true),
  );
  const idsIn = (state: Chunk["state"]) => meant.filter((chunk) => chunk.state === state).map((chunk) => chunk.chunkId);
  return { embed: idsIn("pending"), index: step === "index" ? idsIn("embedded") : [] };
}

function inSlices(ids: readonly string[]): string[][] {
  const slices = Math.ceil(ids.length / maxRequestedChunks);
  return Array.from({ length: slices }, (_, i) => ids.slice(i * maxRequestedChunks, (i + 1) * maxRequestedChunks));
}

function nothingMissing(why: string): Rejection {
  return reject("NOTHING_MISSING", why);
}
