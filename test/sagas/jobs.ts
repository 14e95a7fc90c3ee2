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
export function assertJobsDone(events: readonly RecordedEvent[], jobs: readonly Job[]): void {
  const streams = new Map<string, RecordedEvent[]>();
  for (const event of events) {
    const stream = streams.get(event.stream) ?? [];
    stream.push(event);
    streams.set(event.stream, stream);
  }
  for (const { id, steps } of jobs) {
    const history = streams.get(`job-${id}`)?.filter(({ type }) => type !== "JobRepaired") ?? [];
    const stepped = Array.from({ length: steps }, (_, i) => `JobStepped ${i + 1}`);
    const told = history.map(({ type, data }) =>
      type === "JobStepped" ? `${type} ${(data as { number: number }).number}` : type,
    );
    assert.deepEqual(told, ["JobBegun", ...stepped, "JobFinished"], `job ${id}`);
    const story = streams.get(`saga-worker-${id}`) ?? [];
    const fired = story.filter(({ type }) => type === "SagaTimerFired");
    assert.equal(fired.length, 1, `the timer of job ${id} fires once`);
    assert.equal(story.filter(({ type }) => type === "SagaEnded").length, 1, `the saga of job ${id} ends once`);
    assert.equal(story.at(-1)?.type, "SagaEnded");
  }
}

/** By how many milliseconds each timer was late. */
export function lateness(events: readonly RecordedEvent[]): { readonly dueMs: number; readonly lateMs: number }[] {
  const fired = events.filter(({ type }) => type === "SagaTimerFired") as RecordedEvent<
    string,
    SagaEvents["SagaTimerFired"]
  >[];
  return fired.map(({ data, recordedAt }) => {
    const dueMs = Date.parse(data.dueAt);
    return { dueMs, lateMs: Date.parse(recordedAt) - dueMs };
  });
}
