/** The query `sagas`: the instances that are under way, with what each waits for and why one is stuck. */
import { z } from "zod";
import type { EventStore } from "../../core/event-store.ts";
import { Fault } from "../../core/fault.ts";
import { streamName } from "../../core/stream.ts";
import type { SagaInstance, SagasReply } from "../../wire/replies.ts";
import type { Clock } from "../clock.ts";
import type { InstanceRow } from "../sagas/instance.ts";
import type { LoadedSaga } from "../sagas/loaded-saga.ts";
import { workText } from "../sagas/work.ts";
import { id, limit } from "./fields.ts";
import { breathe, Page, type Query, query } from "./query.ts";

/** What it is asked with. */
export const body = z.strictObject({
  /** Of the saga. */
  name: z.string().max(64).optional(),
  /** Of one instance; needs the name. */
  id: id.optional(),
  status: z.enum(["running", "stuck"]).optional(),
  limit,
  /** What `next` was. */
  cursor: z.tuple([z.string().max(64), z.string().max(128)]).optional(),
});

/** What the query reads. */
export interface SagasSource {
  readonly store: EventStore;
  readonly sagas: ReadonlyMap<string, LoadedSaga>;
  readonly clock: Clock;
}

/** Rows looked at between two breaths. */
const sliceRows = 2_000;

/** Makes the query. Instances that have ended are in their streams: `history` of category `saga`. */
export function sagasQuery({ store, sagas, clock }: SagasSource): Query {
  return query("sagas", body, async ({ name, id: only, status, limit: most, cursor }): Promise<SagasReply> => {
    if (name !== undefined) assertKnown(name, sagas);
    const page = new Page<SagaInstance>(most);
    let after: readonly (string | number)[] | undefined = cursor;
    const prefix = [name, only].filter((part) => part !== undefined);
    for (;;) {
      const rows = [...store.scan("sagas", { prefix, ...(after !== undefined && { after }), limit: sliceRows })];
      for (const { key, value } of rows) {
        const instance = describeInstance(key, value as InstanceRow, { sagas, clock });
        if (status !== undefined && instance.status !== status) continue;
        if (page.add(instance)) continue;
        const last = page.items.at(-1) as SagaInstance;
        return { instances: page.items, next: [last.saga, last.id] };
      }
      if (rows.length < sliceRows) return { instances: page.items, next: null };
      after = rows.at(-1)?.key;
      await breathe();
    }
  });
}

/** @throws Fault NOT_FOUND for a saga that is not there. */
export function assertKnown(name: string, sagas: ReadonlyMap<string, LoadedSaga>): LoadedSaga {
  const loaded = sagas.get(name);
  if (loaded !== undefined) return loaded;
  const known = [...sagas.keys()].sort();
  throw new Fault("NOT_FOUND", `there is no saga ${name}; there are ${known.join(", ") || "none"}`, { known });
}

function describeInstance(
  key: readonly (string | number)[],
  row: InstanceRow,
  { sagas, clock }: Pick<SagasSource, "sagas" | "clock">,
): SagaInstance {
  const [saga, instance] = key.map(String) as [string, string];
  const { version, value, startedAt, correlationId, timers, stuck, queue = [] } = row;
  const isLoaded = sagas.has(saga);
  const missing = isLoaded ? undefined : { reason: "NO_SAGA", message: `no saga ${saga} is loaded`, since: startedAt };
  const why = stuck ?? missing;
  const [first] = queue;
  return {
    saga,
    id: instance,
    stream: streamName("saga", `${saga}-${instance}`),
    status: why === undefined ? "running" : "stuck",
    state: value,
    version,
    startedAt,
    correlationId,
    timers: timers.map(([timer, dueMs]) => ({ id: timer, dueAt: new Date(dueMs).toISOString() })),
    ...(why !== undefined && {
      stuck: {
        ...why,
        ageMs: Math.max(0, Date.parse(clock.now()) - Date.parse(why.since)),
        ...(first !== undefined && { at: workText(first) }),
        waiting: Math.max(0, queue.length - 1),
      },
    }),
  };
}
