/** The query `state`: an aggregate now, or as of a version, a position, a recorded or an occurred time. */
import { z } from "zod";
import { type ChartState, initialState } from "../../core/chart.ts";
import type { EventStore } from "../../core/event-store.ts";
import { Fault } from "../../core/fault.ts";
import { foldEvent } from "../../core/history.ts";
import type { RecordedEvent } from "../../core/message.ts";
import { sagaCategory } from "../../core/saga-events.ts";
import { foldSaga, type SagaSource } from "../../core/saga-history.ts";
import { streamName } from "../../core/stream.ts";
import type { StateReply } from "../../wire/replies.ts";
import type { LoadedAggregate } from "../loader.ts";
import type { LoadedSaga } from "../sagas/loaded-saga.ts";
import { readSnapshot } from "../snapshots.ts";
import { category, idOfStream, isAddress, notAddress, position, time, version } from "./fields.ts";
import { breathe, type Query, query, unknownCategory } from "./query.ts";

/** What it is asked with. */
export const body = z
  .strictObject({
    category,
    id: idOfStream,
    atVersion: version.optional(),
    atPosition: position.optional(),
    atRecorded: time.optional(),
    atOccurred: time.optional(),
  })
  .refine(isAddress, notAddress)
  .refine(
    ({ category: _c, id: _i, ...points }) => Object.values(points).filter((point) => point !== undefined).length <= 1,
    {
      message: "give at most one of atVersion, atPosition, atRecorded, atOccurred",
    },
  );

const sliceEvents = 2_000;

/** The actors by category, and the log to fold. */
export interface StateSource {
  readonly store: EventStore;
  readonly aggregates: ReadonlyMap<string, LoadedAggregate>;
  readonly sagas: ReadonlyMap<string, LoadedSaga>;
  /** Where the fold of a saga finds what its stream names. */
  readonly source: (saga: LoadedSaga) => SagaSource;
}

/** Makes the query. */
export function stateQuery(options: StateSource): Query {
  const { store, aggregates } = options;
  return query("state", body, async (request): Promise<StateReply> => {
    if (request.category === sagaCategory) return sagaState(options, request);
    const actor = aggregates.get(request.category);
    if (actor === undefined) throw unknownCategory(request.category, aggregates);
    const stream = streamName(request.category, request.id);
    const { state, last } =
      request.atOccurred === undefined
        ? await foldToVersion(store, actor, stream, versionAt(store, stream, request))
        : await foldOccurred(store, actor, stream, request.atOccurred);
    if (last === undefined) throw new Fault("NOT_FOUND", `${stream} has no events at that point`, { stream });
    const { value, context, status } = state;
    return {
      stream,
      version: last.version,
      position: last.position,
      recordedAt: last.recordedAt,
      state: { value, context, status },
    };
  });
}

/** The state of a saga's instance, folded from its stream as its chart would take the same steps today. */
function sagaState({ store, sagas, source }: StateSource, request: z.output<typeof body>): StateReply {
  const stream = streamName(sagaCategory, request.id);
  const loaded = [...sagas.values()].find(({ saga }) => request.id.startsWith(`${saga.name}-`));
  if (loaded === undefined) throw new Fault("NOT_FOUND", `${stream} is of no saga that is there`, { stream });
  if (request.atOccurred !== undefined) {
    const message = "a saga's steps are in the order of the log: ask for atRecorded";
    throw new Fault("INVALID_QUERY", message, { issues: [{ path: "atOccurred", message }] });
  }
  const events = [...store.readStream(stream, { toVersion: versionAt(store, stream, request) })];
  const last = events.at(-1);
  if (last === undefined) throw new Fault("NOT_FOUND", `${stream} has no events at that point`, { stream });
  const folded = foldSaga(loaded.saga, events, source(loaded));
  const { version, position, recordedAt } = last;
  if (folded.outcome === "differs") {
    const message = `${folded.type} at ${stream}@${folded.version} is not what the chart at hand does: ${folded.message}`;
    throw new Fault("UNREADABLE_EVENT", message, { stream, version: folded.version, type: folded.type });
  }
  const { value = null, context = null, status = "active" } = folded.instance?.state ?? {};
  return { stream, version, position, recordedAt, state: { value, context, status } };
}

interface Folded {
  readonly state: ChartState;
  /** The last event in the state; undefined when there is none. */
  readonly last: RecordedEvent | undefined;
}

function versionAt(store: EventStore, stream: string, request: z.output<typeof body>): number {
  const { atVersion = Number.MAX_SAFE_INTEGER, atPosition, atRecorded } = request;
  const position = atRecorded === undefined ? atPosition : store.positionAt(atRecorded);
  if (position !== undefined) return store.versionAt(stream, position);
  return Math.min(atVersion, store.head(stream).version);
}

async function foldToVersion(store: EventStore, actor: LoadedAggregate, stream: string, to: number): Promise<Folded> {
  let { state, version: at } = readSnapshot(store, actor, stream, to);
  while (at < to) {
    const end = Math.min(to, at + sliceEvents);
    for (const event of store.readStream(stream, { fromVersion: at + 1, toVersion: end })) {
      state = foldEvent(actor.aggregate, state, event);
    }
    at = end;
    if (at < to) await breathe();
  }
  const [last] = to === 0 ? [] : store.readStream(stream, { fromVersion: to, toVersion: to });
  return { state, last };
}

/** Folds, in version order, what had occurred by then; a history the chart refuses is a wrong question. */
async function foldOccurred(store: EventStore, actor: LoadedAggregate, stream: string, time: string): Promise<Folded> {
  let state = initialState(actor.aggregate.machine);
  let last: RecordedEvent | undefined;
  const head = store.head(stream).version;
  for (let from = 1; from <= head; from += sliceEvents) {
    for (const event of store.readStream(stream, { fromVersion: from, toVersion: from + sliceEvents - 1 })) {
      if (event.occurredAt > time) continue;
      state = foldOccurredEvent(actor, state, event, time);
      last = event;
    }
    await breathe();
  }
  return { state, last };
}

function foldOccurredEvent(actor: LoadedAggregate, state: ChartState, event: RecordedEvent, time: string): ChartState {
  try {
    return foldEvent(actor.aggregate, state, event);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const { stream, version, type } = event;
    const message = `what had occurred by ${time} is no legal history of ${stream}: ${error.message}`;
    throw new Fault("INVALID_QUERY", message, { issues: [{ path: "atOccurred", message }], stream, version, type });
  }
}
