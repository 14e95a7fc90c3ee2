/** How the demonstration asks people. */
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { terminalLabeller } from "../../actors/verbs/demo/ask.ts";
import { DemonstrationStopped } from "../../actors/verbs/demo/stopped.ts";

const question = { text: "a line", predicted: "prose", confidence: 0.53, truth: "source" } as const;

function terminal() {
  const streams = { input: new PassThrough(), output: new PassThrough({ encoding: "utf8" }) };
  return { ...streams, labeller: terminalLabeller(streams) };
}

test.each([
  ["s", "source"],
  ["Source", "source"],
  ["p", "prose"],
  ["prose", "prose"],
  ["", "prose"],
])("understands %j as %s", async (answer, label) => {
  const { input, labeller } = terminal();
  const answered = labeller.label(question, "1/1");
  input.write(`${answer}\n`);
  expect(await answered).toBe(label);
  labeller.close();
});

test("shows the line and the guess, and asks again when it does not understand", async () => {
  const { input, output, labeller } = terminal();
  const answered = labeller.label(question, "1/1");
  input.write("what?\n");
  const asked = () => String(output.read() ?? "");
  let shown = asked();
  while (shown.split("[s]ource").length < 3) {
    await new Promise(setImmediate);
    shown += asked();
  }
  input.write("s\n");
  expect(await answered).toBe("source");
  expect(shown).toContain("a line");
  expect(shown).toContain("prose, 53 % sure");
  labeller.close();
});

test("stops when the terminal is closed instead", async () => {
  const { input, labeller } = terminal();
  const answered = labeller.label(question, "1/1");
  input.end();
  await expect(answered).rejects.toThrow(DemonstrationStopped);
});
