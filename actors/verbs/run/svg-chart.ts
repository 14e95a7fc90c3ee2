/** Curves of several runs as an SVG picture that needs nothing beside itself. Pure. */
import type { Point } from "./curves.ts";
import type { NamedCurve } from "./terminal-chart.ts";
import { type Range, stepRange, stretches, thinned, valueRange } from "./thinning.ts";
import { ticks } from "./ticks.ts";

const size = { width: 860, plotHeight: 420 };
const margin = { left: 80, right: 24, top: 48, bottom: 56 };
const legendLine = 20;
const plotWidth = size.width - margin.left - margin.right;

/** Told apart also by those who see few colours: Okabe and Ito, Color Universal Design, 2008. */
const palette = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];
/** What one has the colour of another, is dashed. */
const dashes = ["", "6 3", "2 3"];

/** What is written at the picture. */
export interface ChartTexts {
  readonly title: string;
  /** Of the values. */
  readonly axis: string;
}

/** The picture. Without a finite value it has no curves. */
export function svgChart(curves: readonly NamedCurve[], { title, axis }: ChartTexts): string {
  const points = curves.map((curve) => curve.points);
  const frame: Frame = { steps: stepRange(points) ?? unit, values: withRoom(valueRange(points) ?? unit) };
  const height = margin.top + size.plotHeight + margin.bottom + legendLine * curves.length;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${size.width}" height="${height}" viewBox="0 0 ${size.width} ${height}" font-family="sans-serif" font-size="12">
<title>${escaped(title)}</title>
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="${size.width / 2}" y="26" text-anchor="middle" font-size="16">${escaped(title)}</text>
${[...axes(frame, axis), ...curves.flatMap((curve, i) => drawn(curve, i, frame))].join("\n")}
</svg>
`;
}

interface Frame {
  readonly steps: Range;
  readonly values: Range;
}

const unit: Range = { from: 0, to: 1 };

function withRoom({ from, to }: Range): Range {
  const room = (to - from) / 30;
  return { from: from - room, to: to + room };
}

function across(step: number, { steps: { from, to } }: Frame): number {
  return rounded(margin.left + (from === to ? plotWidth / 2 : ((step - from) / (to - from)) * plotWidth));
}

function down(value: number, { values: { from, to } }: Frame): number {
  return rounded(margin.top + size.plotHeight * (1 - (value - from) / (to - from)));
}

function rounded(pixels: number): number {
  return Math.round(pixels * 100) / 100;
}

function axes(frame: Frame, axis: string): string[] {
  const [left, right] = [margin.left, margin.left + plotWidth];
  const [top, bottom] = [margin.top, margin.top + size.plotHeight];
  const horizontal = ticks(frame.values, 7).flatMap(({ value, label }) => {
    const y = down(value, frame);
    return [line([left - 5, y, right, y], "#e0e0e0"), text(left - 8, y + 4, label, "end")];
  });
  const vertical = ticks(frame.steps, 8, true).flatMap(({ value, label }) => {
    const x = across(value, frame);
    return [line([x, top, x, bottom + 5], "#e0e0e0"), text(x, bottom + 20, label, "middle")];
  });
  const middle = (top + bottom) / 2;
  return [
    ...horizontal,
    ...vertical,
    line([left, top, left, bottom], "#404040"),
    line([left, bottom, right, bottom], "#404040"),
    text((left + right) / 2, bottom + 40, "step", "middle"),
    `<text x="18" y="${middle}" text-anchor="middle" transform="rotate(-90 18 ${middle})">${escaped(axis)}</text>`,
  ];
}

function line([x1, y1, x2, y2]: readonly [number, number, number, number], colour: string): string {
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${colour}"/>`;
}

function text(x: number, y: number, words: string, anchor: "start" | "middle" | "end"): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}">${escaped(words)}</text>`;
}

function drawn({ name, points }: NamedCurve, i: number, frame: Frame): string[] {
  const colour = palette[i % palette.length] as string;
  const dash = dashes[Math.floor(i / palette.length) % dashes.length];
  const stroke = `stroke="${colour}"${dash === "" ? "" : ` stroke-dasharray="${dash}"`}`;
  const y = margin.top + size.plotHeight + margin.bottom + legendLine * i;
  return [
    ...stretches(thinned(points, frame.steps, plotWidth)).map((stretch) =>
      stretchOf(stretch, { frame, stroke, colour }),
    ),
    `<line x1="${margin.left}" y1="${y}" x2="${margin.left + 28}" y2="${y}" ${stroke} stroke-width="2"/>`,
    text(margin.left + 36, y + 4, name, "start"),
  ];
}

interface Pen {
  readonly frame: Frame;
  readonly stroke: string;
  readonly colour: string;
}

/** A line, or a dot where there is one point alone. */
function stretchOf(stretch: readonly Point[], { frame, stroke, colour }: Pen): string {
  const at = stretch.map(({ step, value }) => `${across(step, frame)},${down(value, frame)}`);
  const [x, y] = (at[0] as string).split(",");
  if (at.length === 1) return `<circle cx="${x}" cy="${y}" r="2" fill="${colour}"/>`;
  return `<polyline points="${at.join(" ")}" fill="none" ${stroke} stroke-width="1.5" stroke-linejoin="round"/>`;
}

/** Control characters cannot be in XML at all. */
function escaped(words: string): string {
  const signs: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return words.replace(/\p{Cc}/gu, " ").replace(/[&<>"]/g, (sign) => signs[sign] as string);
}
