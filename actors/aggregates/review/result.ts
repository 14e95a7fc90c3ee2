/**
 * From votes to a label. What follows from the votes and the parameters is computed here and not believed; what methods
 * found that are not known here is recorded as it was given.
 */
import { type CommandData, type EventData, type Rejection, reject } from "retrace";
import type { review } from "../../../schemas/review.ts";
import { tallyOf } from "../../consensus/coincidences.ts";
import { type Parameters, parametersSchema } from "../../consensus/parameters.ts";
import { mostProbable, type Posterior, posterior, tolerance, votersUnknownTo } from "../../consensus/posterior.ts";

type Closing = CommandData<typeof review, "CloseReview">;

/** What one reviewer said. */
export type Vote = EventData<typeof review, "ReviewDisputed">["votes"][number];

/** What a result has to fit. */
interface Ballot {
  /** Empty is free text. */
  readonly options: readonly string[];
  readonly votes: readonly Vote[];
}

/** No label is a dispute. */
interface Found {
  readonly label?: string | undefined;
  readonly posterior?: Posterior | undefined;
}

/** What is found by name of the method. */
const computed: Readonly<Record<string, (ballot: Ballot, closing: Closing) => Found | Rejection>> = {
  majority,
  "one-coin": weighed,
  "dawid-skene": weighed,
};

/** The label with more votes than any other; none where two of them lead. */
function majority({ votes }: Ballot, { posterior }: Closing): Found {
  const [first, second] = [...tallyOf(labelsOf(votes))].sort(([, a], [, b]) => b - a);
  return { label: first?.[1] === second?.[1] ? undefined : first?.[0], posterior };
}

/** The most probable label by what the parameters say of the voters; none where two are as likely. */
function weighed({ options, votes }: Ballot, closing: Closing): Found | Rejection {
  const cast = votes.map(({ reviewer, label }) => ({ voter: reviewer, label }));
  const parameters = parametersIn(closing);
  if ("outcome" in parameters) return parameters;
  const unknown = votersUnknownTo(parameters, cast);
  if (unknown.length > 0) {
    const message = "the parameters say nothing of some who voted; add them, or a defaultAccuracy";
    return reject("PARAMETERS_MISSING", message, { method: parameters.method, reviewers: unknown });
  }
  const found = posterior(cast, options, parameters);
  return { label: mostProbable(found)?.label, posterior: found };
}

/** The method, label and posterior of a result, without a label when it is disputed, or why the votes do not bear it. */
export function resultOf(ballot: Ballot, closing: Closing): ({ readonly method: string } & Found) | Rejection {
  const { method = "majority", label: claimed, votes: counted, posterior: claims = {}, disputed = false } = closing;
  if (counted !== undefined && !isCountOf(ballot.votes, counted)) {
    const message = `${ballot.votes.length} votes are cast, and not as counted; look at the review and count again`;
    return reject("VOTES_DIFFER", message, { votes: ballot.votes });
  }
  const named = [...Object.keys(claims), ...(claimed === undefined ? [] : [claimed])];
  const unknown = named.find((label) => !isKnown(ballot, label));
  if (unknown !== undefined) {
    return reject("UNKNOWN_LABEL", "the result names a label that is no option and got no vote", { label: unknown });
  }
  const compute = Object.hasOwn(computed, method) ? computed[method] : undefined;
  const found = compute?.(ballot, closing) ?? closing;
  if ("outcome" in found) return found;
  const { label, posterior: probabilities } = found;
  if (claimed !== undefined && claimed !== label) {
    const result = label === undefined ? "a tie" : "another label";
    const message = `by ${method} the votes give ${result}; leave the label out to have it computed`;
    return reject("RESULT_DIFFERS", message, { method, label: label ?? null });
  }
  if (closing.posterior !== undefined && !isClose(claims, probabilities ?? {})) {
    const message = `by ${method} the votes give another posterior; leave it out to have it computed`;
    return reject("RESULT_DIFFERS", message, { method, label: label ?? null, posterior: probabilities });
  }
  return { method, label: disputed ? undefined : label, posterior: probabilities };
}

function parametersIn({ method, parameters }: Closing): Parameters | Rejection {
  if (parameters === undefined) {
    const message = `${method} needs to know the voters; send the parameters by which it was found`;
    return reject("PARAMETERS_MISSING", message, { method });
  }
  const { data, error } = parametersSchema.safeParse({ method, ...parameters });
  if (data !== undefined && data.method === method) return data;
  const [issue = { path: ["method"], message: `not ${method}` }] = error?.issues ?? [];
  const message = `the parameters are none of ${method}: ${issue.path.join(".")}: ${issue.message}`;
  return reject("PARAMETERS_INVALID", message, { method, path: issue.path.join(".") });
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
  const tally = tallyOf(labelsOf(votes));
  const labels = new Set([...tally.keys(), ...Object.keys(counted)]);
  return [...labels].every((label) => (tally.get(label) ?? 0) === (Object.hasOwn(counted, label) ? counted[label] : 0));
}

function isClose(claims: Posterior, found: Posterior): boolean {
  return Object.entries(found).every(([label, probability]) => {
    const claimed = Object.hasOwn(claims, label) ? (claims[label] as number) : 0;
    return Math.abs(claimed - probability) <= tolerance;
  });
}

function labelsOf(votes: readonly Vote[]): string[] {
  return votes.map(({ label }) => label);
}
