/** Votes of real crowds and what others computed from them; where they are absent, tests against them are skipped. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Vote } from "../../actors/consensus/vote-table.ts";

const folder = process.env.RETRACE_SHARED_DATA ?? fileURLToPath(new URL("../../../shared/data", import.meta.url));
const reference = `${folder}/reference_results.json`;

/** Why tests against crowd sets are skipped; undefined when the sets are there. */
export const absentCrowds: string | undefined = existsSync(reference)
  ? undefined
  : `no crowd labels at ${folder} (set RETRACE_SHARED_DATA)`;
if (absentCrowds !== undefined) console.warn(`skipped: ${absentCrowds}`);

/** The votes on one item, in the order of the file. */
export interface CrowdItem {
  readonly item: string;
  readonly votes: readonly Vote[];
}

/** All votes in the order of the file, and by item in the order in which items first come. */
export interface CrowdSet {
  readonly votes: readonly Vote[];
  readonly items: readonly CrowdItem[];
  /** By item; empty where nobody knows. */
  readonly gold: ReadonlyMap<string, string>;
  readonly labels: readonly string[];
}

/** Reads `NAME.labels.tsv`, and `NAME.gold.tsv` where there is one. */
export function readCrowdSet(name: string): CrowdSet {
  const votes = rowsOf(`${name}.labels.tsv`).map(([voter = "", item = "", label = ""]) => ({ item, voter, label }));
  const gold = rowsOf(`${name}.gold.tsv`).map(([item = "", label = ""]): [string, string] => [item, label]);
  const byItem = new Map<string, Vote[]>();
  for (const vote of votes) {
    const ofItem = byItem.get(vote.item);
    if (ofItem === undefined) byItem.set(vote.item, [vote]);
    else ofItem.push(vote);
  }
  const labels = [...new Set(votes.map(({ label }) => label))].sort();
  return { votes, items: [...byItem].map(([item, of]) => ({ item, votes: of })), gold: new Map(gold), labels };
}

function rowsOf(file: string): string[][] {
  const path = `${folder}/crowd-labels/${file}`;
  if (!existsSync(path)) return [];
  const [, ...rows] = readFileSync(path, "utf8").trimEnd().split("\n");
  return rows.map((row) => row.split("\t"));
}

/** What an independent computation found; null where it has no value. */
export interface Reference {
  readonly krippendorff_alpha_nominal: number;
  readonly fleiss_kappa: number | null;
  readonly majority_vote_accuracy_expected_ties: number | null;
  readonly dawid_skene_accuracy: number | null;
  readonly dawid_skene_loglik: number;
  readonly dawid_skene_iters: number;
  readonly onecoin_ds_accuracy: number | null;
}

/** Of a set, by its name. Not to be called where they are absent. */
export function referenceOf(name: string): Reference {
  return JSON.parse(readFileSync(reference, "utf8")).results[name];
}
