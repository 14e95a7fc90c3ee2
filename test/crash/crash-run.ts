/**
 * A crash run: clients send commands while the runtime and its broker are killed with SIGKILL at random moments and started again; at
 * the end the log, JetStream, the queries and the replies have to tell the same story. Free of vitest: `npm run torture` uses it too.
 */
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { findNatsServer } from "../../src/broker/find-nats-server.ts";
import { type NatsProcess, startNatsProcess } from "../../src/broker/nats-process.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { type Random, seededRandom } from "../support/random.ts";
import {
  embeddedBrokerEnded,
  embeddedBrokerPid,
  type RuntimeProcess,
  spawnRuntime,
} from "../support/runtime-process.ts";
import { assertOneStory } from "./one-story.ts";
import { startWorkload, type Workload } from "./workload.ts";

/** What to kill, how often, and where everything is kept. */
export interface CrashRunOptions {
  /** Empty; belongs to the run. */
  readonly folder: string;
  /** Processes to kill in all. */
  readonly kills: number;
  readonly seed: number;
  /** Whose nats-server: the runtime's own, or one that the run starts on a fixed port and names with `--nats`. */
  readonly broker: "embedded" | "external";
  /** Told after every kill. */
  readonly onKill?: (line: string) => void;
}

/** What a crash run did. */
export interface CrashReport {
  readonly seed: number;
  readonly broker: CrashRunOptions["broker"];
  readonly kills: Readonly<Record<Victim, number>>;
  readonly commands: number;
  readonly resent: number;
  readonly repeated: number;
  readonly durationMs: number;
}

type Victim = "runtime" | "nats" | "runtime while starting";

/** What is killed at once, and how many processes that are. */
const killsOf = { runtime: 1, nats: 1, both: 2, "runtime while starting": 2 } as const;
type Strike = keyof typeof killsOf;

/** Carried out in a new random order each time round. */
const strikes: readonly Strike[] = ["runtime", "runtime", "runtime", "nats", "nats", "both", "runtime while starting"];

/** The processes of one run. */
interface Setting {
  readonly options: CrashRunOptions;
  readonly random: Random;
  readonly dataDir: string;
  readonly port: number;
  readonly kills: Record<Victim, number>;
  runtime: RuntimeProcess;
  external: NatsProcess | undefined;
}

const patienceMs = 60_000;
/** Killed after so many further acknowledgements, at most. */
const maxBetweenKills = 600;

/** Runs to the end. @throws Error, with the seed, when anything was lost, repeated, reordered or answered wrongly. */
export async function crashRun(options: CrashRunOptions): Promise<CrashReport> {
  const startedAt = performance.now();
  const random = seededRandom(options.seed);
  const setting = await setUp(options, random);
  let workload: Workload | undefined;
  try {
    await setting.runtime.ready;
    workload = await startWorkload({ url: urlOf(setting), random: random.fork() });
    await killAgainAndAgain(setting, workload);
    await within("every command is acknowledged", workload.finish());
    await assertOneStory(
      { url: urlOf(setting), dataDir: setting.dataDir, runtime: setting.runtime },
      workload.acknowledged,
    );
    const { resent, repeated, acknowledged } = workload;
    const { seed, broker } = options;
    const durationMs = Math.round(performance.now() - startedAt);
    return { seed, broker, kills: setting.kills, commands: acknowledged.length, resent, repeated, durationMs };
  } catch (error) {
    throw new Error(explain(setting, error as Error), { cause: error });
  } finally {
    await workload?.abort();
    await setting.runtime.kill();
    await setting.external?.kill();
    await embeddedBrokerEnded(setting.dataDir);
  }
}

async function setUp(options: CrashRunOptions, random: Random): Promise<Setting> {
  const dataDir = join(options.folder, "data");
  mkdirSync(dataDir, { recursive: true });
  const port = await freePort();
  const external = options.broker === "external" ? await startExternal(options.folder, port) : undefined;
  const runtime = spawnRuntime(startOptions(options, dataDir, port));
  const kills = { runtime: 0, nats: 0, "runtime while starting": 0 };
  return { options, random, dataDir, port, kills, runtime, external };
}

