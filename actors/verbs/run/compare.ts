/** `retrace run compare`: whether one run reproduces another, and what is not the same. */
import type { ClientOptions, VerbTools } from "retrace";
import type { CliCommand } from "../import/row-format.ts";
import { counted } from "../print/counted.ts";
import { WrongUsage, withUsage } from "../print/wrong-usage.ts";
import { printable } from "../review/printable.ts";
import { table } from "../review/table.ts";
import { type Comparison, compareRuns, type MetricComparison, metricsIn } from "./comparison.ts";
import type { RunRecord } from "./read-run.ts";
import { readRuns } from "./read-runs.ts";
import type { Aspect, Difference } from "./recipe.ts";

interface Options extends ClientOptions {
  readonly tolerance: string;
  readonly metric?: string;
  readonly all?: boolean;
}

/** Adds it to the verb `run`. */
export function registerCompare(verb: CliCommand, tools: VerbTools): void {
  const command = verb
    .command("compare")
    .description("whether runs are the same: what they were made of, how they ended, what they came to")
    .argument("<run...>", "two ids of training runs, or more")
    .option("--tolerance <t>", "how far metrics may lie apart, as a part of the larger: 0.01 is 1 %", "0.01")
    .option("--metric <name>", "only this one (default: all but those of time and memory)")
    .option("--all", `every line, where the first ${mostLines} of many of a kind would be shown`);
  tools.clientOptions(command).addHelpText(
    "after",
    `
Runs are alike when nothing that is recorded differs: inputs (dataset and features with their versions, and the position of
the log), code, config, hyperparameters, seed, environment and status; and when the final and the best values of every metric
lie within the tolerance. The best is the lowest of what is named like a loss or an error, the highest of all else; steps that
a resumption took back do not count. What no run has recorded is said, but is no difference; and a metric that only some runs
report is compared among those, and no difference either.

Of three runs or more, one may stand apart although all are within the tolerance. That is told for a final value farther from
the median than 3.5 deviations, where a deviation is 1.4826 times the median distance from the median (it estimates the
standard deviation, but one stray run does not change it), and farther than a tenth of the tolerance. It does not change the
status.

The status is 0 when the runs are alike, 1 when they differ, 2 for wrong usage, like a run that does not exist.

Examples:
  $ retrace run compare r1 r2
  $ retrace run compare seed-1 seed-2 seed-3 --metric val_loss --tolerance 0.005`,
  );
  command.action((runs: string[], options: Options) => withUsage(tools, () => compare(runs, options, tools)));
}

async function compare(ids: readonly string[], options: Options, tools: VerbTools): Promise<void> {
  const tolerance = toleranceIn(options);
  if (ids.length < 2) throw new WrongUsage("name two runs or more");
  const client = await tools.connect(options);
  try {
    const runs = await readRuns(client, ids);
    const { metric } = options;
    if (metric !== undefined) assertComparable(runs, metric);
    const comparison = compareRuns(runs, { tolerance, ...(metric !== undefined && { metric }) });
    const most = options.all === true ? Number.POSITIVE_INFINITY : mostLines;
    tools.print(options, describe(ids, comparison, { tolerance, most }), {
      runs: ids,
      tolerance,
      ...spelled(comparison),
    });
    if (!comparison.isAlike) tools.exitCode(1);
  } finally {
    await client.close();
  }
}

function assertComparable(runs: readonly RunRecord[], metric: string): void {
  const by = runs.filter((run) => metricsIn([run]).includes(metric));
  if (by.length > 1) return;
  const [only] = by;
  if (only !== undefined)
    throw new WrongUsage(`only ${only.id} reports ${metric}: there is nothing to hold it against`);
  throw new WrongUsage(`no run reports ${metric}; they report ${metricsIn(runs).join(", ") || "nothing"}`);
}

function toleranceIn({ tolerance }: Options): number {
  if (/^\d*\.?\d+(e-?\d+)?$/i.test(tolerance)) return Number(tolerance);
  throw new WrongUsage("--tolerance takes a number from 0, like 0.01");
}

/** JSON has no numbers for what diverged. */
function spelled(comparison: Comparison): Record<string, unknown> {
  const text = JSON.stringify(comparison, (_, value: unknown) =>
    typeof value === "number" && !Number.isFinite(value) ? String(value) : value,
  );
  return JSON.parse(text);
}

/** Of the differences of one kind, and of metrics: what is beyond is for `--all`. */
const mostLines = 20;

interface Shown {
  readonly tolerance: number;
  /** Lines of a kind. */
  readonly most: number;
}

function describe(ids: readonly string[], comparison: Comparison, shown: Shown): string {
  const { isAlike, recipe, metrics, outlier } = comparison;
  const verdict = isAlike ? "alike" : `not alike: ${differingIn(comparison).join(", ")}`;
  const partial = metrics.filter(({ notReportedBy }) => notReportedBy.length > 0).length;
  const lacking = partial === 0 ? "" : `; ${counted(partial, "metric")} not reported by all`;
  const apart = outlier?.apartIn.map(
    ({ metric, final, median, deviations }) =>
      `${metric} ${figure(final)} is ${Number(deviations.toPrecision(3))} deviations from the median ${figure(median)}`,
  );
  return [
    `${ids.length} runs, ${verdict}${lacking}`,
    ...(outlier === null ? [] : [`${outlier.run} stands apart: ${apart?.join("; ")}`]),
    "",
    ...recipe.flatMap((aspect) => aspectLines(ids, aspect, shown)),
    ...statusLines(ids, comparison),
    ...metricsLines(ids, comparison, shown),
  ].join("\n");
}

