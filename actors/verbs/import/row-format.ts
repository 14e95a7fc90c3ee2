/** What an import of rows is made of: formats, each of which makes commands of a row. */
import type { VerbTools } from "retrace";
import type { Fields } from "./read-rows.ts";

/** A command of the command line. */
export type CliCommand = Parameters<VerbTools["clientOptions"]>[0];

/** A command that a row is made into. */
export interface RowCommand {
  readonly category: string;
  readonly id: string;
  readonly type: string;
  /** Without the file and the line, which are added. */
  readonly data: Readonly<Record<string, unknown>>;
  /** ISO 8601, where the row tells it. */
  readonly occurredAt?: string;
}

/** One way in which files are written. */
export interface RowFormat {
  /** As `--format` names it. */
  readonly name: string;
  /** By what a row of it is known, for people. */
  readonly hint: string;
  /** Whether this row, the first of its file, is written so. */
  recognises(fields: Fields): boolean;
  /** At least one, and the same for the same row. @throws BadRow; ImportRefused when it is not of this row alone. */
  commands(fields: Fields, place: RowPlace): readonly RowCommand[];
}

/** Where a row stands. */
export interface RowPlace {
  readonly file: string;
  /** What the ids of the file's streams begin with. */
  readonly dataSet: string;
  /** Which row of the file it is, from 1. */
  readonly number: number;
}
