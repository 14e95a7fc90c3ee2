/** The report of a run: for programs as one object, for people as a table. */
import { cpus } from "node:os";
import { type Figure, type Part, parts } from "./figures.ts";
import { type Verdict, verdicts } from "./targets.ts";

/** Everything that a run has found. */
export interface Report {
  readonly isQuick: boolean;
  readonly startedAt: string;
  readonly machine: { readonly cores: number; readonly cpu: string; readonly node: string; readonly platform: string };
  readonly figures: readonly Figure[];
  readonly targets: readonly Verdict[];
}

const titles: Readonly<Record<Part, string>> = {
  a: "bare NATS request/reply echo",
  b: "acknowledged durable commands over 1,000 streams, the relay on",
  c: "replay in one process",
  d: "one command on a short and on a long stream",
  e: "bytes on disk",
  f: "memory of live streams",
  g: "start with a long log",
  h: "rows of files through `retrace import`",
  i: "projections",
  j: "a saga of three steps beside a single command",
};

/** Puts a report together; figures of parts that were not asked for, but came along, are left in. */
export function report(figures: readonly Figure[], isQuick: boolean, startedAt: string): Report {
  const all = cpus();
  return {
    isQuick,
    startedAt,
    machine: {
      cores: all.length,
      cpu: all[0]?.model.trim() ?? "unknown",
      node: process.version,
      platform: `${process.platform} ${process.arch}`,
    },
    figures,
    targets: verdicts(figures),
  };
}

/** The report as lines: the figures by part, then the targets. */
export function table({ figures, targets, machine, isQuick }: Report): string {
  const sections = parts.flatMap((part) => {
    const own = figures.filter((figure) => figure.part === part);
    return own.length === 0 ? [] : [`(${part}) ${titles[part]}`, ...own.map(row), ""];
  });
  const head = `${machine.cores} cores, ${machine.cpu}, Node ${machine.node}${isQuick ? ", --quick" : ""}`;
  return [head, "", ...sections, "targets", ...targets.map(verdictRow), ""].join("\n");
}

function row({ text, value, unit, low, high }: Figure): string {
  const range = low === undefined || high === undefined ? "" : `${number(low)} to ${number(high)}`;
  return `  ${text.padEnd(58)} ${number(value).padStart(12)} ${unit.padEnd(9)} ${range}`.trimEnd();
}

function verdictRow({ target, outcome, measured, limit, unit }: Verdict): string {
  if (measured === undefined || limit === undefined) return `  ${outcome}: ${target}`;
  return `  ${outcome}: ${target}: ${number(measured)} against ${number(limit)} ${unit}`.trimEnd();
}

/** Three digits that count, and all of the digits before the point. */
export function number(value: number): string {
  const size = Math.abs(value);
  const decimals = size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  return value.toLocaleString("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}
