/** The verb `diff`: what changed in an aggregate between two points of its history, and by which events. */
import { type Command as CliCommand, InvalidArgumentError } from "commander";
import { Fault } from "../core/fault.ts";
import type { RecordedEvent } from "../core/message.ts";
import type { AsOf, Client } from "../wire/client.ts";
import type { StateReply } from "../wire/replies.ts";
import { colors } from "./colors.ts";
import { counted } from "./counted.ts";
import { eventRunLines } from "./event-runs.ts";
import { type FieldChange, fieldChanges } from "./field-changes.ts";
import { isTime, timeWanted } from "./parse.ts";
import { shortValue } from "./short-value.ts";
import { verbTools, withClient } from "./tools.ts";
import type { ClientOptions } from "./verb.ts";

interface Options extends ClientOptions {
  readonly from?: AsOf;
  readonly to?: AsOf;
  readonly all?: boolean;
}

const help = `
A point is a version of the stream (3), a position of the log (@170), or a time at which events were recorded, as
ISO 8601. A version of 0, or a point before the first event, is the empty stream.

Examples:
  $ retrace diff model m1
  $ retrace diff model m1 --from 3 --to 7
  $ retrace diff training-run r1 --from @170 --to 2026-11-20T09:00:00Z
`;

/** Adds the verb to the program. */
export function registerDiff(program: CliCommand): void {
  verbTools
    .clientOptions(
      program
        .command("diff")
        .description("say what changed in an aggregate between two points of its history, and by which events")
        .argument("<category>")
        .argument("<id>"),
    )
    .option("--from <point>", "from here (default: the version before the other point)", parsePoint)
    .option("--to <point>", "up to here (default: now)", parsePoint)
    .option("--all", "all changes, however many")
    .addHelpText("after", help)
    .action(async (category: string, id: string, options: Options, command: CliCommand) => {
      await withClient(options, async (client) => {
        const to = sideOf(await client.state(category, id, options.to));
        const from = await sideAt(client, { category, id }, options.from ?? { atVersion: to.version - 1 });
        if (from.version > to.version) {
          command.error(`error: --from is version ${from.version}, which is later than version ${to.version} of --to`);
        }
        const events = await eventsBetween(client, { category, id }, { from: from.version, to: to.version });
        const changes = [
          ...fieldChanges(from.value, to.value, [stateField]),
          ...fieldChanges(from.context, to.context),
        ];
        const diff: Diff = { stream: to.stream, from, to, changes, events };
        verbTools.print(options, describe(diff, options.all === true), forPrograms(diff));
      });
    });
}

function parsePoint(text: string): AsOf {
  const [, at, number] = /^(@?)(\d{1,15})$/.exec(text) ?? [];
  if (number !== undefined) return at === "" ? { atVersion: Number(number) } : { atPosition: Number(number) };
  if (isTime(text)) return { atRecorded: text };
  throw new InvalidArgumentError(`a version, @position, or ${timeWanted}`);
}

interface Address {
  readonly category: string;
  readonly id: string;
}

/** One of the two points. */
interface Side {
  readonly stream: string;
  /** 0 before the first event. */
  readonly version: number;
  readonly position: number;
  readonly recordedAt?: string;
  readonly value?: unknown;
  readonly context: unknown;
}

interface Diff {
  readonly stream: string;
  readonly from: Side;
  readonly to: Side;
  readonly changes: readonly FieldChange[];
  readonly events: readonly RecordedEvent[];
}

const stateField = "state";

function sideOf({ stream, version, position, recordedAt, state: { value, context } }: StateReply): Side {
  return { stream, version, position, recordedAt, value, context };
}

/** Of a stream that is there, so that nothing to be found means: before its first event. */
async function sideAt(client: Client, { category, id }: Address, point: AsOf): Promise<Side> {
  try {
    return sideOf(await client.state(category, id, point));
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== "NOT_FOUND") throw error;
    return { stream: `${category}-${id}`, version: 0, position: 0, context: {} };
  }
}

async function eventsBetween(
  client: Client,
  { category, id }: Address,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for (let next: number | null = from + 1; next !== null && next <= to; ) {
    const page: Awaited<ReturnType<Client["history"]>> = await client.history(category, id, {
      fromVersion: next,
      limit: Math.min(to - next + 1, 1_000),
    });
    events.push(...page.events);
    next = page.next;
  }
  return events;
}

function forPrograms({ stream, from, to, changes, events }: Diff): object {
  const place = ({ version, position, recordedAt }: Side) => ({ version, position, recordedAt });
  return {
    stream,
    from: place(from),
    to: place(to),
    changes: changes.map(({ path, ...values }) => ({ field: path.join("."), ...values })),
    events: events.map(({ data: _, category: __, schemaVersion: ___, ...event }) => event),
  };
}

const maxLines = 50;

function describe({ stream, from, to, changes, events }: Diff, isAll: boolean): string {
  const changed = changes.map(changeLine);
  return [
    `${colors.cyan(stream)} from ${placeText(from)} to ${placeText(to)}`,
    ...(changed.length === 0 ? ["  nothing is different"] : shown(changed, isAll)),
    counted(events.length, "event"),
    ...shown(eventRunLines(events), isAll),
  ].join("\n");
}

function placeText({ version, position, recordedAt }: Side): string {
  return version === 0 ? "the empty stream" : `version ${version} (position ${position}, recorded ${recordedAt})`;
}

function changeLine({ path, before, after }: FieldChange): string {
  const sides = `${colors.red(shortValue(before))} -> ${colors.green(shortValue(after))}`;
  return `${colors.bold(path.join("."))}: ${sides}`;
}

function shown(lines: readonly string[], isAll: boolean): string[] {
  const first = isAll ? lines : lines.slice(0, maxLines);
  const more = lines.length > first.length ? [`  and ${lines.length - first.length} more; --all shows all`] : [];
  return [...first.map((line) => `  ${line}`), ...more];
}
