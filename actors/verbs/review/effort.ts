/** How long a reviewer worked on a review: from the claim to the submission, where both were made on this machine. */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { type ClientOptions, digest } from "retrace";
import { maxLeaseMs } from "../../../schemas/review.ts";

/** Which review, whose, and where. */
export interface Work {
  readonly id: string;
  readonly reviewer: string;
  readonly options: ClientOptions;
}

/** Remembers that the work begins now, and forgets what nobody can submit any more. */
export function beginWork(work: Work): void {
  try {
    mkdirSync(folder(), { recursive: true });
    for (const name of readdirSync(folder())) {
      const file = join(folder(), name);
      const begunAt = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
      if (Date.now() - begunAt > maxLeaseMs) rmSync(file, { force: true });
    }
    writeFileSync(fileOf(work), String(Date.now()));
  } catch (error) {
    console.error(`warning: how long this takes will not be known: ${(error as Error).message}`);
  }
}

/** Milliseconds since the work began; undefined where that is not known. */
export function effortOf(work: Work): number | undefined {
  try {
    const effortMs = Date.now() - Number(readFileSync(fileOf(work), "utf8"));
    return effortMs >= 0 ? effortMs : undefined;
  } catch {
    return undefined;
  }
}

/** It is submitted, or given back. */
export function endWork(work: Work): void {
  rmSync(fileOf(work), { force: true });
}

/** Under `XDG_STATE_HOME` when that is an absolute path, else under `~/.local/state`. */
function folder(): string {
  const xdg = process.env.XDG_STATE_HOME ?? "";
  const home = isAbsolute(xdg) ? xdg : join(homedir(), ".local", "state");
  return join(home, "retrace", "reviews");
}

function fileOf({ id, reviewer, options: { nats, prefix } }: Work): string {
  return join(folder(), `${digest(JSON.stringify([nats, prefix, id, reviewer]))}`);
}
