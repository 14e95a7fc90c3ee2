/**
 * A dataset as of a position of the log: its rows and where each of them comes from, as text. Pure: the same spec and
 * position give the same bytes, whatever was recorded behind the position and wherever the log lies.
 */
import type { RecordedEvent } from "retrace";
import type { DatasetSpec } from "../../schemas/dataset-spec.ts";
import { isSelected } from "./conditions.ts";
import { afterEvent, type Interaction, interactionTypes, isInferenceId, type Origin, originOf } from "./interaction.ts";
import type { LeftOut } from "./judgement.ts";
import { latestData } from "./latest-data.ts";
import { rowsOf } from "./rows.ts";

/** Lines, each with its end. */
export interface DatasetPart {
  /** Of data.jsonl. */
  readonly data: string;
  /** Of provenance.tsv, one for each of those. */
  readonly provenance: string;
}

/** What a dataset came to. */
export interface DatasetCounts {
  readonly rowCount: number;
  /** Of trl and kto: how many rows are texts, and how many are messages. */
  readonly shapes?: { readonly texts: number; readonly messages: number };
  /** How many events gave no row, by the reason, in the order of its name. */
  readonly leftOut: Readonly<Partial<Record<LeftOut["reason"], number>>>;
}

/** A dataset in memory. */
export interface Dataset extends DatasetPart, DatasetCounts {}

/** The first line of provenance.tsv. In cells, tabs, line breaks and backslashes are written `\t`, `\n`, `\r`, `\\`. */
export const provenanceHeader = "row\tevent id\tposition\trequestId\tmodelId\tmodelVersion\n";

/** The type of the events that take a signal back. */
export const retractionType = "FeedbackRetracted";

/** The signal that a retraction takes back. */
export function retractedBy({ data }: RecordedEvent): string {
  return (data as { readonly eventId: string }).eventId;
}

/** The inference that has to be known for an event's rows; undefined when the event says enough itself. */
export function neededFor(event: RecordedEvent, { format }: DatasetSpec): string | undefined {
  const { requestId, modelId } = originOf(event);
  if (requestId === undefined || !isInferenceId(requestId)) return undefined;
  return format === "jsonl" && modelId !== undefined ? undefined : requestId;
}

/** Makes the rows of one event after another, in the order of the log. */
export interface RowMaker {
  /** The rows of an event, whichever; none where the spec does not mean it. */
  rowsOf(event: RecordedEvent, interaction?: Interaction): DatasetPart;
  /** Of what was made so far. */
  counts(): DatasetCounts;
}

/** Begins with the first row. `retracted` are the signals taken back up to the position. */
export function beginRows(spec: DatasetSpec, retracted: ReadonlySet<string>): RowMaker {
  let rowCount = 0;
  let withMessages = 0;
  const leftOut = new Map<LeftOut["reason"], number>();
  const make = (event: RecordedEvent, interaction: Interaction) =>
    retracted.has(event.id) ? ({ reason: "retracted" } as const) : rowsOf(event, interaction, spec);
  return {
    rowsOf: (event, interaction = {}) => {
      if (!isMeant(event, spec)) return { data: "", provenance: "" };
      const made = make(event, interaction);
      if ("reason" in made) {
        leftOut.set(made.reason, (leftOut.get(made.reason) ?? 0) + 1);
        return { data: "", provenance: "" };
      }
      const first = rowCount + 1;
      rowCount += made.lines.length;
      if (made.areMessages === true) withMessages += made.lines.length;
      const origin = { ...interaction, ...originOf(event) };
      return {
        data: made.lines.map((line) => `${line}\n`).join(""),
        provenance: made.lines.map((_, i) => provenanceLine(first + i, event, origin)).join(""),
      };
    },
    counts: () => ({
      rowCount,
      ...((spec.format === "trl" || spec.format === "kto") && {
        shapes: { texts: rowCount - withMessages, messages: withMessages },
      }),
      leftOut: Object.fromEntries([...leftOut].sort(([a], [b]) => (a < b ? -1 : 1))),
    }),
  };
}

/** The dataset of these events up to a position; they may come in any order, and in any number of pages. */
export function buildDataset(events: Iterable<RecordedEvent>, spec: DatasetSpec, position: number): Dataset {
  const log = [...events].filter((event) => event.position <= position).sort((a, b) => a.position - b.position);
  const retracted = new Set(log.filter(({ type }) => type === retractionType).map(retractedBy));
  const interactions = new Map<string, Interaction>();
  for (const event of log) {
    if (event.category !== "inference" || !interactionTypes.includes(event.type)) continue;
    interactions.set(event.stream, afterEvent(interactions.get(event.stream), event));
  }
  const maker = beginRows(spec, retracted);
  const parts = log.map((event) => {
    const needed = neededFor(event, spec);
    return maker.rowsOf(event, needed === undefined ? undefined : interactions.get(`inference-${needed}`));
  });
  return {
    data: parts.map(({ data }) => data).join(""),
    provenance: provenanceHeader + parts.map(({ provenance }) => provenance).join(""),
    ...maker.counts(),
  };
}

function isMeant(event: RecordedEvent, spec: DatasetSpec): boolean {
  if (!spec.types.includes(event.type)) return false;
  const data = latestData(event);
  return isSelected(data === event.data ? event : { ...event, data }, spec);
}

function provenanceLine(row: number, event: RecordedEvent, { requestId, modelId, modelVersion }: Origin): string {
  const cells = [String(row), event.id, String(event.position), requestId, modelId, modelVersion];
  return `${cells.map(cell).join("\t")}\n`;
}

const escapes: Readonly<Record<string, string>> = { "\t": "\\t", "\n": "\\n", "\r": "\\r", "\\": "\\\\" };

function cell(text = ""): string {
  return text.replace(/[\t\n\r\\]/g, (character) => escapes[character] as string);
}
