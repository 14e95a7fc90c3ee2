/** Brings the files of a partitioned export up to where the log is now. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { claimDataDir, type DataDirClaim } from "../../broker/own-data-dir.ts";
import { StartRefused } from "../../core/fault.ts";
import type { Client } from "../../wire/client.ts";
import { rowOf } from "./event-row.ts";
import { dayOf, isWhole, type Part, type PartFormat, partsIn } from "./part.ts";
import { openPart, type PartFile } from "./part-file.ts";
import { isOfThisLog, writeWitness } from "./witness.ts";

/** Where to, and how. */
export interface PartitionedExport {
  readonly folder: string;
  readonly format: PartFormat;
  /** Whose files nobody has but us: what is of another log, or has a gap, is made anew instead of refused. */
  readonly isCache?: true;
  /** How long to wait for another process that is writing there, in milliseconds. Default: 0. */
  readonly patienceMs?: number;
  /** Told how many events there are to come, then how many came. */
  readonly onTotal?: (events: number) => void;
  readonly onEvents?: (events: number) => void;
}

/** What an export added. */
export interface Exported {
  readonly events: number;
  /** The new ones, by position. */
  readonly parts: readonly Part[];
  /** All events up to here are in the folder. */
  readonly position: number;
}

const maxPartEvents = 200_000;
const maxPartBytes = 256 * 1024 * 1024;

/**
 * Appends what is not there yet. No file that is whole is touched; one that was not finished is made anew.
 * @throws StartRefused when the folder holds another log, or when another process is writing there.
 */
export async function exportPartitioned(client: Client, options: PartitionedExport): Promise<Exported> {
  const { folder } = options;
  mkdirSync(folder, { recursive: true });
  const claim = await claimWhenFree(folder, options.patienceMs ?? 0);
  try {
    const { position: to } = await client.query<{ readonly position: number }>("health");
    const from = await whereItEnds(client, options, to);
    options.onTotal?.(to - from);
    const parts = await writeParts(client, options, { from, to });
    if (parts.length > 0) await writeWitness(client, folder, to);
    return { events: to - from, parts, position: to };
  } finally {
    claim.release();
  }
}

/** The position up to which the folder has the log, in this format. */
async function whereItEnds(
  client: Client,
  { folder, format, isCache }: PartitionedExport,
  logEnd: number,
): Promise<number> {
  const parts = partsIn(folder, format);
  const last = parts.at(-1)?.last ?? 0;
  const isOurs = last <= logEnd && (await isOfThisLog(client, folder));
  if (isOurs && (isCache !== true || isWhole(parts))) return last;
  if (isCache !== true) throw new StartRefused(`${folder} holds an export of another log: export to another folder`);
  rmSync(join(folder, "events"), { recursive: true, force: true });
  await writeWitness(client, folder, 1);
  return 0;
}

async function claimWhenFree(folder: string, patienceMs: number): Promise<DataDirClaim> {
  const giveUpAt = performance.now() + patienceMs;
  for (;;) {
    try {
      return await claimDataDir(folder, inUse);
    } catch (error) {
      if (performance.now() >= giveUpAt) throw error;
      await delay(pollMs);
    }
  }
}

const pollMs = 50;

function inUse(folder: string, pid: number): StartRefused {
  return new StartRefused(`process ${pid} is exporting to ${folder} at this moment: wait for it, or export elsewhere`);
}

interface Stretch {
  /** Exclusive. */
  readonly from: number;
  /** Inclusive. */
  readonly to: number;
}

async function writeParts(client: Client, options: PartitionedExport, { from, to }: Stretch): Promise<Part[]> {
  const parts: Part[] = [];
  let open: PartFile | undefined;
  const close = (): void => {
    if (open !== undefined) parts.push(open.close());
    open = undefined;
  };
  try {
    for (let after = from; after < to; ) {
      const { events } = await client.events({ afterPosition: after, limit: Math.min(1_000, to - after) });
      for (const event of events) {
        const day = dayOf(event.recordedAt);
        const isFull = open !== undefined && (open.events >= maxPartEvents || open.bytes >= maxPartBytes);
        if (isFull || open?.day !== day) close();
        open ??= await openPart({ ...options, day, first: event.position });
        open.add(rowOf(event));
      }
      after = events.at(-1)?.position ?? to;
      options.onEvents?.(events.length);
    }
    close();
    return parts;
  } catch (error) {
    open?.discard();
    throw error;
  }
}
