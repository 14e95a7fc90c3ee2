/** Makes a kind of import whose files are rows in one of several formats. */
import { counted } from "../print/counted.ts";
import { BadRow } from "./bad-row.ts";
import type { FileImport, FilesOptions } from "./files-verb.ts";
import { importRows, type ReadRow } from "./import-rows.ts";
import { type Fields, type Row, readRows } from "./read-rows.ts";
import { ImportRefused } from "./refused.ts";
import type { RowFormat, RowPlace } from "./row-format.ts";
import { dataSetOf } from "./stream-ids.ts";
import { sourceOf } from "./text-file.ts";

/** What there is to say of such a kind. */
export interface RowsImport<Options> extends Partial<Pick<FileImport<Options>, "addOptions" | "filesOf">> {
  readonly name: string;
  readonly description: string;
  /** What a user should know before, below the options in the help. */
  readonly notes: string;
  readonly example: string;
  /** What is wrong with its options, in a sentence. */
  readonly wrongOption?: (options: Options) => string | undefined;
  /** Without `--format`, the first that recognises a file's first row is that of the file. */
  readonly formats: (options: Options & FilesOptions) => readonly [RowFormat, ...RowFormat[]];
}

/** What every kind of rows has. */
export interface RowsOptions {
  readonly format?: string;
}

/** Makes the kind. */
export function importOfRows<Options>({
  formats,
  wrongOption,
  ...kind
}: RowsImport<Options>): FileImport<Options & RowsOptions> {
  return {
    ...kind,
    files: "JSON lines, a JSON array, or a table with tabs and a header",
    addOptions: (command) => {
      command.option("--format <name>", "how the files are written (default: what their first row looks like)");
      kind.addOptions?.(command);
    },
    wrongUsage: (_files, options) => {
      const names = formats(options).map(({ name }) => name);
      if (options.format === undefined || names.includes(options.format)) return wrongOption?.(options);
      return `--format takes one of ${names.join(", ")}`;
    },
    bring: async (client, file, { options, isInterrupted, onProblem, onTotal, onDone }) => {
      const known = formats(options);
      const chosen = known.find(({ name }) => name === options.format);
      const { idPrefix: dataSet = dataSetOf(file), occurredAt } = options;
      const { source, lines } = sourceOf(file);
      onTotal(lines);
      const rows = rowsOf(readRows(file), { known, chosen, file, dataSet });
      const telling = { isInterrupted, onProblem, onLines: onDone, ...(occurredAt !== undefined && { occurredAt }) };
      const { stopped, ...counts } = await importRows(client, { source, rows }, telling);
      const { newEvents, alreadyThere, badRows } = counts;
      return {
        summary: [
          `${counted(counts.rows, "row")}: ${counted(newEvents, "new event")}`,
          `${counted(alreadyThere, "row")} already there, ${counted(badRows, "bad row")}`,
        ].join(", "),
        counts: { ...counts },
        bad: badRows,
        ...(stopped && { stopped }),
      };
    },
  };
}

interface Reading extends Omit<RowPlace, "number"> {
  readonly known: readonly RowFormat[];
  readonly chosen: RowFormat | undefined;
}

function* rowsOf(rows: Iterable<Row>, { known, chosen, file, dataSet }: Reading): Generator<ReadRow> {
  let format = chosen;
  let number = 0;
  for (const { line, fields, reason } of rows) {
    number += 1;
    if (fields === undefined) {
      yield { line, reason };
      continue;
    }
    format ??= known.find((one) => one.recognises(fields));
    if (format === undefined) throw unknownFormat(line, known);
    yield { line, ...commandsOf(format, fields, { file, dataSet, number }) };
  }
}

function unknownFormat(line: number, known: readonly RowFormat[]): ImportRefused {
  const formats = known.map(({ name, hint }) => `${name} (${hint})`).join("; ");
  return new ImportRefused(`line ${line} is of no known format; known by their columns are ${formats}`);
}

function commandsOf(format: RowFormat, fields: Fields, place: RowPlace) {
  try {
    return { commands: format.commands(fields, place) };
  } catch (error) {
    if (error instanceof BadRow) return { reason: error.message };
    throw error;
  }
}
