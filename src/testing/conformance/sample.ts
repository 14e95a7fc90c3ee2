/** What the laws of the conformance suite are written with: a store to try, events to put in, waiting without guessing. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { EventStore, Transaction } from "../../core/event-store.ts";
import type { NewEvent, RecordedEvent } from "../../core/message.ts";

/** One law on trial: an empty store, and how to see what is left of it after a restart (where the store can). */
export interface Trial {
  readonly store: EventStore;
  /** Closes the store and opens it again; undefined for stores that keep nothing. */
  readonly reopen: (() => Promise<EventStore>) | undefined;
}

/** Declares one law. The store is opened for it and closed behind it. */
export type Law = (name: string, check: (trial: Trial) => Promise<void>) => void;

/** A time, in seconds after the first second of 2026. */
export function at(seconds: number): string {
  return new Date(Date.UTC(2026, 0, 1, 0, 0, 0, Math.round(seconds * 1_000))).toISOString();
}

/** An event that needs no more than its stream; the category is what stands before the first hyphen. */
export function sampleEvent(stream: string, fields: Partial<NewEvent> = {}): NewEvent {
  const id = randomUUID();
  return {
    id,
    stream,
    category: stream.slice(0, stream.indexOf("-")),
    type: "Noted",
    schemaVersion: 1,
    data: {},
    occurredAt: at(0),
    recordedAt: at(0),
    metadata: { correlationId: id, causationId: id, commandId: id },
    ...fields,
  };
}

/** Metadata of an event that belongs to a conversation. */
export function correlated(correlationId: string): NewEvent["metadata"] {
  const id = randomUUID();
  return { correlationId, causationId: id, commandId: id };
}

/** Appends and insists that there was no conflict. */
export async function appended(store: EventStore, events: readonly NewEvent[]): Promise<readonly RecordedEvent[]> {
  const result = await store.append(events);
  assert(result.outcome === "appended", `expected no conflict, got ${JSON.stringify(result)}`);
  return result.events;
}

/** The same within a transaction. */
export function appendedIn(tx: Transaction, store: EventStore, events: readonly NewEvent[]): readonly RecordedEvent[] {
  const result = store.append(events, tx);
  assert(result.outcome === "appended", `expected no conflict, got ${JSON.stringify(result)}`);
  return result.events;
}

/** The positions of events, as they come. */
export function positions(events: Iterable<RecordedEvent>): number[] {
  return [...events].map((event) => event.position);
}

/** The versions of events, as they come. */
export function versions(events: Iterable<RecordedEvent>): number[] {
  return [...events].map((event) => event.version);
}

const patienceMs = 10_000;

/** Waits until a condition holds. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + patienceMs;
  while (!holds()) {
    assert(Date.now() < deadline, `waited ${patienceMs} ms in vain until ${what}`);
    await delay(1);
  }
}

/** Numbers from `first` to `last`. */
export function range(first: number, last: number): number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
}
