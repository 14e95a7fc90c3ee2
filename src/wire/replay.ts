/**
 * Replaying: a range of the log through a handler, one event after another, as fast as the handler takes them or in the
 * rhythm in which they came. Nothing is remembered: a replay begins anew every time. For pipelines that look back, and for
 * trying a new one on what the old one saw; whoever has to follow the log subscribes.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { RecordedEvent } from "../core/message.ts";
import { isCategory } from "../core/stream.ts";
import type { EventsReply } from "./replies.ts";
import { invalidOption, isEventType, isoOf } from "./subscribe.ts";

/** What to replay, and how. */
export interface ReplayOptions<Category extends string = string, Type extends string = string> {
  /** A position, whose event is the first, or a time (a Date or ISO 8601), from which on. Default: the first event. */
  readonly from?: number | Date | string;
  /** A position, whose event is the last, or a time, before which. Default: where the log ends when the replay begins. */
  readonly to?: number | Date | string;
  /** Only events of these; default: all. */
  readonly categories?: readonly Category[];
  /** Only these; default: all. */
  readonly types?: readonly Type[];
  /**
   * Which times `from`, `to` and `speed` go by: `recordedAt`, or `occurredAt`, which for imported history is the time that
   * tells something. The order is that of the log in any case. Default: "recorded".
   */
  readonly by?: "recorded" | "occurred";
  /**
   * "max": without a pause. A number: so many times as fast as it was, 60 for an hour a minute. An event is then given no
   * earlier than its time from the first event of the replay, divided by this; a handler that was slow catches up, and an
   * event that occurred before the one ahead of it follows at once. Default: "max".
   */
  readonly speed?: "max" | number;
  /** Ends the replay behind the event at hand. */
  readonly signal?: AbortSignal;
  /** Told after every event how far it is. */
  readonly onProgress?: (progress: ReplayProgress) => void;
}

/** How far a replay is. */
export interface ReplayProgress {
  /** Handled so far. */
  readonly events: number;
  /** Of the event handled last. */
  readonly position: number;
  /** The last position that may come. */
  readonly toPosition: number;
}

/** What a replay came to. */
export interface Replayed {
  /** Aborted: by its signal, before its end. */
  readonly outcome: "completed" | "aborted";
  /** That were handled. */
  readonly events: number;
  /** Of the first and the last event that were handled; null where there was none. */
  readonly firstPosition: number | null;
  readonly lastPosition: number | null;
  /** Where the range ends: what a live projection has to be compared as of. */
  readonly toPosition: number;
}

/** Handles one event; the next comes when it has returned or resolved. What it throws ends the replay. */
export type ReplayHandler<Event = RecordedEvent> = (event: Event) => unknown;

/** What a replay needs of its client, and of the time. */
export interface ReplayContext {
  readonly query: <Reply>(name: string, body?: unknown) => Promise<Reply>;
  /** Milliseconds that only go forward. Default: those of the process. */
  readonly now?: () => number;
  /** Waits; rejects when the signal is aborted. */
  readonly sleep?: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
}

const pageLimit = 1_000;

/**
 * Replays.
 * @throws Fault INVALID_QUERY for options that cannot be, BUS_UNAVAILABLE; and what the handler throws.
 */
export async function replay(
  context: ReplayContext,
  options: ReplayOptions,
  handler: ReplayHandler,
): Promise<Replayed> {
  check(options);
  const { signal, onProgress } = options;
  const range = await rangeOf(context, options);
  const { toPosition } = range;
  const pace = paceOf(context, options);
  let [events, firstHandled, lastHandled]: [number, number | null, number | null] = [0, null, null];
  const result = (outcome: Replayed["outcome"]): Replayed => {
    return { outcome, events, firstPosition: firstHandled, lastPosition: lastHandled, toPosition };
  };
  for await (const event of eventsIn(context, options, range)) {
    if (signal?.aborted === true || !(await pace(event))) return result("aborted");
    await handler(event);
    const { position } = event;
    events += 1;
    firstHandled ??= position;
    lastHandled = position;
    onProgress?.({ events, position, toPosition });
  }
  return result("completed");
}

