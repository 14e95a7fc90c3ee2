/** Reads what a crowd said of many items: of each item all votes, in the order of the file. */
import { review } from "../../../schemas/review.ts";
import { BadRow } from "./bad-row.ts";
import { countIn, hasColumn, type Names, requiredText, textIn, timeIn } from "./columns.ts";
import { type Fields, type Row, readRows } from "./read-rows.ts";
import { ImportRefused } from "./refused.ts";

/** One row: who said what. */
export interface CrowdVote {
  readonly line: number;
  readonly reviewer: string;
  readonly label: string;
  readonly effortMs?: number;
  readonly comment?: string;
  /** ISO 8601. */
  readonly at?: string;
}

/** An item with all that was said of it, each by somebody else. */
export interface CrowdItem {
  readonly item: string;
  readonly votes: readonly CrowdVote[];
  /** The label that is known to be right. */
  readonly gold?: string;
}

/** What a file says. */
export interface CrowdLabels {
  /** As they first come in the file. */
  readonly items: readonly CrowdItem[];
  /** All labels, sorted, where they are few; undefined where people wrote what they liked. */
  readonly options?: readonly string[];
  /** Rows, the bad ones included. */
  readonly rows: number;
  /** Items with a gold label that nobody has voted on. */
  readonly goldWithoutVotes: number;
}

/** What is told of rows that cannot be imported. */
export type OnProblem = (line: number, reason: string, file?: string) => void;

const worker: Names = ["worker", "annotator", "rater", "reviewer", "worker_id"];
const item: Names = ["item", "task", "question", "sentence", "id"];
const label: Names = ["label", "response", "answer", "workeranswer"];
const truth: Names = ["gold", "truth", "trueanswer", "label"];

/** More different labels than these are no choice that somebody was given. */
const maxOptions = 50;
const maxOptionCharacters = 256;

/** Reads the labels, and the gold labels where there is a file of them. @throws ImportRefused, Error as `readRows`. */
export function readCrowdLabels(files: CrowdFiles, onProblem: OnProblem): CrowdLabels {
  const { votes, rows } = readVotes(files.labels, onProblem);
  const gold = files.gold === undefined ? new Map<string, Gold>() : readGold(files.gold, onProblem);
  const items = [...votes].map(([name, byReviewer]): CrowdItem => {
    const known = gold.get(name);
    return { item: name, votes: [...byReviewer.values()], ...(known !== undefined && { gold: known.label }) };
  });
  const options = files.isFreeText ? undefined : optionsIn(items);
  const goldWithoutVotes = [...gold.keys()].filter((name) => !votes.has(name)).length;
  return { items, ...(options !== undefined && { options }), rows, goldWithoutVotes };
}

/** What to read. */
export interface CrowdFiles {
  readonly labels: string;
  readonly gold?: string;
  /** Takes no labels as a choice, however few there are. */
  readonly isFreeText: boolean;
}

interface Votes {
  /** By item, then by reviewer. */
  readonly votes: ReadonlyMap<string, ReadonlyMap<string, CrowdVote>>;
  readonly rows: number;
}

function readVotes(file: string, onProblem: OnProblem): Votes {
  const votes = new Map<string, Map<string, CrowdVote>>();
  let rows = 0;
  for (const row of readRows(file)) {
    rows += 1;
    try {
      const { item: name, vote } = voteIn(row);
      const byReviewer = votes.get(name) ?? new Map<string, CrowdVote>();
      const before = byReviewer.get(vote.reviewer);
      if (before !== undefined) {
        throw new BadRow(`${vote.reviewer} labelled ${name} before, on line ${before.line}; everybody votes once`);
      }
      votes.set(name, byReviewer.set(vote.reviewer, vote));
    } catch (error) {
      if (!(error instanceof BadRow)) throw error;
      onProblem(row.line, error.message);
    }
  }
  return { votes, rows };
}

function voteIn(row: Row): { readonly item: string; readonly vote: CrowdVote } {
  const fields = fieldsOf(row, [worker, item, label]);
  const effortMs = countIn(fields, ["effort_ms"]);
  const comment = textIn(fields, ["comment"]);
  const at = timeIn(fields, ["timestamp", "timestamp_ms"]);
  const said = {
    reviewer: requiredText(fields, worker),
    label: requiredText(fields, label),
    ...(effortMs !== undefined && { effortMs }),
    ...(comment !== undefined && { comment }),
  };
  const [issue] = review.commands.SubmitLabel.safeParse(said).error?.issues ?? [];
  if (issue !== undefined) throw new BadRow(`${issue.path.join(".")}: ${issue.message}`);
  const vote = { line: row.line, ...said, ...(at !== undefined && { at }) };
  return { item: requiredText(fields, item), vote };
}

interface Gold {
  readonly line: number;
  readonly label: string;
}

function readGold(file: string, onProblem: OnProblem): ReadonlyMap<string, Gold> {
  const gold = new Map<string, Gold>();
  for (const row of readRows(file)) {
    try {
      const fields = fieldsOf(row, [item, truth]);
      const [name, known] = [requiredText(fields, item), requiredText(fields, truth)];
      const before = gold.get(name);
      if (before !== undefined && before.label !== known) {
        throw new BadRow(`the gold label of ${name} is another on line ${before.line}`);
      }
      const [issue] = review.commands.RequestReview.safeParse({ gold: known }).error?.issues ?? [];
      if (issue !== undefined) throw new BadRow(`${issue.path.join(".")}: ${issue.message}`);
      gold.set(name, before ?? { line: row.line, label: known });
    } catch (error) {
      if (!(error instanceof BadRow)) throw error;
      onProblem(row.line, error.message, file);
    }
  }
  return gold;
}

/** A column that one row lacks, all lack: then it is another kind of file. */
function fieldsOf({ line, fields, reason }: Row, needed: readonly Names[]): Fields {
  if (fields === undefined) throw new BadRow(reason);
  const missing = needed.filter((names) => !hasColumn(fields, names)).map(([name]) => name);
  if (missing.length === 0) return fields;
  const columns = needed.map(([name]) => name).join(", ");
  throw new ImportRefused(`line ${line} has no ${missing.join(" and no ")}: the columns are ${columns}`);
}

function optionsIn(items: readonly CrowdItem[]): readonly string[] | undefined {
  const labels = new Set<string>();
  for (const { votes, gold } of items) {
    for (const vote of votes) labels.add(vote.label);
    if (gold !== undefined) labels.add(gold);
    if (labels.size > maxOptions) return undefined;
  }
  const options = [...labels].sort();
  return options.every(({ length }) => length <= maxOptionCharacters) ? options : undefined;
}
