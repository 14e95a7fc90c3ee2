/** Part (f): what a live stream costs in memory. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { NatsConnection } from "@nats-io/nats-core";
import { openConnection } from "../../src/wire/connection.ts";
import { anonymousBytes } from "./cpu.ts";
import type { Figure } from "./figures.ts";
import { drained, health } from "./health.ts";
import { each } from "./load.ts";
import { startRuntime } from "./processes.ts";
import type { Setting } from "./setting.ts";
import { TrainingRuns } from "./training-runs.ts";

const concurrency = 256;
/** Enough for code to be compiled and buffers to have grown before the first reading. */
const warmUpStreams = 100;
const warmUpCommands = 20_000;
/** For the collector to give back what the load left behind. */
const settleMs = 2_000;

interface Reading {
  readonly resident: number;
  /** Without files mapped into memory: LMDB's is all in the page cache anyway. */
  readonly anonymous: number;
}

/** Makes the streams live, two events each, and compares the runtime's memory before and after. */
export async function memoryFigures(setting: Setting): Promise<Figure[]> {
  const { sizes, progress } = setting;
  const dataDir = join(setting.folder, "memory");
  mkdirSync(dataDir);
  const runtime = await startRuntime(dataDir);
  const nats = await openConnection({ servers: runtime.url, name: "retrace bench" });

  progress("f: warming up");
  const warmUp = new TrainingRuns(nats, "w");
  await each(warmUpStreams, concurrency, (index) => warmUp.start(index));
  await each(warmUpCommands, concurrency, (index) => warmUp.progress(index % warmUpStreams));
  const before = await settled(nats, runtime.pid);

  progress(`f: ${sizes.liveStreams} live streams`);
  const runs = new TrainingRuns(nats, "m");
  const count = sizes.liveStreams - warmUpStreams;
  await each(count, concurrency, (index) => runs.start(index));
  await each(count, concurrency, (index) => runs.progress(index));
  const after = await settled(nats, runtime.pid);
  const { liveActors } = (await health(nats)).commands;
  await nats.close();
  await runtime.stop();
  if (liveActors !== sizes.liveStreams) throw new Error(`${liveActors} streams are live, not ${sizes.liveStreams}`);

  const mib = 1024 ** 2;
  const perStream = (end: number, start: number): number => (end - start) / count / 1_024;
  return [
    { id: "memory.streams", part: "f", text: "live streams", value: liveActors, unit: "" },
    { id: "memory.before", part: "f", text: "resident, before", value: before.resident / mib, unit: "MiB" },
    { id: "memory.after", part: "f", text: "resident, after", value: after.resident / mib, unit: "MiB" },
    {
      id: "memory.stream",
      part: "f",
      text: "resident, per stream",
      value: perStream(after.resident, before.resident),
      unit: "KiB",
    },
    {
      id: "memory.stream.anonymous",
      part: "f",
      text: "without mapped files, per stream",
      value: perStream(after.anonymous, before.anonymous),
      unit: "KiB",
    },
  ];
}

async function settled(nats: NatsConnection, pid: number): Promise<Reading> {
  await drained(nats);
  await delay(settleMs);
  const { memoryBytes } = (await health(nats)).process;
  return { resident: memoryBytes, anonymous: anonymousBytes(pid) ?? memoryBytes };
}
