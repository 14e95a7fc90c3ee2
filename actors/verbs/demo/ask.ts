/** Gets labels from a person, or from the files where nobody is to be asked. */
import { createInterface } from "node:readline/promises";
import { colors as pc } from "retrace";
import type { Label } from "./classifier.ts";
import { DemonstrationStopped } from "./stopped.ts";

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

/** Where questions go and answers come from. */
export interface TerminalStreams {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
}

/** Asks on the terminal, from the first question on: `s` for source, `p` for prose, nothing to agree. */
export function terminalLabeller({ input, output }: TerminalStreams): Labeller {
  let terminal: Terminal | undefined;
  return {
    actor: "human",
    label: async ({ text, predicted, confidence }, number) => {
      terminal ??= openTerminal({ input, output });
      output.write(`\n  ${pc.dim(number)}  ${pc.bold(text)}\n`);
      const guess = `${predicted}, ${Math.round(confidence * 100)} % sure`;
      for (;;) {
        const answer = await terminal.ask(`      [s]ource or [p]rose? (enter: ${guess}) `);
        if (answer === "") return predicted;
        if ("source".startsWith(answer)) return "source";
        if ("prose".startsWith(answer)) return "prose";
      }
    },
    close: () => terminal?.close(),
  };
}

interface Terminal {
  /** @throws DemonstrationStopped when the terminal is closed instead of an answer. */
  ask(prompt: string): Promise<string>;
  close(): void;
}

function openTerminal(streams: TerminalStreams): Terminal {
  const lines = createInterface(streams);
  const stopped = new Promise<never>((_, reject) => {
    lines.once("close", () => reject(new DemonstrationStopped("stopped before all lines were labelled")));
  });
  stopped.catch(() => {});
  return {
    ask: async (prompt) => {
      const answer = await Promise.race([stopped, lines.question(prompt)]);
      return answer.trim().toLowerCase();
    },
    close: () => lines.close(),
  };
}
