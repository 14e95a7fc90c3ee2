/** Parked events: what a handler could not take is set aside with the reason, counted, and shown until it is dealt with. */
import type { TableReader, Transaction } from "../../core/event-store.ts";
import { parkedCountKey, parkedPrefix } from "./generations.ts";

/** An event that its handler could not take; nothing of it is in the rows. */
export interface ParkedEvent {
  readonly position: number;
  readonly type: string;
  readonly stream: string;
  readonly reason: string;
  /** When that was found, ISO 8601. */
  readonly at: string;
}

/** Whose events. */
export interface ParkedAt {
  readonly name: string;
  readonly generation: number;
}

const maxReasonLength = 1_000;

/** Adds events, each for the first time. */
export function writeParked(tx: Transaction, { name, generation }: ParkedAt, events: readonly ParkedEvent[]): void {
  for (const event of events) {
    const reason = event.reason.slice(0, maxReasonLength);
    tx.put("rows", [...parkedPrefix(name, generation), event.position], { ...event, reason });
  }
  tx.put("rows", parkedCountKey(name, generation), readParkedCount(tx, { name, generation }) + events.length);
}

/** How many there are. */
export function readParkedCount(reader: TableReader, { name, generation }: ParkedAt): number {
  return (reader.get("rows", parkedCountKey(name, generation)) as number | undefined) ?? 0;
}
