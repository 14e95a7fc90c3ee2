/** `retrace review list`: what waits, and for whom. */
import type { Client, VerbTools } from "retrace";
import { byUrgency, isOpen, liveLeases, mayTake } from "../../projections/review-queue/eligible.ts";
import type { CliCommand } from "../import/row-format.ts";
import { fitted } from "../print/terminal-width.ts";
import { WrongUsage } from "../print/wrong-usage.ts";
import { candidateIn } from "./candidate.ts";
import { printable } from "./printable.ts";
import { type Queued, readDecided, readQueue, readReviewers } from "./queue.ts";
import { describeVerb, type ReviewerOptions, reviewerIn, withReviews } from "./subverb.ts";
import { table } from "./table.ts";

interface ListOptions extends ReviewerOptions {
  readonly mine?: boolean;
  readonly decided?: boolean;
  readonly all?: boolean;
  readonly reviewers?: boolean;
  readonly taskKind?: string;
  readonly status?: string;
  readonly limit: string;
}

/** Adds it to the verb `review`. */
export function registerList(verb: CliCommand, tools: VerbTools): void {
  const command = verb
    .command("list")
    .description("print the reviews that wait, the most urgent first; with --json one a line")
    .option("--mine", "only those that the reviewer may take, holds or is asked for")
    .option("--decided", "those with a label that nobody has accepted yet")
    .option("--all", "those, too, that have all their votes and wait to be counted")
    .option("--reviewers", "the reviewers with their skills and load instead")
    .option("--task-kind <kind>", "only these")
    .option("--status <status>", "only these: requested, voting, escalated, voted, disputed, consensus, adjudicated")
    .option("--limit <n>", "at most so many", "50");
  const examples = ["list", "list --mine --reviewer ada", "list --status disputed", "list --reviewers"];
  describeVerb(
    command,
    tools,
    `Votes are counted by the saga review-routing in the reviews that it conducts: those of flagged predictions, those that
sagas request, and those whose kind of task its policy names. In others, like those of an import, somebody counts them with
CloseReview, or the import with --close.

Examples:${examples.map((line) => `\n  $ retrace review ${line}`).join("")}`,
  );
  command.action((options: ListOptions) =>
    withReviews(tools, options, async (client) => {
      if (options.reviewers === true) await listReviewers(client, options, tools);
      else await listReviews(client, options, tools);
    }),
  );
}

async function listReviewers(client: Client, options: ListOptions, tools: VerbTools): Promise<void> {
  const reviewers = await readReviewers(client);
  if (options.json === true) {
    for (const reviewer of reviewers) tools.print(options, "", reviewer);
    return;
  }
  const rows = reviewers.map(({ name, isRegistered, skills, capacity, openLeases, assigned, done }) => {
    const load = [openLeases, assigned, done, capacity ?? "-"].map(String);
    return [printable(name), ...load, isRegistered ? skills.join(", ") || "-" : "not registered"];
  });
  const header = ["reviewer", "holds", "asked", "done", "capacity", "skills"];
  tools.print(options, rows.length === 0 ? "no reviewers" : table([header, ...rows]), rows);
}

async function listReviews(client: Client, options: ListOptions, tools: VerbTools): Promise<void> {
  const { mine = false, taskKind, status, all = status !== undefined } = options;
  if (!/^[1-9]\d{0,8}$/.test(options.limit)) throw new WrongUsage("--limit takes a number from 1");
  const isMine = mine ? await mineTo(client, reviewerIn(options)) : () => true;
  const isDecided = options.decided === true || status === "consensus" || status === "adjudicated";
  const waiting = await (isDecided ? readDecided(client) : readQueue(client));
  const meant = waiting
    .filter((row) => (taskKind === undefined || row.taskKind === taskKind) && isMine(row))
    .filter((row) => status === undefined || row.status === status);
  const found = meant.filter((row) => all || row.status !== "voted").sort(byUrgency);
  const shown = found.slice(0, Number(options.limit));
  if (options.json === true) {
    for (const row of shown) tools.print(options, "", row);
    return;
  }
  const kinds = [...new Set(waiting.map((row) => row.taskKind ?? "-"))].sort();
  const isOtherKind = taskKind !== undefined && kinds.length > 0 && !kinds.includes(taskKind);
  const none = isOtherKind
    ? `nothing waits of the kind ${taskKind}; what waits is of: ${kinds.join(", ")}`
    : "nothing waits";
  const header = ["review", "status", "votes", "priority", "due", "kind", "about", "held by"];
  const more = found.length > shown.length ? [`and ${found.length - shown.length} more; --limit takes more`] : [];
  const lines = [shown.length === 0 ? none : fitted(table([header, ...shown.map(line)])), ...more];
  tools.print(options, [...lines, ...uncounted(meant.length - found.length)].join("\n"), shown);
}

/** Nobody can vote in these any more. */
function uncounted(count: number): string[] {
  if (count === 0) return [];
  const what = count === 1 ? "1 other has all its votes and waits" : `${count} others have all their votes and wait`;
  const way = "where review-routing does not: retrace send review ID CloseReview '{}'";
  return [`${what} to be counted (--all); ${way}`];
}

async function mineTo(client: Client, name: string): Promise<(row: Queued) => boolean> {
  const candidate = await candidateIn(client, name);
  const now = new Date().toISOString();
  return (row) =>
    mayTake(row, candidate, now) ||
    (isOpen(row) && row.assigned.includes(name)) ||
    liveLeases(row, now).some(({ reviewer }) => reviewer === name);
}

function line(row: Queued): string[] {
  const { subject, label } = row;
  const about = subject === undefined ? "-" : `${subject.category} ${subject.id}`;
  const status = label === undefined ? row.status : `${row.status}: ${label}`;
  const holders = liveLeases(row, new Date().toISOString()).map(({ reviewer }) => reviewer);
  const level = row.level === 0 ? "" : ` (level ${row.level})`;
  return [
    ...[row.id, `${status}${level}`, `${row.votes}/${row.k}`, String(row.priority), row.dueAt ?? "-"],
    ...[row.taskKind ?? "-", about, holders.join(", ") || "-"],
  ].map((cell) => printable(cell).replaceAll(/\s+/g, " "));
}
