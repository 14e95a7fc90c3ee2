/**
 * Checks a whole log against the code at hand, before that code is deployed: which streams could not be folded any
 * more, and why. Reads only.
 *
 * It goes through the log in order and, where a stream begins, follows that stream to its end. So it holds one state
 * at a time, however many streams there are, and still finds what is broken in the order of the log.
 */
import type { Break, StreamReader } from "../core/check-history.ts";
import type { RecordedEvent } from "../core/message.ts";
import { sagaCategory } from "../core/saga-events.ts";

/** Some events, and where to go on: null at the end. May be read once, at once. */
export interface Slice {
  readonly events: Iterable<RecordedEvent>;
  readonly next: number | null;
}

/** A log as the check reads it: a store, or the queries of a runtime that serves one. */
export interface LogToCheck {
  /** Events in position order after a position; `next` is a position. */
  events(afterPosition: number): Promise<Slice>;
  /** Events of one stream in version order from a version on; `next` is a version. */
  history(stream: StreamAddress, fromVersion: number): Promise<Slice>;
  /** The event at a position that the log has. */
  eventAt(position: number): Promise<RecordedEvent>;
}

/** Checks a whole stream of another kind than an aggregate's, from what its first event says of it. */
export type StreamChecker = (log: LogToCheck, first: StreamAddress) => Promise<CheckStep>;

/** A stream and its category. */
export type StreamAddress = Pick<RecordedEvent, "stream" | "category">;

/** A stream that would break, and the first event of it that does. */
export interface BrokenStream extends StreamAddress, Break {
  readonly version: number;
  readonly position: number;
  /** Before the event. */
  readonly state: unknown;
  readonly type: string;
  readonly schemaVersion: number;
}

/** One step of a check: so many events more of one stream. */
export interface CheckStep extends StreamAddress {
  readonly events: number;
  /** Absent while the stream goes on. */
  readonly verdict?: "sound" | "broken" | "unchecked";
  /** Of a broken stream. */
  readonly broken?: BrokenStream;
}

/** The code at hand, by category. */
export type StreamReaders = ReadonlyMap<string, StreamReader>;

/** How the streams of a log are checked. */
export interface Checks {
  readonly readers: StreamReaders;
  /** Of saga streams; without one they are passed over. */
  readonly sagas?: StreamChecker;
}

/** Checks stream by stream, in the order in which they began. End it whenever you like: it holds nothing open. */
export async function* checkLog(log: LogToCheck, { readers, sagas }: Checks): AsyncGenerator<CheckStep, void> {
  for (let after: number | null = 0; after !== null; ) {
    const { events, next }: Slice = await log.events(after);
    const beginnings: RecordedEvent[] = [];
    for (const event of events) if (event.version === 1) beginnings.push(withoutData(event));
    for (const first of beginnings) {
      if (first.category === sagaCategory && sagas !== undefined) yield await sagas(log, addressOf(first));
      else yield* checkStream(log, readers.get(first.category), first);
    }
    after = next;
  }
}

function addressOf({ stream, category }: RecordedEvent): StreamAddress {
  return { stream, category };
}

/** Payloads may be large, and a slice has many streams. */
function withoutData(event: RecordedEvent): RecordedEvent {
  return { ...event, data: undefined };
}

async function* checkStream(
  log: LogToCheck,
  reader: StreamReader | undefined,
  first: RecordedEvent,
): AsyncGenerator<CheckStep, void> {
  const { stream, category } = first;
  if (reader === undefined) {
    yield withoutReader(first);
    return;
  }
  let state = reader.initial;
  for (let from: number | null = 1; from !== null; ) {
    const slice: Slice = await log.history(first, from);
    let count = 0;
    for (const event of slice.events) {
      count += 1;
      const checked = reader.read(state, event);
      if (checked.outcome === "breaks") {
        yield {
          stream,
          category,
          events: count,
          verdict: "broken",
          broken: brokenAt(event, reader.show(state), checked),
        };
        return;
      }
      state = checked.state;
    }
    from = slice.next;
    yield { stream, category, events: count, ...(from === null && { verdict: "sound" }) };
  }
}

function withoutReader(first: RecordedEvent): CheckStep {
  const { stream, category } = first;
  if (category === sagaCategory) return { stream, category, events: 0, verdict: "unchecked" };
  const message = `there is no category ${category}`;
  const broken = brokenAt(first, null, { reason: "UNKNOWN_CATEGORY", message, details: {} });
  return { stream, category, events: 1, verdict: "broken", broken };
}

function brokenAt(event: RecordedEvent, state: unknown, { reason, message, details }: Break): BrokenStream {
  const { stream, category, version, position, type, schemaVersion } = event;
  return { stream, category, version, position, state, type, schemaVersion, reason, message, details };
}
