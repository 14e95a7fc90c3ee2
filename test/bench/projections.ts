/** Part (i): how fast rows are made from the log, what sync ones cost the commands, and how fast rows are read. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { NatsConnection } from "@nats-io/nats-core";
import { defineProjection, type Projection } from "../../src/core/projection.ts";
import { builtInActors } from "../../src/runtime/actor-files.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { loadActors } from "../../src/runtime/loader.ts";
import { openLog } from "../../src/runtime/log.ts";
import { Projections } from "../../src/runtime/projections/projections.ts";
import { openConnection } from "../../src/wire/connection.ts";
import { type Figure, percentile, spread } from "./figures.ts";
import { openStore } from "./large-store.ts";
import { each, load } from "./load.ts";
import { inOwnProcess, startRuntime } from "./processes.ts";
import type { Setting } from "./setting.ts";
import { TrainingRuns } from "./training-runs.ts";

const streams = 1_000;
const concurrency = 512;
const reads = 2_000;

/** A row for each run, changed by each of its events: what a user's first sync projection does. */
const runs = `export default {
  kind: "projection", name: "bench-runs", version: 1, mode: "sync", indexes: [],
  on: { TrainingProgress: {
    key: ({ stream }) => stream,
    apply: (row, { data, occurredAt }) => ({ steps: (row?.steps ?? 0) + 1, last: data.step, at: occurredAt }),
  } },
};`;

/** A row for each event: as many rows as events. */
const eventRows = {
  name: "bench-events",
  version: 1,
  mode: "sync",
  key: "({ position }) => String(position).padStart(9, '0')",
  apply: "(_row, { stream, data }) => ({ stream, step: data.step })",
} as const;

/** Measures all of it. */
export async function projectionFigures(setting: Setting): Promise<Figure[]> {
  const { sizes, progress } = setting;
  const folder = join(setting.folder, "projections");
  const dataDir = join(folder, "wide");
  const path = join(dataDir, "log");
  mkdirSync(dataDir, { recursive: true });
  progress(`i: building a store of ${sizes.events} events`);
  const ids = Array.from({ length: streams }, (_, index) => `r${index}`);
  await inOwnProcess("build wide", path, sizes.events, ids);
  progress("i: making rows");
  const figures = await inOwnProcess("projections", { path, passes: sizes.passes });
  progress("i: reading rows over NATS");
  figures.push(...(await readFigures(dataDir, folder)));
  rmSync(dataDir, { recursive: true, force: true });
  figures.push(...(await costFigures(setting, folder)));
  return figures;
}

/** In one process: builds, and reads by key of as many rows as there are events. A task. */
export async function buildFigures({
  path,
  passes,
}: {
  readonly path: string;
  readonly passes: number;
}): Promise<Figure[]> {
  const store = openStore(path);
  const { aggregates } = await loadActors([builtInActors]);
  const events = store.position();
  const build = async (projection: Projection): Promise<Projections> => {
    const projections = new Projections({
      store,
      projections: new Map([[projection.name, projection]]),
      aggregates,
      clock: systemClock(),
      log: openLog("silent"),
    });
    projections.startBuilding();
    await projections.built();
    await projections.stop();
    return projections;
  };
  const rates: Record<"one" | "stream" | "event", number[]> = { one: [], stream: [], event: [] };
  const memory: number[] = [];
  for (let pass = 0; pass <= passes; pass++) {
    for (const [kind, key] of Object.entries({ one: () => "all", stream: (e: { stream: string }) => e.stream })) {
      const before = process.memoryUsage().heapUsed + process.memoryUsage().external;
      const from = performance.now();
      await build(counting(`bench-${kind}-${pass}`, key as never));
      if (pass > 0) rates[kind as "one" | "stream"].push((events * 1_000) / (performance.now() - from));
      memory.push((process.memoryUsage().heapUsed + process.memoryUsage().external - before) / 1024 / 1024);
    }
  }
  const from = performance.now();
  const projections = await build(eventProjection());
  rates.event.push((events * 1_000) / (performance.now() - from));
  const latenciesMs = Array.from({ length: reads }, (_, i) => {
    const key = String(1 + ((i * 7_919) % events)).padStart(9, "0");
    const before = performance.now();
    projections.read(store, eventRows.name, { key });
    return performance.now() - before;
  });
  await store.close();
  const unit = "events/s";
  return [
    { id: "projection.one", part: "i", text: "build, every event counted in one row", unit, ...spread(rates.one) },
    { id: "projection.stream", part: "i", text: "build, counted in a row a stream", unit, ...spread(rates.stream) },
    { id: "projection.event", part: "i", text: "build, a row for each event", unit, ...spread(rates.event) },
    { id: "projection.memory", part: "i", text: "heap after a build, against before", unit: "MiB", ...spread(memory) },
    { id: "projection.rows", part: "i", text: "rows that are read", value: events, unit: "rows" },
    ...latencies("projection.key", "a row by its key, in process", latenciesMs),
  ];
}

