/** The verb `dead`: events that a subscriber could not handle, and what becomes of them. */
import { type Command as CliCommand, InvalidArgumentError } from "commander";
import { Fault } from "../core/fault.ts";
import { type DeadLetter, DeadLetters, isSubscriptionName } from "../wire/dead-letters.ts";
import { colors } from "./colors.ts";
import { assertNamedOrAll } from "./parse.ts";
import { sayNothing, verbTools, withClient } from "./tools.ts";
import type { ClientOptions } from "./verb.ts";

interface Options extends ClientOptions {
  readonly subscription?: string;
  readonly all?: boolean;
}

/** Both ends inclusive. */
interface Range {
  readonly from: number;
  readonly to: number;
}

/** Adds the verb to the program. */
export function registerDead(program: CliCommand): void {
  const dead = program
    .command("dead")
    .description("events that a subscriber could not handle: list, show, retry, drop")
    .addHelpText("after", examples("list", "show 17", "retry 17 20-25 --subscription billing", "drop --all"));
  part(dead, "list", "print the dead letters; with --json one a line", examples("list --subscription billing")).action(
    (options: Options) => list(options),
  );
  part(dead, "show", "print everything about the dead letters at a position", examples("show 17"))
    .argument("<position>", "of the event in the log", parseRange)
    .action((range: Range, options: Options) => show(range, options));
  change(
    dead,
    "retry",
    "have events delivered again: at once, or when the subscriber runs",
    "those that are parked",
  ).action((ranges: readonly Range[], options: Options) => retry(ranges, options));
  change(
    dead,
    "drop",
    "forget dead letters: their events are not handled",
    "those that are parked or to be retried",
  ).action((ranges: readonly Range[], options: Options) => drop(ranges, options));
}

function part(dead: CliCommand, name: string, description: string, help: string): CliCommand {
  return verbTools
    .clientOptions(dead.command(name).description(description))
    .option("--subscription <name>", "only of this subscription; default: of all", parseName)
    .addHelpText("after", help);
}

function change(dead: CliCommand, name: string, description: string, all: string): CliCommand {
  return part(
    dead,
    name,
    description,
    examples(`${name} 17`, `${name} 17 20-25`, `${name} --all --subscription billing`),
  )
    .argument("[positions...]", "of the events, and ranges like 20-25", collectRanges, [])
    .option("--all", `all, that is ${all}`);
}

function examples(...lines: readonly string[]): string {
  return `\nExample${lines.length > 1 ? "s" : ""}:\n${lines.map((line) => `  $ retrace dead ${line}\n`).join("")}`;
}

function parseName(text: string): string {
  if (isSubscriptionName(text)) return text;
  throw new InvalidArgumentError("1 to 64 of A-Z a-z 0-9 _ -");
}

function collectRanges(text: string, before: readonly Range[]): Range[] {
  return [...before, parseRange(text)];
}

function parseRange(text: string): Range {
  const [, first, last = first] = /^([1-9]\d{0,14})(?:-([1-9]\d{0,14}))?$/.exec(text) ?? [];
  const range = { from: Number(first), to: Number(last) };
  if (first !== undefined && range.from <= range.to) return range;
  throw new InvalidArgumentError("a position from 1, or a range like 20-25");
}

async function withLetters(options: Options, run: (letters: DeadLetters) => Promise<void>): Promise<void> {
  const { prefix = "retrace" } = options;
  try {
    await withClient(options, ({ nats }) => run(new DeadLetters(nats, prefix)));
  } catch (error) {
    if (error instanceof Fault) throw error;
    const message = `the dead letters of prefix ${prefix} cannot be reached: ${(error as Error).message}`;
    throw new Fault("BUS_UNAVAILABLE", message, {}, error);
  }
}

function list(options: Options): Promise<void> {
  return withLetters(options, async (letters) => {
    const found = await letters.list(options.subscription);
    for (const letter of found) verbTools.print(options, letterLine(letter), letter);
    if (found.length === 0) sayNothing(options, "there are no dead letters");
  });
}

function show(range: Range, options: Options): Promise<void> {
  return withLetters(options, async (letters) => {
    const found = (await letters.list(options.subscription)).filter(isIn([range]));
    if (found.length === 0) throw notFound(range, options);
    for (const letter of found) verbTools.print(options, letterPage(letter), letter);
  });
}

