/** The verb `tail`: events as they are relayed, straight from JetStream. */
import { type ConsumerMessages, DeliverPolicy, type JsMsg, jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { type Command as CliCommand, InvalidArgumentError } from "commander";
import { Fault } from "../core/fault.ts";
import type { RecordedEvent } from "../core/message.ts";
import { fromCloudEvent } from "../wire/cloud-event.ts";
import { eventStreamName } from "../wire/subjects.ts";
import { collect, parseInteger } from "./parse.ts";
import { eventLine, timesHelp } from "./print-event.ts";
import { verbTools, withClient } from "./tools.ts";
import type { ClientOptions } from "./verb.ts";

interface Options extends ClientOptions {
  readonly category?: readonly string[];
  readonly type?: readonly string[];
  readonly from: "start" | "now" | number;
  readonly limit?: number;
}

/** Adds the verb to the program. */
export function registerTail(program: CliCommand): void {
  verbTools
    .clientOptions(
      program
        .command("tail")
        .description("print events as they happen, until interrupted; with --json one event a line"),
    )
    .option("--category <c>", "only this category; may be repeated", collect)
    .option("--type <t>", "only this event type; may be repeated", collect)
    .option("--from <where>", "start, now, or a position to begin at", parseFrom, "now")
    .option("--limit <n>", "end after so many", parseInteger)
    .addHelpText("after", `${timesHelp}\nExample:\n  $ retrace tail --category training-run --from start\n`)
    .action((options: Options) => tail(options));
}

function parseFrom(text: string): "start" | "now" | number {
  if (text === "start" || text === "now") return text;
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new InvalidArgumentError("start, now, or a position from 1");
}

async function tail(options: Options): Promise<void> {
  const { prefix = "retrace" } = options;
  await withClient(options, async ({ nats }) => {
    if (options.limit === 0) return;
    const messages = await follow(nats, prefix, options);
    void tellOfConnection(nats);
    const stop = (): void => {
      messages.stop();
      // Draining would wait for a broker that is gone.
      void nats.close();
    };
    process.once("SIGINT", stop);
    process.once("SIGTERM", stop);
    let left = options.limit ?? Number.POSITIVE_INFINITY;
    for await (const message of messages) {
      const event = eventOf(message);
      verbTools.print(options, eventLine(event), event);
      left -= 1;
      if (left <= 0) break;
    }
  });
}

/** The client library reconnects by itself, and the tail goes on where it was: whoever watches is told why it is silent. */
async function tellOfConnection(nats: NatsConnection): Promise<void> {
  for await (const { type } of nats.status()) {
    if (type === "disconnect") process.stderr.write("retrace: the connection to the broker is lost; waiting for it\n");
    if (type === "reconnect") process.stderr.write("retrace: connected to the broker again\n");
  }
}

/**
 * An ordered consumer: in order, without gaps, made again by the client library after a reconnect. Its start is always
 * a sequence: made again before it has delivered anything, any other would begin at 1.
 */
async function follow(nats: NatsConnection, prefix: string, options: Options): Promise<ConsumerMessages> {
  const stream = eventStreamName(prefix);
  try {
    const manager = await jetstreamManager(nats);
    const { state } = await manager.streams.info(stream);
    const consumer = await manager.jetstream().consumers.get(stream, {
      filter_subjects: subjects(prefix, options),
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: firstSequence(options.from, state.last_seq),
    });
    return await consumer.consume();
  } catch (error) {
    const message = `the events of prefix ${prefix} cannot be followed: ${(error as Error).message}`;
    throw new Fault("BUS_UNAVAILABLE", message, {}, error);
  }
}

function firstSequence(from: Options["from"], last: number): number {
  if (from === "start") return 1;
  return from === "now" ? last + 1 : from;
}

function subjects(prefix: string, { category, type }: Options): string[] {
  const all = (category ?? ["*"]).flatMap((c) => (type ?? ["*"]).map((t) => `${prefix}.evt.${c}.*.${t}`));
  return [...new Set(all)];
}

function eventOf(message: JsMsg): RecordedEvent {
  return fromCloudEvent(message.subject, message.headers, message.json());
}
