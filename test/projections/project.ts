/** The rows that a projection makes of a history: the whole log at once, without a runtime. */
import type { Projection } from "retrace";
import type { RecordedEvent } from "../../src/core/message.ts";
import { builtInActors } from "../../src/runtime/actor-files.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { type LoadedActors, loadActors } from "../../src/runtime/loader.ts";
import { openLog } from "../../src/runtime/log.ts";
import { Projections } from "../../src/runtime/projections/projections.ts";
import { openMemoryStore } from "../../src/store/memory.ts";

/** An event as a test writes it; what it leaves out is of no matter. */
export interface Happened {
  /** `<category>-<id>`, of a category that ships. */
  readonly stream: string;
  readonly type: string;
  readonly data: unknown;
  /** In seconds after the start of 2026, or ISO 8601. Default: the number of the event. */
  readonly at?: number | string;
  readonly fields?: Partial<RecordedEvent>;
}

let actors: Promise<LoadedActors> | undefined;

/** Rows by key. @throws Error naming the first event that was parked. */
export async function project<Row = Record<string, unknown>>(
  projection: Projection,
  history: readonly Happened[],
): Promise<Record<string, Row>> {
  actors ??= loadActors([builtInActors]);
  const { aggregates } = await actors;
  const store = openMemoryStore("test");
  const projections = new Projections({
    store,
    projections: new Map([[projection.name, projection]]),
    aggregates,
    clock: systemClock(),
    log: openLog("silent"),
  });
  const categories = [...aggregates.keys()];
  await store.withTransaction((tx) => {
    const result = store.append(
      history.map((one, i) => newEvent(one, i, categories)),
      tx,
    );
    if (result.outcome !== "appended") throw new Error("a conflict");
    projections.apply(tx, projection.mode, result.events);
    projections.flush(tx);
  });
  const [parked] = store.scan("rows", { prefix: [projection.name, 1, "parked"], limit: 1 });
  if (parked !== undefined) throw new Error(`parked: ${JSON.stringify(parked.value)}`);
  const { rows = [] } = projections.read(store, projection.name, { prefix: "", limit: 1_000_000 }) ?? {};
  return Object.fromEntries(rows.map(({ key, value }) => [key, value as Row]));
}

/** A time of a test, ISO 8601. */
export function at(time: number | string): string {
  return typeof time === "string" ? time : new Date(Date.UTC(2026, 0, 1) + time * 1_000).toISOString();
}

function newEvent({ stream, type, data, at: time, fields }: Happened, i: number, categories: readonly string[]) {
  const category = categories.find((one) => stream.startsWith(`${one}-`));
  if (category === undefined) throw new Error(`${stream} is of no category`);
  const id = `e${i + 1}`;
  const metadata = { correlationId: id, causationId: id, commandId: id };
  const occurredAt = at(time ?? i + 1);
  return { id, stream, category, type, schemaVersion: 1, data, occurredAt, recordedAt: at(i + 1), metadata, ...fields };
}
