/** What the verbs of reviewers share: who reviews, a connection, and refusals that say what to do. */
import { type Client, type ClientOptions, Fault, type VerbTools } from "retrace";
import { key } from "../../../schemas/fields.ts";
import type { CliCommand } from "../import/row-format.ts";
import { WrongUsage, withUsage } from "../print/wrong-usage.ts";
import { explained } from "./refusals.ts";

/** The options of those who review. */
export interface ReviewerOptions extends ClientOptions {
  readonly reviewer?: string;
}

/** Adds `--reviewer NAME` and the options of a client, and says what the verb does. */
export function describeVerb(command: CliCommand, tools: VerbTools, help: string): CliCommand {
  command.option("--reviewer <name>", "who reviews (default: RETRACE_REVIEWER)");
  return tools.clientOptions(command).addHelpText("after", `\n${help}`);
}

/** Who reviews. @throws WrongUsage when nobody is named. */
export function reviewerIn({ reviewer = process.env.RETRACE_REVIEWER }: ReviewerOptions): string {
  if (reviewer === undefined) throw new WrongUsage("say who reviews: --reviewer <name>, or RETRACE_REVIEWER");
  if (key.safeParse(reviewer).success) return reviewer;
  throw new WrongUsage("--reviewer takes 1 to 128 characters, none of them a control character");
}

/** Connects, runs, and closes; refusals are told in words that name the way out. */
export function withReviews(
  tools: VerbTools,
  options: ClientOptions,
  run: (client: Client) => Promise<void>,
): Promise<void> {
  return withUsage(tools, async () => {
    const client = await tools.connect(options);
    try {
      await run(client);
    } catch (error) {
      throw error instanceof Fault ? explained(error) : error;
    } finally {
      await client.close();
    }
  });
}
