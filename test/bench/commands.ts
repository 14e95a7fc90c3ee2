/**
 * Parts (a) and (b): a bare echo and acknowledged durable commands, by turns on one broker, so that their ratio holds whatever
 * else the machine does.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { openConnection } from "../../src/wire/connection.ts";
import { type CpuMs, cpuBetween, cpuMs } from "./cpu.ts";
import { diskFigures } from "./disk.ts";
import { echo } from "./echo.ts";
import { type Figure, type Part, spread } from "./figures.ts";
import { drained, health, watchingLag } from "./health.ts";
import { byTurns, each, type LoadResult, load } from "./load.ts";
import { startEchoResponder, startRuntime } from "./processes.ts";
import type { Setting } from "./setting.ts";
import { SyncedCommit } from "./synced-commit.ts";
import { progressBody, TrainingRuns } from "./training-runs.ts";

const streams = 1_000;
const concurrencies = [1, 128, 512] as const;
type Concurrency = (typeof concurrencies)[number];

/** One slice of load, with what each process spent on it. */
interface Slice extends LoadResult {
  readonly cpu: CpuMs;
}

interface CommandSlice extends Slice {
  readonly maxLag: number;
  readonly drainMs: number;
}

/** What was seen at one concurrency, round by round. */
interface Rounds {
  readonly echo: Slice[];
  readonly command: CommandSlice[];
}

/** Measures both, and what the commands have left on disk. */
export async function commandFigures(setting: Setting): Promise<Figure[]> {
  const { sizes, progress } = setting;
  const dataDir = join(setting.folder, "commands");
  mkdirSync(dataDir);
  const commit = new SyncedCommit(dataDir);
  const runtime = await startRuntime(dataDir, { profileDir: setting.profileDir });
  const responder = await startEchoResponder(runtime.url);
  const nats = await openConnection({ servers: runtime.url, name: "retrace bench" });
  const roles = { client: process.pid, broker: runtime.brokerPid, runtime: runtime.pid, responder: responder.pid };

  const runs = new TrainingRuns(nats, "r");
  await each(streams, 64, (index) => runs.start(index));
  let sent = 0;
  const commandOnce = (): Promise<void> => {
    sent += 1;
    return runs.progress(sent % streams);
  };
  const echoOnce = echo(nats);

  const slice = async (operation: () => Promise<unknown>, concurrency: number, forMs: number): Promise<Slice> => {
    const before = cpuMs(roles);
    const result = await load(operation, { concurrency, forMs });
    return { ...result, cpu: cpuBetween(before, cpuMs(roles)) };
  };
  /** The relay's share belongs to the commands: their slice is over when JetStream has everything. */
  const commandSlice = async (concurrency: number, forMs: number): Promise<CommandSlice> => {
    const before = cpuMs(roles);
    const { result, maxLag } = await watchingLag(nats, () => load(commandOnce, { concurrency, forMs }));
    const drainMs = await drained(nats);
    return { ...result, cpu: cpuBetween(before, cpuMs(roles)), maxLag, drainMs };
  };

  progress("a, b: warming up");
  for (const concurrency of [512, 128, 1] as const) {
    await slice(echoOnce, concurrency, sizes.warmUpMs);
    await commandSlice(concurrency, sizes.warmUpMs);
  }
  commit.p50Ms(sizes.commits);

  const commits: number[] = [];
  const turns: number[][] = [];
  const seen = new Map<Concurrency, Rounds>(
    concurrencies.map((concurrency) => [concurrency, { echo: [], command: [] }]),
  );
  for (let round = 1; round <= sizes.rounds; round++) {
    for (const [concurrency, rounds] of seen) {
      progress(`a, b: round ${round} of ${sizes.rounds}, concurrency ${concurrency}`);
      rounds.echo.push(await slice(echoOnce, concurrency, sizes.sliceMs));
      rounds.command.push(await commandSlice(concurrency, sizes.sliceMs));
      commits.push(commit.p50Ms(sizes.commits));
    }
    turns.push(await byTurns([echoOnce, () => commit.once(), commandOnce], sizes.commits));
  }

  const { position } = await health(nats);
  const bodyBytes = progressBody(Math.round(position / streams)).length;
  await nats.close();
  await responder.stop();
  await runtime.stop();
  await commit.close();
  return [
    { id: "commit.p50", part: "b", text: "one synced LMDB commit, p50", unit: "ms", ...spread(commits) },
    ...[...seen].flatMap(([concurrency, rounds]) => figuresOf(concurrency, rounds)),
    ...["echo", "commit", "command"].map((what, i): Figure => {
      const medians = turns.map((medians) => medians[i] as number);
      return { id: `turns.${what}`, part: "b", text: `${what}, one by turns, p50`, unit: "ms", ...spread(medians) };
    }),
    { id: "body.bytes", part: "e", text: "body of one command", value: bodyBytes, unit: "bytes" },
    ...diskFigures({ id: "disk.commands", text: "after (b)", dataDir, events: position }),
  ];
}

function figuresOf(concurrency: Concurrency, { echo, command }: Rounds): Figure[] {
  const at = `concurrency ${concurrency}`;
  const ratios = command.map((slice, round) => slice.rate / (echo[round] as Slice).rate);
  const drains = command.map(({ drainMs }) => drainMs);
  const sustained = command.map(({ operations, seconds, drainMs }) => operations / (seconds + drainMs / 1_000));
  return [
    ...loadFigures("a", `echo.${concurrency}`, `echo, ${at}`, echo),
    ...loadFigures("b", `command.${concurrency}`, `command, ${at}`, command),
    { id: `ratio.${concurrency}`, part: "b", text: `command / echo, ${at}`, unit: "", ...spread(ratios) },
    {
      id: `command.${concurrency}.sustained`,
      part: "b",
      text: `command, ${at}, until JetStream has all`,
      unit: "/s",
      ...spread(sustained),
    },
    {
      id: `command.${concurrency}.maxLag`,
      part: "b",
      text: `relay, ${at}, largest lag seen`,
      value: Math.max(...command.map(({ maxLag }) => maxLag)),
      unit: "events",
    },
    {
      id: `command.${concurrency}.drain`,
      part: "b",
      text: `relay, ${at}, time to drain`,
      unit: "ms",
      ...spread(drains),
    },
  ];
}

function loadFigures(part: Part, id: string, text: string, slices: readonly Slice[]): Figure[] {
  const operations = slices.reduce((sum, slice) => sum + slice.operations, 0);
  const roles = Object.keys(slices[0]?.cpu ?? {});
  return [
    { id: `${id}.rate`, part, text, unit: "/s", ...spread(slices.map(({ rate }) => rate)) },
    { id: `${id}.p50`, part, text: `${text}, p50`, unit: "ms", ...spread(slices.map(({ p50Ms }) => p50Ms)) },
    { id: `${id}.p99`, part, text: `${text}, p99`, unit: "ms", ...spread(slices.map(({ p99Ms }) => p99Ms)) },
    ...roles.map((role) => {
      const ms = slices.reduce((sum, { cpu }) => sum + (cpu[role] ?? 0), 0);
      return {
        id: `${id}.cpu.${role}`,
        part,
        text: `${text}, CPU of ${role}`,
        value: (ms * 1_000) / operations,
        unit: "us",
      };
    }),
  ];
}
