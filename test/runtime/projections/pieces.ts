/** Pieces on a board: a small domain with a projection, and what a process does with it. Free of vitest. */
import { assign, setup } from "xstate";
import { z } from "zod";
import { defineAggregate } from "../../../src/core/aggregate.ts";
import type { EventStore, Subscription } from "../../../src/core/event-store.ts";
import type { NewEvent } from "../../../src/core/message.ts";
import { defineProjection, type Projection } from "../../../src/core/projection.ts";
import type { Clock } from "../../../src/runtime/clock.ts";
import { takeActors } from "../../../src/runtime/loader.ts";
import { openLog } from "../../../src/runtime/log.ts";
import { Projections } from "../../../src/runtime/projections/projections.ts";

let ids = 0;

/** Time stands still; ids count. */
export const clock: Clock = {
  now: () => "2026-01-01T00:00:00.000Z",
  newId: () => {
    ids += 1;
    return `id-${ids}`;
  },
};

const schemas = {
  commands: { Move: z.strictObject({ by: z.number() }) },
  events: {
    /** The first version called it `steps`. */
    Moved: {
      version: 2,
      schema: z.looseObject({ by: z.number() }),
      upcasters: { 1: ({ steps, ...rest }: Record<string, unknown>) => ({ ...rest, by: steps }) },
    },
    Named: z.looseObject({ name: z.string() }),
    Removed: z.looseObject({}),
  },
};

/** The schemas of the piece, as projections are typed by them. */
export type PieceSchemas = typeof schemas;

const machine = setup({}).createMachine({
  id: "piece",
  on: {
    Moved: { actions: assign({}) },
    Named: { actions: assign({}) },
    Removed: { actions: assign({}) },
  },
});

/** Pieces on a board: they are moved, named and removed. */
export const piece = defineAggregate({
  category: "piece",
  schemas,
  machine,
  decide: { Move: (_state, { data }) => ({ type: "Moved" as const, data }) },
});

const { aggregates } = takeActors([piece]);

/** What a process may have besides. */
export interface ProcessOptions {
  readonly next?: readonly Projection[];
  readonly spanEvents?: number;
}

/** Projections over a store, as one process has them. */
export function openProjections(
  store: EventStore,
  definitions: readonly Projection[],
  { next = [], ...options }: ProcessOptions = {},
): Projections {
  const [projections, nextProjections] = [definitions, next].map((list) => new Map(list.map((one) => [one.name, one])));
  return new Projections({
    store,
    projections: projections as ReadonlyMap<string, Projection>,
    ...(nextProjections && { nextProjections }),
    aggregates,
    clock,
    log: openLog("silent"),
    ...options,
  });
}

/** An event of a piece. */
export function event(id: string, type: string, data: unknown, fields: Partial<NewEvent> = {}): NewEvent {
  const eventId = clock.newId();
  return {
    id: eventId,
    stream: `piece-${id}`,
    category: "piece",
    type,
    schemaVersion: type === "Moved" ? 2 : 1,
    data,
    occurredAt: clock.now(),
    recordedAt: clock.now(),
    metadata: { correlationId: eventId, causationId: eventId, commandId: eventId },
    ...fields,
  };
}

/** `count` moves of a few pieces. */
export function moves(count: number, pieces = 5): NewEvent[] {
  return Array.from({ length: count }, (_, i) => event(`p${i % pieces}`, "Moved", { by: i % 7 }));
}

/** Appends as the command loop does: the sync projections are written in the same transaction. */
export async function append(store: EventStore, projections: Projections, events: readonly NewEvent[]): Promise<void> {
  await store.withTransaction((tx) => {
    const appended = store.append(events, tx);
    if (appended.outcome !== "appended") throw new Error("a conflict");
    projections.apply(tx, "sync", appended.events);
    projections.flush(tx);
  });
}

/** Follows the log as the runtime does: async projections and the checkpoint in one transaction. */
export function follow(store: EventStore, projections: Projections): Subscription {
  const position = (store.get("checkpoints", ["react"]) as number | undefined) ?? 0;
  return store.subscribeAll(async (events) => {
    await store.withTransaction((tx) => {
      projections.apply(tx, "async", events);
      projections.flush(tx);
      tx.put("checkpoints", ["react"], events.at(-1)?.position);
    });
  }, position);
}

/** A piece as a row. */
export interface PieceRow {
  readonly moves: number;
  readonly distance: number;
  readonly name?: string;
  /** How many notes there were. */
  readonly noted?: number;
}

/** What a test may set of the projection below. */
export interface PiecesOptions {
  readonly name?: string;
  readonly version?: number;
  readonly mode?: "sync" | "async";
  /** What each move counts: another version may count otherwise. */
  readonly factor?: number;
}

/** Each piece, and under `all` the sum; both forms of handlers. */
export function pieces(options: PiecesOptions = {}): Projection {
  const { name = "pieces", version = 1, mode = "sync", factor = 1 } = options;
  const start: PieceRow = { moves: 0, distance: 0 };
  return defineProjection<PieceRow, PieceSchemas>({
    name,
    version,
    mode,
    on: {
      Moved: ({ stream, data }, rows) => {
        rows.notes.put(stream, Number(rows.notes.get(stream) ?? 0) + 1);
        for (const key of [`piece/${stream}`, "all"]) {
          const row = rows.get(key) ?? start;
          rows.put(key, { ...row, moves: row.moves + 1, distance: row.distance + factor * data.by });
        }
      },
      Named: {
        key: ({ stream }) => `piece/${stream}`,
        apply: (row = start, { data }) => ({ ...row, name: data.name }),
      },
      Removed: (event, rows) => {
        rows.delete(`piece/${event.stream}`);
        const noted = [...rows.notes.scan("piece-")].reduce((sum, { value }) => sum + Number(value), 0);
        rows.notes.delete(event.stream);
        // The sum is made anew from what is left.
        const left = [...rows.scan("piece/")].map(({ value }) => value);
        const sum = left.reduce((all, { moves, distance }) => {
          return { moves: all.moves + moves, distance: all.distance + distance };
        }, start);
        rows.put("all", { ...sum, noted });
      },
    },
  });
}

/** All rows of a projection; undefined when nothing is live. */
export function rowsOf(
  store: EventStore,
  projections: Projections,
  name = "pieces",
): Record<string, unknown> | undefined {
  const read = projections.read(store, name, { prefix: "", limit: 100_000 });
  return read === undefined ? undefined : Object.fromEntries(read.rows.map(({ key, value }) => [key, value]));
}

/** Builds what is missing, to the end. */
export async function build(projections: Projections): Promise<void> {
  projections.startBuilding();
  await projections.built();
  await projections.stop();
}
