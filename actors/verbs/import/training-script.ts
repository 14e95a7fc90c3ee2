/** Finds the training script that some logs carry in front: it is the run's true code version. */
import { createHash } from "node:crypto";

/** A script at the head of a log. */
export interface TrainingScript {
  /** The lines of the file up to this one, the dividing line included, belong to the script. */
  readonly lastLine: number;
  readonly sha256: string;
  /** The literals of its `class Hyperparameters`. */
  readonly hyperparameters: Readonly<Record<string, unknown>>;
}

const divider = /^(?:={20,}|-{20,})$/;
const python = /^(?:import \w|from \w[\w.]* import |def \w+\(|class \w+)/;

/** The script before the first dividing line (or between the first two, when the file begins with one). */
export function findTrainingScript(lines: readonly string[]): TrainingScript | undefined {
  const first = lines.findIndex((line) => line.trim() !== "");
  const from = first >= 0 && divider.test(lines[first] ?? "") ? first + 1 : 0;
  const end = lines.findIndex((line, index) => index >= from && divider.test(line));
  const script = end < 0 ? [] : lines.slice(from, end);
  if (!script.some((line) => python.test(line))) return undefined;
  return { lastLine: end + 1, sha256: sha256Of(script), hyperparameters: hyperparametersOf(script) };
}

/** Logs are written with and without an extra newline behind the script: it is hashed with exactly one. */
function sha256Of(script: readonly string[]): string {
  const text = `${script.join("\n").replace(/\n+$/, "")}\n`;
  return createHash("sha256").update(text).digest("hex");
}

function hyperparametersOf(script: readonly string[]): Record<string, unknown> {
  const head = script.findIndex((line) => /^class Hyperparameters\b/.test(line));
  if (head < 0) return {};
  const rest = script.slice(head + 1);
  const end = rest.findIndex((line) => /^\S/.test(line));
  const body = end < 0 ? rest : rest.slice(0, end);
  const found = body.flatMap((line) => {
    const match = /^\s+(\w+)\s*(?::[^=]+)?=\s*(.+?)\s*(?:#.*)?$/.exec(line);
    return match === null ? [] : [[match[1], literal(match[2] as string)]];
  });
  return Object.fromEntries(found);
}

/** A Python literal as a value; any other expression as its text. */
function literal(text: string): unknown {
  if (text === "True") return true;
  if (text === "False") return false;
  if (/^[+-]?[\d_]*\.?\d+(?:e[+-]?\d+)?$/i.test(text)) return Number(text.replaceAll("_", ""));
  return /^(["'])(.*)\1$/.exec(text)?.[2] ?? text;
}
