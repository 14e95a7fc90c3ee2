/**
 * Which events of a subscription are dead letters, as its running process knows it: what it may not take up, what it has
 * to deliver again, and which streams wait. In memory only; the letters themselves are on the broker.
 */
import type { DeadLetterMark, DeadLetterState } from "./dead-letters.ts";

/** What becomes of the later events of a stream that has a dead letter. */
export type AfterPark = "continue" | "wait";

/** Grows with the dead letters of the subscription, by some hundred bytes each. */
export class Parked {
  readonly #afterPark: AfterPark;
  readonly #streamOf = new Map<number, string>();
  /** By stream, and there by position, ascending. */
  readonly #letters = new Map<string, Map<number, DeadLetterState>>();

  constructor(afterPark: AfterPark) {
    this.#afterPark = afterPark;
  }

  get count(): number {
    return this.#streamOf.size;
  }

  get streams(): Iterable<string> {
    return this.#letters.keys();
  }

  /** Forgets what it knew for what is on the broker; `marks` in order of position. */
  replaceAll(marks: readonly DeadLetterMark[]): void {
    this.#streamOf.clear();
    this.#letters.clear();
    for (const mark of marks) this.set(mark);
  }

  /** Notes a letter. One that is new stands behind those of its stream. */
  set({ position, stream, state }: DeadLetterMark): void {
    this.#streamOf.set(position, stream);
    const letters = this.#letters.get(stream) ?? new Map<number, DeadLetterState>();
    this.#letters.set(stream, letters.set(position, state));
  }

  delete(position: number): void {
    const stream = this.#streamOf.get(position);
    if (stream === undefined) return;
    this.#streamOf.delete(position);
    const letters = this.#letters.get(stream);
    letters?.delete(position);
    if (letters?.size === 0) this.#letters.delete(stream);
  }

  has(position: number): boolean {
    return this.#streamOf.has(position);
  }

  /** Whether an event has to wait for a letter of its stream. One that comes again from before the letter does not. */
  isHeldUp(stream: string, position: number): boolean {
    const [oldest] = this.#letters.get(stream)?.keys() ?? [];
    return this.#afterPark === "wait" && oldest !== undefined && oldest < position;
  }

  /** The next letter of a stream to deliver: where streams wait only their oldest, else the oldest that may be. */
  due(stream: string): number | undefined {
    for (const [position, state] of this.#letters.get(stream) ?? []) {
      if (state !== "parked") return position;
      if (this.#afterPark === "wait") return undefined;
    }
    return undefined;
  }
}
