/**
 * The built product as a process, for tests from outside: `node dist/src/main.js start ...`. Free of vitest, so that scripts can use it
 * too; tests take `runtime.ts`, which also cleans up.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { isCommandLineWith } from "../../src/broker/process-identity.ts";
import { eventually } from "./eventually.ts";

/** What `retrace start` is given. */
export interface RuntimeProcessOptions {
  readonly dataDir: string;
  /** An external broker; without one the runtime starts its own. */
  readonly nats?: string;
  /** Of the embedded broker. Default 0: a free one. */
  readonly port?: number;
  readonly prefix?: string;
  /** Further arguments. */
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** The line a runtime prints when it serves. */
export interface ReadyLine {
  readonly ready: true;
  /** Where clients connect. */
  readonly nats: string;
  readonly data: string;
  readonly pid: number;
  readonly position: number;
}

/** How a process ended: one of the two is null. */
export interface RuntimeExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A runtime that was started, serving or not. */
export interface RuntimeProcess {
  readonly pid: number;
  /** Resolves with the ready line; rejects, with what was on stderr, when the process ends before. */
  readonly ready: Promise<ReadyLine>;
  /** Resolves when the process has ended and all its output was read. */
  readonly exited: Promise<RuntimeExit>;
  /** Everything on stderr so far. */
  stderr(): string;
  /** Everything on stdout so far, a line each. */
  stdout(): readonly string[];
  /** Sends SIGTERM and waits for the end. */
  stop(): Promise<RuntimeExit>;
  /** Sends SIGKILL and waits for the end. The embedded broker ends a moment later, or when the data is started again. */
  kill(): Promise<RuntimeExit>;
}

const main = fileURLToPath(new URL("../../dist/src/main.js", import.meta.url));

/** Starts a runtime without waiting for it. */
export function spawnRuntime(options: RuntimeProcessOptions): RuntimeProcess {
  const child = spawn(process.execPath, [main, ...startArguments(options)], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...withoutRetrace(process.env), ...options.env },
  });
  let stderr = "";
  const stdout: string[] = [];
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  const exited = new Promise<RuntimeExit>((resolve) => {
    child.once("close", (code, signal) => resolve({ code, signal }));
  });
  const ready = new Promise<ReadyLine>((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      stdout.push(line);
      if (stdout.length === 1) resolve(JSON.parse(line) as ReadyLine);
    });
    void exited.then(({ code, signal }) =>
      reject(new Error(`the runtime ended with ${signal ?? code} before it was ready:\n${stderr}`)),
    );
  });
  ready.catch(() => {});
  const end = (signal: NodeJS.Signals) => () => {
    child.kill(signal);
    return exited;
  };
  return {
    pid: child.pid ?? 0,
    ready,
    exited,
    stderr: () => stderr,
    stdout: () => stdout,
    stop: end("SIGTERM"),
    kill: end("SIGKILL"),
  };
}

function startArguments({ dataDir, nats, port = 0, prefix, args = [] }: RuntimeProcessOptions): string[] {
  return [
    ...["start", "--data", dataDir],
    ...(nats === undefined ? ["--port", String(port)] : ["--nats", nats]),
    ...(prefix === undefined ? [] : ["--prefix", prefix]),
    ...args,
  ];
}

/** What the caller's shell says about Retrace must not reach the process under test. */
function withoutRetrace(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith("RETRACE_")));
}

/** The process id of the embedded broker on a data folder; undefined when none runs. */
export function embeddedBrokerPid(dataDir: string): number | undefined {
  try {
    const pid = Number(readFileSync(join(dataDir, "nats-server.pid"), "utf8"));
    return isCommandLineWith(pid, join(dataDir, "jetstream")) ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** Resolves when no embedded broker runs on a data folder any more: a killed runtime leaves it to end by itself. */
export async function embeddedBrokerEnded(dataDir: string): Promise<void> {
  await eventually(`the embedded broker on ${dataDir} ends`, () => embeddedBrokerPid(dataDir) === undefined);
}