/** In the order of the log, page by page. A page is asked for when the one before it is handled. */
async function* eventsIn(
  { query }: ReplayContext,
  { categories = [], types = [] }: ReplayOptions,
  { fromPosition, toPosition, occurred }: Range,
): AsyncGenerator<RecordedEvent> {
  const filter = { ...(categories.length > 0 && { categories }), ...(types.length > 0 && { types }), ...occurred };
  for (let after: number | null = fromPosition - 1; after !== null && after < toPosition; ) {
    const limit = Math.min(pageLimit, toPosition - after);
    const page: EventsReply = await query("events", { ...filter, afterPosition: after, limit });
    for (const event of page.events) {
      if (event.position > toPosition) return;
      yield event;
    }
    after = page.next;
  }
}

/** Both positions inclusive. */
interface Range {
  readonly fromPosition: number;
  readonly toPosition: number;
  /** What else an event has to fit: the log is not in the order of `occurredAt`. */
  readonly occurred: object;
}

async function rangeOf({ query }: ReplayContext, { from, to, by = "recorded" }: ReplayOptions): Promise<Range> {
  const end = (await query<{ readonly position: number }>("health")).position;
  /** The first event recorded then or later; behind the log where there is none. */
  const positionAt = async (since: string): Promise<number> => {
    const { events } = await query<EventsReply>("events", { since, limit: 1 });
    return Math.min(events[0]?.position ?? end + 1, end + 1);
  };
  const [since, until] = [timeOf(from, "from"), timeOf(to, "to")];
  if (by === "occurred") {
    const times = { ...(since !== undefined && { since }), ...(until !== undefined && { until }), by };
    const occurred = since === undefined && until === undefined ? {} : times;
    return { fromPosition: positionOf(from, "from", end) ?? 1, toPosition: positionOf(to, "to", end) ?? end, occurred };
  }
  return {
    fromPosition: since === undefined ? (positionOf(from, "from", end) ?? 1) : await positionAt(since),
    toPosition: until === undefined ? (positionOf(to, "to", end) ?? end) : (await positionAt(until)) - 1,
    occurred: {},
  };
}

/** Waits until an event is due. False when the signal came before. */
function paceOf(context: ReplayContext, { speed = "max", by = "recorded", signal }: ReplayOptions) {
  if (speed === "max") return async (): Promise<boolean> => true;
  const { now = () => performance.now(), sleep = sleepFor } = context;
  let start: { readonly atMs: number; readonly eventMs: number } | undefined;
  return async ({ recordedAt, occurredAt }: RecordedEvent): Promise<boolean> => {
    const eventMs = Date.parse(by === "recorded" ? recordedAt : occurredAt);
    start ??= { atMs: now(), eventMs };
    const dueAtMs = start.atMs + (eventMs - start.eventMs) / speed;
    for (let leftMs = dueAtMs - now(); leftMs > 0; leftMs = dueAtMs - now()) {
      await sleep(Math.min(leftMs, maxTimerMs), signal).catch((error: unknown) => {
        if (signal?.aborted !== true) throw error;
      });
      if (signal?.aborted === true) return false;
    }
    return true;
  };
}

/** What Node's timers can wait. */
const maxTimerMs = 2 ** 31 - 1;

async function sleepFor(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await delay(ms, undefined, signal === undefined ? {} : { signal });
}

function timeOf(end: number | Date | string | undefined, path: string): string | undefined {
  if (typeof end === "number") return undefined;
  return end instanceof Date ? isoOf(end, path) : end;
}

/** Behind the last event a replay may begin, and has nothing to do. */
function positionOf(given: unknown, path: "from" | "to", end: number): number | undefined {
  if (typeof given !== "number") return undefined;
  if (given <= end + (path === "from" ? 1 : 0)) return given;
  throw invalidOption(path, `position ${given} is beyond the log, which ends at ${end}`);
}

function check({ from, to, categories = [], types = [], by, speed = "max" }: ReplayOptions): void {
  const demand = (isRight: boolean, path: string, message: string): void => {
    if (!isRight) throw invalidOption(path, message);
  };
  const isPosition = (end: unknown): boolean => typeof end !== "number" || (Number.isSafeInteger(end) && end >= 1);
  demand(isPosition(from), "from", "a position is an integer from 1");
  demand(isPosition(to), "to", "a position is an integer from 1");
  demand(categories.every(isCategory), "categories", "each is kebab-case, like training-run");
  demand(types.every(isEventType), "types", "each is the name of an event, like TrainingStarted");
  demand(by === undefined || by === "recorded" || by === "occurred", "by", '"recorded" or "occurred"');
  demand(speed === "max" || (Number.isFinite(speed) && speed > 0), "speed", '"max" or a number above 0');
}
