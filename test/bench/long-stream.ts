/**
 * Part (d): one command on a stream of 10 events against one with a very long past. Through the command loop on a real store, but
 * without the wire: what the wire costs is the same for both and would only blur the ratio.
 */

import { digest } from "../../src/core/digest.ts";
import { builtInActors } from "../../src/runtime/actor-files.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { Decider } from "../../src/runtime/decider.ts";
import { LiveActors } from "../../src/runtime/live-actors.ts";
import { loadActors } from "../../src/runtime/loader.ts";
import { openLog } from "../../src/runtime/log.ts";
import { Projections } from "../../src/runtime/projections/projections.ts";
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

  const { ms: firstMs } = await send(longId);
  // What the runtime would have left behind while the stream grew: a snapshot.
  for (let i = 0; i < snapshotEvery; i++) await send(longId);

  const hot: Pair = { short: [], long: [] };
  const cold: Pair = { short: [], long: [] };
  for (let i = 0; i < pairs; i++) {
    warm(shortId(i));
    if (i % 2 === 0) hot.short.push(await send(shortId(i)));
    hot.long.push(await send(longId));
    if (i % 2 === 1) hot.short.push(await send(shortId(i)));
  }
  for (let i = pairs; i < 2 * pairs; i++) {
    cold.short.push(await send(shortId(i)));
    forget(longId);
    cold.long.push(await send(longId));
  }
  await bench.close();

  const many = longEvents.toLocaleString("en");
  return [
    { id: "long.events", part: "d", text: "events of the long stream", value: longEvents, unit: "" },
    ...pairFigures("long.hot", "actor in memory", many, hot),
    ...pairFigures("long.cold", "actor evicted", many, cold),
    { id: "long.first", part: "d", text: `first command on ${many}, without any snapshot`, value: firstMs, unit: "ms" },
  ];
}

/** What one command took. */
interface Sample {
  readonly ms: number;
  readonly cpuUs: number;
}

interface Pair {
  readonly short: Sample[];
  readonly long: Sample[];
}

function pairFigures(id: string, text: string, many: string, { short, long }: Pair): Figure[] {
  const p50 = (samples: readonly Sample[]): number =>
    percentile(
      samples.map(({ ms }) => ms),
      0.5,
    );
  const cpu = (samples: readonly Sample[]): number =>
    percentile(
      samples.map(({ cpuUs }) => cpuUs),
      0.5,
    );
  const part = "d";
  return [
    { id: `${id}.10`, part, text: `command on 10 events, ${text}, p50`, value: p50(short), unit: "ms" },
    { id: `${id}.many`, part, text: `command on ${many}, ${text}, p50`, value: p50(long), unit: "ms" },
    { id: `${id}.ratio`, part, text: `ratio, ${text}`, value: p50(long) / p50(short), unit: "x" },
    { id: `${id}.10.cpu`, part, text: `CPU on 10 events, ${text}, p50`, value: cpu(short), unit: "us" },
    { id: `${id}.many.cpu`, part, text: `CPU on ${many}, ${text}, p50`, value: cpu(long), unit: "us" },
  ];
}

interface Bench {
  /** Sends one command and waits for its outcome. */
  send(id: string): Promise<Sample>;
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
  const log = openLog("silent");
  const projections = new Projections({ store, projections: new Map(), aggregates, clock, log });
  const decider = new Decider({ store, actors, aggregates, projections, clock, log });
  const tick = new Tick({ store, decider, actors, aggregates, log, maxQueued: 1_000 });
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
      digest: digest(JSON.stringify(data)),
    };
  };
  return {
    send: async (id) => {
      const command = request(id);
      const cpuFrom = process.cpuUsage();
      const from = performance.now();
      const outcome = await new Promise((resolve) => tick.submit(command, resolve));
      const ms = performance.now() - from;
      const { user, system } = process.cpuUsage(cpuFrom);
      if (outcome instanceof Error) throw outcome;
      return { ms, cpuUs: user + system };
    },
    warm: (id) => {
      const stream = streamOf(id);
      const actor = actors.current(aggregate, stream, store.head(stream).version);
      if (actor !== undefined) actors.keep(new Map([[stream, actor]]));
    },
    forget: (id) => actors.drop([streamOf(id)]),
    close: async () => {
      await tick.stop();
      await store.close();
    },
  };
}
