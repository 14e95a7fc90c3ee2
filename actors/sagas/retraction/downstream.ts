/** What came from a dataset version, read page by page from the projection `lineage`. */
import type { Answer, Question } from "retrace";
import { type Edge, nameOf } from "../../projections/lineage/graph.ts";
import type { Settings } from "./settings.ts";

/** What is followed, and the predictions at its end. What people said about those is not bad because of it. */
export type Kind = "dataset" | "feature-set" | "training-run" | "model" | "deployment" | "inference";

/** How each comes from what is before it, as the lineage calls it. */
const ways: Readonly<Record<Kind, string>> = {
  dataset: "parent of",
  "feature-set": "computed into",
  "training-run": "trained",
  model: "produced",
  deployment: "deployed as",
  inference: "answered",
};

/** What comes from each, but for predictions: those are read last. */
const next: Readonly<Record<Kind, readonly Kind[]>> = {
  dataset: ["dataset", "feature-set", "training-run"],
  "feature-set": ["training-run"],
  "training-run": ["model"],
  model: ["deployment"],
  deployment: [],
  inference: [],
};

/** Something that came from the dataset. */
export interface Found {
  readonly kind: Kind;
  /** As the lineage names it, and what it came from. */
  readonly name: string;
  readonly from: string;
  readonly position: number;
}

/** Pages still to be read: what came from a thing, of one kind, behind a key. */
interface Page {
  readonly from: string;
  readonly kind: Kind;
  readonly after?: string;
}

/** How far the reading is. */
export interface Downstream {
  readonly pages: readonly Page[];
  /** In the order in which they were found; without predictions. */
  readonly found: readonly Found[];
  /** One that two versions or deployments are named for counts twice. */
  readonly predictions: number;
  /** False when there was more than is followed. */
  readonly isComplete: boolean;
}

const pageRows = 200;

/** The first pages. */
export function downstreamOf(dataset: string, version: string): Downstream {
  const pages = pagesOf({ kind: "dataset", name: nameOf({ category: "dataset", id: dataset, version }) });
  return { pages, found: [], predictions: 0, isComplete: true };
}

/** What to ask for the next page. */
export function questionFor({ pages: [page] }: Downstream): Omit<Question, "projection"> | undefined {
  if (page === undefined) return undefined;
  const { from, kind, after } = page;
  return { prefix: `down/${from}\t${kind}-`, limit: pageRows, ...(after !== undefined && { after }) };
}

/** What an answer adds. */
export function withPage(before: Downstream, answer: Answer, settings: Settings): Downstream {
  const [page, ...rest] = before.pages;
  if (page === undefined) return before;
  const last = answer.rows.at(-1);
  const isFull = last !== undefined && answer.rows.length === pageRows;
  const pages = isFull ? [{ ...page, after: last.key }, ...rest] : rest;
  const found = foundIn(answer).filter(({ kind }) => kind === page.kind);
  if (page.kind === "inference") return { ...before, pages, predictions: before.predictions + found.length };

  const known = new Set(before.found.map(({ name }) => name));
  const fresh = found.filter(({ name }) => !known.has(name));
  const taken = fresh.slice(0, settings.maxThings - before.found.length);
  // A dataset that is retracted, too, is followed by a retraction of its own.
  const followed = taken.filter(({ kind }) => kind !== "dataset" || !settings.undo.includes("datasets"));
  return {
    ...before,
    pages: [...pages, ...followed.flatMap(pagesOf)],
    found: [...before.found, ...taken],
    isComplete: before.isComplete && taken.length === fresh.length,
  };
}

/** The things that a page names. */
export function foundIn({ rows }: Answer): Found[] {
  return rows.flatMap(({ value }) => {
    const { from, to, kind: way, position } = value as Edge;
    const kind = (Object.keys(ways) as Kind[]).find((one) => ways[one] === way && to.startsWith(`${one}-`));
    return kind === undefined ? [] : [{ kind, name: to, from, position }];
  });
}

/** Then the predictions of all versions and deployments. */
export function withPredictions(before: Downstream): Downstream {
  const makers = before.found.filter(({ kind }) => kind === "model" || kind === "deployment");
  return { ...before, pages: makers.map(({ name }) => ({ from: name, kind: "inference" })) };
}

function pagesOf({ kind, name }: Pick<Found, "kind" | "name">): Page[] {
  return next[kind].map((one) => ({ from: name, kind: one }));
}

/** The things of one kind. */
export function ofKind({ found }: Downstream, kind: Kind): readonly Found[] {
  return found.filter((one) => one.kind === kind);
}
