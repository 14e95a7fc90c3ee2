/**
 * Part (j): a saga of three steps, each a command of its own, beside a single command, by turns in one runtime. The
 * client begins it with a command and asks for the state until it sees the last step's event.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { NatsConnection } from "@nats-io/nats-core";
import { packageRoot } from "../../src/cli/package.ts";
import { openConnection } from "../../src/wire/connection.ts";
import { type CpuMs, cpuBetween, cpuMs } from "./cpu.ts";
import { driftFigures } from "./drift.ts";
import { type Figure, spread } from "./figures.ts";
import { drained } from "./health.ts";
import { each, type LoadResult, load } from "./load.ts";
import { startRuntime } from "./processes.ts";
import type { Setting } from "./setting.ts";
import { TrainingRuns } from "./training-runs.ts";

const streams = 1_000;
const timeoutMs = 30_000;
const steps = 3;
/** The aggregate `job` and the saga `worker`, which then waits until it is due. */
const actors = join(packageRoot, "test", "sagas", "actors");
const body = JSON.stringify({ steps, dueAt: "2100-01-01T00:00:00.000Z" });
/** JobBegun, and a JobStepped for each step. */
const lastVersion = 1 + steps;

/** One slice of load, with what the runtime spent on it. */
interface Slice extends LoadResult {
  readonly cpu: CpuMs;
}

/** Measures both, and how long it takes until a subscriber has the last event. */
export async function sagaFigures({ sizes, folder, profileDir, progress }: Setting): Promise<Figure[]> {
  const dataDir = join(folder, "sagas");
  mkdirSync(dataDir);
  const runtime = await startRuntime(dataDir, { profileDir, actors });
  const nats = await openConnection({ servers: runtime.url, name: "retrace bench" });
  const roles = { broker: runtime.brokerPid, runtime: runtime.pid };
  const runs = new TrainingRuns(nats, "r");
  await each(streams, 64, (index) => runs.start(index));
  let sent = 0;
  const single = (): Promise<void> => {
    sent += 1;
    return runs.progress(sent % streams);
  };
  const jobs = new Jobs(nats);
  const operations = { single, asked: () => jobs.seenByAsking(), told: () => jobs.seenByListening() } as const;
  type Kind = keyof typeof operations;
  const kinds = Object.keys(operations) as Kind[];
  const slice = async (kind: Kind, concurrency: number, forMs: number): Promise<Slice> => {
    const before = cpuMs(roles);
    const result = await load(operations[kind], { concurrency, forMs });
    await drained(nats);
    return { ...result, cpu: cpuBetween(before, cpuMs(roles)) };
  };

  progress("j: warming up");
  for (const kind of kinds) await slice(kind, 16, sizes.warmUpMs);
  for (const kind of kinds) await slice(kind, 1, sizes.warmUpMs);
  const seen: Record<Kind, Slice[]> = { single: [], asked: [], told: [] };
  const many: Slice[] = [];
  for (let round = 1; round <= sizes.rounds; round++) {
    progress(`j: round ${round} of ${sizes.rounds}`);
    for (const kind of kinds) seen[kind].push(await slice(kind, 1, sizes.sliceMs));
    many.push(await slice("told", 128, sizes.sliceMs));
  }
  progress("j: drift");
  const drift = await driftFigures(nats, single);
  await nats.close();
  await runtime.stop();

  const p50 = (slices: readonly Slice[]): number[] => slices.map(({ p50Ms }) => p50Ms);
  const ratios = seen.asked.map(({ p50Ms }, round) => p50Ms / (seen.single[round] as Slice).p50Ms);
  const part = "j";
  return [
    { id: "saga.command.p50", part, text: "single command, p50", unit: "ms", ...spread(p50(seen.single)) },
    { id: "saga.three.p50", part, text: "saga of three steps, p50", unit: "ms", ...spread(p50(seen.asked)) },
    { id: "saga.ratio", part, text: "saga of three steps / single command", unit: "x", ...spread(ratios) },
    { id: "saga.told.p50", part, text: "until a subscriber has it, p50", unit: "ms", ...spread(p50(seen.told)) },
    { id: "saga.128.rate", part, text: "sagas, concurrency 128", unit: "/s", ...spread(many.map(({ rate }) => rate)) },
    ...Object.keys(roles).map((role): Figure => {
      const operationCount = many.reduce((sum, { operations: count }) => sum + count, 0);
      const ms = many.reduce((sum, { cpu }) => sum + (cpu[role] ?? 0), 0);
      const value = (ms * 1_000) / operationCount;
      return { id: `saga.128.cpu.${role}`, part, text: `sagas, concurrency 128, CPU of ${role}`, value, unit: "us" };
    }),
    ...drift,
  ];
}

/** Begins jobs and waits for their last steps. */
class Jobs {
  readonly #nats: NatsConnection;
  readonly #waiting = new Map<string, { left: number; readonly resolve: () => void }>();
  #begun = 0;

  constructor(nats: NatsConnection) {
    this.#nats = nats;
    nats.subscribe("retrace.evt.job.*.JobStepped", { callback: (_, { subject }) => this.#stepped(subject) });
  }

  async seenByAsking(): Promise<void> {
    const id = await this.#begin(this.#nextId());
    const question = JSON.stringify({ category: "job", id });
    for (let version = 0; version < lastVersion; ) {
      const reply = await this.#nats.request("retrace.qry.state", question, { timeout: timeoutMs });
      ({ version } = reply.json<{ version: number }>());
    }
  }

  async seenByListening(): Promise<void> {
    const id = this.#nextId();
    const seen = new Promise<void>((resolve) => this.#waiting.set(id, { left: steps, resolve }));
    await this.#begin(id);
    await seen;
  }

  #nextId(): string {
    this.#begun += 1;
    return `j${this.#begun}`;
  }

  async #begin(id: string): Promise<string> {
    const reply = await this.#nats.request(`retrace.cmd.job.${id}.Begin`, body, { timeout: timeoutMs });
    if (reply.headers !== undefined) throw new Error(`Begin was refused: ${reply.string()}`);
    return id;
  }

  #stepped(subject: string): void {
    const id = subject.split(".")[3] as string;
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    waiting.left -= 1;
    if (waiting.left > 0) return;
    this.#waiting.delete(id);
    waiting.resolve();
  }
}
