/** The verb `events`: the log, filtered. */
import { type Command as CliCommand, Option } from "commander";
import { assertKnown } from "./known-events.ts";
import { collect, parseInteger, parseTime } from "./parse.ts";
import { eventLine, timesHelp } from "./print-event.ts";
import { sayNothing, verbTools, withClient } from "./tools.ts";
import type { ClientOptions } from "./verb.ts";

interface Options extends ClientOptions {
  readonly category?: readonly string[];
  readonly type?: readonly string[];
  readonly correlationId?: string;
  readonly since?: string;
  readonly until?: string;
  readonly by?: "recorded" | "occurred";
  readonly afterPosition: number;
  readonly limit?: number;
}

/** Adds the verb to the program. */
export function registerEvents(program: CliCommand): void {
  verbTools
    .clientOptions(
      program.command("events").description("print events of the log in order; with --json one event a line"),
    )
    .option("--category <c>", "only this category; may be repeated", collect)
    .option("--type <t>", "only this event type; may be repeated", collect)
    .option("--correlation-id <id>", "only this conversation")
    .option("--since <time>", "from this time on, ISO 8601", parseTime)
    .option("--until <time>", "before this time, ISO 8601", parseTime)
    .addOption(new Option("--by <clock>", "what the times mean").choices(["recorded", "occurred"]).default("recorded"))
    .option("--after-position <p>", "begin behind this position", parseInteger, 0)
    .option("--limit <n>", "at most so many; default: all", parseInteger)
    .addHelpText(
      "after",
      `${timesHelp}\nExample:\n  $ retrace events --category model --type AliasMoved --since 2026-01-01T00:00:00Z\n`,
    )
    .action(async (options: Options) => {
      const filter = filterOf(options);
      await withClient(options, async (client) => {
        await assertKnown(client, options);
        let isEmpty = true;
        let left = options.limit ?? Number.POSITIVE_INFINITY;
        for (let after: number | null = options.afterPosition; after !== null && left > 0; ) {
          const page = await client.events({ ...filter, afterPosition: after, limit: Math.min(left, 1_000) });
          for (const event of page.events) verbTools.print(options, eventLine(event), event);
          isEmpty &&= page.events.length === 0;
          left -= page.events.length;
          after = page.next;
        }
        if (isEmpty && options.limit !== 0) sayNothing(options, "no events match");
      });
    });
}

function filterOf({ category, type, correlationId, since, until, by }: Options): Record<string, unknown> {
  const all = { categories: category, types: type, correlationId, since, until, by };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}
