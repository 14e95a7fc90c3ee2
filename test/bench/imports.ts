/** Part (h): files of rows through `retrace import`, each from the spawn of the command to its end. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openConnection } from "../../src/wire/connection.ts";
import { type CpuMs, cpuBetween, cpuMs } from "./cpu.ts";
import { type Figure, spread } from "./figures.ts";
import { drained } from "./health.ts";
import { runCli, startRuntime } from "./processes.ts";
import type { Setting } from "./setting.ts";

/** A kind of file. */
interface Rows {
  readonly id: string;
  /** Of `retrace import`, with its options. */
  readonly verb: readonly string[];
  readonly text: string;
  readonly eventsPerRow: number;
  readonly header?: string;
  readonly row: (index: number) => string;
}

const sentence = "The quick brown fox jumps over the lazy dog, and nobody asks it why it did so. ";

const files: readonly Rows[] = [
  {
    id: "ratings",
    verb: ["ratings", "--scale", "0,100"],
    text: "ratings, 3 an output",
    eventsPerRow: 1,
    header: "model\tsegment\trater\tscore\ttimestamp_ms\teffort_ms",
    row: (i) => `m1\t${Math.floor(i / 3)}\tr${i % 3}\t${i % 101}\t${1_725_000_000_000 + i}\t${1_000 + (i % 9_000)}`,
  },
  {
    id: "corrections",
    verb: ["corrections"],
    text: "corrections, 10 an item",
    eventsPerRow: 1,
    header: "worker\titem\ttext",
    row: (i) => `w${i % 70}\t${Math.floor(i / 10)}\t${sentence}${i}`,
  },
  {
    id: "preferences",
    verb: ["preferences"],
    text: "preferences, 1 KB each",
    eventsPerRow: 1,
    row: (i) =>
      JSON.stringify({ prompt: sentence.repeat(5), chosen: sentence.repeat(4) + i, rejected: sentence.repeat(4) }),
  },
  {
    id: "predictions",
    verb: ["predictions"],
    text: "predictions with gold, 3 events each",
    eventsPerRow: 3,
    header: "item\tmodel\tprediction\tconfidence\tgold",
    row: (i) => `${i}\tm${i % 5}\t${i % 7}\t0.${10 + (i % 90)}\t${i % 6}`,
  },
  {
    id: "votes",
    verb: ["preferences"],
    text: "items with 3 votes, a command each",
    eventsPerRow: 3,
    row: (i) => {
      const votes = { annotator1: i % 3, annotator2: 1, annotator3: 2 };
      return JSON.stringify({
        idx: i,
        instruction: sentence,
        response1: sentence,
        response2: `${sentence}${i}`,
        ...votes,
      });
    },
  },
  {
    id: "verdicts",
    verb: ["predictions"],
    text: "verdicts in two orders with gold, 6 events each",
    eventsPerRow: 6,
    header: "item\tjudge\tprompting\twinner_order1\twinner_order2\tgold",
    row: (i) => `q${i}\tj${i % 6}\tCoT\t${1 + (i % 2)}\t${1 + (i % 3 === 0 ? 1 : 0)}\t${1 + (i % 2)}`,
  },
  {
    id: "crowd-labels",
    verb: ["crowd-labels"],
    text: "crowd labels, 4 an item, 2 events each and 1 an item",
    eventsPerRow: 2.25,
    header: "worker\titem\tlabel",
    row: (i) => `w${i % 4}${i % 37}\t${Math.floor(i / 4)}\t${i % 3 === 0 ? "yes" : "no"}`,
  },
];

interface Brought {
  /** Rows per second. */
  readonly rate: number;
  readonly cpu: CpuMs;
}

/** Imports every kind by turns, each time into streams of its own, and at the end each once more into the last of them. */
export async function importFigures({ sizes, folder, profileDir, progress }: Setting): Promise<Figure[]> {
  const dataDir = join(folder, "imports");
  mkdirSync(dataDir);
  for (const rows of files) writeRows(rows, join(folder, rows.id), sizes.importRows);
  const runtime = await startRuntime(dataDir, { profileDir });
  const nats = await openConnection({ servers: runtime.url, name: "retrace bench" });
  const roles = { broker: runtime.brokerPid, runtime: runtime.pid };

  const bring = async ({ id, verb }: Rows, idPrefix: string, newEvents: number): Promise<Brought> => {
    const before = cpuMs(roles);
    const options = ["--id-prefix", idPrefix, "--nats", runtime.url, "--json"];
    const { stdout, seconds } = await runCli("import", ...verb, join(folder, id), ...options);
    const counts = JSON.parse(stdout) as { readonly rows: number; readonly newEvents: number };
    if (counts.rows !== sizes.importRows || counts.newEvents !== newEvents) throw new Error(`not all is in: ${stdout}`);
    await drained(nats);
    return { rate: sizes.importRows / seconds, cpu: cpuBetween(before, cpuMs(roles)) };
  };

  const seen = new Map<Rows, Brought[]>(files.map((rows) => [rows, []]));
  // The first round is for the code to be compiled.
  for (let round = 0; round <= sizes.imports; round++) {
    for (const [rows, brought] of seen) {
      progress(`h: round ${round} of ${sizes.imports}, ${rows.text}`);
      const result = await bring(rows, `r${round}`, rows.eventsPerRow * sizes.importRows);
      if (round > 0) brought.push(result);
    }
  }
  const figures = [...seen].flatMap(([rows, brought]) => figuresOf(rows, brought, sizes.importRows));
  for (const rows of files) {
    progress(`h: once more, ${rows.text}`);
    const { rate } = await bring(rows, `r${sizes.imports}`, 0);
    const text = `${rows.text}, once more: nothing new`;
    figures.push({ id: `import.${rows.id}.again`, part: "h", text, value: rate, unit: "rows/s" });
  }
  await nats.close();
  await runtime.stop();
  return figures;
}

function writeRows({ header, row }: Rows, path: string, count: number): void {
  const lines = Array.from({ length: count }, (_, index) => row(index));
  writeFileSync(path, [...(header === undefined ? [] : [header]), ...lines, ""].join("\n"));
}

function figuresOf({ id, text, eventsPerRow }: Rows, brought: readonly Brought[], rows: number): Figure[] {
  const rates = brought.map(({ rate }) => rate);
  const roles = Object.keys(brought[0]?.cpu ?? {});
  const part = "h";
  return [
    { id: `import.${id}.rate`, part, text, unit: "rows/s", ...spread(rates) },
    ...(eventsPerRow === 1
      ? []
      : [
          {
            id: `import.${id}.events`,
            part,
            text: `${text}, as events`,
            unit: "events/s",
            ...spread(rates.map((rate) => rate * eventsPerRow)),
          } as const,
        ]),
    ...roles.map((role): Figure => {
      const ms = brought.reduce((sum, { cpu }) => sum + (cpu[role] ?? 0), 0);
      const value = (ms * 1_000) / (rows * brought.length);
      return { id: `import.${id}.cpu.${role}`, part, text: `${text}, CPU of ${role}`, value, unit: "us/row" };
    }),
  ];
}
