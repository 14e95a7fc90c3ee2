/** Round numbers along an axis. Pure. */
import type { Range } from "./thinning.ts";

/** A number on an axis, and how it is written. */
export interface Tick {
  readonly value: number;
  readonly label: string;
}

/** At most `count` multiples of 1, 2 or 5 times a power of ten inside the range; only integers where `isWhole`. */
export function ticks({ from, to }: Range, count: number, isWhole = false): Tick[] {
  if (from === to) return [{ value: from, label: String(from) }];
  const rough = (to - from) / Math.max(1, count - 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const fitting = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999_999) ?? power * 10;
  const size = isWhole ? Math.max(1, fitting) : fitting;
  const decimals = Math.max(0, -Math.floor(Math.log10(size) + 1e-9));
  const first = Math.ceil(from / size - 1e-9);
  const last = Math.floor(to / size + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => {
    const value = (first + i) * size;
    return { value, label: labelOf(value, decimals) };
  });
}

function labelOf(value: number, decimals: number): string {
  const isShort = Math.abs(value) < 1e7 && decimals <= 6;
  return isShort ? value.toFixed(decimals) : value.toExponential(2);
}
