/**
 * Votes that were cast elsewhere and come in together: for each what a claim and a submission would have decided here,
 * so that the same laws hold for it.
 */
import type { Command, CommandData, DecideContext, Decision, EventOf, Rejection } from "retrace";
import type { review } from "../../../schemas/review.ts";
import { type Imported, onceImported } from "../../imported.ts";
import { claim, expiries, type Places, whyNoPlaces } from "./claims.ts";
import { lease, leaseEnd, whyNotMore } from "./lease.ts";
import { whyNotLabel } from "./result.ts";

type RecordLabels = Command<"RecordLabels", CommandData<typeof review, "RecordLabels">>;
type Vote = CommandData<typeof review, "SubmitLabel">;

/** What they have to fit. */
interface Ballot extends Places, Imported {
  readonly options: readonly string[];
}

interface State {
  readonly context: Ballot;
  hasTag(tag: "open"): boolean;
}

/** Decides `RecordLabels`. What an import has brought before is left out. */
export function castElsewhere(
  state: State,
  command: RecordLabels,
  decideContext: DecideContext,
): Decision<EventOf<typeof review>> {
  const { context } = state;
  const { now } = decideContext;
  const votes = newVotes(state, command, decideContext);
  if ("outcome" in votes) return votes;
  const claims = votes.map(({ reviewer }) => {
    const isLeased = (leaseEnd(context, reviewer) ?? now) > now;
    return isLeased ? [] : [claim(context, reviewer, { now })];
  });
  const cast = votes.flatMap((vote, index) => {
    const submitted = { type: "HumanLabelSubmitted", data: { ...vote, ...context.about } } as const;
    return [...(claims[index] ?? []), submitted];
  });
  const mayClaim = claims.flat().every((claimed) => {
    return leaseEnd(context, claimed.data.reviewer) !== undefined || lease.accepts(context, claimed);
  });
  // Elsewhere the chart refuses, whatever else could be said against a vote.
  if (!state.hasTag("open") || !mayClaim) return cast;
  const claimants = claims.flat().map(({ data }) => data.reviewer);
  const rejection =
    whyNoPlaces(context, claimants.length, now) ??
    whyNotMore(context, ...claimants) ??
    votes.map((vote) => whyNotLabel(context, vote)).find((reason) => reason !== undefined);
  return rejection ?? [...(claimants.length > 0 ? expiries(context, now) : []), ...cast];
}

/** The votes that are not here yet; only the first names the file. */
function newVotes(state: State, command: RecordLabels, decideContext: DecideContext): Vote[] | Rejection {
  const { labels, source } = command.data;
  const votes: Vote[] = [];
  for (const label of labels) {
    const data = { ...label, ...(source !== undefined && { source }) };
    const vote = ifNew(state, { ...command, data }, decideContext);
    if (Array.isArray(vote)) continue;
    if ("outcome" in vote) return vote;
    const { source: _, ...unnamed } = vote;
    votes.push(votes.length === 0 ? vote : unnamed);
  }
  return votes;
}

const ifNew = onceImported((_state: State, { data }: Command<"RecordLabels", Vote>, _context: DecideContext) => data);
