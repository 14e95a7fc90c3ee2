/**
 * Which documents which pipeline serves, for whoever brings them under another one. Row keys: `serving/<pipeline>/<id>` for
 * a document that is wholly indexed under what serves it, with nothing else on its way; `arriving/<pipeline>/<id>` for one
 * that is being brought under another; `failed/<pipeline>/<id>` for one that could not be; and `pipeline/<pipeline>`, how
 * many there are of each.
 */
import { defineProjection, type EventData, type RecordedEvent, type Rows } from "retrace";
import type { document } from "../../schemas/document.ts";
import { segment } from "../key-segment.ts";
import { idOf } from "../stream-id.ts";

/** Where a document is. */
type Place = "serving" | "arriving" | "failed";

/** A document in its place. */
export interface DocumentRow {
  readonly documentId: string;
  readonly inService: string;
}

/** How many documents are where with a pipeline. */
export interface PipelineRow extends Readonly<Record<Place, number>> {
  readonly pipeline: string;
}

/** What is remembered of a document. */
interface Note {
  readonly inService: string;
  readonly at?: { readonly place: Place; readonly pipeline: string };
}

type Row = DocumentRow | PipelineRow;
type Event<Type extends keyof (typeof document)["events"]> = RecordedEvent<Type, EventData<typeof document, Type>>;

export default defineProjection<Row, typeof document>({
  name: "document-pipelines",
  version: 1,
  mode: "sync",
  description: "which documents which pipeline serves, and which are on their way to another",
  on: {
    DocumentChunked: (event, rows) => {
      const { pipeline, inService = noteOf(event, rows)?.inService ?? pipeline, chunks } = event.data;
      const isWhole = chunks.length === 0;
      if (pipeline === inService) move(event, rows, { inService }, isWhole ? "serving" : undefined);
    },
    ChunkEmbedded: progressed,
    ChunkIndexed: progressed,
    ChunkRemoved: progressed,
    DocumentStepRequested: (event, rows) => {
      const { step, pipeline, inService } = event.data;
      if (pipeline === undefined || inService === undefined || pipeline === inService || !brings.includes(step)) return;
      move(event, rows, { inService }, "arriving", pipeline);
    },
    DocumentStepFailed: (event, rows) => {
      const { pipeline, retryable } = event.data;
      const note = noteOf(event, rows);
      if (note === undefined || retryable !== false || pipeline === undefined || pipeline === note.inService) return;
      move(event, rows, note, "failed", pipeline);
    },
    PipelineCutOver: (event, rows) => move(event, rows, { inService: event.data.to }, "serving"),
    IngestionCompleted: (event, rows) => move(event, rows, { inService: event.data.pipeline }, "serving"),
    DocumentUpdated: (event, rows) => {
      const note = noteOf(event, rows);
      if (note !== undefined) move(event, rows, note, undefined);
    },
    DocumentDeleted: (event, rows) => {
      const note = noteOf(event, rows);
      if (note !== undefined) move(event, rows, note, undefined);
      rows.notes.delete(idOf(event));
    },
  },
});

/** The steps by which a pipeline is brought in. */
const brings: readonly string[] = ["chunk", "embed", "index", "compare"];

/** A document is served wholly, or is not any more. */
function progressed(event: Event<"ChunkEmbedded" | "ChunkIndexed" | "ChunkRemoved">, rows: Rows<Row>): void {
  const { pipeline, progress } = event.data;
  const note = noteOf(event, rows);
  if (note === undefined || progress === undefined || pipeline !== note.inService) return;
  const isWhole = progress.indexed === progress.chunks;
  if (isWhole && note.at === undefined) move(event, rows, note, "serving");
  if (!isWhole && note.at?.place === "serving") move(event, rows, note, undefined);
}

function noteOf(event: RecordedEvent, rows: Rows<Row>): Note | undefined {
  return rows.notes.get(idOf(event)) as Note | undefined;
}

/** From wherever the document was to this place, or to none. */
function move(
  event: RecordedEvent,
  rows: Rows<Row>,
  { inService }: Pick<Note, "inService">,
  place: Place | undefined,
  pipeline = inService,
): void {
  const documentId = idOf(event);
  const before = noteOf(event, rows)?.at;
  if (before !== undefined) {
    rows.delete(placeKey(before.place, before.pipeline, documentId));
    count(rows, before, -1);
  }
  rows.notes.put(documentId, place === undefined ? { inService } : { inService, at: { place, pipeline } });
  if (place === undefined) return;
  rows.put(placeKey(place, pipeline, documentId), { documentId, inService });
  count(rows, { place, pipeline }, 1);
}

function count(rows: Rows<Row>, { place, pipeline }: NonNullable<Note["at"]>, by: 1 | -1): void {
  const key = `${pipelinePrefix}${segment(pipeline)}`;
  const before = (rows.get(key) as PipelineRow | undefined) ?? { pipeline, serving: 0, arriving: 0, failed: 0 };
  const after = { ...before, [place]: before[place] + by };
  if (after.serving + after.arriving + after.failed === 0) rows.delete(key);
  else rows.put(key, after);
}

/** With what the keys of pipelines begin. */
export const pipelinePrefix = "pipeline/";

/** With what the keys of documents begin that a pipeline serves. */
export function servingPrefix(pipeline: string): string {
  return `serving/${segment(pipeline)}/`;
}

function placeKey(place: Place, pipeline: string, documentId: string): string {
  return `${place}/${segment(pipeline)}/${documentId}`;
}
