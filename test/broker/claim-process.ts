/** Claims each folder of its arguments, one every 50 ms from the time it is told, prints how that went, and keeps its claims. */
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { claimDataDir } from "../../src/broker/own-data-dir.ts";

const input = createInterface({ input: process.stdin });
process.stdout.write("ready\n");
const [startAt] = (await once(input, "line")) as [string];
const outcomes: string[] = [];
for (const [round, dataDir] of process.argv.slice(2).entries()) {
  await delay(Number(startAt) + round * 50 - Date.now());
  const outcome = await claimDataDir(dataDir).then(
    () => "won",
    (error: Error) => error.message,
  );
  outcomes.push(outcome);
}
process.stdout.write(`${JSON.stringify(outcomes)}\n`);
