/** A sample for experience replay as of a position of the log. Pure: the same seed and position give the same bytes. */
import type { RecordedEvent } from "retrace";
import type { SampleSpec } from "../../schemas/sample-spec.ts";
import { retractedBy, retractionType } from "../datasets/dataset.ts";
import { afterEvent, type Interaction, interactionTypes } from "../datasets/interaction.ts";
import { beginCandidates } from "./candidate.ts";
import { draw, type Lot } from "./draw.ts";
import { derivedTransition, recordedTransition, transitionLine } from "./transition.ts";

/** A sample in memory. */
export interface Sample {
  /** Lines of JSON, in the order in which they were drawn. */
  readonly data: string;
  readonly rowCount: number;
  /** How many transitions there were to draw from. */
  readonly of: number;
  readonly leftOut: Readonly<Record<string, number>>;
}

/** What is drawn from, up to where, and by which lot. */
export interface SampleRequest extends Lot {
  readonly spec: SampleSpec;
  readonly position: number;
}

/** The sample of these events; they may come in any order. */
export function sampleTransitions(events: Iterable<RecordedEvent>, { spec, position, ...lot }: SampleRequest): Sample {
  const log = [...events].filter((event) => event.position <= position).sort((a, b) => a.position - b.position);
  const reader = beginCandidates(spec, new Set(log.filter(({ type }) => type === retractionType).map(retractedBy)));
  const byPosition = new Map(log.map((event) => [event.position, event]));
  const interactions = new Map<string, Interaction>();
  for (const event of log) {
    reader.take(event);
    if (event.category !== "inference" || !interactionTypes.includes(event.type)) continue;
    interactions.set(event.stream, afterEvent(interactions.get(event.stream), event));
  }
  const { all, leftOut } = reader.candidates();
  const known = (id = ""): Interaction | undefined => interactions.get(`inference-${id}`);
  const lines = draw(all, spec.strategy, lot).map(({ index, weight }) => {
    const candidate = all[index] as (typeof all)[number];
    const { inference, reward, position: at } = candidate;
    const transition =
      inference === undefined
        ? recordedTransition(byPosition.get(at) as RecordedEvent)
        : derivedTransition(reward, known(inference.id), known(inference.next));
    return transitionLine(transition, candidate, weight);
  });
  return { data: lines.join(""), rowCount: lines.length, of: all.length, leftOut };
}
