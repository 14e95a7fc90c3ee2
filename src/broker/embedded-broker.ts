/**
 * The nats-server of a `retrace start` without `--nats`: it owns the data folder, is restarted when it dies, and ends with this process.
 */
import { mkdir, readFile, realpath, rename, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { StartRefused } from "../core/fault.ts";
import { findNatsServer } from "./find-nats-server.ts";
import { type ExitReason, type NatsProcess, natsFiles, portInUse, startNatsProcess } from "./nats-process.ts";
import { claimDataDir, type DataDirClaim } from "./own-data-dir.ts";
import { isCommandLineWith } from "./process-identity.ts";

export { assertServerVersion, minimumNatsServer } from "./server-version.ts";

/** What the embedded broker is started with. */
export interface EmbeddedBrokerOptions {
  /** Claimed for this process; holds the JetStream store, the server's log and pid file; made when missing. */
  readonly dataDir: string;
  /** On 127.0.0.1; 0 picks a free one. */
  readonly port: number;
  /** The top-level `nats.conf`. */
  readonly confPath: string;
  /** Told, a line at a time, what is being fetched, taken over and restarted; default: silent. */
  readonly notice?: (line: string) => void;
  /** A nats-server binary; default: the one that `findNatsServer` finds. */
  readonly binary?: string;
}

/** A running embedded broker. Its address stays the same over restarts; `pid` and `version` are those of the current process. */
export interface EmbeddedBroker {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly version: string;
  /** Calls `listener` whenever the server ends without `close`, before it is restarted; returns the way to stop listening. */
  onExit(listener: (reason: ExitReason) => void): () => void;
  /** Ends the server (SIGTERM, after 5 s SIGKILL) and gives the data folder back. */
  close(): Promise<void>;
}

interface Supervision {
  readonly options: EmbeddedBrokerOptions & { readonly binary: string; readonly notice: (line: string) => void };
  readonly listeners: Set<(reason: ExitReason) => void>;
  readonly closing: AbortController;
  current: NatsProcess;
}

const firstBackoffMs = 100;
const maxBackoffMs = 5_000;
/** A server that ran this long is restarted without a grudge. */
const steadyMs = 30_000;
const orphanTimeoutMs = 5_000;
const maxLogBytes = 8 * 1024 * 1024;

/**
 * Claims the data folder, ends a broker that a killed run left there, starts nats-server and resolves once it answers.
 * Throws `StartRefused` when the folder or the port is in use, when there is no usable nats-server, or when it ends at once.
 */
export async function startEmbeddedBroker(options: EmbeddedBrokerOptions): Promise<EmbeddedBroker> {
  const { notice = () => {} } = options;
  const { dataDir, claim } = await openDataDir(options.dataDir);
  try {
    await endOrphan(dataDir, notice);
    if (options.port !== 0) await assertPortFree(options.port);
    const binary = options.binary ?? (await findNatsServer({ notice })).path;
    await rotateLog(dataDir);
    const current = await startNatsProcess({ ...options, dataDir, binary });
    return supervise({ ...options, dataDir, binary, notice, port: current.port }, current, claim.release);
  } catch (error) {
    claim.release();
    throw error;
  }
}

/** Makes the folder where it is missing, and claims it. */
async function openDataDir(path: string): Promise<{ readonly dataDir: string; readonly claim: DataDirClaim }> {
  try {
    await mkdir(path, { recursive: true });
    const dataDir = await realpath(path);
    return { dataDir, claim: await claimDataDir(dataDir) };
  } catch (error) {
    if (error instanceof StartRefused) throw error;
    throw new StartRefused(
      `the data folder ${path} cannot be used (${(error as Error).message}): name another with --data.`,
      {
        cause: error,
      },
    );
  }
}

function supervise(options: Supervision["options"], first: NatsProcess, release: () => void): EmbeddedBroker {
  const supervision: Supervision = { options, listeners: new Set(), closing: new AbortController(), current: first };
  const ended = keepRunning(supervision).finally(release);
  return {
    url: first.url,
    port: first.port,
    get pid() {
      return supervision.current.pid;
    },
    get version() {
      return supervision.current.version;
    },
    onExit: (listener) => {
      supervision.listeners.add(listener);
      return () => void supervision.listeners.delete(listener);
    },
    close: async () => {
      supervision.closing.abort();
      await ended;
    },
  };
}

/** Resolves when the supervision was closed and no server runs any more. */
async function keepRunning(supervision: Supervision): Promise<void> {
  const { options, listeners, closing } = supervision;
  const closed = new Promise<void>((resolve) => closing.signal.addEventListener("abort", () => resolve()));
  let backoffMs = firstBackoffMs;
  for (;;) {
    const startedAt = performance.now();
    const reason = await Promise.race([supervision.current.exited, closed]);
    if (closing.signal.aborted || !reason) return supervision.current.stop();
    if (performance.now() - startedAt > steadyMs) backoffMs = firstBackoffMs;
    options.notice(`nats-server ${describeExit(reason)}; starting it again on port ${options.port}`);
    for (const listener of listeners) listener(reason);
    const next = await restart(supervision, backoffMs);
    if (!next) return;
    supervision.current = next.started;
    backoffMs = next.backoffMs;
  }
}

/** Tries until the server runs again; `undefined` when closed meanwhile. */
async function restart(
  { options, closing }: Supervision,
  firstWaitMs: number,
): Promise<{ started: NatsProcess; backoffMs: number } | undefined> {
  for (let waitMs = firstWaitMs; !closing.signal.aborted; ) {
    await delay(waitMs, undefined, { signal: closing.signal }).catch(() => {});
    waitMs = Math.min(waitMs * 2, maxBackoffMs);
    if (closing.signal.aborted) return undefined;
    try {
      return { started: await startNatsProcess({ ...options, signal: closing.signal }), backoffMs: waitMs };
    } catch (error) {
      if (!closing.signal.aborted)
        options.notice(`nats-server could not be started again: ${(error as Error).message}`);
    }
  }
  return undefined;
}

function describeExit({ code, signal }: ExitReason): string {
  return signal ? `was ended by ${signal}` : `ended with status ${code}`;
}

/**
 * Ends the nats-server that a killed run left on this store. Safe only under the claim: the pid file alone may name another process, so
 * its command line has to name this store.
 */
async function endOrphan(dataDir: string, notice: (line: string) => void): Promise<void> {
  const files = natsFiles(dataDir);
  const pid = Number(await readFile(files.pid, "utf8").catch(() => ""));
  const isOrphan = () => pid > 0 && isCommandLineWith(pid, files.store);
  if (!isOrphan()) return;
  notice(`ending nats-server ${pid}, which an earlier run left on ${dataDir}`);
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    if (isOrphan()) signalIfThere(pid, signal);
    const giveUpAt = performance.now() + orphanTimeoutMs;
    while (isOrphan() && performance.now() < giveUpAt) await delay(20);
  }
  if (isOrphan())
    throw new StartRefused(`nats-server ${pid} still runs on ${dataDir} and cannot be ended: end it by hand.`);
}

function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function assertPortFree(port: number): Promise<void> {
  const probe = createServer();
  return new Promise((resolve, reject) => {
    probe.once("error", (error: NodeJS.ErrnoException) => reject(refusePort(port, error)));
    probe.listen({ host: "127.0.0.1", port, exclusive: true }, () => probe.close(() => resolve()));
  });
}

function refusePort(port: number, error: NodeJS.ErrnoException): StartRefused {
  if (error.code === "EADDRINUSE") return portInUse(port);
  return new StartRefused(`port ${port} cannot be used (${error.message}): choose another with --port N.`, {
    cause: error,
  });
}

/** Keeps the log of the runs before beside the new one, so that it takes a bounded place and a crash can still be read. */
async function rotateLog(dataDir: string): Promise<void> {
  const { log } = natsFiles(dataDir);
  const size = await stat(log).then(
    (found) => found.size,
    () => 0,
  );
  if (size > maxLogBytes) await rename(log, `${log}.1`);
}
