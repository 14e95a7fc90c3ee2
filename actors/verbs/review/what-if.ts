/** `retrace review what-if`: what another rule would have sent to people. */
import type { Client, ClientOptions, VerbTools } from "retrace";
import { time } from "../../../schemas/fields.ts";
import type { Rule } from "../../../schemas/rule.ts";
import type { CliCommand } from "../import/row-format.ts";
import { fitted } from "../print/terminal-width.ts";
import { WrongUsage, withUsage } from "../print/wrong-usage.ts";
import { type Comparison, type Counts, compare } from "./comparison.ts";
import { readRule } from "./read-rule.ts";
import { evaluateCases, type Window } from "./shadow-evaluation.ts";
import { table } from "./table.ts";

interface WhatIfOptions extends ClientOptions {
  readonly rule: string;
  readonly since?: string;
  readonly until?: string;
  readonly by: string;
}

/** Adds it to the verb `review`. */
export function registerWhatIf(verb: CliCommand, tools: VerbTools): void {
  const command = verb
    .command("what-if")
    .description("how many cases another rule would have sent to review, beside those that really were")
    .requiredOption("--rule <file>", "the rule, as JSON; - for stdin")
    .option("--since <time>", "inferences completed from this time on, ISO 8601 (default: all)")
    .option("--until <time>", "and before this time")
    .option("--by <clock>", "what the times and days mean: recorded or occurred", "recorded");
  tools.clientOptions(command).addHelpText(
    "after",
    `
This is a shadow evaluation: nothing is flagged. What was really sent are the inferences with a flag
(ModelPredictionLowConfidenceFlagged), whoever raised it.

A rule is nested: {"and": [...]}, {"or": [...]}, {"not": ...} over these terms, below and above exclusive:
  {"confidence": {"below": 0.7}}                        least confidence
  {"margin": {"below": 0.1}}                            the highest of the scores less the second
  {"entropy": {"above": 0.9}}                           of the scores, 0 to 1
  {"score": {"label": "toxic", "above": 0.2}}           of one label
  {"novelty": {"field": "inputFeatures.distance", "above": 3}}
  {"disagreement": {"fields": ["output.label", "output.second.label"]}}
  {"sample": {"share": 0.05, "salt": "q3"}}             a share of all, the same ones every time
  {"segment": {"in": ["eu"]}}  {"model": {"in": ["m1"]}}  {"modelVersion": {"in": ["v2"]}}  {"always": true}
A term whose value is missing does not match, and its "not" does.

Examples:
  $ retrace review what-if --rule rule.json --since 2026-01-01T00:00:00Z
  $ echo '{"or": [{"confidence": {"below": 0.7}}, {"sample": {"share": 0.02}}]}' | retrace review what-if --rule -`,
  );
  command.action((options: WhatIfOptions) => withUsage(tools, () => whatIf(options, tools)));
}

async function whatIf(options: WhatIfOptions, tools: VerbTools): Promise<void> {
  const by = clockIn(options.by);
  const since = timeIn("--since", options.since);
  const until = timeIn("--until", options.until);
  const rule = await readRule(options.rule);
  const client = await tools.connect(options);
  try {
    const { position: toPosition } = await client.query<{ readonly position: number }>("health");
    const window = { ...(since !== undefined && { since }), ...(until !== undefined && { until }), by, toPosition };
    const comparison = await compareWithBar(client, { rule, window, tools });
    const { toPosition: position, ...times } = window;
    tools.print(options, describe(comparison, window), { rule, ...times, position, ...comparison });
  } finally {
    await client.close();
  }
}

function clockIn(written: string): Window["by"] {
  if (written === "recorded" || written === "occurred") return written;
  throw new WrongUsage("--by takes recorded or occurred");
}

function timeIn(option: string, written: string | undefined): string | undefined {
  if (written === undefined) return undefined;
  const { data } = time.safeParse(written);
  if (data === undefined) throw new WrongUsage(`${option} takes a time as ISO 8601, like 2026-01-31T12:00:00Z`);
  return data;
}

async function compareWithBar(
  client: Client,
  { rule, window, tools }: { readonly rule: Rule; readonly window: Window; readonly tools: VerbTools },
): Promise<Comparison> {
  const bar = tools.progress("log", window.toPosition);
  let reached = 0;
  const onPosition = (position: number): void => {
    bar.advance(position - reached);
    reached = position;
  };
  try {
    return await compare(evaluateCases(client, { rule, window, onPosition }));
  } finally {
    bar.stop();
  }
}

const header = ["", "cases", "really sent", "by the rule", "both", "only sent", "only by the rule"];

function describe(comparison: Comparison, { since = "the beginning", until, toPosition }: Window): string {
  const { all, byUserSegment, byModelVersion, byDay, missing, examples } = comparison;
  const end = until ?? `the end of the log (position ${toPosition})`;
  const counted = [
    ["all", all] as const,
    ...byUserSegment.map((group) => [`segment ${group.userSegment ?? "not said"}`, group] as const),
    ...byModelVersion.map((group) => [modelOf(group), group] as const),
    ...byDay.map((group) => [group.day, group] as const),
  ];
  const absent = Object.entries(missing).map(([name, cases]) => `no ${name} in ${cases} of ${all.cases} cases`);
  const lines = [
    ["only by the rule", examples.onlyMatched] as const,
    ["only sent", examples.onlyFlagged] as const,
    ["both", examples.both] as const,
  ];
  const told = [
    `inferences completed from ${since} to ${end}`,
    table([header, ...counted.map(([name, counts]) => [name, ...figures(counts)])]),
    ...absent,
    ...lines.filter(([, ids]) => ids.length > 0).map(([name, ids]) => `${name}, like ${ids.slice(0, 5).join(" ")}`),
  ];
  return fitted(told.join("\n"));
}

function modelOf({ modelId, modelVersion }: Comparison["byModelVersion"][number]): string {
  return `model ${modelId ?? "not said"}${modelVersion === null ? "" : ` ${modelVersion}`}`;
}

function figures({ cases, flagged, matched, both }: Counts): string[] {
  const share = (count: number): string => `${count} (${((100 * count) / Math.max(1, cases)).toFixed(1)} %)`;
  return [`${cases}`, share(flagged), share(matched), `${both}`, `${flagged - both}`, `${matched - both}`];
}
