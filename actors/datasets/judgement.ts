/** What a signal says of answers: which one is good, which one is not, and what they answer. */
import type { RecordedEvent } from "retrace";
import type { DatasetSpec } from "../../schemas/dataset-spec.ts";
import { canonicalJson } from "../canonical-json.ts";
import { valueAt } from "./conditions.ts";
import { asMessages, type Content, commonBeginning, contentOf, type Message } from "./content.ts";
import type { Interaction } from "./interaction.ts";
import { latestData } from "./latest-data.ts";

/** One signal, read. At least one of the answers is there. */
export interface Judgement {
  readonly prompt: Content;
  readonly good?: Content;
  readonly bad?: Content;
  /** What else the model was given, under the names that OpenAI has for it. */
  readonly tools?: Readonly<Record<string, unknown>>;
}

/** Why a signal gives no row. */
export interface LeftOut {
  readonly reason:
    | "retracted"
    | "tie"
    | "no-prompt"
    | "prompt-elsewhere"
    | "no-verdict"
    | "no-answer"
    | "no-good-answer"
    | "no-bad-answer"
    | "same-answers"
    | "conversation";
}

/** Where a spec says that prompt and answer are. */
export type Places = Pick<DatasetSpec, "promptFrom" | "outputFrom">;

/** Reads a signal, with what is known of the inference that it is about. */
export function judge(event: RecordedEvent, interaction: Interaction, places: Places): Judgement | LeftOut {
  const data = latestData(event);
  if (data.tie === true) return { reason: "tie" };
  const answers = answersIn(event.type, data, outputOf(interaction.output, places));
  if (answers === undefined) return { reason: "no-verdict" };
  const [good, bad] = [contentOf(answers.good), contentOf(answers.bad)];
  if (good === undefined && bad === undefined) return { reason: "no-answer" };
  if (good !== undefined && canonicalJson(good) === canonicalJson(bad)) return { reason: "same-answers" };
  const inputFeatures = interaction.inputFeatures ?? (data.context as Interaction | undefined)?.inputFeatures;
  const given = contentOf(data.prompt) ?? promptOf(inputFeatures, places);
  const shared = sharedPrompt(given, [good, bad]);
  const prompt = given ?? (shared.length > 0 ? shared : undefined);
  if (prompt === undefined) {
    return { reason: interaction.isPromptElsewhere === true ? "prompt-elsewhere" : "no-prompt" };
  }
  const { tools, parallel_tool_calls } = inputFeatures ?? {};
  return {
    prompt,
    ...(good !== undefined && { good: good.slice(shared.length) as Content }),
    ...(bad !== undefined && { bad: bad.slice(shared.length) as Content }),
    ...((tools !== undefined || parallel_tool_calls !== undefined) && {
      tools: {
        ...(tools !== undefined && { tools }),
        ...(parallel_tool_calls !== undefined && { parallel_tool_calls }),
      },
    }),
  };
}

/** The messages with which both answers begin, where those are the prompt. */
function sharedPrompt(prompt: Content | undefined, [good, bad]: readonly (Content | undefined)[]): readonly Message[] {
  const shared = commonBeginning(good, bad);
  const isPrompt = prompt === undefined || canonicalJson(shared) === canonicalJson(asMessages(prompt, "user"));
  return isPrompt ? shared : [];
}

interface Answers {
  readonly good?: unknown;
  readonly bad?: unknown;
}

type Data = Readonly<Record<string, unknown>>;

/** Undefined when the signal is neither for nor against an answer. */
function answersIn(type: string, data: Data, answer: unknown): Answers | undefined {
  switch (type) {
    case "PreferenceLogged":
      return { good: data.chosen, bad: data.rejected };
    case "CorrectionSubmitted":
      return { good: labelIn(data.corrected), bad: labelIn(data.original) ?? answer };
    case "HumanLabelApplied":
      return { good: labelIn(data.label), ...(data.agreement === false && { bad: labelIn(data.predicted) ?? answer }) };
    case "OutputApproved":
      return { good: answer };
    case "OutputRejected":
      return { bad: answer };
    default:
      if (typeof data.negative !== "boolean") return undefined;
      return data.negative ? { bad: answer } : { good: answer };
  }
}

function outputOf(output: unknown, { outputFrom }: Places): unknown {
  return outputFrom === undefined ? labelIn(output) : valueAt({ output }, outputFrom);
}

/** A classifier's answer may be an object that holds the label beside other things. */
function labelIn(answer: unknown): unknown {
  const holdsLabel = typeof answer === "object" && answer !== null && Object.hasOwn(answer, "label");
  return holdsLabel ? (answer as { readonly label: unknown }).label : answer;
}

/** The messages, or the prompt, or the only text among the features; or all of them. */
function promptOf(features: Interaction["inputFeatures"], { promptFrom }: Places): Content | undefined {
  if (promptFrom !== undefined) return contentOf(valueAt({ inputFeatures: features }, promptFrom));
  if (features === undefined || Object.keys(features).length === 0) return undefined;
  const named = features.messages ?? features.prompt;
  if (named !== undefined) return contentOf(named);
  const values = Object.values(features);
  return values.length === 1 ? contentOf(values[0]) : contentOf(features);
}
