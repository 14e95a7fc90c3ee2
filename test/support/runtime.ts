/** Runtimes for tests: real processes of the built product, ended by their process ids when the test file is done. */
import { setTimeout as delay } from "node:timers/promises";
import { afterAll } from "vitest";
import {
  embeddedBrokerEnded,
  type ReadyLine,
  type RuntimeExit,
  type RuntimeProcess,
  type RuntimeProcessOptions,
  spawnRuntime,
} from "./runtime-process.ts";
// Imported before the hook below is set up, so that folders are removed after the processes in them have ended.
import "./temp.ts";

export { embeddedBrokerPid } from "./runtime-process.ts";

/** A runtime that serves. */
export interface TestRuntime {
  /** Where clients connect. */
  readonly url: string;
  readonly pid: number;
  readonly ready: ReadyLine;
  readonly exited: Promise<RuntimeExit>;
  stderr(): string;
  /** SIGKILL; resolves when it has ended. */
  kill(): Promise<RuntimeExit>;
  /** SIGTERM; resolves when it has ended. */
  stop(): Promise<RuntimeExit>;
}

const started: { readonly runtime: RuntimeProcess; readonly options: RuntimeProcessOptions }[] = [];
const patienceMs = 15_000;

/** Starts a runtime and resolves when it serves. @throws Error with its stderr when it ends before. */
export async function startRuntime(options: RuntimeProcessOptions): Promise<TestRuntime> {
  const runtime = launchRuntime(options);
  const ready = await runtime.ready;
  const { pid, exited, stderr, kill, stop } = runtime;
  return { url: ready.nats, pid, ready, exited, stderr, kill, stop };
}

/** Starts a runtime without waiting for it: for starts that are refused, or killed half-way. */
export function launchRuntime(options: RuntimeProcessOptions): RuntimeProcess {
  const runtime = spawnRuntime(options);
  started.push({ runtime, options });
  return runtime;
}

afterAll(async () => {
  await Promise.all(started.map(({ runtime }) => end(runtime)));
  const embedded = started.filter(({ options }) => options.nats === undefined);
  await Promise.all(embedded.map(({ options }) => embeddedBrokerEnded(options.dataDir)));
  started.length = 0;
});

async function end(runtime: RuntimeProcess): Promise<void> {
  const patience = new AbortController();
  const overdue = delay(patienceMs, "overdue", { signal: patience.signal }).catch(() => undefined);
  if ((await Promise.race([runtime.stop(), overdue])) === "overdue") await runtime.kill();
  patience.abort();
}
