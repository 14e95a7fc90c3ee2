/** Plain external nats-servers with JetStream for tests: real processes on free loopback ports, ended when the test file is done. */
import { afterAll } from "vitest";
import { findNatsServer } from "../../src/broker/find-nats-server.ts";
import { type NatsProcess, startNatsProcess } from "../../src/broker/nats-process.ts";
import { tempDir } from "./temp.ts";

/** A nats-server of a test; `pid` changes with `restart`, the address does not. */
export interface TestNats {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Ends it in good order (SIGTERM) and waits. */
  stop(): Promise<void>;
  /** Ends it with SIGKILL and waits. */
  kill(): Promise<void>;
  /** Starts it again on the same port and store, after ending it with SIGTERM when it still runs. */
  restart(): Promise<void>;
}

/** Where the server listens and keeps its streams. */
export interface TestNatsOptions {
  /** Holds the JetStream store, pid file and log; default: a temporary folder. */
  readonly storeDir?: string;
  /** Default 0: a free port. */
  readonly port?: number;
  /** A nats-server configuration file. */
  readonly confPath?: string;
}

const running = new Set<TestNats>();

/** Starts a nats-server and resolves once it answers. */
export async function startNats(options: TestNatsOptions = {}): Promise<TestNats> {
  const { storeDir = tempDir("retrace-nats-"), port = 0, ...rest } = options;
  const { path: binary } = await findNatsServer({ notice: (line) => process.stderr.write(`${line}\n`) });
  const start = (on: number) => startNatsProcess({ binary, dataDir: storeDir, port: on, ...rest });
  const nats = control(await start(port), start);
  running.add(nats);
  return nats;
}

function control(first: NatsProcess, start: (port: number) => Promise<NatsProcess>): TestNats {
  let current = first;
  return {
    url: first.url,
    port: first.port,
    get pid() {
      return current.pid;
    },
    stop: () => current.stop(),
    kill: () => current.kill(),
    restart: async () => {
      await current.stop();
      current = await start(first.port);
    },
  };
}

afterAll(async () => {
  await Promise.all([...running].map((nats) => nats.stop()));
  running.clear();
});
