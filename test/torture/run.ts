/**
 * `npm run torture`: the tests of `npm test` with counts as big as one likes. Progress on stderr, reports as JSON on stdout; what
 * fails names its seed.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { openLmdbStore, systemClock } from "retrace";
import { instanceCounts } from "../../src/runtime/sagas/reaction.ts";
import { absentArrivals, readArrivals } from "../actors/sagas/arrivals-data.ts";
import { honeypots, queueFigures } from "../actors/sagas/arrivals-figures.ts";
import { replay, usualRules } from "../actors/sagas/arrivals-run.ts";
import { queueText } from "../actors/sagas/arrivals-text.ts";
import { type CrowdFigures, crowdRun, figuresOf, openRouting } from "../actors/sagas/crowd-run.ts";
import { absentCrowds, readCrowdSet } from "../consensus/crowd-sets.ts";
import { crashRun } from "../crash/crash-run.ts";
import { fuzzRun } from "../fuzz/fuzz-run.ts";
import { checks } from "../projections/fan-in/checks.ts";
import { absentFiles, allImports, unexplainedFiles } from "../projections/fan-in/files.ts";
import { fanIn } from "../projections/fan-in.ts";
import { simulations } from "../sagas/simulation.ts";
import { timerRun } from "../sagas/timer-run.ts";
import { spawnRuntime } from "../support/runtime-process.ts";

type Broker = "embedded" | "external";

interface CrashOptions {
  readonly kills: number;
  readonly seed: number;
  readonly broker?: Broker;
}

function parseCount(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("an integer from 1");
}

/** Kills the runtime and nats-server at random moments under load; a run that fails keeps its folder. */
async function crash({ kills, seed, broker }: CrashOptions): Promise<void> {
  const brokers: readonly Broker[] = broker === undefined ? ["embedded", "external"] : [broker];
  for (const one of brokers) {
    const folder = mkdtempSync(join(tmpdir(), "retrace-torture-"));
    process.stderr.write(`crash run with seed ${seed}, ${one} broker, in ${folder}\n`);
    const onKill = (line: string): void => void process.stderr.write(`  ${line}\n`);
    const report = await crashRun({ folder, kills: Math.ceil(kills / brokers.length), seed, broker: one, onKill });
    process.stdout.write(`${JSON.stringify(report)}\n`);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Random histories, LMDB against the memory store. */
function laws({ runs }: { readonly runs: number }): void {
  const vitest = join("node_modules", "vitest", "vitest.mjs");
  const env = { ...process.env, RETRACE_TORTURE_RUNS: String(runs) };
  const { status } = spawnSync(process.execPath, [vitest, "run", "test/store/laws.test.ts", "--testTimeout=3600000"], {
    env,
    stdio: "inherit",
  });
  process.exitCode = status ?? 1;
}

/** Wrong and half wrong commands of every type against a runtime. */
async function fuzz({ inputs, seed }: { readonly inputs: number; readonly seed: number }): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "retrace-torture-"));
  process.stderr.write(`fuzz run with seed ${seed} in ${folder}\n`);
  const runtime = spawnRuntime({ dataDir: folder });
  try {
    const { nats: url } = await runtime.ready;
    const onProgress = (answered: number): void => {
      if (answered % 10_000 === 0) process.stderr.write(`  ${answered} of ${inputs}\n`);
    };
    process.stdout.write(`${JSON.stringify(await fuzzRun({ url, inputs, seed, onProgress }))}\n`);
  } finally {
    await runtime.stop();
  }
  rmSync(folder, { recursive: true, force: true });
}

/** What has to come of the crowd sets, whole. */
const crowdLaws = {
  hitspam_mturk: ({ acceptedFrom50th }: CrowdFigures) => acceptedFrom50th === 0,
  snow_rte: ({ accepted, accuracy }: CrowdFigures) => accepted >= 0.9 && accuracy !== null && accuracy >= 0.93,
  bluebirds: ({ accuracy }: CrowdFigures) => accuracy !== null && accuracy > 0.76,
};

