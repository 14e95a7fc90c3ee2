/** An event as one row of a table, the same in every format. */
import type { RecordedEvent } from "../../core/message.ts";

/** What a column holds. Times are milliseconds in Parquet and ISO 8601 UTC in JSON. */
export type ColumnType = "text" | "integer" | "time";

/** A column of the table of events. */
export interface Column {
  readonly name: keyof EventRow;
  readonly type: ColumnType;
  readonly isNullable?: true;
}

/** One event. */
export interface EventRow {
  readonly id: string;
  readonly position: number;
  readonly stream: string;
  readonly category: string;
  /** The stream without its category. */
  readonly streamId: string;
  readonly version: number;
  readonly type: string;
  readonly schemaVersion: number;
  readonly occurredAt: string;
  readonly recordedAt: string;
  readonly correlationId: string;
  readonly causationId: string;
  readonly commandId: string;
  /** Who asked for it, as claimed; null where nobody said. */
  readonly actor: string | null;
  /** JSON. Its fields differ from type to type, so it is a text in every format. */
  readonly data: string;
}

/** In the order in which they are written. */
export const columns: readonly Column[] = [
  { name: "id", type: "text" },
  { name: "position", type: "integer" },
  { name: "stream", type: "text" },
  { name: "category", type: "text" },
  { name: "streamId", type: "text" },
  { name: "version", type: "integer" },
  { name: "type", type: "text" },
  { name: "schemaVersion", type: "integer" },
  { name: "occurredAt", type: "time" },
  { name: "recordedAt", type: "time" },
  { name: "correlationId", type: "text" },
  { name: "causationId", type: "text" },
  { name: "commandId", type: "text" },
  { name: "actor", type: "text", isNullable: true },
  { name: "data", type: "text" },
];

/** The row of an event. */
export function rowOf({ metadata, data, stream, category, ...event }: RecordedEvent): EventRow {
  const { id, position, version, type, schemaVersion, occurredAt, recordedAt } = event;
  const { correlationId, causationId, commandId, actor } = metadata;
  return {
    ...{ id, position, stream, category, streamId: stream.slice(category.length + 1), version, type, schemaVersion },
    ...{ occurredAt, recordedAt, correlationId, causationId, commandId, actor: actor?.id ?? null },
    data: JSON.stringify(data),
  };
}
