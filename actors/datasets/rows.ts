/** The rows that one event becomes: the formats of training data, as the libraries that read them want them. */
import type { RecordedEvent } from "retrace";
import type { DatasetSpec } from "../../schemas/dataset-spec.ts";
import { canonicalJson } from "../canonical-json.ts";
import { asMessages, asText, type Content } from "./content.ts";
import type { Interaction } from "./interaction.ts";
import { type Judgement, judge, type LeftOut } from "./judgement.ts";

/** Lines of JSON without their ends. */
export interface Rows {
  readonly lines: readonly string[];
  /** Whether they are lists of messages, where the format can be either. */
  readonly areMessages?: boolean;
}

/** What becomes of an event that the spec names, is selected and not retracted. */
export function rowsOf(event: RecordedEvent, interaction: Interaction, spec: DatasetSpec): Rows | LeftOut {
  if (spec.format === "jsonl") return { lines: [plainRow(event)] };
  const judgement = judge(event, interaction, spec);
  if ("reason" in judgement) return judgement;
  switch (spec.format) {
    case "trl":
      return trlRow(judgement, spec);
    case "openai":
      return openaiRow(judgement);
    case "kto":
      return ktoRows(judgement, spec);
  }
}

/** An event as it was stored, without what a copy of the log may have otherwise. */
function plainRow({ type, schemaVersion, stream, occurredAt, data }: RecordedEvent): string {
  const head = JSON.stringify({ type, schemaVersion, stream, occurredAt });
  return `${head.slice(0, -1)},"data":${canonicalJson(data) ?? "null"}}`;
}

interface Pair {
  readonly prompt: Content;
  readonly good: Content;
  readonly bad: Content;
}

function pairIn({ prompt, good, bad }: Judgement): Pair | LeftOut {
  if (good === undefined) return { reason: "no-good-answer" };
  if (bad === undefined) return { reason: "no-bad-answer" };
  return { prompt, good, bad };
}

/** Hugging Face TRL, preference data with an explicit prompt. */
function trlRow(judgement: Judgement, { messages }: DatasetSpec): Rows | LeftOut {
  const pair = pairIn(judgement);
  if ("reason" in pair) return pair;
  const shaped = inShape(pair.prompt, [pair.good, pair.bad], messages);
  if (shaped === undefined) return { reason: "conversation" };
  const [chosen, rejected] = shaped.answers;
  return { lines: [JSON.stringify({ prompt: shaped.prompt, chosen, rejected })], areMessages: shaped.areMessages };
}

/** Hugging Face TRL, unpaired preference data: the good answer before the bad one. */
function ktoRows({ prompt, good, bad }: Judgement, { messages }: DatasetSpec): Rows | LeftOut {
  const answers = [good, bad].filter((answer) => answer !== undefined);
  const shaped = inShape(prompt, answers, messages);
  if (shaped === undefined) return { reason: "conversation" };
  const labels = good === undefined ? [false] : [true, false];
  const lines = shaped.answers.map((completion, i) =>
    JSON.stringify({ prompt: shaped.prompt, completion, label: labels[i] }),
  );
  return { lines, areMessages: shaped.areMessages };
}

/** OpenAI's preference fine-tuning: always messages, with the tools that the model could call. */
function openaiRow(judgement: Judgement): Rows | LeftOut {
  const pair = pairIn(judgement);
  if ("reason" in pair) return pair;
  const tools = JSON.parse(canonicalJson(judgement.tools ?? {}) as string) as object;
  const row = {
    input: { messages: asMessages(pair.prompt, "user"), ...tools },
    preferred_output: asMessages(pair.good, "assistant"),
    non_preferred_output: asMessages(pair.bad, "assistant"),
  };
  return { lines: [JSON.stringify(row)] };
}

interface Shaped {
  readonly prompt: Content;
  readonly answers: readonly Content[];
  readonly areMessages: boolean;
}

/** All parts of a row alike. Undefined when they are to be texts and are not. */
function inShape(prompt: Content, answers: readonly Content[], messages: boolean | undefined): Shaped | undefined {
  const areMessages = messages ?? [prompt, ...answers].some((content) => typeof content !== "string");
  if (areMessages) {
    const spoken = answers.map((answer) => asMessages(answer, "assistant"));
    return { prompt: asMessages(prompt, "user"), answers: spoken, areMessages };
  }
  const text = asText(prompt, "user");
  const texts = answers.flatMap((answer) => asText(answer, "assistant") ?? []);
  return text === undefined || texts.length < answers.length
    ? undefined
    : { prompt: text, answers: texts, areMessages };
}
