/** How an action of a verb ends when it comes to nothing. */
import type { VerbTools } from "retrace";

/** What is wrong with the command line, in a sentence; the status is 2. */
export class WrongUsage extends Error {
  override readonly name = "WrongUsage";
}

/** Why it cannot be done now, in a sentence; the status is 1. */
export class NotPossible extends Error {
  override readonly name = "NotPossible";
}

/** Runs the action of a verb, and tells why it came to nothing. */
export async function withUsage(tools: VerbTools, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof WrongUsage) && !(error instanceof NotPossible)) throw error;
    tell(error, tools);
  }
}

/** Says it on stderr, for programs as a body like those on the wire, and sets the status. */
export function tell(error: WrongUsage | NotPossible, tools: VerbTools): void {
  const isUsage = error instanceof WrongUsage;
  const { message } = error;
  const body = { error: { code: isUsage ? "WRONG_USAGE" : "NOT_POSSIBLE", message, retryable: false, details: {} } };
  console.error(process.argv.includes("--json") ? JSON.stringify(body) : `error: ${message}`);
  tools.exitCode(isUsage ? 2 : 1);
}
