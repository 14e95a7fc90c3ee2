/** Curves as far as they can be seen: smoothed, and no more points than the picture has columns for. Pure. */
import type { Point } from "./curves.ts";

/** From the lowest to the highest, both inclusive. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** The mean of the last `count` values at each point. What diverged stays, and the next value begins anew. */
export function smoothed(points: readonly Point[], count: number): readonly Point[] {
  if (count <= 1) return points;
  let window: number[] = [];
  return points.map(({ step, value }) => {
    if (!Number.isFinite(value)) {
      window = [];
      return { step, value };
    }
    window.push(value);
    if (window.length > count) window.shift();
    return { step, value: window.reduce((sum, one) => sum + one, 0) / window.length };
  });
}

/** The steps of several curves. Undefined when there are none. */
export function stepRange(curves: readonly (readonly Point[])[]): Range | undefined {
  const ends = curves.flatMap((points) => [points[0], points.at(-1)].flatMap((point) => point?.step ?? []));
  return ends.length === 0 ? undefined : { from: Math.min(...ends), to: Math.max(...ends) };
}

/** Their finite values, made wider where all are the same. Undefined when there are none. */
export function valueRange(curves: readonly (readonly Point[])[]): Range | undefined {
  let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { value } of curves.flat()) {
    if (!Number.isFinite(value)) continue;
    from = Math.min(from, value);
    to = Math.max(to, value);
  }
  if (from > to) return undefined;
  const room = from === to ? Math.abs(from) / 10 || 1 : 0;
  return { from: from - room, to: to + room };
}

/** In which of `columns` columns a step is drawn, from 0. */
export function columnOf(step: number, { from, to }: Range, columns: number): number {
  return from === to ? 0 : Math.round(((step - from) / (to - from)) * (columns - 1));
}

/**
 * The first, lowest, highest and last point of each column, so that the line looks as it would with all of them, and one
 * that diverged where any did.
 */
export function thinned(points: readonly Point[], range: Range, columns: number): Point[] {
  const result: Point[] = [];
  for (let begin = 0; begin < points.length; ) {
    const column = columnOf((points[begin] as Point).step, range, columns);
    let end = begin + 1;
    while (end < points.length && columnOf((points[end] as Point).step, range, columns) === column) end += 1;
    result.push(...extremes(points.slice(begin, end)));
    begin = end;
  }
  return result;
}

function extremes(points: readonly Point[]): Point[] {
  const finite = points.filter(({ value }) => Number.isFinite(value));
  const diverged = points.find(({ value }) => !Number.isFinite(value));
  const kept = new Set([finite[0], finite.at(-1), diverged]);
  kept.add(finite.reduce<Point | undefined>((a, b) => (a === undefined || b.value < a.value ? b : a), undefined));
  kept.add(finite.reduce<Point | undefined>((a, b) => (a === undefined || b.value > a.value ? b : a), undefined));
  kept.delete(undefined);
  return ([...kept] as Point[]).sort((a, b) => a.step - b.step);
}

/** The stretches of a curve between what diverged. */
export function stretches(points: readonly Point[]): Point[][] {
  const result: Point[][] = [[]];
  for (const point of points) {
    if (Number.isFinite(point.value)) result.at(-1)?.push(point);
    else result.push([]);
  }
  return result.filter((stretch) => stretch.length > 0);
}
