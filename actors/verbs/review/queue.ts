/** Reads the queue of reviews through the client. */
import { type Client, Fault } from "retrace";
import type { ReviewRow } from "../../projections/review-queue/review-row.ts";
import type { ReviewerRow } from "../../projections/review-queue/reviewer-row.ts";

/** A review of the queue. */
export interface Queued extends ReviewRow {
  readonly id: string;
}

/** A reviewer of the queue. */
export interface Reviewer extends ReviewerRow {
  readonly name: string;
}

/** Those that wait for votes, or for somebody to settle them, in no order. */
export async function readQueue(client: Client): Promise<Queued[]> {
  const rows = await readRows(client, "");
  return rows.filter(({ key }) => !key.includes("/")).map(({ key, value }) => ({ id: key, ...(value as ReviewRow) }));
}

/** Those with a result that the second line has not accepted, in no order. */
export async function readDecided(client: Client): Promise<Queued[]> {
  const rows = await readRows(client, decided);
  return rows.map(({ key, value }) => ({ id: key.slice(decided.length), ...(value as ReviewRow) }));
}

/** Everybody who ever had to do with a review, or has registered, by name. */
export async function readReviewers(client: Client): Promise<Reviewer[]> {
  const everybody = await Promise.all([reviewer, visitor].map((prefix) => namedRows(client, prefix)));
  return everybody.flat().sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function namedRows(client: Client, prefix: string): Promise<Reviewer[]> {
  const rows = await readRows(client, prefix);
  return rows.map(({ key, value }) => ({ name: key.slice(prefix.length), ...(value as ReviewerRow) }));
}

const decided = "decided/";
const reviewer = "reviewer/";
const visitor = "visitor/";

interface Page {
  readonly rows: readonly { readonly key: string; readonly value: unknown }[];
  readonly next: string | null;
}

/** How long to wait for rows that know of everything that has happened before. */
const patienceMs = 2_000;

async function readRows(client: Client, prefix: string): Promise<Page["rows"]> {
  const query = { name: "review-queue", prefix, limit: 1_000 };
  let page = await firstPage(client, query);
  const rows = [...page.rows];
  while (page.next !== null) {
    page = await client.query<Page>("projection", { ...query, cursor: page.next });
    rows.push(...page.rows);
  }
  return rows;
}

/** Whoever has just claimed wants to see that. A queue that lags further is still better than none. */
async function firstPage(client: Client, query: object): Promise<Page> {
  const { position } = await client.query<{ readonly position: number }>("health");
  try {
    return await client.query<Page>("projection", { ...query, minPosition: position, timeoutMs: patienceMs });
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== "PROJECTION_BEHIND") throw error;
    console.error(`warning: ${error.message}`);
    return client.query<Page>("projection", query);
  }
}
