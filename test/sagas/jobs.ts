/** Jobs for sagas in real processes: where their actors are, and what their log must say when all is done. Free of vitest. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { RecordedEvent } from "retrace";
import type { SagaEvents } from "../../src/core/saga-events.ts";

/** For `--actors`: the aggregate `job` and the saga `worker`. */
export const jobActors = fileURLToPath(new URL("./actors", import.meta.url));

/** A job as a client begins it. */
export interface Job {
  readonly id: string;
  readonly steps: number;
  readonly dueAt: string;
  readonly isFragile?: boolean;
}

/** The command, under an id with which it may be sent again. */
export function beginning({ id, steps, dueAt, isFragile = false }: Job) {
  return {
    category: "job",
    id,
    command: { type: "Begin", data: { steps, dueAt, isFragile } },
    options: { commandId: `begin ${id}` },
  } as const;
}

/** Each job was begun, taken through its steps in order, and finished, once; its saga fired one timer and ended. */
export function assertJobsDone(events: Iterable<RecordedEvent>, jobs: readonly Job[]): void {
  const told = new Map<string, string[]>();
  for (const { stream, type, data } of events) {
    const history = told.get(stream) ?? [];
    told.set(stream, history);
    history.push(type === "JobStepped" ? `${type} ${(data as { number: number }).number}` : type);
  }
  for (const { id, steps } of jobs) {
    const history = told.get(`job-${id}`)?.filter((type) => type !== "JobRepaired");
    const stepped = Array.from({ length: steps }, (_, i) => `JobStepped ${i + 1}`);
    assert.deepEqual(history, ["JobBegun", ...stepped, "JobFinished"], `job ${id}`);
    const story = told.get(`saga-worker-${id}`) ?? [];
    const count = (wanted: string): number => story.filter((type) => type === wanted).length;
    assert.equal(count("SagaTimerFired"), 1, `the timer of job ${id} fires once`);
    assert.equal(count("SagaEnded"), 1, `the saga of job ${id} ends once`);
    assert.equal(story.at(-1), "SagaEnded");
  }
}

/** When a timer was due, and by how much it was late. */
export interface Fired {
  readonly dueMs: number;
  readonly lateMs: number;
}

/** Of all timers that have fired. */
export function firedTimers(events: Iterable<RecordedEvent>): Fired[] {
  const fired: Fired[] = [];
  for (const { type, data, recordedAt } of events) {
    if (type !== "SagaTimerFired") continue;
    const dueMs = Date.parse((data as SagaEvents["SagaTimerFired"]).dueAt);
    fired.push({ dueMs, lateMs: Date.parse(recordedAt) - dueMs });
  }
  return fired;
}
