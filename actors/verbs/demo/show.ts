/** Pictures for the terminal: loss curves and lineage trees. */
import asciichart from "asciichart";
import { colors as pc } from "retrace";
import type { LineageNode } from "./lineage.ts";

const chartHeight = 8;
const maxChartWidth = 60;

/** Two loss curves in one chart, with their names below. */
export function lossChart(curves: readonly { readonly name: string; readonly losses: readonly number[] }[]): string {
  const colors = pc.isColorSupported ? { colors: [asciichart.blue, asciichart.green] } : {};
  const series = curves.map(({ losses }) => thinned(losses));
  const chart = asciichart.plot(series, {
    height: chartHeight,
    format: (loss) => loss.toFixed(2).padStart(8),
    ...colors,
  });
  const paint = [pc.blue, pc.green];
  const legend = curves.map(({ name }, index) => (paint[index] ?? String)(name)).join("   ");
  return `${chart}\n${" ".repeat(10)}loss by step: ${legend}`;
}

/** Means over equal stretches, so that the curve fits the terminal. */
function thinned(values: readonly number[]): number[] {
  const stretch = Math.max(1, Math.ceil(values.length / maxChartWidth));
  return Array.from({ length: Math.ceil(values.length / stretch) }, (_, index) => {
    const part = values.slice(index * stretch, (index + 1) * stretch);
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
}

/** A tree, causes below what they made. */
export function lineageTree(root: LineageNode): string {
  return [titleOf(root), ...branchesOf(root)].map((line) => `  ${line}`).join("\n");
}

function branchesOf(node: LineageNode): string[] {
  const branches = node.from.map((cause) => [titleOf(cause), ...branchesOf(cause)]);
  if (node.more !== undefined) branches.push([pc.dim(`and ${node.more} more of these`)]);
  return branches.flatMap((lines, index) => {
    const isLast = index === branches.length - 1;
    return lines.map((line, at) => `${at > 0 ? (isLast ? "   " : "│  ") : isLast ? "└─ " : "├─ "}${line}`);
  });
}

function titleOf({ name, detail }: LineageNode): string {
  return `${pc.bold(name)}  ${pc.dim(detail)}`;
}