/** Real crowds through the saga that conducts reviews, vote by vote, over a store on disk. */
async function crowds(): Promise<void> {
  if (absentCrowds !== undefined) throw new Error(absentCrowds);
  for (const [name, holds] of Object.entries(crowdLaws)) {
    const folder = mkdtempSync(join(tmpdir(), "retrace-torture-"));
    const store = openLmdbStore({ path: folder, newId: systemClock().newId });
    const sagas = await openRouting({ store });
    const set = readCrowdSet(name);
    const startedAt = performance.now();
    const outcomes = await crowdRun(sagas, set, (over) => {
      if (over % 500 === 0) process.stderr.write(`  ${name}: ${over} of ${set.items.length}\n`);
    });
    const figures = figuresOf(outcomes, set.gold);
    const seconds = Math.round(performance.now() - startedAt) / 1_000;
    const report = { set: name, reviews: outcomes.length, ...figures, events: store.position(), seconds };
    process.stdout.write(`${JSON.stringify(report)}\n`);
    await store.close();
    rmSync(folder, { recursive: true, force: true });
    if (holds(figures)) continue;
    process.stderr.write(`${name} is not judged as it should be\n`);
    process.exitCode = 1;
  }
}

/** All real files as one history, and every projection against figures that were counted without it. */
async function fanInOfAll(): Promise<void> {
  if (absentFiles !== undefined) throw new Error(absentFiles);
  const folder = mkdtempSync(join(tmpdir(), "retrace-torture-"));
  process.stderr.write(`all real files, in ${folder}\n`);
  const onProgress = (line: string): void => void process.stderr.write(`  ${line}\n`);
  const all = await fanIn({ imports: allImports, folder, onProgress });
  const failures = unexplainedFiles().map((file) => `nothing takes ${file}`);
  for (const { name, parked, status } of [...all.followed, ...all.rebuilt]) {
    if (parked > 0 || status !== "live") failures.push(`${name} is ${status}, with ${parked} events parked`);
  }
  failures.push(...all.differences.slice(0, 20).map((row) => `made anew, another row: ${row}`));
  for (const [name, check] of Object.entries(checks)) {
    try {
      check(all);
    } catch (error) {
      failures.push(`${name}: ${(error as Error).message}`);
    }
  }
  const rows = Object.fromEntries(all.rebuilt.map((made) => [made.name, made.rows]));
  const files = allImports.reduce((sum, one) => sum + one.files.length, 0);
  const { durationsMs, differences } = all;
  const figures = { files, events: all.store.position(), rows, differences: differences.length, durationsMs };
  process.stdout.write(`${JSON.stringify({ ...figures, failures: failures.length })}\n`);
  await all.close();
  if (failures.length === 0) return rmSync(folder, { recursive: true, force: true });
  process.stderr.write(`${failures.join("\n")}\n`);
  process.exitCode = 1;
}

interface ArrivalOptions {
  readonly leaseMinutes: number;
  readonly dueDays: number;
  readonly json?: boolean;
}

/** A month of real ratings through the saga that conducts reviews, at the times they came. */
async function arrivals({ json = false, ...rules }: ArrivalOptions): Promise<void> {
  if (absentArrivals !== undefined) throw new Error(absentArrivals);
  const folder = mkdtempSync(join(tmpdir(), "retrace-torture-"));
  const store = openLmdbStore({ path: folder, newId: systemClock().newId });
  const onDay = (day: string): void => void process.stderr.write(`  ${day}\n`);
  const { sagas, refused } = await replay(readArrivals(), rules, { store, onDay });
  const report = { rules, refused, ...queueFigures(store, "segment"), honeypots: honeypots(store) };
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : queueText(report));
  const { stuck, running } = instanceCounts(sagas.store, "review-routing");
  await store.close();
  rmSync(folder, { recursive: true, force: true });
  if (stuck + running === 0) return;
  process.stderr.write(`${stuck} sagas are stuck, ${running} go on for ever\n`);
  process.exitCode = 1;
}

