/** `retrace run plot`: curves of training runs, in the terminal and as a picture. */
import { writeFileSync } from "node:fs";
import type { ClientOptions, VerbTools } from "retrace";
import type { CliCommand } from "../import/row-format.ts";
import { terminalWidth } from "../print/terminal-width.ts";
import { WrongUsage, withUsage } from "../print/wrong-usage.ts";
import { printable } from "../review/printable.ts";
import type { RunRecord } from "./read-run.ts";
import { readRuns } from "./read-runs.ts";
import { svgChart } from "./svg-chart.ts";
import { type NamedCurve, terminalChart } from "./terminal-chart.ts";
import { smoothed, stepRange, thinned } from "./thinning.ts";

interface Options extends ClientOptions {
  readonly metric: string;
  readonly out?: string;
  readonly smooth: string;
}

/** Adds it to the verb `run`. */
export function registerPlot(verb: CliCommand, tools: VerbTools): void {
  const command = verb
    .command("plot")
    .description("draw how a metric went, of one run or several in one picture")
    .argument("<run...>", "ids of training runs")
    .option("--metric <name>", "what to draw", "loss")
    .option("--out <file>", "write an SVG picture instead; a file that is there is replaced")
    .option("--smooth <n>", "draw the mean of the last n values, up to 1000", "1");
  tools.clientOptions(command).addHelpText(
    "after",
    `
Of a step that was reported twice the last report counts, and steps that a resumption took back do not. What diverged (NaN,
Infinity) is a gap. No more is drawn than can be seen: the SVG keeps the first, lowest, highest and last value of each column
of pixels, the terminal shows the mean of each column, and each run in another stroke where there are no colours. With --json, the points as the SVG has them, null for a gap.

Example:
  $ retrace run plot r1 r2 --metric val_loss --out losses.svg`,
  );
  command.action((runs: string[], options: Options) => withUsage(tools, () => plot(runs, options, tools)));
}

async function plot(ids: readonly string[], options: Options, tools: VerbTools): Promise<void> {
  const { metric, out } = options;
  const smooth = smoothIn(options);
  if (out !== undefined && !/\.svg$/i.test(out)) throw new WrongUsage("--out takes a file that ends in .svg");
  const client = await tools.connect(options);
  try {
    const curves = (await readRuns(client, ids)).map((run) => curveOf(run, metric, smooth));
    const title = `${printable(metric)} by step${smooth > 1 ? `, means of ${smooth}` : ""}`;
    if (out !== undefined) writeFileSync(out, svgChart(curves, { title, axis: metric }));
    const human = out === undefined ? terminalChart(curves, title, terminalWidth() ?? 80) : out;
    tools.print(options, human, { metric, smooth, ...(out !== undefined && { file: out }), runs: shownPoints(curves) });
  } finally {
    await client.close();
  }
}

function smoothIn({ smooth }: Options): number {
  if (/^([1-9]\d{0,2}|1000)$/.test(smooth)) return Number(smooth);
  throw new WrongUsage("--smooth takes a number of values, 1 to 1000");
}

function curveOf({ id, curves }: RunRecord, metric: string, smooth: number): NamedCurve {
  const points = curves.get(metric);
  if (points !== undefined) return { name: id, points: smoothed(points, smooth) };
  const known = [...curves.keys()].sort().join(", ");
  throw new WrongUsage(`${id} reports no ${metric}; it reports ${known || "nothing step by step"}`);
}

const shownColumns = 756;

function shownPoints(curves: readonly NamedCurve[]): unknown[] {
  const steps = stepRange(curves.map(({ points }) => points)) ?? { from: 0, to: 0 };
  return curves.map(({ name, points }) => ({
    run: name,
    reported: points.length,
    points: thinned(points, steps, shownColumns).map(({ step, value }) => [
      step,
      Number.isFinite(value) ? value : null,
    ]),
  }));
}
