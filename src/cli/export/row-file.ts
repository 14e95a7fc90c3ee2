/** A file of rows that is being written, and the plain one of them: a line of JSON a row. */
import { closeSync, openSync, writeSync } from "node:fs";
import type { EventRow } from "./event-row.ts";

/** Rows on their way into a file. */
export interface RowFile {
  add(row: EventRow): void;
  /** Everything that was added is in the file, not yet on disk. */
  finish(): void;
}

const chunkCharacters = 1024 * 1024;

/** Begins a file of JSON lines; one that is there is replaced. */
export function openJsonLines(path: string): RowFile {
  const file = openSync(path, "w");
  let text = "";
  const write = (): void => {
    // A write may take less than it was given.
    for (let rest = Buffer.from(text); rest.length > 0; ) rest = rest.subarray(writeSync(file, rest));
    text = "";
  };
  return {
    add: (row) => {
      text += `${JSON.stringify(row)}\n`;
      if (text.length >= chunkCharacters) write();
    },
    finish: () => {
      write();
      closeSync(file);
    },
  };
}
