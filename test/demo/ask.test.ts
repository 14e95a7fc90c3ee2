/** How the demonstration asks people. */
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { terminalLabeller, truthfulLabeller } from "../../actors/verbs/demo/ask.ts";
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

test.each([
  ["a", "approve"],
  ["reject", "reject"],
  ["", "approve"],
])("takes %j for a version as %s, and says what it is better than", async (answer, verdict) => {
  const { input, output, labeller } = terminal();
  const answered = labeller.judge({ version: "2", accuracy: 0.75, before: 0.5 });
  input.write(`${answer}\n`);
  expect(await answered).toBe(verdict);
  expect(String(output.read())).toContain("version 2: 75.0 % of the held-out lines right, before: 50.0 %");
  labeller.close();
});

test("where nobody is asked, what is worse than before is rejected", async () => {
  const { judge } = truthfulLabeller();
  expect(await judge({ version: "1", accuracy: 0.1 })).toBe("approve");
  expect(await judge({ version: "2", accuracy: 0.5, before: 0.5 })).toBe("approve");
  expect(await judge({ version: "2", accuracy: 0.4, before: 0.5 })).toBe("reject");
});

test("stops when the terminal is closed instead", async () => {
  const { input, labeller } = terminal();
  const answered = labeller.label(question, "1/1");
  input.end();
  await expect(answered).rejects.toThrow(DemonstrationStopped);
});
