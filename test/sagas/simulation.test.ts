/** Sagas from seeds, through every trouble there is. More seeds: `npm run torture -- sagas --seeds N --seed S`. */
import { expect, test } from "vitest";
import { simulations } from "./simulation.ts";

const seeds = 60;

test(`${seeds} simulations end as they would have without trouble`, { timeout: 180_000 }, async () => {
  const report = await simulations(seeds, 1);
  process.stderr.write(`${JSON.stringify(report)}\n`);
  for (const [what, times] of Object.entries(report)) expect(times, what).toBeGreaterThan(10);
});
