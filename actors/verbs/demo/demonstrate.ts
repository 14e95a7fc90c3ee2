/** Sets the stage for the loop, runs it, and shows it on the terminal. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Client } from "retrace";
import { colors as pc } from "retrace";
import { terminalLabeller, truthfulLabeller } from "./ask.ts";
import { type LoopSummary, runLoop } from "./loop.ts";
import { packageRoot, readCorpus } from "./read-corpus.ts";
import { type RuntimeChild, startRuntime } from "./runtime-child.ts";

export { DemonstrationStopped } from "./stopped.ts";

import { lineageTree, lossChart } from "./show.ts";

/** How to demonstrate. */
export interface DemonstrateOptions {
  readonly auto?: boolean;
  /** A runtime that serves; without it, one is started and ended. */
  readonly nats?: string;
  readonly prefix?: string;
  readonly data?: string;
  /** Nothing is shown but the questions, on stderr. */
  readonly json?: boolean;
  /** Connects to the runtime, or to the one that serves at `nats`. */
  readonly connect: (nats: string | undefined) => Promise<Client>;
}

/** The summary for programs, and its last sentence for people. */
export interface Demonstration {
  readonly summary: LoopSummary & { readonly durationMs: number };
  readonly sentence: string;
}

/** Demonstrates; the runtime it starts and the temporary folder are gone when it returns. */
export async function demonstrate(options: DemonstrateOptions): Promise<Demonstration> {
  const startedMs = Date.now();
  const data = options.data === undefined ? await mkdtemp(join(tmpdir(), "retrace-demo-")) : resolve(options.data);
  const isOwn = options.nats === undefined;
  const isOwnLog = isOwn && options.data === undefined;
  let runtime: RuntimeChild | undefined;
  let client: Client | undefined;
  try {
    if (isOwn) runtime = await startRuntime(packageRoot(), data, options.prefix);
    client = await options.connect(runtime?.nats);
    const summary = await tellLoop(client, { ...options, data, isOwnLog });
    const durationMs = Date.now() - startedMs;
    return { summary: { ...summary, durationMs }, sentence: sentenceOf(summary, durationMs) };
  } finally {
    await client?.close();
    await runtime?.stop();
    if (isOwnLog) await rm(data, { recursive: true, force: true });
  }
}

interface Stage {
  readonly auto?: boolean;
  readonly json?: boolean;
  readonly data: string;
  readonly isOwnLog: boolean;
}

async function tellLoop(client: Client, { auto, json, data, isOwnLog }: Stage): Promise<LoopSummary> {
  const say = (text: string) => {
    if (json !== true) process.stdout.write(`${text}\n`);
  };
  const output = json === true ? process.stderr : process.stdout;
  const labeller = auto === true ? truthfulLabeller() : terminalLabeller({ input: process.stdin, output });
  try {
    say(pc.bold("A classifier learns to tell source lines from prose lines"));
    const summary = await runLoop({
      client,
      corpus: await readCorpus(packageRoot()),
      labeller,
      artifacts: join(data, "artifacts"),
      isOwnLog,
      tell: (step, sentence) => say(`  ${pc.cyan(step.padEnd(10))}${sentence}`),
    });
    const curves = [
      { name: "before", losses: summary.losses.before },
      { name: "after the corrections", losses: summary.losses.after },
    ];
    say(`\n${lossChart(curves)}\n\n${lineageTree(summary.lineage)}\n`);
    return summary;
  } finally {
    labeller.close();
  }
}

function sentenceOf({ accuracy, replay }: LoopSummary, durationMs: number): string {
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  const replayed =
    replay.different.length === 0
      ? pc.green("every state is reproduced")
      : pc.red(`${replay.different.length} states differ: ${replay.different.slice(0, 5).join(", ")}`);
  return [
    `  accuracy   ${percent(accuracy.before)} -> ${pc.bold(percent(accuracy.after))}`,
    `  replay     ${replay.events} events of ${replay.streams} streams: ${replayed}`,
    `  done in ${(durationMs / 1000).toFixed(1)} s`,
  ].join("\n");
}
