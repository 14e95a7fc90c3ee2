/**
 * The last events of the log, as objects: those who follow the log closely (the relay, projections, sagas) need not
 * decode again what this process has just encoded.
 */
import type { RecordedEvent } from "../core/message.ts";
import type { LinkedEvent } from "./record.ts";

/** More would outlive the young generation of the garbage collector, for nothing: the relay is hardly ever further behind. */
const maxEvents = 2_048;
const maxBytes = 32 * 1024 * 1024;

/** An event with the size of its record. */
export interface RecentEvent extends LinkedEvent {
  readonly bytes: number;
}

/** A bounded, gapless tail of the log. Everything in it is durable. */
export class RecentEvents {
  #entries: RecentEvent[] = [];
  #bytes = 0;

  add(entries: readonly RecentEvent[]): void {
    const first = entries[0]?.event.position;
    const last = this.#entries.at(-1)?.event.position;
    // Another process appended in between: what is here is no longer the tail.
    if (last !== undefined && first !== last + 1) this.#clear();
    for (const entry of entries) {
      this.#entries.push(entry);
      this.#bytes += entry.bytes;
    }
    if (this.#entries.length > 2 * maxEvents || this.#bytes > maxBytes) this.#trim();
  }

  #clear(): void {
    this.#entries = [];
    this.#bytes = 0;
  }

  #trim(): void {
    this.#entries = this.#bytes > maxBytes ? [] : this.#entries.slice(-maxEvents);
    this.#bytes = this.#entries.reduce((sum, entry) => sum + entry.bytes, 0);
  }

  /** The event at a position, where it is still here. */
  get(position: number): LinkedEvent | undefined {
    const first = this.#entries[0]?.event.position;
    return first === undefined ? undefined : this.#entries[position - first];
  }

  /** Up to `limit` events after a position, or undefined when they begin before this tail or lie beyond it. */
  after(position: number, limit: number): readonly RecordedEvent[] | undefined {
    const first = this.#entries[0]?.event.position;
    if (first === undefined || position + 1 < first) return undefined;
    const from = position + 1 - first;
    if (from >= this.#entries.length) return undefined;
    return this.#entries.slice(from, from + limit).map((entry) => entry.event);
  }
}
