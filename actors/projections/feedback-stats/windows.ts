/** Windows of time, and the keys of their rows: `modelId/version/window/start`, and `/tag` for what one tag has of it. */
import { segment } from "../../key-segment.ts";

const minuteMs = 60_000;

const sizesMs = { "5m": 5 * minuteMs, "1h": 60 * minuteMs, "1d": 24 * 60 * minuteMs } as const;

/** By length. Each begins at a multiple of its length, in UTC. */
export type WindowSize = keyof typeof sizesMs;

/** All of them, the shortest first. */
export const windowSizes = Object.keys(sizesMs) as readonly WindowSize[];

/** Where the window begins that a time lies in. Both are ISO 8601 in UTC, as all times of events are. */
export function startOf(size: WindowSize, at: string): string {
  if (size === "1d") return `${at.slice(0, 10)}T00:00:00.000Z`;
  if (size === "1h") return `${at.slice(0, 13)}:00:00.000Z`;
  const minute = Number(at.slice(14, 16));
  return `${at.slice(0, 14)}${String(minute - (minute % 5)).padStart(2, "0")}:00.000Z`;
}

/** Where the window ends that begins there, and the next one begins. */
export function endOf(size: WindowSize, start: string): string {
  return new Date(Date.parse(start) + sizesMs[size]).toISOString();
}

/** What a window is of. Signals of which no version is known have windows of their own. */
export interface WindowOf {
  readonly modelId: string;
  readonly modelVersion?: string | undefined;
  readonly size: WindowSize;
  readonly start: string;
  readonly tag?: string | undefined;
}

/** The key of a row. Names are as they are, but for `/` and `%`; long ones are cut, with a digest. */
export function windowKey({ modelId, modelVersion = "", size, start, tag }: WindowOf): string {
  const key = `${segment(modelId)}/${segment(modelVersion)}/${size}/${start}`;
  return tag === undefined ? key : `${key}/${segment(tag)}`;
}
