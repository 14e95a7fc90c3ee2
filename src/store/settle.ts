/** What becomes of an append, before anything is written: the same rules for every store. */
import type { AppendResult, Head } from "../core/event-store.ts";
import type { NewEvent, RecordedEvent } from "../core/message.ts";
import type { LinkedEvent } from "./record.ts";

/** What a store knows of its log. */
export interface LogEnd {
  readonly position: number;
  /** Of the last event; empty for an empty log. */
  readonly recordedAt: string;
  readonly head: (stream: string) => Head;
}

/** Events with their versions, positions and times, and the heads after them; or the conflict that stops them all. */
export type Settled =
  | {
      readonly outcome: "settled";
      readonly events: readonly LinkedEvent[];
      readonly heads: ReadonlyMap<string, Head>;
      readonly recordedAt: string;
    }
  | Extract<AppendResult, { outcome: "conflict" }>;

/** Gives each event the next version of its stream, the next position, and a time that is not before the last one. */
export function settle(news: readonly NewEvent[], end: LogEnd): Settled {
  const heads = new Map<string, Head>();
  const events: LinkedEvent[] = [];
  let { position, recordedAt } = end;
  for (const event of news) {
    const head = heads.get(event.stream) ?? end.head(event.stream);
    const version = event.version ?? head.version + 1;
    if (version !== head.version + 1) {
      return { outcome: "conflict", stream: event.stream, expected: version - 1, actual: head.version };
    }
    position += 1;
    if (event.recordedAt > recordedAt) recordedAt = event.recordedAt;
    heads.set(event.stream, { version, position });
    events.push({ event: recorded(event, version, position, recordedAt), previous: head.position });
  }
  return { outcome: "settled", events, heads, recordedAt };
}

/** Written out, because spreading costs more than all the rest of an append. */
function recorded(event: NewEvent, version: number, position: number, recordedAt: string): RecordedEvent {
  const { id, stream, category, type, schemaVersion, data, occurredAt, metadata } = event;
  return { id, position, stream, category, version, type, schemaVersion, data, occurredAt, recordedAt, metadata };
}
