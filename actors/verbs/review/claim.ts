/** `retrace review claim`: takes a review for a while, and shows it. */
import { type Client, type CommandReply, Fault, type VerbTools } from "retrace";
import { maxLeaseMs } from "../../../schemas/review.ts";
import { byUrgency, mayTake } from "../../projections/review-queue/eligible.ts";
import type { CliCommand } from "../import/row-format.ts";
import { NotPossible, WrongUsage } from "../print/wrong-usage.ts";
import { candidateIn } from "./candidate.ts";
import { beginWork } from "./effort.ts";
import { sheetText } from "./print-sheet.ts";
import { readQueue } from "./queue.ts";
import { readSheet } from "./sheet.ts";
import { describeVerb, type ReviewerOptions, reviewerIn, withReviews } from "./subverb.ts";

interface ClaimOptions extends ReviewerOptions {
  readonly minutes?: string;
}

/** Adds it to the verb `review`. */
export function registerClaim(verb: CliCommand, tools: VerbTools): void {
  const command = verb
    .command("claim")
    .description("take a review, the most urgent one that the reviewer may take, or the one that is named")
    .argument("[id]", "of the review")
    .option("--minutes <n>", "for how long, up to seven days (default: 30)");
  describeVerb(
    command,
    tools,
    `The most urgent is that with the highest priority, then the one that is due first, then the oldest. It is taken among
those whose skills the reviewer has, where they are not excluded and have neither voted nor skipped.

Examples:
  $ retrace review claim --reviewer ada
  $ RETRACE_REVIEWER=ada retrace review claim r42 --minutes 90`,
  );
  command.action((id: string | undefined, options: ClaimOptions) =>
    withReviews(tools, options, async (client) => {
      const claim = { reviewer: reviewerIn(options), ...leaseIn(options) };
      const claimed = id === undefined ? await claimMostUrgent(client, claim) : await claimOne(client, id, claim);
      if (claimed === undefined) {
        tools.print(options, `nothing waits that ${claim.reviewer} may take`, { claimed: null });
        tools.exitCode(1);
        return;
      }
      if (claimed.isNew) beginWork({ id: claimed.id, reviewer: claim.reviewer, options });
      await show(client, claimed.id, { options, tools, claim });
    }),
  );
}

interface Claim {
  readonly reviewer: string;
  readonly leaseMs?: number;
}

interface Claimed {
  readonly id: string;
  /** False for one that the reviewer held already. */
  readonly isNew: boolean;
}

function leaseIn({ minutes }: ClaimOptions): { readonly leaseMs?: number } {
  if (minutes === undefined) return {};
  const leaseMs = Math.round(Number(minutes) * 60_000);
  if (/^\d+(\.\d+)?$/.test(minutes) && leaseMs >= 1 && leaseMs <= maxLeaseMs) return { leaseMs };
  throw new WrongUsage("--minutes takes a number above 0, up to 10080, which is seven days");
}

async function claimMostUrgent(client: Client, claim: Claim): Promise<Claimed | undefined> {
  const candidate = await candidateIn(client, claim.reviewer);
  if (candidate.room === 0) {
    throw new NotPossible(`${claim.reviewer} holds as many reviews as they can; submit one, or release it`);
  }
  const now = new Date().toISOString();
  const rows = (await readQueue(client)).filter((row) => mayTake(row, candidate, now)).sort(byUrgency);
  for (const { id } of rows) {
    const claimed = await ifNobodyWasFaster(() => claimOne(client, id, claim));
    if (claimed?.isNew === true) return claimed;
  }
  return undefined;
}

async function claimOne(client: Client, id: string, claim: Claim): Promise<Claimed> {
  const command = { type: "ClaimReview", data: claim };
  const { events }: CommandReply = await client.send("review", id, command, { actor: claim.reviewer });
  return { id, isNew: events.length > 0 };
}

/** Undefined when the review is not to be had any more. */
async function ifNobodyWasFaster<Result>(send: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await send();
  } catch (error) {
    const isRefusal = error instanceof Fault && (error.code === "REJECTED" || error.code === "NOT_ALLOWED_IN_STATE");
    if (!isRefusal) throw error;
    return undefined;
  }
}

interface Shown {
  readonly options: ClaimOptions;
  readonly tools: VerbTools;
  readonly claim: Claim;
}

async function show(client: Client, id: string, { options, tools, claim: { reviewer } }: Shown): Promise<void> {
  const sheet = await readSheet(client, id);
  const leaseUntil = sheet.leases.find((lease) => lease.reviewer === reviewer)?.leaseUntil ?? null;
  const next = `then: retrace review submit ${id} LABEL --reviewer ${reviewer}`;
  const human = `${sheetText(sheet)}\n\nclaimed for ${reviewer} until ${leaseUntil}\n${next}`;
  tools.print(options, human, { claimed: id, reviewer, leaseUntil, review: sheet });
}
