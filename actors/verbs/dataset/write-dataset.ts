/** Writes a dataset into a folder, which is there when all of it is, and not before. */
import { createHash, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { RecordedEvent } from "retrace";
import type { DatasetSpec } from "../../../schemas/dataset-spec.ts";
import { codeFingerprint } from "../../datasets/code-fingerprint.ts";
import { beginRows, neededFor, provenanceHeader, type RowMaker } from "../../datasets/dataset.ts";
import { type LogClient, readInteractions, readPages, readRetracted } from "./log-reader.ts";
import { fileNames, type Manifest, manifestText } from "./manifest.ts";
import { Refused } from "./refused.ts";

/** What to build, and where. */
export interface DatasetRequest {
  readonly spec: DatasetSpec;
  readonly position: number;
  /** The folder: absent or empty. */
  readonly out: string;
  /** Told how far it has come. */
  readonly onPosition: (position: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Builds it and returns its manifest. Memory holds a page of the log, the inferences it refers to, and the ids of all
 * retracted signals. @throws Refused OUT_NOT_EMPTY.
 */
export async function writeDataset(client: LogClient, request: DatasetRequest): Promise<Manifest> {
  const out = resolve(request.out);
  assertFree(out);
  mkdirSync(dirname(out), { recursive: true });
  const folder = join(dirname(out), `.${basename(out)}.partial-${randomUUID()}`);
  mkdirSync(folder);
  try {
    const written = await writeRows(client, folder, request);
    writeFileSync(join(folder, fileNames.manifest), manifestText(written), { flush: true });
    assertFree(out);
    if (existsSync(out)) rmdirSync(out);
    renameSync(folder, out);
    return written;
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

/** @throws Refused OUT_NOT_EMPTY. */
export function assertFree(out: string): void {
  if (!existsSync(out) || (statSync(out).isDirectory() && readdirSync(out).length === 0)) return;
  throw new Refused(
    "OUT_NOT_EMPTY",
    `${out} is not an empty folder: a dataset is never written over; name another folder`,
  );
}

async function writeRows(client: LogClient, folder: string, request: DatasetRequest): Promise<Manifest> {
  const { spec, position } = request;
  const data = await openHashed(join(folder, fileNames.data));
  const provenance = await openHashed(join(folder, fileNames.provenance));
  try {
    const maker = beginRows(spec, await readRetracted(client, position));
    await provenance.write(provenanceHeader);
    for await (const events of readPages(client, filterOf(spec), position)) {
      request.signal.throwIfAborted();
      const parts = await partsOf(client, events, { maker, request });
      await data.write(parts.map((part) => part.data).join(""));
      await provenance.write(parts.map((part) => part.provenance).join(""));
      const last = events.at(-1);
      if (last !== undefined) request.onPosition(last.position);
    }
    const { rowCount, ...counts } = maker.counts();
    const hashes = { sha256: await data.finish(), provenanceSha256: await provenance.finish() };
    return { position, spec, code: codeFingerprint, rowCount, ...hashes, ...counts };
  } finally {
    await data.close();
    await provenance.close();
  }
}

function filterOf({ types, categories, since, until }: DatasetSpec) {
  return {
    types,
    ...(categories !== undefined && { categories }),
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
    by: "occurred" as const,
  };
}

interface Making {
  readonly maker: RowMaker;
  readonly request: DatasetRequest;
}

async function partsOf(client: LogClient, events: readonly RecordedEvent[], { maker, request }: Making) {
  const { spec, position } = request;
  const needed = events.map((event) => neededFor(event, spec));
  const interactions = await readInteractions(
    client,
    needed.filter((id) => id !== undefined),
    position,
  );
  return events.map((event, i) => {
    const id = needed[i];
    return maker.rowsOf(event, id === undefined ? undefined : interactions.get(id));
  });
}

interface HashedFile {
  write(text: string): Promise<void>;
  /** Flushes it to the disk, and returns its SHA-256 in hexadecimal. */
  finish(): Promise<string>;
  close(): Promise<void>;
}

async function openHashed(path: string): Promise<HashedFile> {
  const file: FileHandle = await open(path, "wx");
  const hash = createHash("sha256");
  return {
    write: async (text) => {
      hash.update(text);
      await file.appendFile(text);
    },
    finish: async () => {
      await file.sync();
      return hash.digest("hex");
    },
    close: () => file.close(),
  };
}
