/** The pictures of curves: what is kept of many points, gaps, axes, and an SVG that is well-formed. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Point } from "../../actors/verbs/run/curves.ts";
import { svgChart } from "../../actors/verbs/run/svg-chart.ts";
import { terminalChart } from "../../actors/verbs/run/terminal-chart.ts";
import { columnOf, smoothed, thinned, valueRange } from "../../actors/verbs/run/thinning.ts";
import { ticks } from "../../actors/verbs/run/ticks.ts";

const points = (...values: readonly number[]): Point[] => values.map((value, step) => ({ step, value }));

describe("thinning", () => {
  const values = fc.array(fc.oneof(fc.double({ min: -5, max: 5, noNaN: true }), fc.constant(Number.NaN)), {
    minLength: 1,
    maxLength: 400,
  });

  test("keeps the extremes of every column and at most five points of it, in order", () => {
    fc.assert(
      fc.property(values, fc.integer({ min: 1, max: 50 }), (all, columns) => {
        const range = { from: 0, to: all.length - 1 };
        const kept = thinned(points(...all), range, columns);
        expect(kept.length).toBeLessThanOrEqual(5 * columns);
        expect(kept.map(({ step }) => step)).toEqual([...new Set(kept.map(({ step }) => step))].sort((a, b) => a - b));
        expect(valueRange([kept])).toEqual(valueRange([points(...all)]));
        const columnsWithGap = (list: readonly Point[]) =>
          new Set(list.flatMap(({ step, value }) => (Number.isNaN(value) ? [columnOf(step, range, columns)] : [])));
        expect(columnsWithGap(kept)).toEqual(columnsWithGap(points(...all)));
      }),
    );
  });

  test("smoothing is a mean of the last values that begins anew behind a gap", () => {
    const curve = smoothed(points(1, 3, 5, Number.NaN, 10, 20), 2);
    expect(curve.map(({ value }) => value)).toEqual([1, 2, 4, Number.NaN, 10, 15]);
  });
});

test.each<[number, number, string[]]>([
  [0, 10, ["0", "2", "4", "6", "8", "10"]],
  [3.271, 3.2898, ["3.275", "3.280", "3.285"]],
  [-1, 1, ["-1.0", "-0.5", "0.0", "0.5", "1.0"]],
])("ticks from %d to %d are round", (from, to, labels) => {
  expect(ticks({ from, to }, 6).map(({ label }) => label)).toEqual(labels);
});

test("ticks lie inside the range, few of them, whatever it is", () => {
  const finite = fc.double({ min: -1e12, max: 1e12, noNaN: true });
  fc.assert(
    fc.property(finite, fc.double({ min: 1e-3, max: 1e12, noNaN: true }), (from, length) => {
      fc.pre(length > Math.abs(from) / 1e6);
      const to = from + length;
      const found = ticks({ from, to }, 7);
      expect(found.length).toBeLessThanOrEqual(8);
      for (const { value } of found) expect(Math.abs(value - (from + to) / 2)).toBeLessThanOrEqual(length * 0.51);
    }),
  );
});

describe("the SVG", () => {
  const texts = { title: 'a "loss" <by> step & more\u0007', axis: "loss" };

  test("escapes names, draws a line for each stretch, a dot for a point alone, and a line of legend for each run", () => {
    const svg = svgChart(
      [
        { name: "a&b", points: points(1, 2, Number.NaN, 3, Number.POSITIVE_INFINITY, 4, 5) },
        { name: "c", points: points(2, 2, 2) },
      ],
      texts,
    );
    expect(svg.match(/<polyline /g)).toHaveLength(3);
    expect(svg.match(/<circle /g)).toHaveLength(1);
    expect(svg).toContain("a &quot;loss&quot; &lt;by&gt; step &amp; more ");
    expect(svg).toContain(">a&amp;b</text>");
    expect(svg).not.toMatch(/NaN|Infinity/);
    expect(new Set(svg.match(/stroke="#(?!e0e0e0|404040)[0-9a-f]{6}"/g)).size).toBe(2);
  });

  test("has a picture of nothing, of one point, and of equal values", () => {
    for (const curve of [points(), points(Number.NaN), points(5), points(0, 0)]) {
      expect(svgChart([{ name: "r", points: curve }], texts)).not.toMatch(/NaN|Infinity/);
    }
  });

  test("does not grow with the run", () => {
    const long = Array.from({ length: 100_000 }, (_, step) => ({ step, value: Math.sin(step) }));
    expect(svgChart([{ name: "long", points: long }], texts).length).toBeLessThan(100_000);
  });
});

describe("the terminal", () => {
  const rowsOf = (values: readonly number[], width = 32) =>
    terminalChart([{ name: "r", points: points(...values) }], "loss", width)
      .split("\n")
      .slice(1);

  test("shows the highest value on top, the lowest at the bottom, the steps and the name below", () => {
    const rows = rowsOf([4, 3, 2, 1]);
    expect(rows[0]).toMatch(/^ +4 ┤.*[─╮]/);
    expect(rows.at(-4)).toMatch(/^ +1 ┤ +.*─/);
    expect(rows.at(-2)).toMatch(/^ +0 +step 3$/);
    expect(rows.at(-1)).toContain("── r");
  });

  test("gives each curve another stroke where there are no colours", () => {
    const curves = [1, 2, 3, 4, 5].map((top) => ({ name: `r${top}`, points: points(top, 0, top) }));
    const lines = terminalChart(curves, "loss", 60).split("\n");
    expect(lines.slice(-5).map((line) => line.trim())).toEqual(["── r1", "══ r2", "━━ r3", "** r4", "++ r5"]);
    for (const sign of ["─", "╗", "━", "*", "+"]) expect(lines.slice(1, -7).join("")).toContain(sign);
  });

  test("shows both of two curves that are the same", () => {
    const curves = ["a", "b"].map((name) => ({ name, points: points(1, 1) }));
    const rows = terminalChart(curves, "loss", 40).split("\n");
    expect(rows.find((row) => row.includes("═"))).toMatch(/─═+─+═/);
  });

  test("leaves what diverged empty", () => {
    const flat = rowsOf([...Array(20).fill(1), ...Array(20).fill(Number.NaN), ...Array(20).fill(1)]);
    expect(flat.some((row) => /─ {5,}─/.test(row))).toBe(true);
    expect(rowsOf([Number.NaN])).toEqual([]);
    expect(terminalChart([{ name: "r", points: points(Number.NaN) }], "loss", 40)).toBe("loss: no finite value");
  });
});
