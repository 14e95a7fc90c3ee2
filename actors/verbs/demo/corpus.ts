/** The lines that the demonstration learns from: those of program files, and those of documents. */
import type { Label } from "./classifier.ts";
import { hashOf } from "./random.ts";

/** A line with the label that its file gives it. */
export interface Line {
  readonly text: string;
  readonly label: Label;
  /** A comment is a source line that reads like prose. */
  readonly isComment: boolean;
}

/** The lines, each used for one thing only. */
export interface Split {
  /** What the first model learns from: hardly any comments, so it is unsure of them. */
  readonly training: readonly Line[];
  /** What the first model is asked about, and people label. */
  readonly pool: readonly Line[];
  /** What both models are measured on. */
  readonly heldOut: readonly Line[];
}

const minLength = 12;
const maxLength = 160;
const maxLinesPerLabel = 600;
/** Of the comments that the first model could learn from, one in so many is left to it. */
const commentShare = 6;

/** The lines of a program file, comments among them. */
export function sourceLines(text: string): Line[] {
  return linesOf(text).map((line) => ({ text: line, label: "source", isComment: /^(?:\/\/|\/\*|\*)/.test(line) }));
}

/** The lines of a Markdown document, without its code blocks; of tables the sentences in their cells. */
export function proseLines(text: string): Line[] {
  const prose = text.replace(/^(```|~~~)[\s\S]*?^\1/gm, "").replace(/^\|.*$/gm, sentencesInRow);
  return linesOf(prose)
    .filter((line) => !/^[<[]/.test(line))
    .map((line) => ({ text: line, label: "prose", isComment: false }));
}

/** The cells of at least four words, one a line. */
function sentencesInRow(row: string): string {
  const cells = row.split("|").map((cell) => cell.trim());
  return cells.filter((cell) => cell.split(/\s+/).length >= 4).join("\n");
}

function linesOf(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim().slice(0, maxLength))
    .filter((line) => line.length >= minLength && /[A-Za-z]{3}/.test(line) && !line.startsWith("//#"));
}

/**
 * Each text once, as many source lines as prose lines and as many comments as code, in an order that depends on the
 * texts alone. A text that is both source and prose is left out.
 */
export function balanced(lines: readonly Line[]): Line[] {
  const unique = inStableOrder(withoutAmbiguous(lines));
  const code = unique.filter((line) => line.label === "source" && !line.isComment);
  const comments = unique.filter((line) => line.isComment);
  const prose = unique.filter((line) => line.label === "prose");
  const rounds = Math.min(code.length, comments.length, Math.floor(prose.length / 2), maxLinesPerLabel / 2);
  return Array.from({ length: rounds }, (_, round) => [
    code[round] as Line,
    prose[2 * round] as Line,
    comments[round] as Line,
    prose[2 * round + 1] as Line,
  ]).flat();
}

function withoutAmbiguous(lines: readonly Line[]): Line[] {
  const byText = new Map<string, Line>();
  const ambiguous = new Set<string>();
  for (const line of lines) {
    if ((byText.get(line.text) ?? line).label !== line.label) ambiguous.add(line.text);
    byText.set(line.text, line);
  }
  return [...byText.values()].filter((line) => !ambiguous.has(line.text));
}

function inStableOrder(lines: readonly Line[]): Line[] {
  const byHash = lines.map((line) => ({ line, hash: hashOf(line.text) }));
  byHash.sort((a, b) => a.hash - b.hash || (a.line.text < b.line.text ? -1 : 1));
  return byHash.map(({ line }) => line);
}

/** Divides balanced lines: two fifths to measure on, two fifths to ask about, a fifth to learn from at first. */
export function split(lines: readonly Line[]): Split {
  const fifth = Math.floor(lines.length / 5);
  let comments = 0;
  const isForFirst = (line: Line) => !line.isComment || comments++ % commentShare === 0;
  return {
    heldOut: lines.slice(0, 2 * fifth),
    pool: lines.slice(2 * fifth, 4 * fifth),
    training: lines.slice(4 * fifth).filter(isForFirst),
  };
}
