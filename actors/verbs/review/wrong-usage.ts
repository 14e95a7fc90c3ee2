/** What is wrong with a command line of `retrace review`. */
import type { VerbTools } from "retrace";

/** A sentence for the user; the status is 2. */
export class WrongUsage extends Error {
  override readonly name = "WrongUsage";
}

/** Runs the action of a verb, and tells of wrong usage. */
export async function withUsage(tools: VerbTools, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof WrongUsage)) throw error;
    console.error(`error: ${error.message}`);
    tools.exitCode(2);
  }
}
