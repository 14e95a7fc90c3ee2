/** Waiting for a condition, with a deadline: what tests do in place of sleeping. */
import { setTimeout as delay } from "node:timers/promises";

const pollMs = 20;

/**
 * Calls `attempt` until it returns something other than undefined or false, and returns that.
 * @throws Error naming `what`, with the last error of `attempt` as its cause, after `timeoutMs` (default 30,000).
 */
export async function eventually<T>(
  what: string,
  attempt: () => T | Promise<T>,
  timeoutMs = 30_000,
): Promise<Exclude<T, undefined | false>> {
  const giveUpAt = performance.now() + timeoutMs;
  let cause: unknown;
  while (performance.now() < giveUpAt) {
    try {
      const result = await attempt();
      if (result !== undefined && result !== false) return result as Exclude<T, undefined | false>;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    await delay(pollMs);
  }
  throw new Error(`not within ${timeoutMs / 1_000} s: ${what}`, { cause });
}