function startOptions({ broker }: CrashRunOptions, dataDir: string, port: number) {
  return broker === "external" ? { dataDir, nats: `nats://127.0.0.1:${port}` } : { dataDir, port };
}

async function startExternal(folder: string, port: number): Promise<NatsProcess> {
  const { path: binary } = await findNatsServer();
  return startNatsProcess({ binary, dataDir: join(folder, "nats"), port });
}

function urlOf({ port }: Setting): string {
  return `nats://127.0.0.1:${port}`;
}

async function killAgainAndAgain(setting: Setting, workload: Workload): Promise<void> {
  const { random, options, kills } = setting;
  const total = (): number => kills.runtime + kills.nats + kills["runtime while starting"];
  let plan: Strike[] = [];
  while (total() < options.kills) {
    if (plan.length === 0) plan = random.shuffled(strikes);
    const next = plan.pop() as Strike;
    const what = total() === options.kills - 1 && killsOf[next] > 1 ? "runtime" : next;
    await moreAcknowledged(setting, workload, 1 + random.integer(maxBetweenKills));
    await delay(random.integer(30));
    await strike(setting, what);
    options.onKill?.(`${total()} kills (last: ${what}), ${workload.acknowledged.length} commands acknowledged`);
  }
  await moreAcknowledged(setting, workload, maxBetweenKills);
}

async function strike(setting: Setting, what: Strike): Promise<void> {
  if (what === "nats") {
    await killNats(setting);
    await restartExternal(setting);
    return;
  }
  if (what === "both") await killNats(setting);
  await killRuntime(setting, "runtime");
  if (what === "both") await restartExternal(setting);
  startRuntime(setting);
  if (what === "runtime while starting") {
    await delay(setting.random.integer(700));
    await killRuntime(setting, "runtime while starting");
    startRuntime(setting);
  }
  await within("the runtime serves again", setting.runtime.ready);
}

async function killRuntime(setting: Setting, victim: Victim): Promise<void> {
  const { code } = await setting.runtime.kill();
  assert.equal(code, null, "the runtime runs until it is killed");
  setting.kills[victim] += 1;
}

function startRuntime(setting: Setting): void {
  const { options, dataDir, port } = setting;
  setting.runtime = spawnRuntime(startOptions(options, dataDir, port));
}

async function killNats({ external, dataDir, kills }: Setting): Promise<void> {
  if (external !== undefined) {
    await external.kill();
  } else {
    const pid = await eventually("the embedded broker runs", () => embeddedBrokerPid(dataDir));
    process.kill(pid, "SIGKILL");
  }
  kills.nats += 1;
}

/** The embedded broker is the runtime's to start again. */
async function restartExternal(setting: Setting): Promise<void> {
  if (setting.external === undefined) return;
  setting.external = await startExternal(setting.options.folder, setting.port);
}

async function moreAcknowledged(setting: Setting, workload: Workload, count: number): Promise<void> {
  const enough = workload.acknowledged.length + count;
  await Promise.race([
    eventually("more commands are acknowledged", () => workload.acknowledged.length >= enough, patienceMs),
    workload.failed,
    endedByItself(setting.runtime),
  ]);
}

async function endedByItself(runtime: RuntimeProcess): Promise<never> {
  const { code, signal } = await runtime.exited;
  throw new Error(`the runtime ended by itself with ${signal ?? code}`);
}

async function within<T>(what: string, promise: Promise<T>): Promise<T> {
  const patience = new AbortController();
  const overdue = delay(patienceMs, undefined, { signal: patience.signal }).then(
    () => {
      throw new Error(`not within ${patienceMs / 1_000} s: ${what}`);
    },
    () => new Promise<never>(() => {}),
  );
  try {
    return await Promise.race([promise, overdue]);
  } finally {
    patience.abort();
  }
}

function explain({ options, runtime }: Setting, error: Error): string {
  const { seed, broker, kills } = options;
  const log = runtime.stderr().trimEnd().split("\n").slice(-10).join("\n");
  return `crash run with seed ${seed}, ${kills} kills, ${broker} broker: ${error.message}\n${log}`;
}
