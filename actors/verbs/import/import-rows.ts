/**
 * Brings the rows of a file into the history, in bulk. Every command carries its file and line, and the streams remember
 * how far they are: what is there already adds nothing, so a second import goes on where the first one ended.
 */
import type { Client } from "retrace";
import { ImportRefused } from "./refused.ts";
import type { RowCommand } from "./row-format.ts";
import { type Stopped, stopsAll } from "./stop.ts";
import type { FileSource } from "./text-file.ts";

/** What became of a row: commands, at least one and the same for the same row of the same file; or why there are none. */
export type ReadRow =
  | { readonly line: number; readonly commands: readonly RowCommand[]; readonly reason?: undefined }
  | { readonly line: number; readonly commands?: undefined; readonly reason: string };

/** A file as it is imported. */
export interface FileRows {
  readonly source: FileSource;
  /** In the order of the file: lines never go back. */
  readonly rows: Iterable<ReadRow>;
}

/** What may be chosen, and who is told. */
export interface ImportRowsOptions {
  /** ISO 8601, for rows that do not say when they happened. Default: the time of the import. */
  readonly occurredAt?: string;
  /** Asked before each row; once it says so, no further row is sent. */
  readonly isInterrupted?: () => boolean;
  readonly onProblem?: (line: number, reason: string) => void;
  /** Told how many further lines are done. */
  readonly onLines?: (lines: number) => void;
}

/** What the import of one file came to. */
export interface RowsOutcome {
  readonly source: FileSource;
  /** All that are settled: those with new events, those already there, and bad ones. */
  readonly rows: number;
  readonly newEvents: number;
  readonly alreadyThere: number;
  readonly badRows: number;
  readonly stopped?: Stopped;
}

/** Imports one file. @throws ImportRefused, as its rows do, or when other content was imported under its name before. */
export async function importRows(client: Client, file: FileRows, options: ImportRowsOptions): Promise<RowsOutcome> {
  const { source } = file;
  const tally = new Tally(options);
  const commands = commandsOf(file, tally, options);
  // The first row goes alone: where the name stands for other content by now, the others must not follow it.
  const stopped = (await send(client, firstRowOf(commands), tally)) ?? (await send(client, commands, tally));
  const interrupted = tally.isCut ? { line: tally.line, reason: "interrupted" } : undefined;
  const end = stopped ?? interrupted;
  return { source, ...tally.counts(), ...(end && { stopped: end }) };
}

/** Where it had to be given up; undefined when all are settled. @throws ImportRefused */
async function send(client: Client, commands: Iterable<OpenCommand>, tally: Tally): Promise<Stopped | undefined> {
  for await (const { command, reply, fault } of client.sendMany(commands)) {
    const { row } = command;
    if (fault === undefined) {
      tally.answered(row, reply.events.length);
      continue;
    }
    if (fault.details.reason === "SOURCE_CHANGED") throw new ImportRefused(fault.message);
    if (stopsAll(fault)) return { line: row.line, reason: fault.message };
    tally.refused(row, fault.message);
  }
  return undefined;
}

function* firstRowOf(commands: Iterator<OpenCommand, void>): Generator<OpenCommand> {
  let ofRow = 1;
  for (let taken = 0; taken < ofRow; taken++) {
    const next = commands.next();
    if (next.done === true) return;
    ofRow = next.value.row.commands;
    yield next.value;
  }
}

/** A row on its way. */
interface OpenRow {
  readonly line: number;
  readonly commands: number;
  /** Of them, those without an outcome. */
  open: number;
  newEvents: number;
  isBad: boolean;
}

interface OpenCommand {
  readonly category: string;
  readonly id: string;
  readonly command: { readonly type: string; readonly data: unknown };
  readonly options: { readonly correlationId: string; readonly occurredAt?: string };
  readonly row: OpenRow;
}

function* commandsOf(
  { source, rows }: FileRows,
  tally: Tally,
  options: ImportRowsOptions,
): Generator<OpenCommand, void, undefined> {
  const correlationId = `import-${source.sha256}`;
  let part = 0;
  let lastLine = 0;
  for (const read of untilCut(rows, tally, options)) {
    const { line, commands } = read;
    if (commands === undefined) {
      tally.unreadable(line, read.reason);
      continue;
    }
    if (line !== lastLine) part = 0;
    lastLine = line;
    const row: OpenRow = { line, commands: commands.length, open: commands.length, newEvents: 0, isBad: false };
    for (const { category, id, type, data, occurredAt = options.occurredAt } of commands) {
      part += 1;
      const mark = { source, sourceLine: line, ...(part > 1 && { sourcePart: part }) };
      const metadata = { correlationId, ...(occurredAt !== undefined && { occurredAt }) };
      yield { category, id, command: { type, data: { ...data, ...mark } }, options: metadata, row };
    }
  }
}

function* untilCut(rows: Iterable<ReadRow>, tally: Tally, { isInterrupted }: ImportRowsOptions): Generator<ReadRow> {
  for (const row of rows) {
    if (isInterrupted?.() === true) {
      tally.isCut = true;
      return;
    }
    yield row;
  }
}

/** Counts rows as they are settled, in the order of the file. */
class Tally {
  /** Whether rows were left out because of an interruption. */
  isCut = false;
  /** The last that is settled. */
  line = 0;
  readonly #options: ImportRowsOptions;
  #rows = 0;
  #newEvents = 0;
  #alreadyThere = 0;
  #badRows = 0;

  constructor(options: ImportRowsOptions) {
    this.#options = options;
  }

  /** There is nothing to send of it. */
  unreadable(line: number, reason: string): void {
    this.#options.onProblem?.(line, reason);
    this.#rows += 1;
    this.#badRows += 1;
  }

  /** One of its commands was refused. */
  refused(row: OpenRow, reason: string): void {
    this.#options.onProblem?.(row.line, reason);
    row.isBad = true;
    this.answered(row, 0);
  }

  /** One of its commands has an outcome. */
  answered(row: OpenRow, newEvents: number): void {
    this.#newEvents += newEvents;
    row.newEvents += newEvents;
    row.open -= 1;
    if (row.open > 0) return;
    this.#rows += 1;
    if (row.isBad) this.#badRows += 1;
    else if (row.newEvents === 0) this.#alreadyThere += 1;
    this.#options.onLines?.(row.line - this.line);
    this.line = row.line;
  }

  counts(): Pick<RowsOutcome, "rows" | "newEvents" | "alreadyThere" | "badRows"> {
    const [rows, newEvents, alreadyThere, badRows] = [this.#rows, this.#newEvents, this.#alreadyThere, this.#badRows];
    return { rows, newEvents, alreadyThere, badRows };
  }
}
