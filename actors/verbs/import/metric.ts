/** Reads the numbers of training logs, which Python has written. */
import type { Metric } from "./logged-run.ts";

const numeral = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const word = /^([+-]?)(nan|inf|infinity)$/i;

/** The value that `text` spells, undefined when it spells none. */
export function parseMetric(text: string): Metric | undefined {
  if (numeral.test(text)) return toMetric(Number(text));
  const match = word.exec(text);
  if (match === null) return undefined;
  if (match[2]?.toLowerCase() === "nan") return "NaN";
  return match[1] === "-" ? "-Infinity" : "Infinity";
}

/** A number as an event may carry it. */
function toMetric(value: number): Metric {
  if (Number.isFinite(value)) return value;
  if (Number.isNaN(value)) return "NaN";
  return value > 0 ? "Infinity" : "-Infinity";
}
