/** The verb `history`: the events of one aggregate. */
import type { Command as CliCommand } from "commander";
import { parseFromOne, parseInteger } from "./parse.ts";
import { eventLine, timesHelp } from "./print-event.ts";
import { sayNothing, verbTools, withClient } from "./tools.ts";
import type { ClientOptions } from "./verb.ts";

interface Options extends ClientOptions {
  readonly fromVersion: number;
  readonly limit?: number;
}

/** Adds the verb to the program. */
export function registerHistory(program: CliCommand): void {
  verbTools
    .clientOptions(
      program
        .command("history")
        .description("print the events of an aggregate, oldest first; with --json one event a line")
        .argument("<category>")
        .argument("<id>"),
    )
    .option("--from-version <v>", "begin here", parseFromOne, 1)
    .option("--limit <n>", "at most so many; default: all", parseInteger)
    .addHelpText("after", `${timesHelp}\nExample:\n  $ retrace history model m1 --from-version 2\n`)
    .action(async (category: string, id: string, options: Options) => {
      await withClient(options, async (client) => {
        let isEmpty = true;
        let left = options.limit ?? Number.POSITIVE_INFINITY;
        for (let from: number | null = options.fromVersion; from !== null && left > 0; ) {
          const page = await client.history(category, id, { fromVersion: from, limit: Math.min(left, 1_000) });
          for (const event of page.events) verbTools.print(options, eventLine(event), event);
          isEmpty &&= page.events.length === 0;
          left -= page.events.length;
          from = page.next;
        }
        if (isEmpty && options.limit !== 0) sayNothing(options, `no events from version ${options.fromVersion} on`);
      });
    });
}
