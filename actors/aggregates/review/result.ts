/**
 * From votes to a label. What follows from the votes alone is computed here and not believed; what other methods found is
 * recorded as it was given, with the parameters that it was found by.
 */
import { type CommandData, type EventData, type Rejection, reject } from "retrace";
import type { review } from "../../../schemas/review.ts";

type Closing = CommandData<typeof review, "CloseReview">;

/** What one reviewer said. */
export type Vote = EventData<typeof review, "ReviewDisputed">["votes"][number];

/** What a result has to fit. */
interface Ballot {
  /** Empty is free text. */
  readonly options: readonly string[];
  readonly votes: readonly Vote[];
}

/** By name, the methods that need nothing but the votes. No label is a dispute. */
const computed: Readonly<Record<string, (votes: readonly Vote[]) => string | undefined>> = { majority };

/** The label with more votes than any other; none where two of them lead. */
function majority(votes: readonly Vote[]): string | undefined {
  const [first, second] = [...tallyOf(votes)].sort(([, a], [, b]) => b - a);
  return first?.[1] === second?.[1] ? undefined : first?.[0];
}

/** The method and the label of a result, undefined when it is disputed, or why the votes do not bear it. */
export function resultOf(ballot: Ballot, closing: Closing): { method: string; label?: string } | Rejection {
  const { method = "majority", label: claimed, votes: counted, posterior = {} } = closing;
  if (counted !== undefined && !isCountOf(ballot.votes, counted)) {
    const message = `${ballot.votes.length} votes are cast, and not as counted; look at the review and count again`;
    return reject("VOTES_DIFFER", message, { votes: ballot.votes });
  }
  const named = [...Object.keys(posterior), ...(claimed === undefined ? [] : [claimed])];
  const unknown = named.find((label) => !isKnown(ballot, label));
  if (unknown !== undefined) {
    return reject("UNKNOWN_LABEL", "the result names a label that is no option and got no vote", { label: unknown });
  }
  const label = Object.hasOwn(computed, method) ? computed[method]?.(ballot.votes) : claimed;
  if (claimed !== undefined && claimed !== label) {
    const found = label === undefined ? "a tie" : "another label";
    const message = `by ${method} the votes give ${found}; leave the label out to have it computed`;
    return reject("RESULT_DIFFERS", message, { method, label: label ?? null });
  }
  return { method, ...(label !== undefined && { label }) };
}

/** Refuses a label that is none of the options. */
export function whyNotLabel(
  { options }: Pick<Ballot, "options">,
  { label }: Pick<Vote, "label">,
): Rejection | undefined {
  if (options.length === 0 || options.includes(label)) return undefined;
  return reject("LABEL_NOT_AN_OPTION", "the label is none of this review's options; choose one of them", {
    label,
    options,
  });
}

function isKnown({ options, votes }: Ballot, label: string): boolean {
  return options.includes(label) || votes.some((vote) => vote.label === label);
}

function isCountOf(votes: readonly Vote[], counted: NonNullable<Closing["votes"]>): boolean {
  if (typeof counted === "number") return counted === votes.length;
  if (Array.isArray(counted)) {
    const labels = new Map(counted.map(({ reviewer, label }) => [reviewer, label]));
    return counted.length === votes.length && votes.every(({ reviewer, label }) => labels.get(reviewer) === label);
  }
  const tally = tallyOf(votes);
  const labels = new Set([...tally.keys(), ...Object.keys(counted)]);
  return [...labels].every((label) => (tally.get(label) ?? 0) === (Object.hasOwn(counted, label) ? counted[label] : 0));
}

function tallyOf(votes: readonly Vote[]): Map<string, number> {
  const tally = new Map<string, number>();
  for (const { label } of votes) tally.set(label, (tally.get(label) ?? 0) + 1);
  return tally;
}