const mostNames = 5;

function differingIn({ statuses, recipe, metrics }: Comparison): string[] {
  const beyond = metrics.filter(({ isAlike }) => !isAlike).map(({ metric }) => metric);
  const unnamed = beyond.length - mostNames;
  return [
    ...recipe.filter(({ verdict }) => verdict === "differs").map(({ name }) => name),
    ...(new Set(statuses).size > 1 ? ["status"] : []),
    ...beyond.slice(0, mostNames),
    ...(unnamed > 0 ? [counted(unnamed, "more metric")] : []),
  ];
}

/** Those beyond the tolerance first, those that one run alone reports last. */
function metricsLines(ids: readonly string[], { metrics }: Comparison, { tolerance, most }: Shown): string[] {
  const isShared = ({ notReportedBy }: MetricComparison): boolean => ids.length - notReportedBy.length > 1;
  const shared = metrics.filter(isShared);
  const linesOf = (isAlike: boolean): string[][] =>
    shared.filter((metric) => metric.isAlike === isAlike).map((metric) => metricLines(metric, tolerance));
  const alone = metrics.filter((metric) => !isShared(metric)).map(aloneLines);
  const none = "no two runs report the same metric: there is nothing to hold against the tolerance";
  return [
    ...(shared.length === 0 ? ["", none] : []),
    ...firstOf(linesOf(false), most, ["metric", "beyond the tolerance"]),
    ...firstOf(linesOf(true), most, ["metric", "within the tolerance"]),
    ...(alone.length === 0 ? [] : ["", ...firstOf(alone, most, ["metric", "of one run alone"])]),
  ];
}

function aspectLines(ids: readonly string[], { name, verdict, differences }: Aspect, { most }: Shown): string[] {
  const lines = differences.map((difference) => differenceLines(ids, difference));
  return [`${name.padEnd(16)} ${verdict}`, ...firstOf(lines, most, ["field"])];
}

/** The first things that have room, at least one of them, and how many more there are. */
function firstOf(
  things: readonly (readonly string[])[],
  most: number,
  [what, ...which]: readonly [string, ...string[]],
): string[] {
  const lines: string[] = [];
  for (const [i, thing] of things.entries()) {
    if (i > 0 && lines.length + thing.length > most) {
      const rest = [counted(things.length - i, `more ${what}`), ...which].join(" ");
      return [...lines, `  and ${rest}: --all`];
    }
    lines.push(...thing);
  }
  return lines;
}

function statusLines(ids: readonly string[], { statuses }: Comparison): string[] {
  if (new Set(statuses).size === 1) return [`${"status".padEnd(16)} ${statuses[0]}`];
  return [`${"status".padEnd(16)} differs`, ...ids.map((id, i) => `    ${statuses[i]}: ${id}`)];
}

const maxValueLength = 100;

/** Each value with the runs that have it. */
function differenceLines(ids: readonly string[], { field, values }: Difference): string[] {
  const runsBy = new Map<string, string[]>();
  for (const [i, value] of values.entries()) {
    const text = value === null ? "nothing" : printable(JSON.stringify(value));
    runsBy.set(text, [...(runsBy.get(text) ?? []), ids[i] as string]);
  }
  const lines = Array.from(runsBy, ([text, runs]) => {
    const shown = text.length > maxValueLength ? `${text.slice(0, maxValueLength)}…` : text;
    return `    ${shown}: ${runs.join(", ")}`;
  });
  return [`  ${printable(field)}`, ...lines];
}

function aloneLines({ metric, notReportedBy }: MetricComparison): string[] {
  return [`${printable(metric)}: not reported by ${notReportedBy.join(", ")}`];
}

const header = ["  run", "final", "best", "from the median", ""];

function metricLines(compared: MetricComparison, tolerance: number): string[] {
  const { metric, results, notReportedBy, median, spread, isAlike, outliers } = compared;
  const verdict = `${isAlike ? "within" : "beyond"} the tolerance of ${percent(tolerance)}`;
  const missing = notReportedBy.length === 0 ? "" : `, not reported by ${notReportedBy.join(", ")}`;
  const reported = results.filter(({ final }) => final !== null);
  const rows = reported.map(({ run, final, best }) => {
    const apart = outliers.some((outlier) => outlier.run === run) ? "stands apart" : "";
    const distance = final === null ? "" : percent((final - median) / Math.abs(median));
    return [run, final === null ? "-" : figure(final), best === null ? "-" : figure(best), distance, apart];
  });
  const spreadText = Number.isFinite(spread) ? `they lie ${percent(spread)} apart, ` : "";
  return [
    "",
    `${printable(metric)}: ${spreadText}${verdict}${missing}`,
    ...table([header, ...rows.map(([run, ...rest]) => [`  ${run}`, ...rest])]).split("\n"),
  ];
}

function figure(value: number): string {
  return String(Number(value.toPrecision(6)));
}

function percent(part: number): string {
  return Number.isFinite(part) ? `${Number((100 * part).toPrecision(2))} %` : "-";
}
