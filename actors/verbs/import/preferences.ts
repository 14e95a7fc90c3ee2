/**
 * `retrace import preferences`: which of two answers people, or models, found better. Each vote becomes a signal in the
 * feedback stream of its item; a tie is a vote, too.
 */
import { readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { BadRow } from "./bad-row.ts";
import { hasColumn, type Names, requiredText, shortTextIn, textIn, valueIn } from "./columns.ts";
import { maxCommentCharacters, maxTagCharacters } from "./limits.ts";
import { type Fields, readRows } from "./read-rows.ts";
import { ImportRefused } from "./refused.ts";
import type { RowCommand, RowFormat, RowPlace } from "./row-format.ts";
import { importOfRows } from "./rows-import.ts";
import { dataSetOf, streamIdOf } from "./stream-ids.ts";

interface PreferenceOptions {
  readonly idPrefix?: string | undefined;
  readonly items?: string | undefined;
  readonly annotator?: string | undefined;
}

/** The kind of import. */
export const preferences = importOfRows<PreferenceOptions>({
  name: "preferences",
  description: "pairwise preferences: PandaLM test sets and verdicts, TRL, OpenAI; JSON or JSON lines",
  notes: `Each vote becomes a PreferenceLogged in the feedback stream of its item, a tie as well. A file of a model's verdicts
has only the numbers of the items; what they are says --items, or the file beside it whose name is the same but for the
model: testset-v1.json beside pandalm-7b-testset-v1.json.`,
  example: "retrace import preferences testset-v1.json pandalm-7b-testset-v1.json",
  addOptions: (command) => {
    command
      .option("--items <file>", "the PandaLM test set that a file of verdicts speaks of")
      .option("--annotator <name>", "who voted, where the rows do not say (default for verdicts: by their column)");
  },
  formats: ({ items, idPrefix, annotator }) => [
    pandalm,
    verdicts({ items, idPrefix, annotator }),
    trl(annotator),
    openai(annotator),
  ],
});

const idNames: Names = ["id", "idx", "prompt_id", "item"];
const annotatorNames: Names = ["annotator", "annotator_id", "worker", "rater"];

/** What was compared. */
interface Pair {
  readonly stream: string;
  readonly prompt: string;
  /** In the order in which they were shown. */
  readonly answers: readonly [string, string];
  readonly tags: readonly string[];
}

/** An item with its votes: 1 or 2 for the better response, 0 for neither. */
const pandalm: RowFormat = {
  name: "pandalm",
  hint: "response1, response2, annotator1 and further",
  recognises: (fields) => hasResponses(fields) && votesIn(fields).length > 0,
  commands: (fields, { dataSet }) => {
    const pair = pairIn(fields, dataSet);
    const votes = votesIn(fields).filter(([, vote]) => vote !== null && vote !== "");
    if (votes.length === 0) throw new BadRow("nobody has voted");
    return votes.map(([annotator, vote]) => logPreference(pair, choiceOf(annotator, vote), { annotator }));
  },
};

function hasResponses(fields: Fields): boolean {
  return "response1" in fields && "response2" in fields;
}

function votesIn(fields: Fields): [annotator: string, vote: unknown][] {
  return Object.entries(fields).filter(([name]) => /^annotator_?\d+$/.test(name));
}

function pairIn(fields: Fields, dataSet: string): Pair {
  const [instruction, input] = [textIn(fields, ["instruction"]), textIn(fields, ["input"])];
  const tags = ["motivation_app", "cmp_key"].map((name) => shortTextIn(fields, [name], maxTagCharacters));
  return {
    stream: streamIdOf(dataSet, requiredText(fields, idNames)),
    prompt: [instruction, input].filter((text) => text !== undefined).join("\n\n"),
    answers: [answerIn(fields, "response1"), answerIn(fields, "response2")],
    tags: tags.filter((tag) => tag !== undefined),
  };
}

/** An empty answer is one, too; and where a model answered `true`, some files have no text but that. */
function answerIn(fields: Fields, name: "response1" | "response2"): string {
  return fields[name] === "" ? "" : requiredText(fields, [name]);
}

/** A file of its own that only names the items: `{idx, pandalm_result, pandalm_reason}`. */
function verdicts({ annotator, ...options }: PreferenceOptions): RowFormat {
  let items: Items | undefined;
  return {
    name: "verdicts",
    hint: "idx, <model>_result",
    recognises: (fields) => hasColumn(fields, idNames) && resultIn(fields) !== undefined,
    commands: (fields, { file }) => {
      items ??= itemsOf(file, options);
      const id = requiredText(fields, idNames);
      const [name, verdict] = resultIn(fields) ?? [];
      const item = items.byId.get(id);
      if (name === undefined) throw new BadRow("no verdict");
      if (item === undefined) throw new BadRow(`there is no item ${id} in the test set`);
      const model = name.slice(0, -resultSuffix.length);
      const comment = shortTextIn(fields, [`${model}_reason`], maxCommentCharacters);
      const vote = { annotator: annotator ?? model, ...(comment !== undefined && { comment }) };
      return [logPreference(pairIn(item, items.dataSet), choiceOf(name, verdict), vote)];
    },
  };
}

const resultSuffix = "_result";

function resultIn(fields: Fields): [name: string, verdict: unknown] | undefined {
  return Object.entries(fields).find(([name]) => name.endsWith(resultSuffix) && name !== resultSuffix);
}

/** What the verdicts of a file are about. */
interface Items {
  readonly byId: ReadonlyMap<string, Fields>;
  readonly dataSet: string;
}

function itemsOf(file: string, { items = itemsBeside(file), idPrefix }: PreferenceOptions): Items {
  if (items === undefined) throw new ImportRefused("it has only the numbers of items: name the test set with --items");
  const byId = new Map<string, Fields>();
  for (const { fields } of readRows(items)) {
    if (fields !== undefined && hasResponses(fields)) byId.set(String(valueIn(fields, idNames)), fields);
  }
  if (byId.size > 0) return { byId, dataSet: idPrefix ?? dataSetOf(items) };
  throw new ImportRefused(`${items} is no test set with responses: name that with --items`);
}

/** The file with the longest name that `file` has in full, with the model somewhere in between. */
function itemsBeside(file: string): string | undefined {
  const [folder, name] = [dirname(file), basename(file)];
  const candidates = readdirSync(folder).filter((other) => other.length < name.length && isAround(other, name));
  const longest = candidates.sort((a, b) => b.length - a.length)[0];
  return longest === undefined ? undefined : join(folder, longest);
}

function isAround(other: string, name: string): boolean {
  let same = 0;
  while (other[same] === name[same]) same += 1;
  return name.endsWith(other.slice(same)) && /\.jsonl?$/.test(other);
}

type Choice = "first" | "second" | "tie";

/** @throws BadRow when the vote is none. */
function choiceOf(name: string, vote: unknown): Choice {
  const choice = choices.get(String(vote).trim().toLowerCase());
  if (choice !== undefined) return choice;
  throw new BadRow(`${name} is ${JSON.stringify(vote)}, and not 0 (a tie), 1 or 2`);
}

const choices: ReadonlyMap<string, Choice> = new Map([
  ["0", "tie"],
  ["tie", "tie"],
  ["1", "first"],
  ["2", "second"],
]);

function logPreference(
  { stream, prompt, answers: [first, second], tags }: Pair,
  choice: Choice,
  vote: { readonly annotator: string; readonly comment?: string },
): RowCommand {
  const [chosen, rejected] = choice === "second" ? [second, first] : [first, second];
  const data = {
    ...(prompt !== "" && { prompt }),
    chosen,
    rejected,
    ...(choice === "tie" && { tie: true }),
    ...vote,
    ...(tags.length > 0 && { tags }),
  };
  return { category: "feedback", id: stream, type: "LogPreference", data };
}

/** `{prompt, chosen, rejected}`, the prompt left out where it is part of both; texts or lists of messages. */
function trl(annotator: string | undefined): RowFormat {
  return {
    name: "trl",
    hint: "chosen, rejected",
    recognises: (fields) => "chosen" in fields && "rejected" in fields,
    commands: (fields, place) => {
      const { prompt, chosen, rejected } = fields;
      assertAnswer("chosen", chosen);
      assertAnswer("rejected", rejected);
      const hasPrompt = prompt !== undefined && prompt !== null;
      if (hasPrompt) assertAnswer("prompt", prompt);
      return [pairCommand(fields, place, { ...(hasPrompt && { prompt }), chosen, rejected, ...by(fields, annotator) })];
    },
  };
}

/** `{input: {messages}, preferred_output, non_preferred_output}`, as OpenAI takes preferences for fine-tuning. */
function openai(annotator: string | undefined): RowFormat {
  return {
    name: "openai",
    hint: "input, preferred_output, non_preferred_output",
    recognises: (fields) => "preferred_output" in fields && "non_preferred_output" in fields,
    commands: (fields, place) => {
      const { input, preferred_output: chosen, non_preferred_output: rejected } = fields;
      const { messages, ...inputFeatures } = (input ?? {}) as { readonly messages?: unknown };
      assertMessages("input.messages", messages);
      assertMessages("preferred_output", chosen);
      assertMessages("non_preferred_output", rejected);
      const context = Object.keys(inputFeatures).length > 0 ? { context: { inputFeatures } } : {};
      return [pairCommand(fields, place, { prompt: messages, chosen, rejected, ...by(fields, annotator), ...context })];
    },
  };
}

/** An item without an id of its own is known by its row. */
function pairCommand(fields: Fields, { dataSet, number }: RowPlace, data: RowCommand["data"]): RowCommand {
  const item = textIn(fields, idNames) ?? String(number);
  return { category: "feedback", id: streamIdOf(dataSet, item), type: "LogPreference", data };
}

function by(fields: Fields, fallback: string | undefined): { readonly annotator?: string } {
  const annotator = textIn(fields, annotatorNames) ?? fallback;
  return annotator === undefined ? {} : { annotator };
}

function assertAnswer(name: string, value: unknown): void {
  if (typeof value !== "string") assertMessages(name, value);
}

function assertMessages(name: string, value: unknown): void {
  const isFine = Array.isArray(value) && value.length > 0 && value.every(isMessage);
  if (!isFine)
    throw new BadRow(`${name} is ${value === undefined ? "missing" : "not a list of messages {role, content}"}`);
}

function isMessage(value: unknown): boolean {
  return typeof value === "object" && value !== null && typeof (value as { role?: unknown }).role === "string";
}
