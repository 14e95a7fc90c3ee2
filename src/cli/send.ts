/** The verb `send`: one command. */
import { text } from "node:stream/consumers";
import { type Command as CliCommand, InvalidArgumentError } from "commander";
import { isCategory, isStreamId } from "../core/stream.ts";
import type { SendOptions } from "../wire/client.ts";
import type { CommandReply } from "../wire/replies.ts";
import { parseHeaderText, parseTime } from "./parse.ts";
import { verbTools, withClient } from "./tools.ts";
import type { ClientOptions } from "./verb.ts";
import { actorDefault, whoActs } from "./who-acts.ts";

interface Options extends ClientOptions, SendOptions {}

/** Adds the verb to the program. */
export function registerSend(program: CliCommand): void {
  verbTools
    .clientOptions(
      program
        .command("send")
        .description("send a command and print what it made happen")
        .argument("<category>", "like training-run", parseCategory)
        .argument("<id>", "of the aggregate", parseId)
        .argument("<type>", "of the command, like StartTraining", parseType)
        .argument("[body]", "JSON, or - to read it from stdin", "{}"),
    )
    .option("--command-id <id>", "makes repeating the command harmless", parseHeaderText)
    .option("--expected-version <v>", "an integer, no-stream or any", parseExpectedVersion)
    .option("--correlation-id <id>", "of the conversation; default: the command id", parseHeaderText)
    .option("--causation-id <id>", "of what led to the command; default: the command id", parseHeaderText)
    .option("--occurred-at <time>", "ISO 8601, for backfills", parseTime)
    .option("--actor <name>", `who acts; ${actorDefault}`, parseHeaderText)
    .addHelpText(
      "after",
      `\nExample:\n  $ retrace send training-run r1 StartTraining '{"seed":7}' --expected-version no-stream\n`,
    )
    .action(async (category: string, id: string, type: string, body: string, options: Options) => {
      const data = parseBody(body === "-" ? await text(process.stdin) : body);
      const metadata = { ...options, actor: whoActs(options.actor) };
      const reply = await withClient(options, (client) => client.send(category, id, { type, data }, metadata));
      verbTools.print(options, describe(reply), reply);
    });
}

function parseCategory(text: string): string {
  if (isCategory(text)) return text;
  throw new InvalidArgumentError("a category in kebab-case, like training-run");
}

function parseId(text: string): string {
  if (isStreamId(text)) return text;
  throw new InvalidArgumentError("1 to 128 of A-Z a-z 0-9 _ - ~");
}

function parseType(text: string): string {
  if (/^[A-Za-z0-9]+$/.test(text)) return text;
  throw new InvalidArgumentError("the type of a command, like StartTraining");
}

function parseExpectedVersion(value: string): number | "no-stream" | "any" {
  if (value === "no-stream" || value === "any") return value;
  if (/^\d+$/.test(value)) return Number(value);
  throw new InvalidArgumentError("an integer from 0, no-stream or any");
}

function parseBody(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new InvalidArgumentError(`the body is not JSON: ${body.slice(0, 60)}`);
  }
}

function describe(reply: CommandReply): string {
  const events = reply.events.map(({ type, position }) => `${type} (position ${position})`).join(", ");
  const what = events === "" ? "nothing to do" : events;
  const note = reply.duplicate === true ? " [repeated command id: the first reply]" : "";
  return `${reply.stream}@${reply.version}: ${what}; now ${JSON.stringify(reply.state.value)}${note}`;
}
