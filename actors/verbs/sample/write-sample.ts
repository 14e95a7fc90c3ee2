/** Draws a sample through the client, and writes its rows. */
import { createHash } from "node:crypto";
import type { RecordedEvent } from "retrace";
import type { SampleSpec } from "../../../schemas/sample-spec.ts";
import type { Interaction } from "../../datasets/interaction.ts";
import { beginCandidates, type Candidate, type Candidates, candidateTypes } from "../../replay/candidate.ts";
import { type Drawn, draw, type Lot } from "../../replay/draw.ts";
import type { Sample, SampleRequest } from "../../replay/sample.ts";
import { derivedTransition, recordedTransition, transitionLine } from "../../replay/transition.ts";
import { type LogClient, readAt, readInteractions, readPages, readRetracted } from "../dataset/log-reader.ts";

/** What is drawn, where the rows go, and who is told how far the reading has come. */
export interface WrittenRequest extends SampleRequest {
  readonly onPosition: (position: number) => void;
  readonly signal: AbortSignal;
  /** Takes the rows, some at a time. */
  readonly write: (lines: string) => Promise<void>;
}

/** What a sample came to. */
export interface WrittenSample extends Omit<Sample, "data"> {
  readonly sha256: string;
}

/** How many rows are made at a time. */
const batchSize = 500;

/**
 * Draws and writes. Memory holds about 200 bytes for each transition there is to draw from, for each session and each
 * inference with feedback, and the rows of a batch.
 */
export async function writeSample(client: LogClient, request: WrittenRequest): Promise<WrittenSample> {
  const { spec, count, seed } = request;
  const { all, leftOut } = await readCandidates(client, request);
  const lot: Lot = { count, seed };
  const drawn = draw(all, spec.strategy, lot);
  const hash = createHash("sha256");
  for (let first = 0; first < drawn.length; first += batchSize) {
    request.signal.throwIfAborted();
    const text = await rowsOf(client, drawn.slice(first, first + batchSize), { all, request });
    hash.update(text);
    await request.write(text);
  }
  return { rowCount: drawn.length, of: all.length, leftOut, sha256: hash.digest("hex") };
}

async function readCandidates(client: LogClient, request: WrittenRequest): Promise<Candidates> {
  const { spec, position, onPosition, signal } = request;
  const reader = beginCandidates(spec, await readRetracted(client, position));
  for await (const events of readPages(client, filterOf(spec), position)) {
    signal.throwIfAborted();
    for (const event of events) reader.take(event);
    const last = events.at(-1);
    if (last !== undefined) onPosition(last.position);
  }
  return reader.candidates();
}

/** Of derived transitions, all that is in the log: what is not meant itself may come next to what is. */
function filterOf(spec: SampleSpec) {
  const { transitions, categories, since, until } = spec;
  const isNarrow = transitions === "recorded";
  return {
    types: candidateTypes(spec),
    ...(isNarrow && categories !== undefined && { categories }),
    ...(isNarrow && since !== undefined && { since }),
    ...(isNarrow && until !== undefined && { until }),
    by: "occurred" as const,
  };
}

interface Batch {
  readonly all: readonly Candidate[];
  readonly request: WrittenRequest;
}

async function rowsOf(client: LogClient, drawn: readonly Drawn[], { all, request }: Batch): Promise<string> {
  const { position } = request;
  const candidates = drawn.map(({ index }) => all[index] as Candidate);
  const named = candidates.flatMap(({ inference }) => [inference?.id, inference?.next]);
  const recorded = candidates.filter(({ inference }) => inference === undefined).map((one) => one.position);
  const known: Known = {
    interactions: await readInteractions(
      client,
      named.filter((id) => id !== undefined),
      position,
    ),
    events: await readAt(client, recorded),
  };
  return candidates.map((candidate, i) => lineOf(candidate, drawn[i]?.weight ?? 1, known)).join("");
}

interface Known {
  readonly interactions: ReadonlyMap<string, Interaction>;
  readonly events: ReadonlyMap<number, RecordedEvent>;
}

function lineOf(candidate: Candidate, weight: number, { interactions, events }: Known): string {
  const { inference, reward, position } = candidate;
  const transition =
    inference === undefined
      ? recordedTransition(events.get(position) as RecordedEvent)
      : derivedTransition(reward, interactions.get(inference.id), interactions.get(inference.next ?? ""));
  return transitionLine(transition, candidate, weight);
}
