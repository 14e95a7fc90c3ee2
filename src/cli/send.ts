/** The verb `send`: one command. */
import { text } from "node:stream/consumers";
import { type Command as CliCommand, InvalidArgumentError } from "commander";
import type { SendOptions } from "../wire/client.ts";
import type { CommandReply } from "../wire/replies.ts";
import { verbTools, withClient } from "./tools.ts";
import type { ClientOptions } from "./verb.ts";

interface Options extends ClientOptions, SendOptions {}

/** Adds the verb to the program. */
export function registerSend(program: CliCommand): void {
  verbTools
    .clientOptions(
      program
        .command("send")
        .description("send a command and print what it made happen")
        .argument("<category>")
        .argument("<id>")
        .argument("<type>", "of the command, like StartTraining")
        .argument("[body]", "JSON, or - to read it from stdin", "{}"),
    )
    .option("--command-id <id>", "makes repeating the command harmless")
    .option("--expected-version <v>", "an integer, no-stream or any", parseExpectedVersion)
    .option("--correlation-id <id>")
    .option("--causation-id <id>")
    .option("--occurred-at <time>", "ISO 8601, for backfills")
    .option("--actor <name>", "who acts; default: the user of this shell", process.env.USER || undefined)
    .addHelpText(
      "after",
      `\nExample:\n  $ retrace send training-run r1 StartTraining '{"seed":7}' --expected-version no-stream\n`,
    )
    .action(async (category: string, id: string, type: string, body: string, options: Options) => {
      const data = parseBody(body === "-" ? await text(process.stdin) : body);
      const reply = await withClient(options, (client) => client.send(category, id, { type, data }, options));
      verbTools.print(options, describe(reply), reply);
    });
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
