/** `npm run bench`: measures one part after another on temporary data and holds the figures against the targets. */
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { commandFigures } from "./commands.ts";
import { type Figure, type Part, parts } from "./figures.ts";
import { importFigures } from "./imports.ts";
import { memoryFigures } from "./memory.ts";
import { inOwnProcess, killAll } from "./processes.ts";
import { projectionFigures } from "./projections.ts";
import { report, table } from "./report.ts";
import { sagaFigures } from "./sagas.ts";
import { fullSizes, quickSizes, type Setting, type Sizes } from "./setting.ts";
import { startFigures } from "./start.ts";

interface Options {
  readonly quick?: boolean;
  readonly only: readonly Part[];
  readonly json?: string;
  readonly dir: string;
  readonly profile?: string;
}

const largeStoreStreams = 1_000;
/** Linux's number for file systems in memory, where a sync costs nothing. */
const tmpfs = 0x0102_1994;

const program = new Command("npm run bench --")
  .description("measure Retrace; figures and what they mean: test/bench/README.md")
  .option("--quick", "every part short, and stores of 100,000 events")
  .option(
    "--only <parts>",
    `of ${parts.join(", ")}, separated by commas; a, b and e's first half go together`,
    parseParts,
    parts,
  )
  .option("--json <file>", "write the report as JSON, - for stdout in place of the table")
  .option("--dir <dir>", "where to put the data: the disk that is measured", tmpdir())
  .option("--profile <dir>", "leave the CPU profiles of the runtime under (b), (h) and (i) there")
  .addHelpText("after", "\nExample:\n  $ npm run bench -- --quick --only a,b --json -\n")
  .parse();

process.exitCode = await main(program.opts<Options>());

function parseParts(text: string): readonly Part[] {
  const asked = text.split(",").map((part) => part.trim());
  const unknown = asked.find((part) => !(parts as readonly string[]).includes(part));
  if (unknown !== undefined) throw new InvalidArgumentError(`"${unknown}" is not one of ${parts.join(", ")}`);
  return asked as Part[];
}

async function main(options: Options): Promise<number> {
  const isQuick = options.quick === true;
  const sizes = isQuick ? quickSizes : fullSizes;
  const folder = mkdtempSync(join(resolve(options.dir), "retrace-bench-"));
  const tidyUp = (): void => {
    killAll();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      tidyUp();
      process.exit(1);
    });
  }
  const startedAt = new Date().toISOString();
  const beganAt = performance.now();
  const progress = (line: string): void => {
    const seconds = ((performance.now() - beganAt) / 1_000).toFixed(0).padStart(4);
    process.stderr.write(`${seconds} s  ${line}\n`);
  };
  try {
    assertDisk(folder, sizes, progress);
    const profileDir = options.profile === undefined ? undefined : resolve(options.profile);
    const setting: Setting = { sizes, folder, profileDir, progress };
    const found = report(await measure(new Set(options.only), setting), isQuick, startedAt);
    const json = `${JSON.stringify(found, undefined, 2)}\n`;
    if (options.json !== undefined && options.json !== "-") writeFileSync(options.json, json);
    process.stdout.write(options.json === "-" ? json : `${table(found)}`);
    return 0;
  } catch (error) {
    process.stderr.write(`bench: ${(error as Error).stack}\n`);
    return 1;
  } finally {
    tidyUp();
  }
}

function assertDisk(folder: string, { freeBytes }: Sizes, progress: (line: string) => void): void {
  const { type, bavail, bsize } = statfsSync(folder);
  const gib = 1024 ** 3;
  if (bavail * bsize < freeBytes) {
    throw new Error(
      `${folder} has ${(bavail * bsize) / gib} GiB free, this run needs ${freeBytes / gib}: name another --dir`,
    );
  }
  if (type === tmpfs) progress(`${folder} lies in memory, where a sync costs nothing: name a --dir on a disk`);
}

async function measure(asked: ReadonlySet<Part>, setting: Setting): Promise<Figure[]> {
  const isAsked = (...some: Part[]): boolean => some.some((part) => asked.has(part));
  const figures: Figure[] = [];
  if (isAsked("a", "b", "e")) figures.push(...(await commandFigures(setting)));
  if (isAsked("c", "e", "g")) figures.push(...(await wideStoreFigures(setting, isAsked)));
  if (isAsked("d")) figures.push(...(await longStoreFigures(setting)));
  if (isAsked("f")) figures.push(...(await memoryFigures(setting)));
  if (isAsked("h")) figures.push(...(await importFigures(setting)));
  if (isAsked("i")) figures.push(...(await projectionFigures(setting)));
  if (isAsked("j")) figures.push(...(await sagaFigures(setting)));
  return figures;
}

/** A log of many streams: read by (c), started on by (g), weighed by (e). */
async function wideStoreFigures(setting: Setting, isAsked: (...some: Part[]) => boolean): Promise<Figure[]> {
  const { sizes, progress } = setting;
  const { events } = sizes;
  const dataDir = join(setting.folder, "wide");
  const path = join(dataDir, "log");
  mkdirSync(dataDir);
  const ids = Array.from({ length: largeStoreStreams }, (_, index) => `r${index}`);
  progress(`c, e, g: building a store of ${events} events over ${ids.length} streams`);
  await inOwnProcess("build wide", path, events, ids);
  const figures: Figure[] = [];
  if (isAsked("c")) {
    progress("c: replaying");
    figures.push(...(await inOwnProcess("replay", { path, ids, passes: sizes.passes })));
  }
  if (isAsked("e", "g")) figures.push(...(await startFigures(setting, dataDir, events)));
  rmSync(dataDir, { recursive: true, force: true });
  return figures;
}

/** A log that is nearly all one stream. */
async function longStoreFigures({ sizes, folder, progress }: Setting): Promise<Figure[]> {
  const path = join(folder, "long");
  const options = { longEvents: sizes.events, pairs: sizes.pairs };
  progress(`d: building a stream of ${sizes.events} events`);
  await inOwnProcess("build long", path, options);
  progress("d: sending commands");
  const figures = await inOwnProcess("long stream", { path, ...options });
  rmSync(path, { recursive: true, force: true });
  return figures;
}
