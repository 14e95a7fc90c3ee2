/** Gets labels from a person, or from the files where nobody is to be asked. */
import { createInterface } from "node:readline/promises";
import pc from "picocolors";
import type { Label } from "./classifier.ts";

/** A line to be labelled. */
export interface Question {
  readonly text: string;
  readonly predicted: Label;
  readonly confidence: number;
  /** What the file says. */
  readonly truth: Label;
}

/** Answers questions one after another. */
export interface Labeller {
  readonly actor: string;
  label(question: Question, number: string): Promise<Label>;
  close(): void;
}

/** Answers with the true label. */
export function truthfulLabeller(): Labeller {
  return { actor: "demo-labeller", label: async (question) => question.truth, close: () => {} };
}

/** Asks on the terminal: `s` for source, `p` for prose, nothing to agree. */
export function terminalLabeller(): Labeller {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const closed = new Promise<never>((_, reject) => {
    terminal.once("close", () => reject(new Error("stopped before all lines were labelled")));
  });
  closed.catch(() => {});
  const ask = (prompt: string) => Promise.race([terminal.question(prompt), closed]);
  return {
    actor: "human",
    label: async ({ text, predicted, confidence }, number) => {
      process.stdout.write(`\n  ${pc.dim(number)}  ${pc.bold(text)}\n`);
      const guess = `${predicted}, ${Math.round(confidence * 100)} % sure`;
      for (;;) {
        const answer = (await ask(`      [s]ource or [p]rose? (enter: ${guess}) `)).trim().toLowerCase();
        if (answer === "") return predicted;
        if ("source".startsWith(answer)) return "source";
        if ("prose".startsWith(answer)) return "prose";
      }
    },
    close: () => terminal.close(),
  };
}
