/** Parked events: what a handler could not take is set aside with the reason, counted, and shown until it is dealt with. */
import type { Key, TableReader, Transaction } from "../../core/event-store.ts";
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
export function writeParked(tx: Transaction, at: ParkedAt, events: readonly ParkedEvent[]): void {
  for (const event of events) tx.put("rows", keyOf(at, event.position), withShortReason(event));
  writeCount(tx, at, readParkedCount(tx, at) + events.length);
}

/** Puts a newer reason for one that is there. */
export function writeReason(
  tx: Transaction,
  where: ParkedAt,
  { position, reason, at }: Pick<ParkedEvent, "position" | "reason" | "at">,
): void {
  const parked = readParked(tx, where, position);
  if (parked !== undefined) tx.put("rows", keyOf(where, position), withShortReason({ ...parked, reason, at }));
}

/** Takes one out. Returns whether it was there. */
export function removeParked(tx: Transaction, at: ParkedAt, position: number): boolean {
  if (readParked(tx, at, position) === undefined) return false;
  tx.delete("rows", keyOf(at, position));
  writeCount(tx, at, readParkedCount(tx, at) - 1);
  return true;
}

/** The one at a position. */
export function readParked(reader: TableReader, at: ParkedAt, position: number): ParkedEvent | undefined {
  return reader.get("rows", keyOf(at, position)) as ParkedEvent | undefined;
}

/** In the order of their positions. */
export function* listParked(reader: TableReader, at: ParkedAt, afterPosition: number): Iterable<ParkedEvent> {
  const prefix = parkedPrefix(at.name, at.generation);
  for (const { value } of reader.scan("rows", { prefix, after: [...prefix, afterPosition] }))
    yield value as ParkedEvent;
}

/** How many there are. */
export function readParkedCount(reader: TableReader, { name, generation }: ParkedAt): number {
  return (reader.get("rows", parkedCountKey(name, generation)) as number | undefined) ?? 0;
}

function writeCount(tx: Transaction, { name, generation }: ParkedAt, count: number): void {
  tx.put("rows", parkedCountKey(name, generation), count);
}

function keyOf({ name, generation }: ParkedAt, position: number): Key {
  return [...parkedPrefix(name, generation), position];
}

function withShortReason(event: ParkedEvent): ParkedEvent {
  return { ...event, reason: event.reason.slice(0, maxReasonLength) };
}
