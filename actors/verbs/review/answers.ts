/** `retrace review submit|skip|release|adjudicate|accept|fix|return`: what people say of a review. */
import type { CommandReply, VerbTools } from "retrace";
import type { CliCommand } from "../import/row-format.ts";
import { WrongUsage } from "../print/wrong-usage.ts";
import { effortOf, endWork } from "./effort.ts";
import { describeVerb, type ReviewerOptions, reviewerIn, withReviews } from "./subverb.ts";

interface Answer {
  readonly name: string;
  readonly description: string;
  /** Of the command that it sends. */
  readonly type: string;
  readonly hasLabel: boolean;
  /** What may be said beside it. */
  readonly remark: "comment" | "reason";
  readonly notes?: string;
  readonly example: string;
}

const answers: readonly Answer[] = [
  {
    name: "submit",
    description: "vote: one's label for a review that one has claimed",
    type: "SubmitLabel",
    hasLabel: true,
    remark: "comment",
    notes: "The effort recorded is the time since the claim, where that was made on this machine.",
    example: "submit r42 spam --comment 'the link gives it away'",
  },
  {
    name: "skip",
    description: "leave a review to others, for good",
    type: "SkipReview",
    hasLabel: false,
    remark: "reason",
    example: "skip r42 --reason 'not my language'",
  },
  {
    name: "release",
    description: "give back a review that one has claimed or is asked for",
    type: "ReleaseReview",
    hasLabel: false,
    remark: "reason",
    example: "release r42",
  },
  {
    name: "adjudicate",
    description: "settle a review whose votes are in dispute",
    type: "AdjudicateReview",
    hasLabel: true,
    remark: "comment",
    example: "adjudicate r42 spam --reviewer lead",
  },
  {
    name: "accept",
    description: "second line: agree with the label",
    type: "AcceptLabel",
    hasLabel: false,
    remark: "comment",
    example: "accept r42 --reviewer lead",
  },
  {
    name: "fix",
    description: "second line: put another label in the place of the label",
    type: "FixLabel",
    hasLabel: true,
    remark: "comment",
    example: "fix r42 ham --reviewer lead",
  },
  {
    name: "return",
    description: "second line: disagree, so that somebody settles it",
    type: "ReturnLabel",
    hasLabel: false,
    remark: "reason",
    example: "return r42 --reviewer lead --reason 'against the rubric'",
  },
];

/** Adds them to the verb `review`. */
export function registerAnswers(verb: CliCommand, tools: VerbTools): void {
  for (const answer of answers) register(verb, answer, tools);
}

interface AnswerOptions extends ReviewerOptions {
  readonly comment?: string;
  readonly reason?: string;
  readonly effortMs?: string;
}

function register(verb: CliCommand, answer: Answer, tools: VerbTools): void {
  const { name, description, hasLabel, remark, notes, example } = answer;
  const command = verb.command(name).description(description).argument("<id>", "of the review");
  if (hasLabel) command.argument("<label>", "one of its options, or any text where it has none");
  command.option(`--${remark} <text>`, "for those who read it later");
  if (name === "submit") command.option("--effort-ms <n>", "how long it took, where something else has measured it");
  describeVerb(command, tools, `${notes === undefined ? "" : `${notes}\n\n`}Example:\n  $ retrace review ${example}`);
  command.action(async (id: string, ...rest: readonly unknown[]) => {
    const [label, options] = (hasLabel ? rest : [undefined, ...rest]) as [string | undefined, AnswerOptions];
    await send(answer, { id, ...(label !== undefined && { label }), options, tools });
  });
}

interface Given {
  readonly id: string;
  readonly label?: string;
  readonly options: AnswerOptions;
  readonly tools: VerbTools;
}

function send(answer: Answer, { id, label, options, tools }: Given): Promise<void> {
  return withReviews(tools, options, async (client) => {
    const reviewer = reviewerIn(options);
    const work = { id, reviewer, options };
    const effortMs = answer.name === "submit" ? (effortIn(options) ?? effortOf(work)) : undefined;
    const remark = options[answer.remark];
    const data = {
      reviewer,
      ...(label !== undefined && { label }),
      ...(effortMs !== undefined && { effortMs }),
      ...(remark !== undefined && { [answer.remark]: remark }),
    };
    const reply = await client.send("review", id, { type: answer.type, data }, { actor: reviewer });
    endWork(work);
    const took = effortMs === undefined ? "" : `, after ${Math.round(effortMs / 1000)} s`;
    tools.print(options, `${describe(id, reply)}${took}`, { ...reply, ...(effortMs !== undefined && { effortMs }) });
  });
}

function effortIn({ effortMs }: AnswerOptions): number | undefined {
  if (effortMs === undefined) return undefined;
  if (/^\d{1,12}$/.test(effortMs)) return Number(effortMs);
  throw new WrongUsage("--effort-ms takes an integer from 0");
}

function describe(id: string, { events, state }: CommandReply): string {
  const types = events.map(({ type }) => type).join(", ") || "nothing to do";
  return `${id}: ${types}; now ${String(state.value)}`;
}
