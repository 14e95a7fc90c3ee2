/**
 * `retrace import predictions`: what models said, and the truth where it is known. Each prediction becomes an inference.
 */
import { BadRow } from "./bad-row.ts";
import { hasColumn, type Names, numberIn, requiredText, textIn, timeIn, valueIn } from "./columns.ts";
import type { Fields } from "./read-rows.ts";
import type { RowCommand, RowFormat } from "./row-format.ts";
import { importOfRows } from "./rows-import.ts";
import { streamIdOf } from "./stream-ids.ts";

interface PredictionOptions {
  readonly model?: string;
}

/** The kind of import. */
export const predictions = importOfRows<PredictionOptions>({
  name: "predictions",
  description: "predictions and verdicts of models, with gold where there is some: tables with tabs, JSON lines",
  notes: `Each prediction becomes an inference: requested, completed, and labelled where the row has the gold. The verdicts of a judge
on the same answers in two orders (winner_order1, winner_order2) are two inferences of one session.`,
  example: "retrace import predictions verdicts.tsv",
  addOptions: (command) => {
    command.option("--model <id>", "who predicted, where the rows do not say");
  },
  formats: ({ model }) => [verdicts(model), plain(model)],
});

const item: Names = ["item", "id", "idx", "example", "question"];
const modelNames: Names = ["model", "judge", "system", "model_id"];
const modelVersion: Names = ["model_version"];
const variant: Names = ["prompting"];
const output: Names = ["prediction", "predicted", "output"];
const gold: Names = ["gold", "label", "truth"];
const time: Names = ["timestamp", "timestamp_ms"];
const orderColumn = /^winner_order(\w+)$/;
const scoreColumn = /^score_(.+)$/;

/** A judge that was asked several times, the answers in another order each time. Winners are named as in the first. */
function verdicts(model: string | undefined): RowFormat {
  return {
    name: "verdicts",
    hint: "item, judge, winner_order1, winner_order2",
    recognises: (fields) => hasColumn(fields, item) && ordersIn(fields).length > 0,
    commands: (fields, { dataSet }) => {
      const question = questionIn(fields, model);
      const sessionId = streamIdOf(dataSet, ...question.names);
      return ordersIn(fields).map(([name, order]) => {
        const winner = textIn(fields, [name]);
        return inferenceOf(fields, {
          id: streamIdOf(dataSet, ...question.names, order),
          request: { ...question.request, sessionId, inputFeatures: { ...question.inputFeatures, order } },
          // An answer that could not be read as a verdict is one without an output.
          ...(winner !== undefined && { output: { label: winner } }),
        });
      });
    },
  };
}

function ordersIn(fields: Fields): [column: string, order: string][] {
  return Object.keys(fields).flatMap((name) => {
    const order = orderColumn.exec(name)?.[1];
    return order === undefined ? [] : [[name, order]];
  });
}

/** One prediction a row. */
function plain(model: string | undefined): RowFormat {
  return {
    name: "plain",
    hint: "item, model, prediction",
    recognises: (fields) => [item, output].every((names) => hasColumn(fields, names)),
    commands: (fields, { dataSet }) => {
      const { names, request, inputFeatures } = questionIn(fields, model);
      const predicted = valueIn(fields, output);
      if (predicted === undefined) throw new BadRow(`no ${output[0]}`);
      const id = streamIdOf(dataSet, ...names);
      return [inferenceOf(fields, { id, request: { ...request, inputFeatures }, output: predicted })];
    },
  };
}

interface Question {
  /** What tells it from the others of the file. */
  readonly names: readonly string[];
  readonly request: Readonly<Record<string, unknown>>;
  readonly inputFeatures: Readonly<Record<string, unknown>>;
}

function questionIn(fields: Fields, model: string | undefined): Question {
  const about = requiredText(fields, item);
  const modelId = textIn(fields, modelNames) ?? model;
  if (modelId === undefined) throw new BadRow(`no ${modelNames[0]}; where the rows have none, --model names it`);
  const version = textIn(fields, modelVersion);
  const prompting = textIn(fields, variant);
  return {
    names: [
      about,
      modelId,
      ...(version === undefined ? [] : [version]),
      ...(prompting === undefined ? [] : [prompting]),
    ],
    request: { modelId, ...(version !== undefined && { modelVersion: version }) },
    inputFeatures: { item: about, ...(prompting !== undefined && { prompting }) },
  };
}

interface Inference {
  readonly id: string;
  readonly request: Readonly<Record<string, unknown>>;
  readonly output?: unknown;
}

function inferenceOf(fields: Fields, { id, request, output: answer }: Inference): RowCommand {
  const confidence = numberIn(fields, ["confidence", "probability"]);
  if (confidence !== undefined && (confidence < 0 || confidence > 1)) {
    throw new BadRow(
      `the confidence ${confidence} is not from 0 to 1; what has another scale goes in a column score_NAME`,
    );
  }
  const scores = scoresIn(fields);
  const occurredAt = timeIn(fields, time);
  const label = valueIn(fields, gold);
  const data = {
    ...request,
    ...(answer !== undefined && { output: answer }),
    ...(confidence !== undefined && { confidence }),
    ...(scores !== undefined && { scores }),
    ...(label !== undefined && { label }),
  };
  return { category: "inference", id, type: "RecordInference", data, ...(occurredAt !== undefined && { occurredAt }) };
}

/** The columns `score_1`, `score_2` as `{1: 7, 2: 6}`. */
function scoresIn(fields: Fields): Readonly<Record<string, number>> | undefined {
  const scores: Record<string, number> = {};
  let hasScores = false;
  for (const name of Object.keys(fields)) {
    const of = scoreColumn.exec(name)?.[1];
    const value = of === undefined ? undefined : numberIn(fields, [name]);
    if (of === undefined || value === undefined) continue;
    scores[of] = value;
    hasScores = true;
  }
  return hasScores ? scores : undefined;
}