function isIn(ranges: readonly Range[]): (letter: DeadLetter) => boolean {
  return ({ position }) => ranges.some(({ from, to }) => from <= position && position <= to);
}

function notFound({ from, to }: Range, { subscription }: Options): Fault {
  const where = from === to ? `position ${from}` : `positions ${from} to ${to}`;
  const whose = subscription === undefined ? "" : ` of subscription ${subscription}`;
  return new Fault("NOT_FOUND", `there is no dead letter${whose} at ${where}`, { from, to, subscription });
}

/** The letters that a command line names. What it names and is not there makes the verb end with status 1. */
async function chosen(letters: DeadLetters, ranges: readonly Range[], options: Options): Promise<DeadLetter[]> {
  const there = await letters.list(options.subscription);
  if (options.all === true) {
    const all = there.filter(({ state }) => state !== "held");
    if (all.length === 0) sayNothing(options, "no dead letter is parked");
    return all;
  }
  for (const range of ranges.filter((each) => !there.some(isIn([each])))) {
    process.stderr.write(`retrace: ${notFound(range, options).message}\n`);
    verbTools.exitCode(1);
  }
  return there.filter(isIn(ranges));
}

async function retry(ranges: readonly Range[], options: Options): Promise<void> {
  assertNamedOrAll(ranges.length > 0, options.all === true, "positions");
  await withLetters(options, async (letters) => {
    const found = await chosen(letters, ranges, options);
    for (const letter of found) {
      const outcome = await letters.retry(letter.subscription, letter.position);
      if (outcome === "asked") {
        report(options, letter, "retried", "is delivered again");
        continue;
      }
      const why =
        outcome === "held" ? "waits for an earlier event of its stream: retry or drop that" : "is gone by now";
      process.stderr.write(`retrace: ${nameOf(letter)} ${why}\n`);
      verbTools.exitCode(1);
    }
    announce(letters, found);
  });
}

async function drop(ranges: readonly Range[], options: Options): Promise<void> {
  assertNamedOrAll(ranges.length > 0, options.all === true, "positions");
  await withLetters(options, async (letters) => {
    const found = await chosen(letters, ranges, options);
    for (const letter of found) {
      if (await letters.drop(letter.subscription, letter.position)) report(options, letter, "dropped", "is dropped");
    }
    announce(letters, found);
  });
}

function announce(letters: DeadLetters, changed: readonly DeadLetter[]): void {
  for (const subscription of new Set(changed.map((letter) => letter.subscription))) letters.notify(subscription);
}

function report(options: Options, letter: DeadLetter, outcome: "retried" | "dropped", human: string): void {
  const { subscription, position } = letter;
  verbTools.print(options, `${nameOf(letter)} ${human}`, { outcome, subscription, position });
}

function nameOf({ subscription, position, event }: DeadLetter): string {
  return `${position} ${event.stream}@${event.version} ${event.type} of ${subscription}`;
}

const maxReasonShown = 120;

function letterLine({ subscription, position, state, deliveries, since, reason, event }: DeadLetter): string {
  const shown = reason.length > maxReasonShown ? `${reason.slice(0, maxReasonShown)}…` : reason;
  const what = `${colors.cyan(`${event.stream}@${event.version}`)} ${colors.bold(event.type)}`;
  const said = state === "held" ? "waits for an earlier event of its stream" : `${deliveries} deliveries: ${shown}`;
  return `${colors.dim(String(position).padStart(6))} ${colors.dim(since)} ${subscription} ${state} ${what} ${said}`;
}

function letterPage(letter: DeadLetter): string {
  const { subscription, position, state, deliveries, since, reason, thrownAt, subject, event } = letter;
  const rows: readonly (readonly [string, string | undefined])[] = [
    ["position", String(position)],
    ["subscription", subscription],
    ["state", `${state} since ${since}`],
    ["event", `${event.stream}@${event.version} ${event.type}, schema version ${event.schemaVersion}`],
    ["subject", subject],
    ["occurred", event.occurredAt],
    ["recorded", event.recordedAt],
    ["correlation", event.metadata.correlationId],
    ["actor", event.metadata.actor?.id],
    ["deliveries", String(deliveries)],
    ["reason", reason === "" ? undefined : reason],
    ["thrown", thrownAt],
    ["data", JSON.stringify(event.data, null, 2)],
  ];
  return rows
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name.padEnd(13)}${value}`)
    .join("\n");
}
