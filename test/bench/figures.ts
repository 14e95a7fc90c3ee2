/** What the benchmark measures with: percentiles, medians with their spread, and figures that carry a name and a unit. */

/** The parts of one run; what each measures is in README.md. */
export const parts = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] as const;
export type Part = (typeof parts)[number];

/** One number of the report. */
export interface Figure {
  /** Dotted and stable, for programs: `command.512.rate`. */
  readonly id: string;
  readonly part: Part;
  /** For people. */
  readonly text: string;
  readonly value: number;
  readonly unit: string;
  /** The lowest and the highest of the rounds whose median `value` is. */
  readonly low?: number;
  readonly high?: number;
}

/** The median of several rounds, with the lowest and the highest. */
export interface Spread {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** The smallest value that at least `fraction` (0 to 1) of the values do not exceed: nearest rank. @throws Error on no values. */
export function percentile(values: readonly number[], fraction: number): number {
  if (values.length === 0) throw new Error("there are no values");
  const sorted = Float64Array.from(values).sort();
  const rank = Math.max(1, Math.ceil(fraction * sorted.length));
  return sorted[rank - 1] as number;
}

/** The middle value, or the mean of the two in the middle. @throws Error on no values. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error("there are no values");
  const sorted = Float64Array.from(values).sort();
  const half = sorted.length >> 1;
  const upper = sorted[half] as number;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[half - 1] as number)) / 2;
}

/** Median and spread of rounds. @throws Error on no values. */
export function spread(values: readonly number[]): Spread {
  return { value: median(values), low: Math.min(...values), high: Math.max(...values) };
}
