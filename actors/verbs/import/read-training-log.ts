/** Reads a training log from disk, with the files that stand beside it and belong to it. */
import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { LoggedRun } from "./logged-run.ts";
import { ImportRefused } from "./refused.ts";
import { readTrainingLog, type SideFiles } from "./training-log.ts";

/** A log and what it was read from. */
export interface LogFile {
  readonly run: LoggedRun;
  readonly source: { readonly name: string; readonly sha256: string };
  /** When the file was last written; for a copy that may be when it was copied. */
  readonly changedMs: number;
}

type Json = Record<string, unknown>;

const measurements = /measurements\.csv$/;

/** Reads `file`; an unreadable file, an unknown format or a broken side file is an error with a sentence. */
export async function readLogFile(file: string): Promise<LogFile> {
  const bytes = await readFile(file);
  const run = readTrainingLog(bytes.toString("utf8"), await readSideFiles(file));
  if (run === undefined) throw new ImportRefused("no metric line of a known format in it");
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return { run, source: { name: basename(file), sha256 }, changedMs: (await stat(file)).mtimeMs };
}

async function readSideFiles(file: string): Promise<SideFiles> {
  const [folder, name] = [dirname(file), basename(file)];
  const beside = await readdir(folder);
  const codeSha256 = beside.includes("manifest.json")
    ? codeHashOf(await readJson(join(folder, "manifest.json")), name)
    : undefined;
  const [flags, metaData] = await Promise.all(
    ["flags", "meta_data"].map(async (kind) => {
      const side = measurements.test(name) ? sideFileOf(beside, name.replace(measurements, `${kind}_`)) : undefined;
      return side === undefined ? undefined : readJson(join(folder, side));
    }),
  );
  return { ...(codeSha256 && { codeSha256 }), ...(flags && { flags }), ...(metaData && { metaData }) };
}

/** A run that was started again writes a numbered file each time: the first tells how it began. */
function sideFileOf(beside: readonly string[], prefix: string): string | undefined {
  const numberOf = (name: string) => Number(/^(\d+)\.json$/.exec(name.slice(prefix.length))?.[1] ?? Number.NaN);
  const numbered = beside.filter((name) => name.startsWith(prefix) && !Number.isNaN(numberOf(name)));
  return numbered.sort((a, b) => numberOf(a) - numberOf(b))[0];
}

async function readJson(path: string): Promise<Json | null> {
  const text = await readFile(path, "utf8");
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ImportRefused(`${path} is not readable as JSON: ${(error as Error).message}`);
  }
}

/** Any other file of this name has no such entry, and says nothing. */
function codeHashOf(manifest: Json | null, name: string): string | undefined {
  const runs = Array.isArray(manifest?.runs) ? (manifest.runs as Json[]) : [];
  const hash = runs.find((run) => run?.file === name)?.code_sha256;
  return typeof hash === "string" ? hash : undefined;
}
