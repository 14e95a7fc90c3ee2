/** The verb `state`: an aggregate, now or as of a point in its past. */
import type { Command as CliCommand } from "commander";
import type { AsOf } from "../wire/client.ts";
import type { StateReply } from "../wire/replies.ts";
import { pointIn, pointOptions } from "./points.ts";
import { verbTools, withClient } from "./tools.ts";
import type { ClientOptions } from "./verb.ts";

interface Options extends ClientOptions, AsOf {}

/** Adds the verb to the program. */
export function registerState(program: CliCommand): void {
  const command = program
    .command("state")
    .description("print the state of an aggregate, now or as of a point in its past")
    .argument("<category>")
    .argument("<id>");
  pointOptions(verbTools.clientOptions(command))
    .addHelpText("after", "\nExample:\n  $ retrace state training-run r1 --at-version 3\n")
    .action(async (category: string, id: string, options: Options) => {
      const reply = await withClient(options, (client) => client.state(category, id, pointIn(options)));
      verbTools.print(options, describe(reply), reply);
    });
}

function describe({ stream, version, position, recordedAt, state }: StateReply): string {
  const value = typeof state.value === "string" ? state.value : JSON.stringify(state.value);
  const context = JSON.stringify(state.context, null, 2);
  return `${stream}@${version} (position ${position}, recorded ${recordedAt}): ${value}\n${context}`;
}
