/** Which ingestion an event of a document belongs to: the round that it names. */
import type { Correlate, RecordedEvent } from "retrace";
import { instanceId } from "../../instance-id.ts";
import { idOf } from "../../stream-id.ts";
import type { Settings } from "./settings.ts";

type Event = RecordedEvent<string, never>;

/** What nobody waits for names no round. */
function byRound(event: Event): string | undefined {
  const { round } = event.data as { readonly round?: number };
  return round === undefined ? undefined : instanceId(idOf(event), round);
}

const knownSteps = ["validate", "chunk", "embed", "index", "compare"];

/** Steps of somebody's own are between those who ask and those who work; nothing compares with nothing. */
function ifKnownStep(event: Event): string | undefined {
  const { step, pipeline } = event.data as { readonly step: string; readonly pipeline?: string };
  const isKnown = knownSteps.includes(step) && (step !== "compare" || pipeline !== undefined);
  return isKnown ? byRound(event) : undefined;
}

/** By event type. */
export const correlate: Readonly<Record<string, Correlate<Settings>>> = {
  DocumentSubmitted: byRound,
  DocumentUpdated: byRound,
  DocumentValidated: byRound,
  DocumentChunked: byRound,
  ChunkEmbedded: byRound,
  ChunkIndexed: byRound,
  ChunkRemoved: byRound,
  DocumentStepFailed: byRound,
  DocumentStepRequested: ifKnownStep,
  PipelineCutOver: byRound,
  IngestionCompleted: byRound,
  DocumentDeleted: byRound,
};
