/** Curves of several runs in the terminal. */
import asciichart from "asciichart";
import { colors } from "retrace";
import type { Point } from "./curves.ts";
import { columnOf, type Range, stepRange, stretches, valueRange } from "./thinning.ts";

/** A curve with its name. */
export interface NamedCurve {
  readonly name: string;
  readonly points: readonly Point[];
}

const height = 12;
const labelWidth = 10;
const paints = [colors.blue, colors.green, colors.magenta, colors.yellow, colors.cyan, colors.red];

/** The strokes of asciichart, and the same ones doubled and heavy: what tells curves apart where there are no colours. */
const strokes = ["─│╭╮╰╯", "═║╔╗╚╝", "━┃┏┓┗┛"];
/** Of the curves for which no stroke is left. */
const marks = "*+ox#@";

/** A picture `width` characters wide, the names below it. Without a finite value, that is what it says. */
export function terminalChart(curves: readonly NamedCurve[], title: string, width: number): string {
  const steps = stepRange(curves.map(({ points }) => points));
  const columns = Math.max(10, width - labelWidth - 2);
  const means = steps === undefined ? [] : curves.map(({ points }) => columnMeans(points, steps, columns));
  const values = valueRange(means);
  if (steps === undefined || values === undefined) return `${title}: no finite value`;
  const grid = emptyGrid(values, columns);
  for (const [paint, curve] of means.entries()) draw(grid, curve, { values, paint });
  const labels = grid.map((_, row) => values.to - (row * (values.to - values.from)) / (grid.length - 1));
  const rows = grid.map((cells, row) => `${label(labels[row] as number)} ┤${cells.join("").trimEnd()}`);
  const legend = curves.map(
    ({ name }, i) => `${" ".repeat(labelWidth + 2)}${paintOf(i)(`${strokeOf(i, "─").repeat(2)} ${name}`)}`,
  );
  return [title, ...rows, stepAxis(steps, columns), ...legend].join("\n");
}

function paintOf(i: number): (text: string) => string {
  return paints[i % paints.length] as (text: string) => string;
}

/** A sign of the first stroke as the curve draws it. */
function strokeOf(i: number, sign: string): string {
  if (colors.isColorSupported) return sign;
  const stroke = i % (strokes.length + marks.length);
  return strokes[stroke]?.[strokes[0]?.indexOf(sign) ?? -1] ?? marks[stroke - strokes.length] ?? sign;
}

const lap = 4;

/** Whether a curve covers an earlier one in this column. Where strokes tell them apart they take turns, so that both are seen. */
function isOnTop(column: number): boolean {
  return colors.isColorSupported || Math.floor(column / lap) % 2 === 1;
}

function label(value: number): string {
  return String(Number(value.toPrecision(4))).padStart(labelWidth);
}

function stepAxis({ from, to }: Range, columns: number): string {
  const [first, last] = [String(from), `step ${to}`];
  const gap = " ".repeat(Math.max(1, columns - first.length - last.length));
  return `${" ".repeat(labelWidth)} └${"─".repeat(columns)}\n${" ".repeat(labelWidth + 2)}${first}${gap}${last}`;
}

type Grid = string[][];

function emptyGrid(values: Range, columns: number): Grid {
  return linesOf([values.from], values).map(() => Array.from({ length: columns }, () => " "));
}

/** As many lines for every curve, since the values are the same. */
function linesOf(curve: readonly number[], { from, to }: Range): string[] {
  // The line of a lone value has no length, so the last one is drawn on.
  const values = [...curve, curve.at(-1) as number];
  const plot = asciichart.plot([values], { height, min: from, max: to, offset: 2, format: () => " " });
  return plot.split("\n").map((line) => line.slice(2));
}

/** The mean of each column, between them on a straight line. A column in which all diverged is NaN, and so is the way to it. */
function columnMeans(points: readonly Point[], steps: Range, columns: number): Point[] {
  const sums = new Map<number, { total: number; count: number }>();
  for (const { step, value } of points) {
    const column = columnOf(step, steps, columns);
    const sum = sums.get(column) ?? { total: 0, count: 0 };
    sums.set(column, sum);
    if (!Number.isFinite(value)) continue;
    sum.total += value;
    sum.count += 1;
  }
  const means = Array.from(sums, ([step, { total, count }]) => ({ step, value: total / count }));
  return means.flatMap((point, i) => [...between(means[i - 1], point), point]);
}

function between(before: Point | undefined, after: Point): Point[] {
  if (before === undefined) return [];
  const distance = after.step - before.step;
  return Array.from({ length: distance - 1 }, (_, i) => ({
    step: before.step + i + 1,
    value: before.value + ((after.value - before.value) * (i + 1)) / distance,
  }));
}

function draw(
  grid: Grid,
  means: readonly Point[],
  { values, paint }: { readonly values: Range; readonly paint: number },
): void {
  for (const stretch of stretches(means)) {
    const first = (stretch[0] as Point).step;
    const lines = linesOf(
      stretch.map(({ value }) => value),
      values,
    );
    for (const [row, line] of lines.entries()) {
      for (const [i, sign] of [...line].entries()) {
        const cells = grid[row];
        const before = cells?.[first + i];
        if (sign === " " || cells === undefined || before === undefined) continue;
        if (before === " " || isOnTop(first + i)) cells[first + i] = paintOf(paint)(strokeOf(paint, sign));
      }
    }
  }
}
