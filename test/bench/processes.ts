/** The processes under measurement: each prints a line on stdout when it is ready, and ends on SIGTERM. */
import { type ChildProcess, fork, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { packageRoot } from "../../src/cli/package.ts";
import { embeddedBrokerPid } from "../support/runtime-process.ts";
import type { Task, TaskName, TaskResult } from "./worker.ts";

/** A process that is ready. */
export interface Started {
  readonly pid: number;
  /** Its first line on stdout. */
  readonly line: string;
  /** From its spawn to that line. */
  readonly readyMs: number;
  /** Ends it in good order. @throws Error when it ended with a failure. */
  stop(): Promise<void>;
}

/** A runtime that serves, with its embedded broker. */
export interface StartedRuntime extends Started {
  readonly url: string;
  readonly brokerPid: number;
}

const running = new Set<ChildProcess>();

async function start(command: readonly string[]): Promise<Started> {
  const spawnedAt = performance.now();
  const child = spawn(process.execPath, command, { stdio: ["ignore", "pipe", "inherit"] });
  running.add(child);
  const exited = new Promise<string>((resolve) => {
    child.once("close", (code, signal) => {
      running.delete(child);
      resolve(String(signal ?? code));
    });
  });
  const line = await Promise.race([
    new Promise<string>((resolve) => createInterface({ input: child.stdout }).once("line", resolve)),
    exited.then((how) => Promise.reject(new Error(`${command.join(" ")} ended with ${how} before it was ready`))),
  ]);
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    const how = await exited;
    if (how !== "0" && how !== "SIGTERM") throw new Error(`${command.join(" ")} ended with ${how}`);
  };
  return { pid: child.pid as number, line, readyMs: performance.now() - spawnedAt, stop };
}

/** How to start a runtime. */
export interface RuntimeOptions {
  /** Its CPU profile is written there at its end. */
  readonly profileDir?: string | undefined;
  /** A folder with more actors. */
  readonly actors?: string;
}

/** Starts `retrace start` on a folder, on a free port. */
export async function startRuntime(
  dataDir: string,
  { profileDir, actors }: RuntimeOptions = {},
): Promise<StartedRuntime> {
  const profile = profileDir === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profileDir}`];
  const main = join(packageRoot, "dist", "src", "main.js");
  const started = await start([
    ...profile,
    main,
    "start",
    "--data",
    dataDir,
    "--port",
    "0",
    "--log-level",
    "warn",
    ...(actors === undefined ? [] : ["--actors", actors]),
  ]);
  const { nats } = JSON.parse(started.line) as { nats: string };
  return { ...started, url: nats, brokerPid: embeddedBrokerPid(dataDir) ?? 0 };
}

/** Runs `retrace ...args` to its end; what it says on stderr is shown. @throws Error when it ended with a failure. */
export function runCli(...args: readonly string[]): Promise<{ readonly stdout: string; readonly seconds: number }> {
  const spawnedAt = performance.now();
  const child = spawn(process.execPath, [join(packageRoot, "dist", "src", "main.js"), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  running.add(child);
  let stdout = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    stdout += chunk;
  });
  return new Promise((resolve, reject) => {
    child.once("close", (code, signal) => {
      running.delete(child);
      if (code === 0) resolve({ stdout, seconds: (performance.now() - spawnedAt) / 1_000 });
      else reject(new Error(`retrace ${args.join(" ")} ended with ${signal ?? code}`));
    });
  });
}

/** Starts the process that answers every request with its own body. */
export function startEchoResponder(url: string): Promise<Started> {
  return start([script("echo-responder.js"), url]);
}

/** Runs one task in a process of its own, so that neither code nor memory of another part is in its way. */
export function inOwnProcess<Name extends TaskName>(
  name: Name,
  ...options: Parameters<Task<Name>>
): Promise<TaskResult<Name>> {
  const child = fork(script("worker.js"), { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  running.add(child);
  child.send({ name, options });
  return new Promise((resolve, reject) => {
    let message: { readonly result: TaskResult<Name> } | undefined;
    child.once("message", (received) => {
      message = received as { readonly result: TaskResult<Name> };
    });
    child.once("close", (code, signal) => {
      running.delete(child);
      if (message === undefined) reject(new Error(`${name} ended with ${signal ?? code}`));
      else resolve(message.result);
    });
  });
}

/** Ends, at once, whatever still runs: after a failure or an interruption. */
export function killAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

function script(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}