/** Sagas over a store, a clock and a bus that all do their worst. */
async function sagas({ seeds, seed }: { readonly seeds: number; readonly seed: number }): Promise<void> {
  process.stderr.write(`${seeds} simulations, the first with seed ${seed}\n`);
  const startedAt = performance.now();
  const report = await simulations(seeds, seed, (done) => {
    if (done % 500 === 0) process.stderr.write(`  ${done} of ${seeds}\n`);
  });
  const durationMs = Math.round(performance.now() - startedAt);
  process.stdout.write(`${JSON.stringify({ seeds, seed, ...report, durationMs })}\n`);
}

/** Pending timers in a real process that is killed in the middle; a run that fails keeps its folder. */
async function timers({ count, seconds }: { readonly count: number; readonly seconds: number }): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "retrace-torture-"));
  process.stderr.write(`${count} timers over ${seconds} s, in ${folder}\n`);
  const onProgress = (line: string): void => void process.stderr.write(`  ${line}\n`);
  const report = await timerRun({ folder, count, overMs: 1_000 * seconds, onProgress });
  process.stdout.write(`${JSON.stringify(report)}\n`);
  rmSync(folder, { recursive: true, force: true });
}

const program = new Command("npm run torture --").description("tests with big counts").showHelpAfterError();
program
  .command("crash")
  .description("kill the runtime and nats-server under load, and compare what is left with what was acknowledged")
  .option("--kills <n>", "how often, split over the brokers", parseCount, 100)
  .option("--seed <s>", "of every random choice", parseCount, 1 + Math.floor(Math.random() * 2 ** 30))
  .addOption(new Option("--broker <kind>", "only this one").choices(["embedded", "external"]))
  .addHelpText("after", "\nExample:\n  $ npm run torture -- crash --kills 400 --seed 7\n")
  .action(crash);
program
  .command("laws")
  .description("random histories: the store on disk does what the store in memory does")
  .option("--runs <n>", "how many histories", parseCount, 10_000)
  .addHelpText("after", "\nExample:\n  $ npm run torture -- laws --runs 10000\n")
  .action(laws);
program
  .command("fuzz")
  .description(
    "commands of every type, most of them wrong somewhere: never a bug, and all that was taken in can be read",
  )
  .option("--inputs <n>", "how many", parseCount, 100_000)
  .option("--seed <s>", "of every random choice", parseCount, 1 + Math.floor(Math.random() * 2 ** 30))
  .addHelpText("after", "\nExample:\n  $ npm run torture -- fuzz --inputs 100000 --seed 7\n")
  .action(fuzz);
program
  .command("crowds")
  .description("real crowds through review-routing, vote by vote: what is accepted, and how much of it is right")
  .addHelpText("after", "\nExample:\n  $ npm run torture -- crowds\n")
  .action(crowds);
program
  .command("fan-in")
  .description("all real files as one history: every projection as counted without it, and the same when made anew")
  .addHelpText("after", "\nExample:\n  $ npm run torture -- fan-in\n")
  .action(fanInOfAll);
program
  .command("arrivals")
  .description("a month of real ratings through review-routing, at their times: how long work waits, and who does it")
  .option("--lease-minutes <n>", "how long reviewers keep what they claim", parseCount, usualRules.leaseMinutes)
  .option(
    "--due-days <n>",
    "until a review is due, and until each of its two further levels",
    parseCount,
    usualRules.dueDays,
  )
  .option("--json", "one line of JSON instead of tables")
  .addHelpText("after", "\nExample:\n  $ npm run torture -- arrivals --lease-minutes 30\n")
  .action(arrivals);
program
  .command("sagas")
  .description("simulate sagas under every fault, and compare how they end with how they would have ended")
  .option("--seeds <n>", "how many simulations", parseCount, 10_000)
  .option("--seed <s>", "of the first; the others follow", parseCount, 1)
  .addHelpText("after", "\nExample:\n  $ npm run torture -- sagas --seeds 10000 --seed 1\n")
  .action(sagas);
program
  .command("timers")
  .description("many pending timers, and SIGKILL in the middle: all fire once, and how late they are is measured")
  .option("--count <n>", "how many", parseCount, 100_000)
  .option("--seconds <s>", "over which they fall due", parseCount, 60)
  .addHelpText("after", "\nExample:\n  $ npm run torture -- timers --count 100000\n")
  .action(timers);
await program.parseAsync();
