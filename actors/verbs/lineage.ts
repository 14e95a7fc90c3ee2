/** `retrace lineage`: what a thing was made of, and what is touched where it was bad. */
import { type Client, type ClientOptions, defineVerb, type VerbTools } from "retrace";
import { isFormat, type LineageRequest, type Output, printLineage } from "./lineage/print.ts";
import type { Direction } from "./lineage/rows.ts";
import { WrongUsage, withUsage } from "./print/wrong-usage.ts";

interface LineageOptions extends ClientOptions {
  readonly version?: string;
  readonly up?: boolean;
  readonly down?: boolean;
  readonly both?: boolean;
  readonly depth?: string;
  readonly at?: string;
  readonly format: string;
  readonly all?: boolean;
}

export default defineVerb({
  name: "lineage",
  register: (program, tools) => {
    const verb = program
      .command("lineage")
      .description("what a dataset, run, model, prediction or review was made of, and what came of it")
      .argument("<category>", "dataset, feature-set, training-run, model, deployment, inference, review, ...")
      .argument("<id>")
      .option("--version <v>", "of an artifact; default: all its versions")
      .option("--up", "what it was made of")
      .option("--down", "what came of it")
      .option("--both", "both, which is the default")
      .option("--depth <n>", "at most so many steps (default: to the ends)")
      .option("--at <position>", "as of this position of the log (default: now)")
      .option("--format <format>", "text, json, mermaid, dot or openlineage", "text")
      .option("--all", "everything, where text and pictures would show the first few of many");
    tools.clientOptions(verb).addHelpText(
      "after",
      `
The ids of deployments are MODEL~ENVIRONMENT. What is named by others and was never recorded is marked external.
With --json, or --format json, each line is the head, an edge, a thing, or at the end the summary by kind. OpenLineage gets a
line for each RunEvent: of the runs on the way, with all that they were made of and produced.

Examples:
  $ retrace lineage dataset d7 --version 3 --down
  $ retrace lineage inference i42 --up
  $ retrace lineage model m1 --version v2 --both --format mermaid
  $ retrace lineage dataset d7 --down --at 1700 --format openlineage`,
    );
    verb.action((category: string, id: string, options: LineageOptions) =>
      withUsage(tools, () => lineage({ category, id }, options, tools)),
    );
  },
});

async function lineage(
  thing: { readonly category: string; readonly id: string },
  options: LineageOptions,
  tools: VerbTools,
): Promise<void> {
  const { version, depth, at, all = false } = options;
  const request: LineageRequest = {
    thing: { ...thing, ...(version !== undefined && { version }) },
    directions: directionsIn(options),
    depth: depth === undefined ? Number.POSITIVE_INFINITY : numberIn("--depth", depth, 1),
    ...(at !== undefined && { at: numberIn("--at", at, 0) }),
    format: formatIn(options),
    isAll: all,
  };
  const client: Client = await tools.connect(options);
  try {
    await printLineage(client, request, terminal);
  } finally {
    await client.close();
  }
}

const terminal: Output = {
  print: (text) => process.stdout.write(`${text}\n`),
  warn: (text) => console.error(text),
};

function directionsIn({ up = false, down = false, both = false }: LineageOptions): Direction[] {
  if ([up, down, both].filter(Boolean).length > 1) throw new WrongUsage("give one of --up, --down and --both");
  if (up) return ["up"];
  return down ? ["down"] : ["up", "down"];
}

function formatIn({ format, json = false }: LineageOptions): LineageRequest["format"] {
  if (!isFormat(format)) throw new WrongUsage("--format takes text, json, mermaid, dot or openlineage");
  if (!json) return format;
  if (format === "mermaid" || format === "dot")
    throw new WrongUsage(`--json and --format ${format} exclude each other`);
  return format === "text" ? "json" : format;
}

function numberIn(option: string, written: string, least: number): number {
  if (/^\d{1,15}$/.test(written) && Number(written) >= least) return Number(written);
  throw new WrongUsage(`${option} takes an integer from ${least}`);
}