function counting(name: string, key: (event: { readonly stream: string }) => string): Projection {
  return defineProjection<{ readonly count: number }>({
    name,
    version: 1,
    mode: "sync",
    on: { TrainingProgress: { key, apply: (row) => ({ count: (row?.count ?? 0) + 1 }) } },
  });
}

function eventProjection(): Projection {
  const { name, version, mode } = eventRows;
  return defineProjection<unknown>({
    name,
    version,
    mode,
    on: {
      TrainingProgress: {
        key: ({ position }) => String(position).padStart(9, "0"),
        apply: (_row, { stream, data }) => ({ stream, step: (data as { readonly step: number }).step }),
      },
    },
  });
}

async function readFigures(dataDir: string, folder: string): Promise<Figure[]> {
  const { name, version, mode, key, apply } = eventRows;
  const text = `export default { kind: "projection", name: "${name}", version: ${version}, mode: "${mode}", indexes: [],
    on: { TrainingProgress: { key: ${key}, apply: ${apply} } } };`;
  const runtime = await startRuntime(dataDir, { actors: actorsFolder(folder, `${name}.mjs`, text) });
  const nats = await openConnection({ servers: runtime.url, name: "retrace bench" });
  const pages = await timed(nats, (i) => ({ name, limit: 100, cursor: String(i * 50 + 1).padStart(9, "0") }));
  const rows = await timed(nats, (i) => ({ name, key: String(streams + i + 1).padStart(9, "0") }));
  await nats.close();
  await runtime.stop();
  return [
    ...latencies("projection.page", "a page of 100 rows, over NATS", pages),
    ...latencies("projection.row", "a row by its key, over NATS", rows),
  ];
}

/** One after another; a reply that is an error throws. */
async function timed(nats: NatsConnection, body: (index: number) => unknown): Promise<number[]> {
  const latenciesMs: number[] = [];
  for (let i = 0; i < reads / 2; i++) {
    const from = performance.now();
    const reply = await nats.request("retrace.qry.projection", JSON.stringify(body(i)), { timeout: 30_000 });
    latenciesMs.push(performance.now() - from);
    if (reply.headers?.hasError === true) throw new Error(reply.string());
  }
  return latenciesMs;
}

/** By turns on two runtimes, one with the projection and one without, so that the ratio holds whatever the machine does. */
async function costFigures({ sizes, progress }: Setting, folder: string): Promise<Figure[]> {
  const actors = actorsFolder(folder, "bench-runs.mjs", runs);
  const [without, beside] = [join(folder, "without"), join(folder, "with")];
  for (const dataDir of [without, beside]) mkdirSync(dataDir);
  const runtimes = [await startRuntime(without), await startRuntime(beside, { actors })];
  const loads = await Promise.all(
    runtimes.map(async ({ url }, i) => {
      const nats = await openConnection({ servers: url, name: "retrace bench" });
      const sender = new TrainingRuns(nats, `p${i}-`);
      await each(streams, 64, (index) => sender.start(index));
      let sent = 0;
      const once = (): Promise<void> => {
        sent += 1;
        return sender.progress(sent % streams);
      };
      return { nats, run: async (forMs: number) => (await load(once, { concurrency, forMs })).rate };
    }),
  );
  const ratios: number[] = [];
  for (let round = 0; round <= sizes.rounds; round++) {
    progress(`i: commands without and with a sync projection, round ${round} of ${sizes.rounds}`);
    const rates: number[] = [];
    for (const { run } of loads) rates.push(await run(round === 0 ? sizes.warmUpMs : sizes.sliceMs));
    if (round > 0) ratios.push((rates[1] as number) / (rates[0] as number));
  }
  for (const { nats } of loads) await nats.close();
  for (const runtime of runtimes) await runtime.stop();
  rmSync(folder, { recursive: true, force: true });
  const text = `commands with a sync projection / without, concurrency ${concurrency}`;
  return [{ id: "projection.sync.ratio", part: "i", text, unit: "", ...spread(ratios) }];
}

function actorsFolder(folder: string, file: string, text: string): string {
  const actors = join(folder, `actors-${file}`);
  mkdirSync(join(actors, "projections"), { recursive: true });
  writeFileSync(join(actors, "projections", file), text);
  return actors;
}

function latencies(id: string, text: string, values: readonly number[]): Figure[] {
  return [
    { id: `${id}.p50`, part: "i", text: `${text}, p50`, value: percentile(values, 0.5), unit: "ms" },
    { id: `${id}.p99`, part: "i", text: `${text}, p99`, value: percentile(values, 0.99), unit: "ms" },
  ];
}
