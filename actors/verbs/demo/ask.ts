/** Gets labels and verdicts from a person, or from the files where nobody is to be asked. */
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

/** A version to be approved. */
export interface Candidate {
  readonly version: string;
  /** On the held-out lines, from 0 to 1. */
  readonly accuracy: number;
  /** Of the version that serves, where there is one. */
  readonly before?: number;
}

/** The options of an approval. */
export type Verdict = "approve" | "reject";

/** Answers questions one after another. */
export interface Labeller {
  readonly actor: string;
  label(question: Question, number: string): Promise<Label>;
  judge(candidate: Candidate): Promise<Verdict>;
  close(): void;
}

/** Answers with the true label, and approves what is not worse than before. */
export function truthfulLabeller(): Labeller {
  return {
    actor: "demo-labeller",
    label: async (question) => question.truth,
    judge: async ({ accuracy, before = 0 }) => (accuracy >= before ? "approve" : "reject"),
    close: () => {},
  };
}

/** Where questions go and answers come from. */
export interface TerminalStreams {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
}

/** Asks on the terminal, from the first question on: the first letter is enough, and nothing to agree. */
export function terminalLabeller({ input, output }: TerminalStreams): Labeller {
  let terminal: Terminal | undefined;
  const choose = async <Option extends string>(prompt: string, options: readonly Option[], guess: Option) => {
    terminal ??= openTerminal({ input, output });
    for (;;) {
      const answer = await terminal.ask(prompt);
      const chosen = answer === "" ? guess : options.find((option) => option.startsWith(answer));
      if (chosen !== undefined) return chosen;
    }
  };
  return {
    actor: "human",
    label: ({ text, predicted, confidence }, number) => {
      output.write(`\n  ${pc.dim(number)}  ${pc.bold(text)}\n`);
      const guess = `${predicted}, ${Math.round(confidence * 100)} % sure`;
      return choose(`      [s]ource or [p]rose? (enter: ${guess}) `, ["source", "prose"], predicted);
    },
    judge: ({ version, accuracy, before }) => {
      const change = before === undefined ? "the first one" : `before: ${percent(before)}`;
      output.write(`\n  version ${version}: ${pc.bold(percent(accuracy))} of the held-out lines right, ${change}\n`);
      return choose("      [a]pprove or [r]eject? (enter: approve) ", ["approve", "reject"], "approve");
    },
    close: () => terminal?.close(),
  };
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

interface Terminal {
  /** @throws DemonstrationStopped when the terminal is closed instead of an answer. */
  ask(prompt: string): Promise<string>;
  close(): void;
}

function openTerminal(streams: TerminalStreams): Terminal {
  const lines = createInterface(streams);
  const stopped = new Promise<never>((_, reject) => {
    lines.once("close", () => reject(new DemonstrationStopped("stopped before everything was answered")));
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
