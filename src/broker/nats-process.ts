/**
 * One nats-server child process on loopback: start it, wait until it answers, stop it. It never outlives this process.
 * Supervision and ownership of the data folder are left to `embedded-broker.ts`.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { closeSync, openSync, readFileSync, rmSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { connect } from "node:net";
import { basename, join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { StartRefused } from "../core/fault.ts";
import { reapOnDeath } from "./reaper.ts";
import { assertServerVersion } from "./server-version.ts";

/** What one nats-server is started with. */
export interface NatsProcessOptions {
  /** The nats-server binary. */
  readonly binary: string;
  /** Holds the JetStream store (`jetstream`), the pid file and the log of the server; made when missing. */
  readonly dataDir: string;
  /** On 127.0.0.1; 0 picks a free one. */
  readonly port: number;
  /** A configuration file; without one JetStream runs with the server's defaults. */
  readonly confPath?: string;
  /** Gives the start up: the process is ended and the promise rejects. */
  readonly signal?: AbortSignal;
}

/** How a process ended: one of the two is null. */
export interface ExitReason {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A nats-server that has answered. */
export interface NatsProcess {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** As the server says in its INFO line. */
  readonly version: string;
  /** Resolves when the process has ended, for whatever reason. */
  readonly exited: Promise<ExitReason>;
  /** Ends it with SIGTERM, after 5 s with SIGKILL; resolves when it has ended. */
  stop(): Promise<void>;
  /** Ends it with SIGKILL; resolves when it has ended. */
  kill(): Promise<void>;
}

interface ServerInfo {
  readonly server_name: string;
  readonly version: string;
}

interface Starting extends NatsProcessOptions {
  readonly child: ChildProcess;
  readonly name: string;
  readonly exited: Promise<ExitReason>;
}

const host = "127.0.0.1";
const stopTimeoutMs = 5_000;
const pollMs = 10;
/** A large JetStream store is read before the server listens. */
const readyTimeoutMs = 120_000;

/** Where the files of a server in `dataDir` lie. */
export function natsFiles(dataDir: string): { store: string; pid: string; log: string } {
  const folder = resolve(dataDir);
  return {
    store: join(folder, "jetstream"),
    pid: join(folder, "nats-server.pid"),
    log: join(folder, "nats-server.log"),
  };
}

/** Starts nats-server and resolves once it answers. Throws `StartRefused` with the last line of its log when it ends before. */
export async function startNatsProcess(options: NatsProcessOptions): Promise<NatsProcess> {
  await mkdir(options.dataDir, { recursive: true });
  const name = `retrace-${randomUUID()}`;
  const child = spawnServer(options, name);
  const exited = watchExit(child);
  try {
    const port = await awaitPort({ ...options, child, name, exited });
    const info = await awaitAnswer({ ...options, child, name, exited, port });
    assertServerVersion(info.version);
    const { pid = 0 } = child;
    const url = `nats://${host}:${port}`;
    const stop = () => stopChild(child, exited);
    const kill = () => killChild(child, exited);
    return { url, port, pid, version: info.version, exited, stop, kill };
  } catch (error) {
    await stopChild(child, exited);
    throw error;
  }
}

function spawnServer({ binary, confPath, dataDir, port }: NatsProcessOptions, name: string): ChildProcess {
  const files = natsFiles(dataDir);
  const log = openSync(files.log, "a");
  try {
    const args = [
      ...(confPath ? ["-c", resolve(confPath)] : ["-js"]),
      ...["-a", host, "-p", String(port === 0 ? -1 : port), "-n", name],
      ...["-sd", files.store, "-P", files.pid],
      ...(port === 0 ? ["--ports_file_dir", resolve(dataDir)] : []),
    ];
    // Its own process group: on Ctrl-C the runtime still needs the broker to send what is left.
    return spawn(binary, args, { stdio: ["ignore", log, log], detached: process.platform !== "win32" });
  } finally {
    closeSync(log);
  }
}

function watchExit(child: ChildProcess): Promise<ExitReason> {
  const reaper = child.pid === undefined ? undefined : reapOnDeath(child.pid);
  return new Promise((resolveExit) => {
    child.once("error", () => resolveExit({ code: 127, signal: null }));
    child.once("exit", (code, signal) => {
      reaper?.dismiss();
      resolveExit({ code, signal });
    });
  });
}

/** The server writes the port it chose into a file of its own. */
async function awaitPort(starting: Starting): Promise<number> {
  const { binary, child, dataDir, port } = starting;
  if (port !== 0) return port;
  const path = join(resolve(dataDir), `${basename(binary)}_${child.pid}.ports`);
  const chosen = await poll(starting, async () => readPort(path));
  rmSync(path, { force: true });
  return chosen;
}

function readPort(path: string): number | undefined {
  try {
    const ports = JSON.parse(readFileSync(path, "utf8")) as { nats?: string[] };
    return Number(new URL(ports.nats?.[0] ?? "").port) || undefined;
  } catch {
    return undefined;
  }
}

/** An answer under another name comes from a server that took the port in the meantime; this one then ends by itself. */
async function awaitAnswer(starting: Starting & { readonly port: number }): Promise<ServerInfo> {
  return poll(starting, async () => {
    const info = await readInfo(starting.port).catch(() => undefined);
    return info?.server_name === starting.name ? info : undefined;
  });
}

/** Reads the INFO line with which a nats-server greets every connection. */
function readInfo(port: number): Promise<ServerInfo> {
  return new Promise((resolveInfo, reject) => {
    const socket = connect({ host, port, timeout: 1_000 });
    let text = "";
    socket.setEncoding("utf8");
    socket.on("data", (chunk: string) => {
      text += chunk;
      const line = /^INFO (\{.*\})\s*\r\n/.exec(text)?.[1];
      if (!line) return;
      socket.destroy();
      resolveInfo(JSON.parse(line) as ServerInfo);
    });
    socket.on("timeout", () => socket.destroy());
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("closed before the INFO line")));
  });
}

