/**
 * `retrace import corrections`: what several people made of the same texts, and the true answers where they are known.
 * Each becomes a signal in the feedback stream of its item.
 */
import { existsSync } from "node:fs";
import { countIn, hasColumn, type Names, requiredText, textIn, timeIn } from "./columns.ts";
import type { RowFormat } from "./row-format.ts";
import { importOfRows } from "./rows-import.ts";
import { streamIdOf } from "./stream-ids.ts";

/** The kind of import. */
export const corrections = importOfRows({
  name: "corrections",
  description: "corrected texts by several annotators, and the true ones: tables with tabs, JSON lines",
  notes: `Each row becomes a CorrectionSubmitted in the feedback stream of its item. The true texts are those of a file with a gold
column and no annotator; beside X.labels.tsv, X.gold.tsv is taken along.`,
  example: "retrace import corrections crowd.labels.tsv",
  filesOf: withGoldBeside,
  formats: () => [labels, gold],
});

const item: Names = ["item", "sentence", "segment", "id", "idx"];
const annotator: Names = ["annotator", "worker", "rater", "worker_id"];
const corrected: Names = ["corrected", "correction", "workeranswer", "answer", "text"];
const truth: Names = ["gold", "trueanswer", "truth"];

const labels: RowFormat = {
  name: "labels",
  hint: `${annotator[0]}, ${item[0]}, ${corrected[0]}`,
  recognises: (fields) => [annotator, item, corrected].every((names) => hasColumn(fields, names)),
  commands: (fields, { dataSet }) => {
    const id = streamIdOf(dataSet, requiredText(fields, item));
    const original = textIn(fields, ["original"]);
    const effortMs = countIn(fields, ["effort_ms"]);
    const occurredAt = timeIn(fields, ["timestamp", "timestamp_ms"]);
    const data = {
      ...(original !== undefined && { original }),
      corrected: requiredText(fields, corrected),
      annotator: requiredText(fields, annotator),
      ...(effortMs !== undefined && { effortMs }),
    };
    return [
      { category: "feedback", id, type: "SubmitCorrection", data, ...(occurredAt !== undefined && { occurredAt }) },
    ];
  },
};

const gold: RowFormat = {
  name: "gold",
  hint: `${item[0]}, ${truth[0]}`,
  recognises: (fields) => [item, truth].every((names) => hasColumn(fields, names)),
  commands: (fields, { dataSet }) => {
    const id = streamIdOf(dataSet, requiredText(fields, item));
    const data = { corrected: requiredText(fields, truth), gold: true };
    return [{ category: "feedback", id, type: "SubmitCorrection", data }];
  },
};

/** The files, and behind each `X.labels.tsv` the `X.gold.tsv` that stands beside it. */
export function withGoldBeside(files: readonly string[]): readonly string[] {
  const all = files.flatMap((file) => {
    const beside = file.replace(/\.labels(?=\.[^./]*$)/, ".gold");
    return beside !== file && existsSync(beside) ? [file, beside] : [file];
  });
  return [...new Set(all)];
}
