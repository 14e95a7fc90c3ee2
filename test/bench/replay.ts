/** Part (c): how fast the log becomes state again, in one process on one core. */
import trainingRun from "../../actors/aggregates/training-run.ts";
import { type ChartState, initialState } from "../../src/core/chart.ts";
import type { EventStore } from "../../src/core/event-store.ts";
import { fold, foldEvent } from "../../src/core/history.ts";
import { type Figure, spread } from "./figures.ts";
import { openStore, streamOf } from "./large-store.ts";

/** What `replayFigures` is told. */
export interface ReplayOptions {
  /** The store's folder. */
  readonly path: string;
  /** The ids of all its streams. */
  readonly ids: readonly string[];
  readonly passes: number;
}

type Pass = (store: EventStore, ids: readonly string[]) => number;

/** Reads and decodes the log. */
const read: Pass = (store) => {
  let count = 0;
  for (const { position } of store.readAll()) count += Math.sign(position);
  return count;
};

/** Reads the log in its order and folds all streams side by side. */
const foldLog: Pass = (store, ids) => {
  const states = new Map<string, ChartState>(ids.map((id) => [streamOf(id), initialState(trainingRun.machine)]));
  let count = 0;
  for (const event of store.readAll()) {
    states.set(event.stream, foldEvent(trainingRun, states.get(event.stream) as ChartState, event));
    count += 1;
  }
  return count;
};

/** Reads each stream and folds it, one after another. */
const foldStreams: Pass = (store, ids) => {
  let count = 0;
  for (const id of ids) {
    const stream = streamOf(id);
    fold(trainingRun, store.readStream(stream));
    count += store.head(stream).version;
  }
  return count;
};

/** By turns, like everything that is compared; the first pass of each warms up and is not counted. */
export async function replayFigures({ path, ids, passes }: ReplayOptions): Promise<Figure[]> {
  const store = openStore(path);
  const ways = { read, log: foldLog, streams: foldStreams };
  const rates: Record<keyof typeof ways, number[]> = { read: [], log: [], streams: [] };
  for (let pass = 0; pass <= passes; pass++) {
    for (const [name, way] of Object.entries(ways) as [keyof typeof ways, Pass][]) {
      const rate = measure(store, ids, way);
      if (pass > 0) rates[name].push(rate);
    }
  }
  await store.close();
  const unit = "events/s";
  return [
    { id: "replay.read", part: "c", text: "read and decode the log", unit, ...spread(rates.read) },
    { id: "replay.log", part: "c", text: "read and fold, in log order", unit, ...spread(rates.log) },
    { id: "replay.streams", part: "c", text: "read and fold, stream by stream", unit, ...spread(rates.streams) },
  ];
}

function measure(store: EventStore, ids: readonly string[], way: Pass): number {
  const from = performance.now();
  const count = way(store, ids);
  return (count * 1_000) / (performance.now() - from);
}
