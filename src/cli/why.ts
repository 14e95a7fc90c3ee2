/** The verb `why`: which event last set a field of an aggregate, who did it, and what led to that. */
import type { Command as CliCommand } from "commander";
import type { AsOf } from "../wire/client.ts";
import type { EventMention, WhyReply } from "../wire/replies.ts";
import { colors } from "./colors.ts";
import { pointIn, pointOptions } from "./points.ts";
import { timeText } from "./print-event.ts";
import { shortValue } from "./short-value.ts";
import { verbTools, withClient } from "./tools.ts";
import type { ClientOptions } from "./verb.ts";

interface Options extends ClientOptions, AsOf {}

const help = `
A field is \`state\`, or a path into the context with dots between its keys. What led to the event is told as far
as it is on record: steps of sagas, and the events that they or clients named as causes.

Examples:
  $ retrace why model m1 state
  $ retrace why model m1 versions.v2
  $ retrace why training-run r1 step --at-version 3
`;

/** Adds the verb to the program. */
export function registerWhy(program: CliCommand): void {
  const command = program
    .command("why")
    .description("say which event last set a field of an aggregate, who did it, and what led to that")
    .argument("<category>")
    .argument("<id>")
    .argument("<field>", "`state`, or a dotted path into the context");
  pointOptions(verbTools.clientOptions(command))
    .addHelpText("after", help)
    .action(async (category: string, id: string, field: string, options: Options) => {
      const reply = await withClient(options, (client) => client.why(category, id, field, pointIn(options)));
      verbTools.print(options, describe(reply), reply);
    });
}

function describe({ stream, version, field, value, before, setBy, causes, hasMoreCauses }: WhyReply): string {
  const now = `${colors.cyan(`${stream}@${version}`)} ${colors.bold(field)} = ${shortValue(value)}`;
  if (setBy === null) return `${now}\n  as every stream of its kind begins; no event has changed it`;
  return [
    `${now}, before ${shortValue(before)}`,
    `  set by ${told(setBy)}`,
    `    command ${shortValue(setBy.metadata.commandId)}, correlation ${shortValue(setBy.metadata.correlationId)}`,
    ...causes.map((cause) => `  because of ${told(cause)}`),
    ...(hasMoreCauses ? ["  and so on"] : []),
  ].join("\n");
}

/** What, where, when and by whom. */
function told(event: EventMention): string {
  const { type, stream, version, position, metadata } = event;
  const { actor } = metadata;
  const where = `${colors.cyan(`${stream}@${version}`)}, position ${position}, recorded ${timeText(event)}`;
  return `${colors.bold(type)} at ${where}${actor === undefined ? "" : ` by ${actorText(actor)}`}`;
}

function actorText({ id, verified }: { readonly id: string; readonly verified: boolean }): string {
  return verified ? id : `${id} (as claimed)`;
}
