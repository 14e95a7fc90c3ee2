/** The verb `state`: an aggregate, now or as of a point in its past. */
import { type Command as CliCommand, Option } from "commander";
import type { AsOf } from "../wire/client.ts";
import type { StateReply } from "../wire/replies.ts";
import { parseInteger } from "./parse.ts";
import { verbTools, withClient } from "./tools.ts";
import type { ClientOptions } from "./verb.ts";

interface Options extends ClientOptions, AsOf {}

/** Adds the verb to the program. */
export function registerState(program: CliCommand): void {
  verbTools
    .clientOptions(
      program
        .command("state")
        .description("print the state of an aggregate, now or as of a point in its past")
        .argument("<category>")
        .argument("<id>"),
    )
    .addOption(point("--at-version <v>", "as of this version of its stream").argParser(parseInteger))
    .addOption(point("--at-position <p>", "as of this position of the log").argParser(parseInteger))
    .addOption(point("--at-recorded <time>", "what was known then, ISO 8601"))
    .addOption(point("--at-occurred <time>", "what had happened by then, ISO 8601"))
    .addHelpText("after", "\nExample:\n  $ retrace state training-run r1 --at-version 3\n")
    .action(async (category: string, id: string, options: Options) => {
      const { atVersion, atPosition, atRecorded, atOccurred } = options;
      const at = { atVersion, atPosition, atRecorded, atOccurred };
      const given = Object.fromEntries(Object.entries(at).filter(([, value]) => value !== undefined));
      const reply = await withClient(options, (client) => client.state(category, id, given));
      verbTools.print(options, describe(reply), reply);
    });
}

const points = ["atVersion", "atPosition", "atRecorded", "atOccurred"];

function point(flags: string, description: string): Option {
  const option = new Option(flags, description);
  return option.conflicts(points.filter((name) => name !== option.attributeName()));
}

function describe({ stream, version, position, recordedAt, state }: StateReply): string {
  const value = typeof state.value === "string" ? state.value : JSON.stringify(state.value);
  const context = JSON.stringify(state.context, null, 2);
  return `${stream}@${version} (position ${position}, ${recordedAt}): ${value}\n${context}`;
}
