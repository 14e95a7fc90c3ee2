/** Why a document cannot take what it is told, whatever its chart says: for want of room, or because of its pipelines. */
import { type CommandData, type Rejection, reject } from "retrace";
import type { document } from "../../../schemas/document.ts";
import { type Chunks, type Service, sizeWithout } from "./chunks.ts";

/** How many chunks the state may hold: of all pipelines, and outdated ones that an index still has. */
const maxChunks = 20_000;
/** How many indexes may hold chunks of one document. */
const maxIndexes = 32;
/** How many chunk ids a rejection lists. */
const maxListed = 100;

/** Beside what is kept already, the chunks of one more pipeline. */
export function whyNoRoom(context: Chunks, pipeline: string, chunks: number): Rejection | undefined {
  if (sizeWithout(context, pipeline) + 1 + chunks <= maxChunks) return undefined;
  const message = `a document keeps at most ${maxChunks} chunks, with those that an index holds from before: remove the latter with RemoveChunk, or split the document`;
  return reject("TOO_MANY_CHUNKS", message, { limit: maxChunks });
}

/** In one index more. */
export function whyNoIndex({ indexNames }: Chunks, indexName: string): Rejection | undefined {
  if (indexNames.includes(indexName) || indexNames.length < maxIndexes) return undefined;
  const message = `a document lies in at most ${maxIndexes} indexes; those it has left are forgotten with the next revision`;
  return reject("TOO_MANY_INDEXES", message, { limit: maxIndexes });
}

type CutOver = CommandData<typeof document, "CutOverPipeline">;

/** Somebody was faster, and what was compared does not serve. */
export function whyNotFrom({ inService }: Service, { from }: CutOver): Rejection | undefined {
  if (from === undefined || from === inService) return undefined;
  const message = `pipeline ${inService} is in service, not ${from}; compare with that one`;
  return reject("NOT_IN_SERVICE", message, { from, inService });
}

/** What is cut over to has to be whole. */
export function whyNotTo({ pipelines }: Chunks, { to }: CutOver): Rejection | undefined {
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
