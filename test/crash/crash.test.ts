/** The promise of the log under SIGKILL. More kills, other seeds: `npm run torture -- crash --kills N --seed S`. */
import { expect, test } from "vitest";
import { tempDir } from "../support/temp.ts";
import { crashRun } from "./crash-run.ts";

const seed = 20_260_801;
const timeout = 120_000;

test.each([
  ["embedded", 15],
  ["external", 10],
] as const)(
  "loses and repeats nothing when the runtime and its %s broker are killed %i times",
  { timeout },
  async (broker, kills) => {
    const report = await crashRun({ folder: tempDir(), kills, seed, broker });
    process.stderr.write(`${JSON.stringify(report)}\n`);
    expect(report.commands).toBeGreaterThan(kills);
    expect(report.repeated).toBeGreaterThan(0);
  },
);
