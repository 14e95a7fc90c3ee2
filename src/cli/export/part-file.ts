/** Writes one part: under a temporary name until it is whole and on disk. */
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { EventRow } from "./event-row.ts";
import { openParquet } from "./parquet-file.ts";
import { type Part, type PartFormat, partialPath, partPath } from "./part.ts";
import { openJsonLines } from "./row-file.ts";

/** A part that is being written. */
export interface PartFile {
  readonly day: string;
  readonly events: number;
  /** About how many bytes the rows have. */
  readonly bytes: number;
  add(row: EventRow): void;
  /** Makes the part whole: on disk, under its name. */
  close(): Part;
  /** Removes what there is of it. */
  discard(): void;
}

/** Where a part begins. */
export interface PartStart {
  readonly folder: string;
  readonly format: PartFormat;
  readonly day: string;
  /** Position of its first event. */
  readonly first: number;
}

/** Begins a part; of an earlier try nothing is kept. */
export async function openPart({ folder, format, day, first }: PartStart): Promise<PartFile> {
  const partial = join(folder, partialPath(day, { first, format }));
  mkdirSync(dirname(partial), { recursive: true });
  const rows = format === "parquet" ? await openParquet(partial) : openJsonLines(partial);
  let events = 0;
  let bytes = 0;
  let last = first;
  return {
    day,
    get events() {
      return events;
    },
    get bytes() {
      return bytes;
    },
    add: (row) => {
      rows.add(row);
      events += 1;
      bytes += row.data.length;
      last = row.position;
    },
    close: () => {
      rows.finish();
      const part = { first, last, format };
      const path = partPath(day, part);
      toDisk(partial);
      renameSync(partial, join(folder, path));
      toDisk(dirname(partial));
      return { path, ...part };
    },
    discard: () => rmSync(partial, { force: true }),
  };
}

/** Folders, too: a name is on disk when its folder is. Windows can only do it for files, and not for those only read. */
export function toDisk(path: string): void {
  if (process.platform === "win32") return;
  const opened = openSync(path, "r");
  try {
    fsyncSync(opened);
  } finally {
    closeSync(opened);
  }
}
