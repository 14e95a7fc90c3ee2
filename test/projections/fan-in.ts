/**
 * Real files as one history: they are imported into a runtime that follows them, and then all rows are made anew from the
 * log. Free of vitest, so that scripts can use it too.
 */
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { connect, type EventStore, openLmdbStore, type Projection } from "retrace";
import { type RuntimeChild, startRuntime } from "../../actors/verbs/demo/runtime-child.ts";
import { builtInActors } from "../../src/runtime/actor-files.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { type LoadedActors, loadActors } from "../../src/runtime/loader.ts";
import { openLog } from "../../src/runtime/log.ts";
import { Projections } from "../../src/runtime/projections/projections.ts";
import type { ProjectionStatus } from "../../src/runtime/projections/status.ts";
import { cli, root } from "../imports/built-cli.ts";
import { type Import, pathOf, sampleOf } from "./fan-in/files.ts";

/** A row, whatever it holds. */
export type Fields = Record<string, unknown>;

/** Rows by key. */
export type Table = ReadonlyMap<string, Fields>;

/** How rows were made: what is told of a projection. */
export type Made = Pick<ProjectionStatus, "name" | "mode" | "status" | "position" | "parked"> & {
  readonly rows: number;
};

/** The history of the files, and what became of it. */
export interface FanIn {
  readonly imports: readonly Import[];
  readonly store: EventStore;
  /** By projection, the rows that were made anew. */
  readonly tables: ReadonlyMap<string, Table>;
  /** The projections as the runtime has left them, and as they were made anew. */
  readonly followed: readonly Made[];
  readonly rebuilt: readonly Made[];
  /** Rows that came otherwise by following than anew: `projection: key`. */
  readonly differences: readonly string[];
  readonly durationsMs: Readonly<Record<string, number>>;
  close(): Promise<void>;
}

/** What to bring in, and where the log goes. */
export interface FanInOptions {
  readonly imports: readonly Import[];
  readonly folder: string;
  readonly onProgress?: (line: string) => void;
}

/** @throws Error when an import tells of anything bad. */
export async function fanIn({ imports, folder, onProgress = () => {} }: FanInOptions): Promise<FanIn> {
  const durationsMs: Record<string, number> = {};
  const timed = async <Result>(name: string, work: () => Promise<Result>): Promise<Result> => {
    const startedAt = performance.now();
    const result = await work();
    durationsMs[name] = Math.round(performance.now() - startedAt);
    onProgress(`${name}: ${durationsMs[name]} ms`);
    return result;
  };
  const runtime = await startRuntime(root, folder);
  try {
    for (const one of imports) await timed(one.kind, () => bringIn(one, runtime, folder));
    await timed("caught up", () => caughtUp(runtime));
  } finally {
    await runtime.stop();
  }
  const store = openLmdbStore({ path: join(folder, "log"), newId: () => "id" });
  const actors = await loadActors([builtInActors]);
  const before = projectionsOver(store, actors, actors.projections);
  const followed = madeBy(before, store);
  const digests = new Map(before.names.map((name) => [name, digestsOf(tableIn(before, store, name))]));
  const after = await timed("rebuild", () => madeAnew(store, actors));
  const tables = new Map(after.names.map((name) => [name, tableIn(after, store, name)]));
  const differences = after.names.flatMap((name) =>
    differingKeys(digests.get(name) ?? new Map(), digestsOf(tables.get(name) ?? new Map())).map(
      (key) => `${name}: ${key}`,
    ),
  );
  const rebuilt = madeBy(after, store);
  return { imports, store, tables, followed, rebuilt, differences, durationsMs, close: () => store.close() };
}

async function bringIn(one: Import, { nats }: RuntimeChild, folder: string): Promise<void> {
  const { kind, options } = one;
  const { code, stderr } = await cli("import", kind, "--nats", nats, ...options, ...pathsOf(one, folder));
  // The manifest of the documents lists files that are not here, and of some logs nobody knows when they were written.
  const trouble = stderr.split("\n").filter((line) => line !== "" && !line.includes("no times in it to go by"));
  if (code !== 0 || (trouble.length > 0 && kind !== "documents")) throw new Error(`import ${kind}: ${code}: ${stderr}`);
}

function pathsOf({ files, oneIn }: Import, folder: string): string[] {
  if (oneIn === undefined) return files.map(pathOf);
  const samples = join(folder, "samples");
  mkdirSync(samples, { recursive: true });
  return files.map((file) => {
    const path = join(samples, basename(file));
    writeFileSync(path, sampleOf(file, oneIn));
    return path;
  });
}

const looks = 10;
const lookEveryMs = 50;

/** Resolves when the rows are as far as the log, and the log does not grow any more: sagas have done what they do. */
async function caughtUp({ nats }: RuntimeChild): Promise<void> {
  const client = await connect({ servers: nats });
  try {
    for (let position = -1, same = 0; same < looks; ) {
      const health = await client.query<{ position: number; projections: readonly ProjectionStatus[] }>("health");
      const isIdle = health.position === position && health.projections.every(({ lagEvents }) => lagEvents === 0);
      same = isIdle ? same + 1 : 0;
      position = health.position;
      await delay(lookEveryMs);
    }
  } finally {
    await client.close();
  }
}

/** All of them together, from the first event on. */
async function madeAnew(store: EventStore, actors: LoadedActors): Promise<Projections> {
  const anew = [...actors.projections].map(([name, one]) => [name, { ...one, version: one.version + 1_000 }] as const);
  const projections = projectionsOver(store, actors, new Map(anew));
  projections.startBuilding();
  await projections.built();
  await projections.stop();
  return projections;
}

function projectionsOver(
  store: EventStore,
  { aggregates }: LoadedActors,
  projections: ReadonlyMap<string, Projection>,
): Projections {
  return new Projections({ store, projections, aggregates, clock: systemClock(), log: openLog("silent") });
}

function tableIn(projections: Projections, store: EventStore, name: string): Table {
  const { rows = [] } = projections.read(store, name, { prefix: "", limit: 10_000_000 }) ?? {};
  return new Map(rows.map(({ key, value }) => [key, value as Fields]));
}

function madeBy(projections: Projections, store: EventStore): Made[] {
  return projections.status().map(({ name, mode, status, position, parked }) => {
    return { name, mode, status, position, parked, rows: tableIn(projections, store, name).size };
  });
}

/** What is left of rows while those that follow take their place. */
function digestsOf(table: Table): Map<string, string> {
  const digestOf = (row: Fields) => createHash("sha256").update(JSON.stringify(row)).digest("base64");
  return new Map([...table].map(([key, row]) => [key, digestOf(row)]));
}

function differingKeys(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): string[] {
  return [...new Set([...a.keys(), ...b.keys()])].filter((key) => a.get(key) !== b.get(key));
}
