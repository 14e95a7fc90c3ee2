/** `retrace review show`: one review, as a reviewer may see it. */
import type { ClientOptions, VerbTools } from "retrace";
import type { CliCommand } from "../import/row-format.ts";
import { sheetText } from "./print-sheet.ts";
import { readSheet } from "./sheet.ts";
import { withReviews } from "./subverb.ts";

/** Adds it to the verb `review`. */
export function registerShow(verb: CliCommand, tools: VerbTools): void {
  const command = verb
    .command("show")
    .description("print a review: its question, what it is about, and what became of it")
    .argument("<id>", "of the review");
  tools.clientOptions(command).addHelpText(
    "after",
    `
What others voted is shown when the votes are counted, not before.

Example:
  $ retrace review show r42`,
  );
  command.action((id: string, options: ClientOptions) =>
    withReviews(tools, options, async (client) => {
      const sheet = await readSheet(client, id);
      tools.print(options, sheetText(sheet), sheet);
    }),
  );
}
