/** A runtime of the demonstration's own: a child process, ended with it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { reapOnDeath } from "retrace";
import { DemonstrationStopped } from "./stopped.ts";

/** A runtime that serves. */
export interface RuntimeChild {
  /** Where its broker listens. */
  readonly nats: string;
  stop(): Promise<void>;
}

const startTimeoutMs = 120_000;
const stopTimeoutMs = 15_000;
const keptLogLines = 5;

/** Starts `retrace start` of the package at `root` on a free port, and resolves when it can serve. */
export async function startRuntime(root: string, data: string, prefix = "retrace"): Promise<RuntimeChild> {
  const main = join(root, "dist", "src", "main.js");
  const args = [main, "start", "--port", "0", "--data", data, "--prefix", prefix];
  const { RETRACE_NATS: _, ...env } = process.env;
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"], env });
  // However this process goes, a closed pipe and SIGKILL included, its runtime goes with it.
  const reaper = reapOnDeath(child.pid ?? 0);
  child.once("exit", () => reaper.dismiss());
  const stop = () => stopChild(child);
  const stopAtOnce = () => {
    child.kill("SIGTERM");
    process.exit(1);
  };
  process.once("SIGTERM", stopAtOnce);
  process.once("SIGINT", stopAtOnce);
  const forget = () => {
    process.off("SIGTERM", stopAtOnce);
    process.off("SIGINT", stopAtOnce);
  };
  try {
    const nats = await readyLine(child);
    return { nats, stop: () => stop().finally(forget) };
  } catch (error) {
    await stop().finally(forget);
    throw error;
  }
}

async function readyLine(child: ChildProcess): Promise<string> {
  const log = followLog(child);
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const timeout = AbortSignal.timeout(startTimeoutMs);
  const ended = once(child, "exit", { signal: timeout }).then(() => {
    throw new DemonstrationStopped(`the runtime ended before it could serve:\n${log.join("\n")}`);
  });
  const ready = once(lines, "line", { signal: timeout }).then(([line]) => (JSON.parse(line) as { nats: string }).nats);
  ended.catch(() => {});
  return Promise.race([ready, ended]);
}

/** Keeps the last lines; errors are shown at once, because a reply only refers to them. */
function followLog(child: ChildProcess): readonly string[] {
  const log: string[] = [];
  createInterface({ input: child.stderr as NodeJS.ReadableStream }).on("line", (line) => {
    log.push(line);
    log.splice(0, log.length - keptLogLines);
    if (/^\{"level":[56]0,/.test(line)) process.stderr.write(`${line}\n`);
  });
  return log;
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const killer = setTimeout(() => child.kill("SIGKILL"), stopTimeoutMs);
  await exited;
  clearTimeout(killer);
}
