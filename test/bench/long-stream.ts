/**
 * Part (d): one command on a stream of 10 events against one with a very long past. Through the command loop on a real store, but
 * without the wire: what the wire costs is the same for both and would only blur the ratio.
 */
import { hash } from "node:crypto";
import { systemClock } from "../../src/runtime/clock.ts";
import { LiveActors } from "../../src/runtime/live-actors.ts";
import { builtInActors, loadActors } from "../../src/runtime/loader.ts";
import { openLog } from "../../src/runtime/log.ts";
import { snapshotEvery } from "../../src/runtime/snapshots.ts";
import { Tick } from "../../src/runtime/tick.ts";
import type { CommandRequest } from "../../src/wire/command-request.ts";
import { type Figure, percentile } from "./figures.ts";
import { openStore, type Place, streamOf } from "./large-store.ts";
import { progress } from "./training-runs.ts";

/** What `longStreamFigures` is told. */
export interface LongStreamOptions {
  /** The store's folder, laid out by `longStreamPlace`. */
  readonly path: string;
  readonly longEvents: number;
  /** Commands on each kind of stream, hot and again cold. */
  readonly pairs: number;
}

const shortEvents = 10;
const longId = "long";

/** How many events the store holds. */
export function longStoreEvents({ longEvents, pairs }: { longEvents: number; pairs: number }): number {
  return longEvents + 2 * pairs * shortEvents;
}

/** The long stream first, then the short ones, each used for one measurement only: after it, it is no longer of 10 events. */
export function longStreamPlace(index: number, longEvents: number): Place {
  if (index < longEvents) return { id: longId, version: index + 1 };
  const behind = index - longEvents;
  return { id: shortId(Math.floor(behind / shortEvents)), version: (behind % shortEvents) + 1 };
}

function shortId(index: number): string {
  return `short${index}`;
}

/** Hot: the actor is in memory. Cold: it is not, so it comes from its snapshot and the events behind. */
export async function longStreamFigures({ path, longEvents, pairs }: LongStreamOptions): Promise<Figure[]> {
  const bench = await openBench(path);
  const { send, forget, warm } = bench;

  const from = performance.now();
  await send(longId);
  const firstMs = performance.now() - from;
  // What the runtime would have left behind while the stream grew: a snapshot.
  for (let i = 0; i < snapshotEvery; i++) await send(longId);

  const seen = {
    hot: { short: [] as number[], long: [] as number[] },
    cold: { short: [] as number[], long: [] as number[] },
  };
  for (let i = 0; i < pairs; i++) {
    warm(shortId(i));
    seen.hot.short.push(await send(shortId(i)));
    seen.hot.long.push(await send(longId));
  }
  for (let i = pairs; i < 2 * pairs; i++) {
    seen.cold.short.push(await send(shortId(i)));
    forget(longId);
    seen.cold.long.push(await send(longId));
  }
  await bench.close();

  const p50 = { part: "d", unit: "ms" } as const;
  const ratio = { part: "d", unit: "x" } as const;
  const [hotShort, hotLong] = [percentile(seen.hot.short, 0.5), percentile(seen.hot.long, 0.5)];
  const [coldShort, coldLong] = [percentile(seen.cold.short, 0.5), percentile(seen.cold.long, 0.5)];
  const many = longEvents.toLocaleString("en");
  return [
    { id: "long.events", part: "d", text: "events of the long stream", value: longEvents, unit: "" },
    { id: "long.hot.10", text: "command on 10 events, actor in memory, p50", value: hotShort, ...p50 },
    { id: "long.hot.many", text: `command on ${many} events, actor in memory, p50`, value: hotLong, ...p50 },
    { id: "long.hot.ratio", text: "ratio, actor in memory", value: hotLong / hotShort, ...ratio },
    { id: "long.cold.10", text: "command on 10 events, actor evicted, p50", value: coldShort, ...p50 },
    { id: "long.cold.many", text: `command on ${many} events, actor evicted, p50`, value: coldLong, ...p50 },
    { id: "long.cold.ratio", text: "ratio, actor evicted", value: coldLong / coldShort, ...ratio },
    {
      id: "long.first",
      part: "d",
      text: `first command on ${many} events without any snapshot`,
      value: firstMs,
      unit: "ms",
    },
  ];
}

interface Bench {
  /** Sends one command and returns how long it took, in milliseconds. */
  send(id: string): Promise<number>;
  /** Brings the actor into memory. */
  warm(id: string): void;
  forget(id: string): void;
  close(): Promise<void>;
}

async function openBench(path: string): Promise<Bench> {
  const store = openStore(path);
  const { aggregates } = await loadActors([builtInActors]);
  const aggregate = aggregates.get("training-run");
  if (aggregate === undefined) throw new Error("there is no aggregate training-run");
  const actors = new LiveActors(store, 100_000);
  const clock = systemClock();
  const tick = new Tick({ store, actors, aggregates, clock, log: openLog("silent"), maxQueued: 1_000 });
  let sent = 0;

  const request = (id: string): CommandRequest => {
    sent += 1;
    const commandId = `d-${sent}`;
    const data = progress(store.head(streamOf(id)).version);
    return {
      category: "training-run",
      id,
      stream: streamOf(id),
      command: {
        type: "RecordProgress",
        data,
        occurredAt: clock.now(),
        metadata: { correlationId: commandId, causationId: commandId, commandId },
      },
      expectedVersion: undefined,
      isIdempotent: true,
      digest: hash("sha256", JSON.stringify(data), "buffer").subarray(0, 16),
    };
  };
  return {
    send: async (id) => {
      const command = request(id);
      const from = performance.now();
      const outcome = await new Promise((resolve) => tick.submit(command, resolve));
      const ms = performance.now() - from;
      if (outcome instanceof Error) throw outcome;
      return ms;
    },
    warm: (id) => {
      const stream = streamOf(id);
      actors.keep(new Map([[stream, actors.current(aggregate, stream, store.head(stream).version)]]));
    },
    forget: (id) => actors.drop([streamOf(id)]),
    close: async () => {
      await tick.stop();
      await store.close();
    },
  };
}
