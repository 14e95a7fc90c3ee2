/** What an instance has to do, in the order in which it is done: the effects of a step before what comes back from them, both before the outside. */
import type { RecordedEvent } from "../../core/message.ts";
import type { Answer, Question, RejectedCommand, SagaCommand } from "../../core/saga.ts";
import type { TimerEvent } from "../../core/saga-chart.ts";

/** One thing to do. Plain data: what waits behind something stuck is stored. */
export type Work =
  | {
      readonly kind: "command";
      readonly commandId: string;
      readonly command: SagaCommand;
      readonly causationId: string;
    }
  | { readonly kind: "ask"; readonly question: Question; readonly causationId: string }
  | {
      readonly kind: "rejected";
      readonly commandId: string;
      readonly data: RejectedCommand;
      readonly causationId: string;
    }
  | { readonly kind: "answered"; readonly data: Answer; readonly causationId: string }
  | { readonly kind: "timer"; readonly id: string; readonly dueMs: number; readonly event: TimerEvent }
  | { readonly kind: "event"; readonly position: number };

const rank: Readonly<Record<Work["kind"], number>> = {
  command: 0,
  ask: 0,
  rejected: 1,
  answered: 1,
  timer: 2,
  event: 2,
};

/** Work in order of its rank; within a rank, first come, first served. */
export class WorkQueue {
  #items: Work[];

  constructor(items: readonly Work[] = []) {
    this.#items = [...items];
  }

  get items(): readonly Work[] {
    return this.#items;
  }

  get first(): Work | undefined {
    return this.#items[0];
  }

  add(work: Work): void {
    const behind = this.#items.findIndex(({ kind }) => rank[kind] > rank[work.kind]);
    this.#items.splice(behind < 0 ? this.#items.length : behind, 0, work);
  }

  removeFirst(): void {
    this.#items.shift();
  }

  /** A timer that was taken back, or set again, does not fire although it was due. */
  removeTimer(timer: string): void {
    this.#items = this.#items.filter((work) => work.kind !== "timer" || work.id !== timer);
  }

  /** Whether effects are left to do. */
  get hasEffects(): boolean {
    const { first } = this;
    return first !== undefined && rank[first.kind] === 0;
  }
}

/** What it is about, in words. */
export function workText(work: Work): string {
  if (work.kind === "command") return `the command ${work.command.type} to ${work.command.category}-${work.command.id}`;
  if (work.kind === "ask") return `the question to ${work.question.projection}`;
  if (work.kind === "rejected") return `the rejection of ${work.data.command.type}`;
  if (work.kind === "answered") return `the answer of ${work.data.question.projection}`;
  return work.kind === "timer" ? `the timer ${work.id}` : `the event at position ${work.position}`;
}

/** Reads events by position; what is at hand need not be read again. */
export type EventReader = (position: number) => RecordedEvent;
