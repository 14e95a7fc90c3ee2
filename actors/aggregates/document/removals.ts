/** Taking many chunks out of the indexes: which ones, and in which order. */
import type { CommandData, EventData } from "retrace";
import type { document } from "../../../schemas/document.ts";
import { chunk } from "./chunk.ts";
import { afterRemoval, type Chunks, type ChunkValue, removed } from "./chunks.ts";

type Removed = EventData<typeof document, "ChunkRemoved">;
type RemoveChunks = CommandData<typeof document, "RemoveChunks">;

/** One vector in one index. */
type Held = Pick<Removed, "chunkId" | "pipeline" | "indexName" | "revision">;

const defaultLimit = 100;

/** The events of a RemoveChunks, the newest chunk first; `about` makes each of them complete. */
export function removalsOfMany(
  context: Chunks,
  { limit = defaultLimit, reason, ...which }: RemoveChunks,
  about: (data: Removed) => Removed,
): Removed[] {
  const all = held(context, which);
  const left = Math.max(0, all.length - limit);
  let after = context;
  return all.slice(0, limit).map((one, i, taken) => {
    const { chunkId, indexName, pipeline } = one;
    const data = about({
      ...one,
      ...(reason !== undefined && { reason }),
      ...afterRemoval(after, pipeline, { chunkId, indexName }),
      ...(i === taken.length - 1 && { left }),
    });
    const event = { type: "ChunkRemoved", data };
    after = { ...after, ...removed(after, data, chunk.next(after, event) as ChunkValue) };
    return { ...data, ...(one.revision !== undefined && { revision: one.revision }) };
  });
}

/** What indexes hold of the present under the pipeline, the newest first, then what they hold from before. */
function held({ current, pipelines, outdated }: Chunks, which: RemoveChunks): Held[] {
  const { pipeline } = which;
  const { revision } = current;
  const own = pipeline !== undefined && Object.hasOwn(pipelines, pipeline) ? pipelines[pipeline] : undefined;
  const present = (own?.chunks ?? [])
    .filter(({ indexNames }) => indexNames.length > 0)
    .sort((a, b) => (b.indexedAt ?? 0) - (a.indexedAt ?? 0))
    .flatMap(({ chunkId, indexNames }) =>
      indexNames.toReversed().map((indexName) => ({
        chunkId,
        pipeline: pipeline as string,
        indexName,
        ...(revision !== undefined && { revision }),
      })),
    );
  return [...present, ...(which.outdated === true ? outdated.toReversed() : [])];
}
