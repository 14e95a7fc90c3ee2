/** The verb `saga`: what the sagas are doing, the story of one, and help for those that cannot go on. */
import { type Command as CliCommand, InvalidArgumentError } from "commander";
import type { RecordedEvent } from "../core/message.ts";
import type { HelpReply } from "../runtime/admin/help-saga.ts";
import type { Client } from "../wire/client.ts";
import type { SagaInstance, SagasReply } from "../wire/replies.ts";
import { colors } from "./colors.ts";
import { assertNamedOrAll } from "./parse.ts";
import { sagaStory } from "./saga-story.ts";
import { sayNothing, verbTools, withClient } from "./tools.ts";
import type { ClientOptions } from "./verb.ts";
import { actorDefault, whoActs } from "./who-acts.ts";

interface ListOptions extends ClientOptions {
  readonly stuck?: boolean;
}

interface HelpOptions extends ClientOptions {
  readonly by?: string;
  readonly reason?: string;
  readonly all?: boolean;
}

/** Adds the verb to the program. */
export function registerSaga(program: CliCommand): void {
  const saga = program
    .command("saga")
    .description("sagas that are under way: list, show, retry, skip, resolve")
    .addHelpText("after", examples("list --stuck", "show review-routing i42", "retry review-routing i42"));
  part(saga, "list", "print the instances under way, with what they wait for or why they are stuck", "list --stuck")
    .argument("[saga]", "only of this saga")
    .option("--stuck", "only those that cannot go on")
    .action((name: string | undefined, options: ListOptions) => list(name, options));
  part(saga, "show", "tell the story of one instance in order, with causes", "show review-routing i42")
    .argument("<saga>", "its name")
    .argument("<id>", "of the instance")
    .action((name: string, id: string, options: ClientOptions) => show(name, id, options));
  helping(saga, "retry", "have what a stuck instance is stuck at tried again").option(
    "--all",
    "all stuck instances of the saga",
  );
  helping(saga, "skip", "leave out what a stuck instance is stuck at, and let it go on").option(
    "--all",
    "all stuck instances of the saga",
  );
  helping(saga, "resolve", "end an instance, stuck or not: somebody has taken care of it");
}

function part(saga: CliCommand, name: string, description: string, example: string): CliCommand {
  return verbTools.clientOptions(saga.command(name).description(description)).addHelpText("after", examples(example));
}

function helping(saga: CliCommand, verb: "retry" | "skip" | "resolve", description: string): CliCommand {
  return part(saga, verb, description, `${verb} review-routing i42 --reason "the bug is mended"`)
    .argument("<saga>", "its name")
    .argument("[id]", "of the instance")
    .option("--by <name>", `who helps, for the saga's history; ${actorDefault}`)
    .option("--reason <text>", "why, for the saga's history")
    .action((name: string, id: string | undefined, options: HelpOptions) => {
      if (verb !== "resolve") assertNamedOrAll(id !== undefined, options.all === true, "an instance");
      else if (id === undefined) throw new InvalidArgumentError("name an instance");
      return help(verb, name, id, options);
    });
}

function examples(...lines: readonly string[]): string {
  return `\nExample${lines.length > 1 ? "s" : ""}:\n${lines.map((line) => `  $ retrace saga ${line}\n`).join("")}`;
}

async function* instances(client: Client, filter: object): AsyncGenerator<SagaInstance> {
  for (let cursor: SagasReply["next"] | undefined; cursor !== null; ) {
    const body = { ...filter, limit: 1_000, ...(cursor !== undefined && { cursor }) };
    const reply: SagasReply = await client.query<SagasReply>("sagas", body);
    yield* reply.instances;
    cursor = reply.next;
  }
}

async function list(name: string | undefined, options: ListOptions): Promise<void> {
  await withClient(options, async (client) => {
    const filter = { ...(name !== undefined && { name }), ...(options.stuck === true && { status: "stuck" }) };
    let count = 0;
    for await (const instance of instances(client, filter)) {
      verbTools.print(options, instanceLine(instance), instance);
      count += 1;
    }
    if (count === 0) sayNothing(options, `no instance is ${options.stuck === true ? "stuck" : "under way"}`);
  });
}

function instanceLine({ saga, id, state, stuck, timers, startedAt }: SagaInstance): string {
  const where = `${colors.cyan(`${saga} ${id}`)} ${colors.bold(valueText(state))}`;
  if (stuck !== undefined) {
    const behind = stuck.waiting === 0 ? "" : `, ${stuck.waiting} more waiting behind it`;
    const at = stuck.at === undefined ? "" : ` at ${stuck.at}`;
    return `${where} ${colors.red("stuck")} for ${durationText(stuck.ageMs)}${at}: ${stuck.reason}: ${stuck.message}${behind}`;
  }
  const [next] = [...timers].sort((a, b) => (a.dueAt < b.dueAt ? -1 : 1));
  const waits = next === undefined ? "waits for an event" : `waits, until ${next.dueAt} at the latest`;
  return `${where} since ${startedAt}, ${waits}`;
}

/** A state value as people read it. */
export function valueText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function durationText(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return `${Math.round(ms / 1_000)} s`;
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`;
}

async function show(name: string, id: string, options: ClientOptions): Promise<void> {
  await withClient(options, async (client) => {
    const events: RecordedEvent[] = [];
    for (let from: number | null = 1; from !== null; ) {
      const page: Awaited<ReturnType<Client["history"]>> = await client.history("saga", `${name}-${id}`, {
        fromVersion: from,
        limit: 1_000,
      });
      events.push(...page.events);
      from = page.next;
    }
    const { instances: found } = await client.query<SagasReply>("sagas", { name, id }).catch(() => ({ instances: [] }));
    const effects = await effectsOf(client, events);
    const [instance] = found;
    const story = sagaStory(events, effects);
    const now = instance === undefined ? "" : `\n${instanceLine(instance)}`;
    verbTools.print(options, story.map(({ text }) => text).join("\n") + now, {
      events,
      effects,
      instance: instance ?? null,
    });
  });
}

/** The events that a saga's commands led to: they carry its correlation id and the ids of its commands. */
async function effectsOf(client: Client, events: readonly RecordedEvent[]): Promise<RecordedEvent[]> {
  const [first] = events;
  const last = events.at(-1);
  if (first === undefined || last === undefined) return [];
  const { correlationId } = first.metadata;
  const effects: RecordedEvent[] = [];
  for (let after: number | null = first.position - 1; after !== null; ) {
    const page: Awaited<ReturnType<Client["events"]>> = await client.events({
      correlationId,
      afterPosition: after,
      limit: 1_000,
    });
    effects.push(...page.events.filter(({ metadata }) => metadata.commandId.startsWith(`${first.stream}@`)));
    after = page.next;
  }
  return effects.filter(({ stream }) => stream !== first.stream);
}

async function help(verb: string, name: string, id: string | undefined, options: HelpOptions): Promise<void> {
  const by = whoActs(options.by);
  await withClient(options, async (client) => {
    const ids: string[] = [];
    if (id !== undefined) ids.push(id);
    else for await (const instance of instances(client, { name, status: "stuck" })) ids.push(instance.id);
    for (const one of ids) {
      const body = { saga: name, id: one, by, ...(options.reason !== undefined && { reason: options.reason }) };
      const reply = await client.admin<HelpReply>(verb, body);
      verbTools.print(options, `${name} ${one} is ${reply.status} in ${valueText(reply.state)}`, reply);
      if (reply.status === "stuck") verbTools.exitCode(1);
    }
  });
}
