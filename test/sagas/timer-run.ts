/**
 * Many pending timers in a real process, due one after the other, the process killed in the middle: all fire, once, and
 * how late they are is measured from what is recorded. Free of vitest: `npm run torture` uses it too.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Client, connect } from "retrace";
import { openLmdbStore } from "../../src/store/lmdb.ts";
import { cpuBetween, cpuMs } from "../bench/cpu.ts";
import { percentile } from "../bench/figures.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import type { RawHealth } from "../support/raw-client.ts";
import { embeddedBrokerEnded, type RuntimeProcess, spawnRuntime } from "../support/runtime-process.ts";
import { assertJobsDone, beginning, type Fired, firedTimers, type Job, jobActors } from "./jobs.ts";
import { assertAllEnded } from "./saga-laws.ts";

/** How many timers, and within which time they fall due. */
export interface TimerRunOptions {
  /** Empty; belongs to the run. */
  readonly folder: string;
  readonly count: number;
  readonly overMs: number;
  /** From the first command to the first timer: all have to be set by then. Default: 10 s and 2 ms for each timer. */
  readonly leadMs?: number;
  readonly onProgress?: (line: string) => void;
}

/** What was measured. */
export interface TimerReport {
  readonly count: number;
  /** Sagas started, and timers set, per second. */
  readonly setPerSecond: number;
  /** Of timers that fell due before SIGKILL, or after the next process had caught up. */
  readonly late: { readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number };
  /** CPU time of the runtime for a timer with all that comes of it, before SIGKILL; on Linux. */
  readonly cpuUs: number | undefined;
  /** From SIGKILL to the ready line of the next process. */
  readonly downMs: number;
  /** Timers that fell due meanwhile. */
  readonly dueWhileDown: number;
  /** From the ready line to the last of them. */
  readonly caughtUpMs: number;
}

const patienceMs = 600_000;
/** The job's JobBegun, and two events of its saga. */
const eventsWhenSet = 3;
/** With these: SagaTimerFired, JobFinished, SagaAdvanced, SagaEnded. */
const eventsWhenDone = 7;

/** @throws AssertionError when a timer is lost, or fires twice. */
export async function timerRun(options: TimerRunOptions): Promise<TimerReport> {
  const { folder, count, overMs, leadMs = 10_000 + 2 * count, onProgress = () => {} } = options;
  const port = await freePort();
  const start = (): RuntimeProcess =>
    spawnRuntime({ dataDir: folder, port, args: ["--actors", jobActors, "--log-level", "warn"] });
  let runtime = start();
  let client: Client | undefined;
  try {
    const { nats } = await runtime.ready;
    client = await connect({ servers: nats });
    const beganAt = Date.now();
    const firstDueAt = beganAt + leadMs;
    const jobs = Array.from({ length: count }, (_, i): Job => {
      // Not in the order in which they are set.
      const dueMs = firstDueAt + Math.floor((((i * 7_919) % count) * overMs) / count);
      return { id: `j${i}`, steps: 0, dueAt: new Date(dueMs).toISOString() };
    });
    for await (const { fault } of client.sendMany(jobs.map(beginning))) if (fault !== undefined) throw fault;
    await position(client, eventsWhenSet * count);
    const setMs = Date.now() - beganAt;
    assert.ok(Date.now() < firstDueAt, `setting the timers took ${setMs} ms, longer than ${leadMs}`);
    onProgress(`${count} timers are set, in ${setMs} ms`);

    await delay(firstDueAt - Date.now());
    const roles = { runtime: runtime.pid };
    const before = cpuMs(roles);
    await delay(firstDueAt + overMs / 2 - Date.now());
    const { runtime: spentMs } = cpuBetween(before, cpuMs(roles));
    await runtime.kill();
    const downAt = Date.now();
    runtime = start();
    await runtime.ready;
    const upAt = Date.now();
    onProgress(`killed and started again, ${upAt - downAt} ms later`);

    await position(client, eventsWhenDone * count);
    await client.close();
    const { code } = await runtime.stop();
    assert.equal(code, 0, "the runtime ends in good order");
    const fired = await firedIn(folder, jobs);
    const overdue = fired.filter(({ dueMs }) => dueMs >= downAt && dueMs <= upAt);
    const caughtUpAt = percentile([upAt, ...overdue.map(({ dueMs, lateMs }) => dueMs + lateMs)], 1);
    const inTime = fired.filter(({ dueMs }) => dueMs < downAt || dueMs > caughtUpAt).map(({ lateMs }) => lateMs);
    return {
      count,
      setPerSecond: Math.round((1_000 * count) / setMs),
      late: { p50Ms: percentile(inTime, 0.5), p99Ms: percentile(inTime, 0.99), maxMs: percentile(inTime, 1) },
      cpuUs: spentMs === undefined ? undefined : Math.round((1_000 * spentMs) / (count / 2)),
      downMs: upAt - downAt,
      dueWhileDown: overdue.length,
      caughtUpMs: caughtUpAt - upAt,
    };
  } finally {
    await client?.close();
    await runtime.kill();
    await embeddedBrokerEnded(folder);
  }
}

async function position(client: Client, wanted: number): Promise<void> {
  await eventually(
    `the log has ${wanted} events`,
    async () => (await client.query<RawHealth>("health")).position >= wanted,
    patienceMs,
  );
}

/** From the log itself, when nobody holds it any more. */
async function firedIn(folder: string, jobs: readonly Job[]): Promise<Fired[]> {
  const store = openLmdbStore({ path: join(folder, "log"), newId: () => "nothing new" });
  try {
    assertAllEnded(store);
    assertJobsDone(store.readAll(), jobs);
    return firedTimers(store.readAll());
  } finally {
    await store.close();
  }
}
