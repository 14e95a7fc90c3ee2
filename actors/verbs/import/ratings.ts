/**
 * `retrace import ratings`: what professionals thought of outputs, when, and how long they looked at them. Each row
 * becomes a signal in the feedback stream of the output.
 */
import { BadRow } from "./bad-row.ts";
import { countIn, hasColumn, type Names, numberIn, requiredText, shortTextIn, textIn, timeIn } from "./columns.ts";
import { maxCommentCharacters, maxTagCharacters } from "./limits.ts";
import type { Fields } from "./read-rows.ts";
import { ImportRefused } from "./refused.ts";
import type { RowCommand, RowFormat, RowPlace } from "./row-format.ts";
import { importOfRows } from "./rows-import.ts";
import { streamIdOf } from "./stream-ids.ts";

interface RatingOptions {
  /** As typed. */
  readonly scale?: string;
}

interface Scale {
  readonly min: number;
  readonly max: number;
}

/** The kind of import. */
export const ratings = importOfRows<RatingOptions>({
  name: "ratings",
  description: "ratings with their times and effort: MQM annotations, or scores; tables with tabs, JSON lines",
  notes: `Each row becomes a UserRatedOutput in the feedback stream of what was rated, with the time of the row. An MQM annotation is
rated by the weight of the error: 0 for none, -0.1 for minor punctuation, -1 minor, -5 major, -25 for no translation at all.
A honeypot (HOTW-test) is found, 1, or missed, 0; it tells of the rater, so it names no model.`,
  example: "retrace import ratings wmt23.tsv",
  addOptions: (command) => {
    command.option("--scale <min,max>", "between what the scores in the files lie");
  },
  wrongOption: ({ scale }) => {
    if (scale === undefined || parseScale(scale) !== undefined) return undefined;
    return "--scale takes two numbers with a comma between, the lower one first, like 0,100";
  },
  formats: ({ scale }) => [mqm, scores(scale === undefined ? undefined : parseScale(scale))],
});

const rater: Names = ["rater", "annotator", "worker"];
const system: Names = ["system", "model"];
const doc: Names = ["doc", "document"];
/** Of the whole test set. */
const segment: Names = ["globalSegId", "seg_id", "segment", "item", "id"];
/** Of its document. */
const docSegment: Names = ["docSegId"];
const score: Names = ["score", "rating"];
const time: Names = ["timestamp", "timestamp_ms"];
const effort: Names = ["effort_ms", "effortMs"];

const mqm: RowFormat = {
  name: "mqm",
  hint: "rater, category, severity",
  recognises: (fields) =>
    [rater, ["category"] as const, ["severity"] as const].every((names) => hasColumn(fields, names)),
  commands: (fields, place) => {
    const category = requiredText(fields, ["category"]);
    const severity = requiredText(fields, ["severity"]);
    const tags = [severity, category].map((tag) => tag.slice(0, maxTagCharacters));
    const isHoneypot = severity.toLowerCase().startsWith("hotw");
    const rating = isHoneypot ? honeypot(category) : weigh(severity, category);
    return [rateOutput(fields, place, { ...rating, tags, ...(!isHoneypot && contextOf(fields)) })];
  },
};

const errorScale: Scale = { min: -5, max: 0 };
/** A segment that is no translation counts as five major errors. */
const segmentScale: Scale = { min: -25, max: 0 };

/** The weights of MQM as WMT uses them: Freitag et al. 2021, Experts, Errors, and Context. @throws BadRow */
function weigh(severity: string, category: string): { readonly rating: number; readonly scale: Scale } {
  if (/^non-translation/i.test(category)) return { rating: segmentScale.min, scale: segmentScale };
  switch (severity.toLowerCase()) {
    case "major":
      return { rating: -5, scale: errorScale };
    case "minor":
      return { rating: /^fluency\/punctuation/i.test(category) ? -0.1 : -1, scale: errorScale };
    case "neutral":
    case "no-error":
      return { rating: 0, scale: errorScale };
    default:
      throw new BadRow(`severity is "${severity}", and not Major, Minor, Neutral, No-error or HOTW-test`);
  }
}

/** An error that was put in to see whether the rater looks. @throws BadRow */
function honeypot(category: string): { readonly rating: number; readonly scale: Scale } {
  const outcome = category.toLowerCase();
  if (outcome !== "found" && outcome !== "missed")
    throw new BadRow(`a honeypot is "${category}", and not Found or Missed`);
  return { rating: outcome === "found" ? 1 : 0, scale: { min: 0, max: 1 } };
}

function scores(scale: Scale | undefined): RowFormat {
  return {
    name: "scores",
    hint: "rater, segment, score",
    recognises: (fields) => [rater, score].every((names) => hasColumn(fields, names)),
    commands: (fields, place) => {
      if (scale === undefined)
        throw new ImportRefused("its scores do not say between what they lie: add --scale <min,max>");
      const rating = numberIn(fields, score);
      if (rating === undefined) throw new BadRow(`no ${score[0]}`);
      if (rating < scale.min || rating > scale.max) {
        throw new BadRow(`the score ${rating} lies outside the scale from ${scale.min} to ${scale.max}`);
      }
      return [rateOutput(fields, place, { rating, scale, ...contextOf(fields) })];
    },
  };
}

function rateOutput(fields: Fields, { dataSet }: RowPlace, signal: RowCommand["data"]): RowCommand {
  const occurredAt = timeIn(fields, time);
  const effortMs = countIn(fields, effort);
  const comment = shortTextIn(fields, ["comment"], maxCommentCharacters);
  const data = {
    ...signal,
    annotator: requiredText(fields, rater),
    ...(effortMs !== undefined && { effortMs }),
    ...(comment !== undefined && { comment }),
  };
  const id = streamIdOf(dataSet, ...outputOf(fields));
  return { category: "feedback", id, type: "RateOutput", data, ...(occurredAt !== undefined && { occurredAt }) };
}

/** What was rated: a segment, in the translation of one system. */
function outputOf(fields: Fields): string[] {
  const known = textIn(fields, segment);
  const place = known === undefined ? [requiredText(fields, doc), requiredText(fields, docSegment)] : [known];
  const by = textIn(fields, system);
  return by === undefined ? place : [...place, by];
}

function contextOf(fields: Fields): { readonly context?: Readonly<Record<string, unknown>> } {
  const modelId = textIn(fields, system);
  const document = textIn(fields, doc);
  if (modelId === undefined && document === undefined) return {};
  return {
    context: {
      ...(modelId !== undefined && { modelId }),
      ...(document !== undefined && { inputFeatures: { document } }),
    },
  };
}

function parseScale(text: string): Scale | undefined {
  const match = /^(-?\d+(?:\.\d+)?),(-?\d+(?:\.\d+)?)$/.exec(text);
  const [min, max] = [Number(match?.[1]), Number(match?.[2])];
  return min < max ? { min, max } : undefined;
}
