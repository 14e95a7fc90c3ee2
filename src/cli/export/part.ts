/**
 * The files of a partitioned export: `events/YYYY/MM/DD/part-<first>-<last>.<format>`, by the UTC day of `recordedAt` and the
 * positions of their events. A file that has its name is whole and never changes, so the names are all there is to know
 * about how far an export has come.
 *
 * By `recordedAt` and not by `occurredAt`, because it never decreases along the log: a day that is over gets no more files,
 * and every file holds positions without a gap. What was backfilled lies with the day on which it became known.
 */
import { readdirSync } from "node:fs";
import { join, sep } from "node:path";

/** How the rows are written. */
export type PartFormat = "parquet" | "jsonl";

/** A file that is whole. */
export interface Part {
  /** Below the folder of the export, with `/`. */
  readonly path: string;
  readonly format: PartFormat;
  /** Positions, both inclusive. */
  readonly first: number;
  readonly last: number;
}

const pattern = /^events\/\d{4,}\/\d\d\/\d\d\/part-(\d+)-(\d+)\.(parquet|jsonl)$/;

/** `recordedAt` up to here is a day. */
const dayLength = "2026-01-01".length;

/** The day of an event: `2026-01-01`. */
export function dayOf(recordedAt: string): string {
  return recordedAt.slice(0, dayLength);
}

/** What a part is called once it is whole. */
export function partPath(day: string, { first, last, format }: Omit<Part, "path">): string {
  return `events/${day.replaceAll("-", "/")}/part-${padded(first)}-${padded(last)}.${format}`;
}

/** What it is called until then. The same when it is tried again, so that nothing is left behind. */
export function partialPath(day: string, { first, format }: Pick<Part, "first" | "format">): string {
  return `events/${day.replaceAll("-", "/")}/part-${padded(first)}.${format}.partial`;
}

/** Names sort like positions. */
function padded(position: number): string {
  return String(position).padStart(12, "0");
}

/** The parts in a folder, by position. None where there is no folder. */
export function partsIn(folder: string, format: PartFormat): Part[] {
  const parts: Part[] = [];
  for (const name of filesBelow(join(folder, "events"))) {
    const path = `events/${name.split(sep).join("/")}`;
    const [, first, last, written] = pattern.exec(path) ?? [];
    if (written === format) parts.push({ path, format, first: Number(first), last: Number(last) });
  }
  return parts.sort((a, b) => a.first - b.first);
}

/** Whether they hold every position from the first on, each once. */
export function isWhole(parts: readonly Part[]): boolean {
  return parts.every(({ first }, i) => first === (parts[i - 1]?.last ?? 0) + 1);
}

function filesBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: "utf8" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
