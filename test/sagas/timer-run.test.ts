/** Many timers in a real process. More of them, and how late they are: `npm run torture -- timers --count N`. */
import { expect, test } from "vitest";
import { tempDir } from "../support/temp.ts";
import { timerRun } from "./timer-run.ts";

test("none of a thousand timers is lost or fires twice when the process is killed in the middle", {
  timeout: 120_000,
}, async () => {
  const report = await timerRun({ folder: tempDir(), count: 1_000, overMs: 4_000, leadMs: 6_000 });
  process.stderr.write(`${JSON.stringify(report)}\n`);
  expect(report.count).toBe(1_000);
});
