/** Work that can be given up, so that nothing half done is left behind. */
import { Refused } from "./refused.ts";

const signals = ["SIGINT", "SIGTERM"] as const;

/** Runs the work; the first SIGINT or SIGTERM aborts it with Refused INTERRUPTED, a second one ends the process as ever. */
export async function untilInterrupted<Result>(work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const controller = new AbortController();
  const interrupt = (signal: NodeJS.Signals): void => {
    controller.abort(new Refused("INTERRUPTED", `given up on ${signal}; nothing was written`));
  };
  for (const signal of signals) process.once(signal, interrupt);
  try {
    return await work(controller.signal);
  } finally {
    for (const signal of signals) process.off(signal, interrupt);
  }
}