async function poll<T>(starting: Starting, attempt: () => Promise<T | undefined>): Promise<T> {
  let end: ExitReason | undefined;
  void starting.exited.then((reason) => {
    end = reason;
  });
  const giveUpAt = performance.now() + readyTimeoutMs;
  while (performance.now() < giveUpAt) {
    const result = await attempt();
    if (result !== undefined) return result;
    if (end) throw endedEarly(starting, end);
    await delay(pollMs, undefined, starting.signal ? { signal: starting.signal } : {});
  }
  throw new StartRefused(
    `nats-server did not answer within ${readyTimeoutMs / 1000} s; see ${natsFiles(starting.dataDir).log}.`,
  );
}

function endedEarly({ dataDir, port }: Starting, { code, signal }: ExitReason): StartRefused {
  const line = lastLogLine(natsFiles(dataDir).log);
  if (line.includes("address already in use")) return portInUse(port);
  return new StartRefused(`nats-server ended at once (${signal ?? `status ${code}`}): ${line || "its log is empty"}`);
}

/** The refusal of a port that another process listens on. */
export function portInUse(port: number): StartRefused {
  return new StartRefused(
    `port ${port} on ${host} is in use: choose another with --port N, or a free one with --port 0.`,
  );
}

function lastLogLine(path: string): string {
  return readFileSync(path, "utf8").trimEnd().split("\n").at(-1) ?? "";
}

async function stopChild(child: ChildProcess, exited: Promise<ExitReason>): Promise<void> {
  child.kill("SIGTERM");
  const patience = new AbortController();
  const overdue = delay(stopTimeoutMs, true, { signal: patience.signal }).catch(() => false);
  if (await Promise.race([exited.then(() => false), overdue])) child.kill("SIGKILL");
  patience.abort();
  await exited;
}

async function killChild(child: ChildProcess, exited: Promise<ExitReason>): Promise<void> {
  child.kill("SIGKILL");
  await exited;
}
