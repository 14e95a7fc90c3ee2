/**
 * The claim of one process on a data folder with an embedded broker: two brokers on one JetStream store corrupt it.
 * A claim is a file made exclusively, with pid and identity of its owner, so that the claim of a dead process is known as such.
 */
import { closeSync, openSync, readFileSync, rmSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { StartRefused } from "../core/fault.ts";
import { processIdentity } from "./process-identity.ts";

/** A held claim. */
export interface DataDirClaim {
  /** Gives the folder back; a second call does nothing. */
  release(): void;
}

interface Owner {
  readonly text: string;
  readonly pid: number;
  /** `unknown`: the file was just made and its owner has yet to write itself into it. */
  readonly state: "alive" | "dead" | "unknown";
}

const pollMs = 10;
const writingMs = 1_000;
const patienceMs = 5_000;

/**
 * Claims `dataDir`, which must exist, for this process. Throws `StartRefused` naming the owner when a living process has it,
 * in the words of `refusal`.
 */
export async function claimDataDir(dataDir: string, refusal = inUse): Promise<DataDirClaim> {
  const path = join(dataDir, "retrace.pid");
  const owner = await acquire(path);
  if (owner) throw refusal(dataDir, owner.pid);
  let isHeld = true;
  return {
    release: () => {
      if (isHeld) rmSync(path, { force: true });
      isHeld = false;
    },
  };
}

function inUse(dataDir: string, pid: number): StartRefused {
  return new StartRefused(
    `data folder ${dataDir} is in use by retrace process ${pid}; stop it, use another --data, or join it with --nats URL.`,
  );
}

/** Makes the file at `path`, taking it over from a dead owner; returns the living owner when there is one. */
async function acquire(path: string): Promise<Owner | undefined> {
  const giveUpAt = performance.now() + patienceMs;
  for (;;) {
    if (createExclusively(path)) return undefined;
    const owner = readOwner(path);
    if (owner?.state === "alive") return owner;
    if (owner?.state === "dead") await removeStale(path, owner);
    if (owner?.state === "unknown") await delay(pollMs);
    if (performance.now() > giveUpAt) throw new StartRefused(`${path} cannot be taken over: remove it by hand.`);
  }
}

/**
 * Removes the file of a dead owner. Only who holds the takeover file may do that, and only while the file is still the one it judged:
 * else a slow starter would remove the fresh claim of a faster one.
 */
async function removeStale(path: string, stale: Owner): Promise<void> {
  const takeover = `${path}.takeover`;
  if (await acquire(takeover)) return void (await delay(pollMs));
  try {
    if (readOwner(path)?.text === stale.text) rmSync(path, { force: true });
  } finally {
    rmSync(takeover, { force: true });
  }
}

function createExclusively(path: string): boolean {
  let file: number;
  try {
    file = openSync(path, "wx", 0o644);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw new StartRefused(`the data folder cannot be claimed: ${(error as Error).message}.`, { cause: error });
  }
  try {
    writeSync(file, `${JSON.stringify({ pid: process.pid, identity: processIdentity(process.pid) })}\n`);
    return true;
  } catch (error) {
    rmSync(path, { force: true });
    throw new StartRefused(`the data folder cannot be claimed: ${(error as Error).message}.`, { cause: error });
  } finally {
    closeSync(file);
  }
}

/** `undefined` when the file is gone. */
function readOwner(path: string): Owner | undefined {
  try {
    const text = readFileSync(path, "utf8");
    const owner = parseOwner(text);
    if (owner) return { text, pid: owner.pid, state: processIdentity(owner.pid) === owner.identity ? "alive" : "dead" };
    return { text, pid: 0, state: Date.now() - statSync(path).mtimeMs < writingMs ? "unknown" : "dead" };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function parseOwner(text: string): { pid: number; identity: string } | undefined {
  try {
    const { pid, identity } = JSON.parse(text) as { pid: unknown; identity: unknown };
    return typeof pid === "number" && typeof identity === "string" ? { pid, identity } : undefined;
  } catch {
    return undefined;
  }
}
