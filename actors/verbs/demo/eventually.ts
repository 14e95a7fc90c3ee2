/** Waiting for what the runtime's sagas do by themselves. */
import { setTimeout as delay } from "node:timers/promises";
import { Fault } from "retrace";
import { DemonstrationStopped } from "./stopped.ts";

const pollMs = 25;
const patienceMs = 30_000;

/** Asks until there is an answer. @throws DemonstrationStopped with `otherwise` after half a minute. */
export async function eventually<T>(otherwise: string, ask: () => Promise<T | undefined>): Promise<T> {
  for (const giveUpAt = performance.now() + patienceMs; performance.now() < giveUpAt; await delay(pollMs)) {
    const answer = await ask();
    if (answer !== undefined) return answer;
  }
  throw new DemonstrationStopped(otherwise);
}

/** The reply, or undefined where there is nothing yet. */
export async function found<T>(reply: Promise<T>): Promise<T | undefined> {
  try {
    return await reply;
  } catch (error) {
    if (error instanceof Fault && (error.code === "NOT_FOUND" || error.code === "UNKNOWN_CATEGORY")) return undefined;
    throw error;
  }
}
