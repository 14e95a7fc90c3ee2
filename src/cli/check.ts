/** The verb `check`: the whole log under the code at hand, before that code is deployed. */
import type { Command as CliCommand } from "commander";
import { aggregateReader } from "../core/check-history.ts";
import { Fault } from "../core/fault.ts";
import { builtInActors } from "../runtime/actor-files.ts";
import { type BrokenStream, type Checks, checkLog, type LogToCheck } from "../runtime/check-log.ts";
import { loadActors } from "../runtime/loader.ts";
import { type PartOfLog, servedLogToCheck, storeToCheck } from "../runtime/log-to-check.ts";
import { sagaChecker } from "../runtime/sagas/check-saga-stream.ts";
import { colors } from "./colors.ts";
import { openExistingStore } from "./existing-store.ts";
import { actorsOption, collect, parseInteger } from "./parse.ts";
import { verbTools, withClient } from "./tools.ts";
import type { ClientOptions } from "./verb.ts";

interface Options extends ClientOptions {
  readonly data?: string;
  readonly actors: readonly string[];
  readonly category?: readonly string[];
  readonly limit?: number;
}

/** Adds the verb to the program. */
export function registerCheck(program: CliCommand): void {
  verbTools
    .clientOptions(
      program
        .command("check")
        .description(
          "replay the log under the code at hand and list every stream that would break; status 1 if any does",
        ),
    )
    .option("--data <dir>", "read the log in this data folder, served or not, instead of asking a runtime")
    .addOption(actorsOption())
    .option("--category <c>", "only this category; may be repeated", collect)
    .option("--limit <n>", "end after so many broken streams; default: all", parseInteger)
    .addHelpText("after", "\nExample:\n  $ retrace check --data ./data --actors ./actors\n")
    .action((options: Options, command: CliCommand) => {
      refuseBrokerBesideData(command);
      return check(options);
    });
}

/** Both typed at once contradict one another; from the environment, the broker is only a default. */
function refuseBrokerBesideData(command: CliCommand): void {
  const isTyped = (option: string) => command.getOptionValueSource(option) === "cli";
  if (!isTyped("data") || !isTyped("nats")) return;
  command.error("error: --data reads the log without a broker, and --nats through one: give one of the two");
}

async function check(options: Options): Promise<void> {
  const actors = await loadActors([builtInActors, ...options.actors]);
  const checks = {
    readers: new Map([...actors.aggregates].map(([name, { aggregate }]) => [name, aggregateReader(aggregate)])),
    sagas: sagaChecker(actors),
  };
  const part: PartOfLog = options.category === undefined ? {} : { categories: options.category };
  if (options.data !== undefined) return checkStore(options.data, part, { options, checks });
  await withClient(options, async (client) => {
    const { position } = await client.query<{ readonly position: number }>("health");
    await report({ log: servedLogToCheck(client, part), position, checks, options });
  });
}

async function checkStore(data: string, part: PartOfLog, rest: Pick<Work, "options" | "checks">): Promise<void> {
  const store = openExistingStore(data);
  try {
    await report({ log: storeToCheck(store, part), position: store.position(), ...rest });
  } finally {
    await store.close();
  }
}

interface Work {
  readonly log: LogToCheck;
  /** Where the log ends, for the progress. */
  readonly position: number;
  readonly checks: Checks;
  readonly options: Options;
}

/** What was found. */
interface Count {
  streams: number;
  events: number;
  broken: number;
  /** Streams of kinds that have no check. */
  unchecked: number;
  /** False when it was interrupted, or ended at the limit: there may be more. */
  isComplete: boolean;
}

async function report(work: Work): Promise<void> {
  const startedAt = performance.now();
  const count = await printBroken(work);
  const seconds = Math.max(0.001, Number(((performance.now() - startedAt) / 1_000).toFixed(3)));
  const summary = { ...count, seconds, eventsPerSecond: Math.round(count.events / seconds) };
  verbTools.print(work.options, conclude(summary), { summary });
  if (count.broken > 0 || !count.isComplete) verbTools.exitCode(1);
}

async function printBroken({ log, position, checks, options }: Work): Promise<Count> {
  const { limit = Number.POSITIVE_INFINITY, category: wanted = [] } = options;
  const interruption = catchInterruption();
  const progress = verbTools.progress("checking", position);
  const count: Count = { streams: 0, events: 0, broken: 0, unchecked: 0, isComplete: true };
  const known = new Set<string>(checks.readers.keys());
  try {
    for await (const { category, events, verdict, broken } of checkLog(log, checks)) {
      known.add(category);
      count.events += events;
      progress.advance(events);
      if (verdict !== undefined) count[verdict === "unchecked" ? "unchecked" : "streams"] += 1;
      if (broken !== undefined) {
        count.broken += 1;
        clearProgressLine();
        verbTools.print(options, describe(broken), broken);
      }
      count.isComplete = !interruption.hasCome() && count.broken < limit;
      if (!count.isComplete) return count;
    }
  } finally {
    progress.stop();
    interruption.ignore();
  }
  refuseUnknown(wanted, [...known]);
  return count;
}

/** A typing error must not look like a log in which nothing breaks. */
function refuseUnknown(wanted: readonly string[], known: readonly string[]): void {
  const unknown = wanted.find((category) => !known.includes(category));
  if (unknown === undefined) return;
  const message = `neither the log nor the actors have a category ${unknown}; there are ${known.join(", ")}`;
  throw new Fault("UNKNOWN_CATEGORY", message, { known });
}

/** The first signal ends the check with what it has found; another one ends the process. */
function catchInterruption(): { hasCome(): boolean; ignore(): void } {
  let hasCome = false;
  const come = (): void => {
    hasCome = true;
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, come);
  return {
    hasCome: () => hasCome,
    ignore: () => {
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, come);
    },
  };
}

/** Where both go to one terminal, a line would be written behind the bar. */
function clearProgressLine(): void {
  if (process.stderr.isTTY && process.stdout.isTTY) process.stderr.write("\r\x1b[K");
}

function describe({ stream, version, state, type, schemaVersion, reason, message }: BrokenStream): string {
  const where = `${stream}@${version}`;
  const inState = state === null ? "" : ` in ${typeof state === "string" ? state : JSON.stringify(state)}`;
  const what = schemaVersion === 1 ? type : `${type} v${schemaVersion}`;
  return `${colors.cyan(where)}${inState}: ${colors.bold(what)}: ${colors.red(reason)}: ${message.replace(/\s+/g, " ")}`;
}

function conclude(summary: Count & { readonly seconds: number; readonly eventsPerSecond: number }): string {
  const { streams, events, broken, unchecked, seconds, eventsPerSecond, isComplete } = summary;
  const found = broken === 0 ? "no stream breaks" : `${counted(broken, "stream")} would break`;
  const passedOver = unchecked === 0 ? "" : `; ${counted(unchecked, "stream")} of sagas not checked`;
  const ended = isComplete ? "" : "; ended before the end of the log, there may be more";
  const speed = `${counted(events, "event")} of ${counted(streams, "stream")} in ${seconds} s, ${eventsPerSecond} events/s`;
  return `${found}: ${speed}${passedOver}${ended}`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
