/** A stream folded from its first event on, a slice at a time between other work, with a look at every state on the way. */
import { type ChartState, initialState } from "../../core/chart.ts";
import type { EventStore } from "../../core/event-store.ts";
import { Fault } from "../../core/fault.ts";
import { foldEvent } from "../../core/history.ts";
import type { RecordedEvent } from "../../core/message.ts";
import type { LoadedAggregate } from "../loader.ts";
import { type Point, versionAt } from "./points.ts";
import { breathe } from "./query.ts";

/** Events folded between two breaths. */
export const sliceEvents = 2_000;

/** Which stream to fold, by which chart, up to where. */
export interface StreamFold {
  readonly store: EventStore;
  readonly actor: LoadedAggregate;
  readonly stream: string;
  readonly point: Point;
}

/** What a fold led to. */
export interface Folded {
  readonly state: ChartState;
  /** The last event in the state; undefined when there is none. */
  readonly last: RecordedEvent | undefined;
}

/**
 * Folds up to a point, in version order; `onEvent` sees each event with the state after it. For an occurred time, what
 * occurred later is left out.
 * @throws Fault UNREADABLE_EVENT; INVALID_QUERY when what had occurred by then is no history that the chart takes.
 */
export async function foldStream(
  { store, actor, stream, point }: StreamFold,
  onEvent: (event: RecordedEvent, state: ChartState) => void = () => {},
): Promise<Folded> {
  const { atOccurred } = point;
  const to = versionAt(store, stream, point);
  let state = initialState(actor.aggregate.machine);
  let last: RecordedEvent | undefined;
  for (let from = 1; from <= to; from += sliceEvents) {
    const toVersion = Math.min(to, from + sliceEvents - 1);
    for (const event of store.readStream(stream, { fromVersion: from, toVersion })) {
      if (atOccurred !== undefined && event.occurredAt > atOccurred) continue;
      state = foldOne(actor, state, event, atOccurred);
      last = event;
      onEvent(event, state);
    }
    if (toVersion < to) await breathe();
  }
  return { state, last };
}

/** With events left out, a history that the chart refuses is a wrong question. */
function foldOne(
  { aggregate }: LoadedAggregate,
  state: ChartState,
  event: RecordedEvent,
  atOccurred: string | undefined,
): ChartState {
  try {
    return foldEvent(aggregate, state, event);
  } catch (error) {
    if (!(error instanceof Fault) || atOccurred === undefined) throw error;
    const { stream, version, type } = event;
    const message = `what had occurred by ${atOccurred} is no legal history of ${stream}: ${error.message}`;
    throw new Fault("INVALID_QUERY", message, { issues: [{ path: "atOccurred", message }], stream, version, type });
  }
}
