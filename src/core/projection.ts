/**
 * Projections: rows that the events of the log are folded into, for those who read. Handlers are pure; the runtime
 * keeps the rows, and makes them again from the log whenever it is asked to.
 */
import type { RecordedEvent } from "./message.ts";
import type { EventData, Schemas } from "./schema.ts";

/**
 * When the rows of an event are written. `sync`: in the transaction that appends it, so whoever has the reply to a
 * command can read them. `async`: behind it, in the order of the log, each event exactly once.
 */
export type ProjectionMode = "sync" | "async";

/** Rows by key: 1 to 512 characters. What was read must not be changed: put a new row instead. */
export interface KeyedRows<Row = unknown> {
  get(key: string): Row | undefined;
  /** Plain data only, what JSON can carry. */
  put(key: string, row: Row): void;
  delete(key: string): void;
  /** The rows whose keys begin with `prefix`, in key order (by code point), as they are at this moment. */
  scan(prefix: string): Iterable<{ readonly key: string; readonly value: Row }>;
}

/** The rows of one projection. */
export interface Rows<Row = unknown> extends KeyedRows<Row> {
  /** What its handlers have to remember beside the rows: kept like them, with keys of their own, and shown to nobody. */
  readonly notes: KeyedRows;
}

/** What one event does to the rows. When it throws, nothing of it is written, and the event is parked with the reason. */
export interface RowsHandler<Row = unknown, Event = RecordedEvent> {
  (event: Event, rows: Rows<Row>): void;
  /** Every function has an `apply`. Here it looks like that of the short form, so that both give an author's parameters their types. */
  apply(row: Row | undefined, event: Event): Row | undefined;
}

/** The short form: one event changes one row. */
export interface RowHandler<Row = unknown, Event = RecordedEvent> {
  /** Which row; undefined for none. */
  readonly key: (event: Event) => string | undefined;
  /** The row after the event; undefined when there is to be none. */
  readonly apply: (row: Row | undefined, event: Event) => Row | undefined;
}

/** What to do on an event. */
export type ProjectionHandler<Row = unknown, Event = RecordedEvent> = RowsHandler<Row, Event> | RowHandler<Row, Event>;

/** Handlers by event type; of events of the schemas `S`, with their data at the latest version. */
export type ProjectionHandlers<Row, S extends Schemas> = string extends keyof S["events"]
  ? Readonly<Record<string, ProjectionHandler<Row>>>
  : {
      readonly [Type in keyof S["events"] & string]?: ProjectionHandler<Row, RecordedEvent<Type, EventData<S, Type>>>;
    };

/** What the author of a projection writes. */
export interface ProjectionDefinition<Row, S extends Schemas> {
  /** Kebab-case; the name of the file. */
  readonly name: string;
  /** From 1. Raise it with every change of what the handlers do: the rows are then built anew beside the old ones. */
  readonly version: number;
  readonly mode: ProjectionMode;
  /** One sentence for those who look for what they need. */
  readonly description?: string;
  /** Fields of the rows, dotted where nested, by which queries find rows without reading all of them. */
  readonly indexes?: readonly string[];
  /** Types of several categories may be the same: `event.category` tells them apart. */
  readonly on: ProjectionHandlers<Row, S>;
}

/** A projection, its types erased for the runtime. */
export interface Projection {
  readonly kind: "projection";
  readonly name: string;
  readonly version: number;
  readonly mode: ProjectionMode;
  readonly description: string | undefined;
  readonly indexes: readonly string[];
  readonly on: Readonly<Record<string, ProjectionHandler>>;
}

/**
 * Makes a projection. `S` are the schemas of the aggregates it listens to, several as `typeof model & typeof review`;
 * without them the data of events is unknown. The runtime's loader checks its rules, see `checkProjection`.
 */
export function defineProjection<Row, S extends Schemas = Schemas>(
  definition: ProjectionDefinition<Row, S>,
): Projection {
  const { name, version, mode, description, indexes = [], on } = definition;
  return {
    kind: "projection",
    name,
    version,
    mode,
    description,
    indexes,
    on: on as unknown as Projection["on"],
  };
}
