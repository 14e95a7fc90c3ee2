/** What may happen to one chunk under one pipeline: the part of the document that is kept for each of them. */
import { type ChartEventOf, definePart } from "retrace";
import { setup } from "xstate";
import type { document } from "../../../schemas/document.ts";
import { type Chunks, findChunk, pipelineNamed } from "./chunks.ts";

type DocumentEvent = ChartEventOf<typeof document>;

/**
 * One chunk under one pipeline. A chunking makes its chunks pending, a newer one outdates those that an index holds:
 * both are about all chunks at once and folded by the aggregate.
 */
const chunkChart = setup({
  types: { events: {} as DocumentEvent },
  guards: {
    isNowhereElse: ({ event }) => event.type === "ChunkRemoved" && (event.data.remaining ?? []).length === 0,
  },
}).createMachine({
  id: "chunk",
  initial: "absent",
  states: {
    absent: {},
    pending: {
      on: {
        ChunkEmbedded: "embedded",
        ChunkRemoved: "pending",
      },
    },
    embedded: {
      on: {
        ChunkEmbedded: "embedded",
        ChunkIndexed: "indexed",
        ChunkRemoved: "embedded",
      },
    },
    indexed: {
      on: {
        ChunkEmbedded: "embedded",
        ChunkIndexed: "indexed",
        ChunkRemoved: [{ guard: "isNowhereElse", target: "embedded" }, { target: "indexed" }],
      },
    },
    outdated: {
      on: { ChunkRemoved: "outdated" },
    },
  },
});

/** The part: its key is the chunk with its pipeline, as JSON, because either name may hold any separator. */
export const chunk = definePart<Chunks, DocumentEvent>({
  name: "chunk",
  machine: chunkChart,
  key: (event) => {
    const { chunkId, pipeline } = event.data as { readonly chunkId?: unknown; readonly pipeline?: unknown };
    return JSON.stringify([chunkId, pipeline]);
  },
  state: (context, key) => {
    const [chunkId, pipeline] = JSON.parse(key) as [string, string];
    const current = findChunk(pipelineNamed(context, pipeline), chunkId)?.state;
    if (current !== undefined) return current;
    return context.outdated.some((old) => old.chunkId === chunkId && old.pipeline === pipeline)
      ? "outdated"
      : undefined;
  },
});
