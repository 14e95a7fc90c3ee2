/**
 * A month of real ratings as work for reviewers: segments of translated documents, each rated by three people, with the
 * times and the effort of everything they marked. Where the file is absent, what needs it is skipped.
 */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = process.env.RETRACE_SHARED_DATA ?? fileURLToPath(new URL("../../../../shared/data", import.meta.url));
const file = `${folder}/ratings/wmt23_ende_3raters_compact.tsv`;

/** Why replays of the ratings are skipped; undefined when the file is there. */
export const absentArrivals: string | undefined = existsSync(file)
  ? undefined
  : `no ratings at ${file} (set RETRACE_SHARED_DATA)`;
if (absentArrivals !== undefined) console.warn(`skipped: ${absentArrivals}`);

/** What one person did with a segment. Times are milliseconds since 1970. */
export interface Rating {
  readonly reviewer: string;
  readonly label: string;
  readonly effortMs: number;
  /** When they began with anything they marked, in order. */
  readonly begunMs: readonly number[];
  /** When they marked the last thing. */
  readonly votedMs: number;
}

/** A review with the ratings that are cast in it. */
export interface Arrival {
  readonly id: string;
  readonly taskKind: "segment" | "honeypot";
  readonly options: readonly string[];
  readonly gold?: string;
  readonly requestedMs: number;
  readonly ratings: readonly Rating[];
}

/** By severity: the worst that is marked is what a rater says of a segment. */
const severities = ["No-error", "Minor", "Major"];

interface Row {
  readonly document: string;
  readonly segment: string;
  readonly rater: string;
  readonly category: string;
  readonly severity: string;
  readonly markedMs: number;
  readonly effortMs: number;
}

/**
 * Reads them in the order of their requests. The file does not say when a segment was sent out: the segments of a
 * document are taken to come together, when the first rater begins with one of them. Each honeypot is a review of its own,
 * for the one who was given it.
 */
export function readArrivals(): Arrival[] {
  const rows = rowsIn(readFileSync(file, "utf8"));
  const arrivals = [...groupBy(rows, ({ document }) => document).values()].flatMap((ofDocument, number) => {
    const requestedMs = Math.min(...ofDocument.map(begunMs));
    const segments = [...groupBy(ofDocument, ({ segment }) => segment).values()];
    return segments.flatMap((ofSegment, index) => segmentReviews(ofSegment, `${number}-${index}`, requestedMs));
  });
  return arrivals.sort((a, b) => a.requestedMs - b.requestedMs);
}

function segmentReviews(rows: readonly Row[], name: string, requestedMs: number): Arrival[] {
  const ofRaters = [...groupBy(rows, ({ rater }) => rater).values()];
  const segment: Arrival = {
    id: `segment-${name}`,
    taskKind: "segment",
    options: severities,
    requestedMs,
    ratings: ofRaters.map((ofRater) => ratingOf(ofRater, worst(ofRater))),
  };
  const honeypots = rows.filter(isHoneypot).map(
    (row, index): Arrival => ({
      id: `honeypot-${name}-${index}`,
      taskKind: "honeypot",
      options: ["Found", "Missed"],
      gold: "Found",
      requestedMs: begunMs(row),
      ratings: [ratingOf([row], row.category)],
    }),
  );
  return [segment, ...honeypots];
}

function ratingOf(rows: readonly Row[], label: string): Rating {
  return {
    reviewer: rows[0]?.rater ?? "",
    label,
    effortMs: rows.reduce((sum, { effortMs }) => sum + effortMs, 0),
    begunMs: rows.map(begunMs).sort((a, b) => a - b),
    votedMs: Math.max(...rows.map(({ markedMs }) => markedMs)),
  };
}

/** Who has found the error that was put in has marked a major one. */
function worst(rows: readonly Row[]): string {
  const marked = rows.map((row) => (isHoneypot(row) && row.category === "Found" ? "Major" : row.severity));
  return severities[Math.max(0, ...marked.map((severity) => severities.indexOf(severity)))] as string;
}

function isHoneypot({ severity }: Row): boolean {
  return severity === "HOTW-test";
}

function begunMs({ markedMs, effortMs }: Row): number {
  return markedMs - effortMs;
}

function rowsIn(text: string): Row[] {
  const [, ...lines] = text.trimEnd().split("\n");
  return lines.map((line) => {
    const [system, doc, , segment = "", rater = "", category = "", severity = "", marked, effort] = line.split("\t");
    const times = { markedMs: Number(marked), effortMs: Number(effort) };
    return { document: `${system} ${doc}`, segment, rater, category, severity, ...times };
  });
}

function groupBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}
