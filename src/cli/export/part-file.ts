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
      toDisk(partial, "file");
      renameSync(partial, join(folder, path));
      toDisk(dirname(partial), "folder");
      return { path, ...part };
    },
    discard: () => rmSync(partial, { force: true }),
  };
}

/** Returns when a file, or a folder with its names, is on disk. Windows cannot do it for folders. */
export function toDisk(path: string, kind: "file" | "folder"): void {
  if (kind === "folder" && process.platform === "win32") return;
  const opened = openSync(path, kind === "folder" ? "r" : "r+");
  try {
    fsyncSync(opened);
  } finally {
    closeSync(opened);
  }
}
