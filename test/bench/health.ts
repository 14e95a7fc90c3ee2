/** What the runtime says of itself while it is measured. */
import { setTimeout as delay } from "node:timers/promises";
import type { NatsConnection } from "@nats-io/nats-core";

/** The parts of the query `health` that the benchmark reads. */
export interface Health {
  readonly position: number;
  readonly relay: { readonly position: number; readonly lagEvents: number };
  readonly commands: { readonly liveActors: number };
  readonly process: { readonly memoryBytes: number };
}

const lagEveryMs = 100;
const drainPollMs = 5;

/** Asks once. */
export async function health(nats: NatsConnection): Promise<Health> {
  return (await nats.request("retrace.qry.health", "{}", { timeout: 30_000 })).json<Health>();
}

/** Resolves when JetStream has the whole log; returns how long that took. */
export async function drained(nats: NatsConnection): Promise<number> {
  const from = performance.now();
  for (;;) {
    const { position, relay } = await health(nats);
    if (relay.position === position) return performance.now() - from;
    await delay(drainPollMs);
  }
}

/** Runs `work` and returns its result with the largest lag of the relay seen meanwhile, in events. */
export async function watchingLag<T>(
  nats: NatsConnection,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly maxLag: number }> {
  let maxLag = 0;
  let isOver = false;
  const watch = async (): Promise<void> => {
    while (!isOver) {
      await delay(lagEveryMs);
      maxLag = Math.max(maxLag, (await health(nats)).relay.lagEvents);
    }
  };
  const watching = watch();
  try {
    return { result: await work(), maxLag };
  } finally {
    isOver = true;
    await watching;
  }
}
