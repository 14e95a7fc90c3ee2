/** Events as Parquet: row groups of a bounded size, so that memory does not grow with the file. */
import type { ColumnSource } from "hyparquet-writer";
import { type Column, columns, type EventRow } from "./event-row.ts";
import type { RowFile } from "./row-file.ts";

const maxGroupRows = 10_000;
const maxGroupCharacters = 8 * 1024 * 1024;

/** Begins a file; one that is there is replaced. Snappy-compressed, with statistics of every row group. */
export async function openParquet(path: string): Promise<RowFile> {
  // Loaded here: most verbs do without.
  const { fileWriter, ParquetWriter } = await import("hyparquet-writer");
  const writer = new ParquetWriter({ writer: fileWriter(path), schema: schema(), createdBy: "retrace" });
  let group: EventRow[] = [];
  let characters = 0;
  const write = (): void => {
    if (group.length === 0) return;
    writer.write({ columnData: columns.map((column) => sourceOf(column, group)), rowGroupSize: group.length });
    group = [];
    characters = 0;
  };
  return {
    add: (row) => {
      group.push(row);
      characters += row.data.length;
      if (group.length >= maxGroupRows || characters >= maxGroupCharacters) write();
    },
    finish: () => {
      write();
      writer.finish();
    },
  };
}

type SchemaElement = ConstructorParameters<typeof import("hyparquet-writer").ParquetWriter>[0]["schema"][number];

function schema(): SchemaElement[] {
  return [
    { name: "root", num_children: columns.length },
    ...columns.map(({ name, type, isNullable }): SchemaElement => {
      return { name, repetition_type: isNullable === true ? "OPTIONAL" : "REQUIRED", ...storedAs[type] };
    }),
  ];
}

const storedAs: Readonly<Record<Column["type"], Partial<SchemaElement>>> = {
  text: { type: "BYTE_ARRAY", converted_type: "UTF8", logical_type: { type: "STRING" } },
  integer: { type: "INT64" },
  time: {
    type: "INT64",
    converted_type: "TIMESTAMP_MILLIS",
    logical_type: { type: "TIMESTAMP", isAdjustedToUTC: true, unit: "MILLIS" },
  },
};

function sourceOf({ name, type }: Column, rows: readonly EventRow[]): ColumnSource {
  const data = rows.map((row) => {
    const value = row[name];
    if (type === "integer") return BigInt(value as number);
    return type === "time" ? new Date(value as string) : value;
  });
  return { name, data };
}
