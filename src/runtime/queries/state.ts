/** The query `state`: an aggregate now, or as of a version, a position, a recorded or an occurred time. */
import { z } from "zod";
import type { EventStore } from "../../core/event-store.ts";
import { Fault } from "../../core/fault.ts";
import { foldEvent } from "../../core/history.ts";
import { sagaCategory } from "../../core/saga-events.ts";
import { foldSaga, type SagaSource } from "../../core/saga-history.ts";
import { streamName } from "../../core/stream.ts";
import type { StateReply } from "../../wire/replies.ts";
import type { LoadedAggregate } from "../loader.ts";
import type { LoadedSaga } from "../sagas/loaded-saga.ts";
import { readSnapshot } from "../snapshots.ts";
import { category, idOfStream, isAddress, notAddress } from "./fields.ts";
import { type Folded, foldStream, sliceEvents } from "./fold-stream.ts";
import { isOnePoint, nothingThere, notOnePoint, pointFields, versionAt } from "./points.ts";
import { breathe, type Query, query, unknownCategory } from "./query.ts";

/** What it is asked with. */
export const body = z
  .strictObject({ category, id: idOfStream, ...pointFields })
  .refine(isAddress, notAddress)
  .refine(isOnePoint, notOnePoint);

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
        : await foldStream({ store, actor, stream, point: request });
    if (last === undefined) throw nothingThere(store, stream);
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
  if (last === undefined) throw nothingThere(store, stream);
  const folded = foldSaga(loaded.saga, events, source(loaded));
  const { version, position, recordedAt } = last;
  if (folded.outcome === "differs") {
    const message = `${folded.type} at ${stream}@${folded.version} is not what the chart at hand does: ${folded.message}`;
    throw new Fault("UNREADABLE_EVENT", message, { stream, version: folded.version, type: folded.type });
  }
  const { value = null, context = null, status = "active" } = folded.instance?.state ?? {};
  return { stream, version, position, recordedAt, state: { value, context, status } };
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
