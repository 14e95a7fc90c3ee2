import { expect, test } from "vitest";
import { startRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";
import { fuzzRun } from "./fuzz-run.ts";

test("whatever comes in is answered with a reply or an error the sender can act on", async () => {
  const runtime = await startRuntime({ dataDir: tempDir() });

  const { inputs, answers } = await fuzzRun({ url: runtime.url, inputs: 6_000, seed: 20_260_101 });

  expect(inputs).toBe(6_000);
  expect(answers.accepted).toBeGreaterThan(300);
  expect(answers.INVALID_COMMAND).toBeGreaterThan(1_000);
  expect(answers.NOT_ALLOWED_IN_STATE).toBeGreaterThan(300);
});
