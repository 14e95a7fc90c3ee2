/** The verb `catalog`: what can be sent to this runtime and what it emits. */
import type { Command as CliCommand } from "commander";
import { verbTools, withClient } from "./tools.ts";
import type { ClientOptions } from "./verb.ts";

interface CatalogReply {
  readonly categories: Readonly<
    Record<
      string,
      {
        readonly commands: Readonly<Record<string, unknown>>;
        readonly events: Readonly<Record<string, { readonly version: number }>>;
      }
    >
  >;
}

/** Adds the verb to the program. */
export function registerCatalog(program: CliCommand): void {
  verbTools
    .clientOptions(
      program.command("catalog").description("print categories, commands and events; with --json their schemas, too"),
    )
    .addHelpText("after", "\nExample:\n  $ retrace catalog --json | jq '.categories.model.commands.ApproveVersion'\n")
    .action(async (options: ClientOptions) => {
      const reply = await withClient(options, (client) => client.query<CatalogReply>("catalog"));
      verbTools.print(options, describe(reply), reply);
    });
}

function describe({ categories }: CatalogReply): string {
  return Object.entries(categories)
    .map(([category, { commands, events }]) => {
      const versions = Object.entries(events).map(([type, { version }]) =>
        version === 1 ? type : `${type} v${version}`,
      );
      return `${category}\n  commands  ${Object.keys(commands).join(", ")}\n  events    ${versions.join(", ")}`;
    })
    .join("\n");
}
