/** Part (g): how long a runtime takes to serve again with a long log, against an empty one. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { openConnection } from "../../src/wire/connection.ts";
import { diskFigures } from "./disk.ts";
import { type Figure, type Spread, spread } from "./figures.ts";
import { drained } from "./health.ts";
import { openStore } from "./large-store.ts";
import { inOwnProcess, startRuntime } from "./processes.ts";
import type { Setting } from "./setting.ts";

/** Times one opening of a store, up to the first answer from it. A task: opening twice in a process would say less. */
export async function openingMs(path: string): Promise<number> {
  const from = performance.now();
  const store = openStore(path);
  store.position();
  const ms = performance.now() - from;
  await store.close();
  return ms;
}

/** Measures starts on `dataDir`, whose log holds `events` events that JetStream does not have yet, and on an empty folder. */
export async function startFigures(setting: Setting, dataDir: string, events: number): Promise<Figure[]> {
  const { sizes, progress } = setting;
  const emptyDir = join(setting.folder, "empty");
  mkdirSync(emptyDir);

  progress("g: opening the stores");
  const opened = { empty: [] as number[], stored: [] as number[] };
  for (let i = 0; i < sizes.starts; i++) {
    opened.empty.push(await inOwnProcess("open", join(emptyDir, "log")));
    opened.stored.push(await inOwnProcess("open", join(dataDir, "log")));
  }

  progress("g: JetStream is filled from the log");
  const refill = await refilled(dataDir, events);

  progress("g: starting runtimes");
  await startedMs(emptyDir);
  const ready = { empty: [] as number[], stored: [] as number[] };
  for (let i = 0; i < sizes.starts; i++) {
    ready.empty.push(await startedMs(emptyDir));
    ready.stored.push(await startedMs(dataDir));
  }

  const g = "g" as const;
  return [
    { id: "start.events", part: g, text: "stored events", value: events, unit: "" },
    { id: "open.empty", part: g, text: "open the store, empty", unit: "ms", ...spread(opened.empty) },
    { id: "open.stored", part: g, text: "open the store, with the events", unit: "ms", ...spread(opened.stored) },
    { id: "start.empty", part: g, text: "spawn to ready line, empty", unit: "s", ...inSeconds(spread(ready.empty)) },
    {
      id: "start.stored",
      part: g,
      text: "spawn to ready line, with the events",
      unit: "s",
      ...inSeconds(spread(ready.stored)),
    },
    {
      id: "start.lost",
      part: g,
      text: "spawn to ready line, JetStream lost",
      value: refill.readyMs / 1_000,
      unit: "s",
    },
    { id: "start.refill", part: g, text: "JetStream filled again from the log", value: refill.rate, unit: "events/s" },
    ...diskFigures({ id: "disk.stored", text: "large store", dataDir, events }),
  ];
}

async function refilled(dataDir: string, events: number): Promise<{ readonly readyMs: number; readonly rate: number }> {
  const from = performance.now();
  const runtime = await startRuntime(dataDir);
  const nats = await openConnection({ servers: runtime.url, name: "retrace bench" });
  await drained(nats);
  const seconds = (performance.now() - from - runtime.readyMs) / 1_000;
  await nats.close();
  await runtime.stop();
  return { readyMs: runtime.readyMs, rate: events / seconds };
}

async function startedMs(dataDir: string): Promise<number> {
  const runtime = await startRuntime(dataDir);
  await runtime.stop();
  return runtime.readyMs;
}

function inSeconds({ value, low, high }: Spread): Spread {
  return { value: value / 1_000, low: low / 1_000, high: high / 1_000 };
}
