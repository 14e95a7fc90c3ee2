import { chmodSync, existsSync, readdirSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterEach, expect, test, vi } from "vitest";
import {
  assertServerVersion,
  type EmbeddedBroker,
  type EmbeddedBrokerOptions,
  startEmbeddedBroker,
} from "../../src/broker/embedded-broker.ts";
import { processIdentity } from "../../src/broker/process-identity.ts";
import { StartRefused } from "../../src/core/fault.ts";
import { startNats } from "../support/nats.ts";
import { tempDir } from "../support/temp.ts";
import { runTypeScript } from "./run-typescript.ts";

const confPath = fileURLToPath(new URL("../../nats.conf", import.meta.url));
const brokers: EmbeddedBroker[] = [];

afterEach(async () => {
  await Promise.all(brokers.splice(0).map((broker) => broker.close()));
});

test("listens on loopback with the limits of nats.conf and keeps its files in the data folder", async () => {
  const dataDir = tempDir();
  const broker = await start({ dataDir });
  await connected(broker, async (connection) => {
    expect(connection.info?.max_payload).toBe(8 * 1024 * 1024);
    expect(connection.info?.host).toBe("127.0.0.1");
    expect(connection.info?.jetstream).toBe(true);
  });
  expect(broker.url).toBe(`nats://127.0.0.1:${broker.port}`);
  expect(readdirSync(dataDir).sort()).toEqual(["jetstream", "nats-server.log", "nats-server.pid", "retrace.pid"]);
});

test("close ends the server, frees the port and gives the folder back", async () => {
  const dataDir = tempDir();
  const broker = await start({ dataDir });
  await Promise.all([broker.close(), broker.close()]);
  expect(processIdentity(broker.pid)).toBeUndefined();
  expect(existsSync(join(dataDir, "retrace.pid"))).toBe(false);
  const again = await start({ dataDir, port: broker.port });
  expect(again.port).toBe(broker.port);
});

test("refuses a port in use, naming it and the way out", async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const { port } = other.address() as { port: number };
  const dataDir = tempDir();
  await expect(start({ dataDir, port })).rejects.toThrow(
    new StartRefused(`port ${port} on 127.0.0.1 is in use: choose another with --port N, or a free one with --port 0.`),
  );
  await new Promise((resolve) => other.close(resolve));
  await start({ dataDir, port });
});

test("reports the last line of a server that ends at once", async () => {
  const binary = script("echo first; echo 'the store is broken' >&2; exit 3");
  await expect(start({ binary })).rejects.toThrow(
    new StartRefused("nats-server ended at once (status 3): the store is broken"),
  );
});

test("refuses a binary that cannot be run", async () => {
  await expect(start({ binary: "/nowhere/nats-server" })).rejects.toThrow(StartRefused);
});

test("starts a killed server again on the same port with its streams", async () => {
  const notices: string[] = [];
  const broker = await start({ notice: (line) => void notices.push(line) });
  const exits: unknown[] = [];
  broker.onExit((reason) => void exits.push(reason));
  const first = broker.pid;
  await connected(broker, async (connection) => {
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name: "kept", subjects: ["kept"] });
    await jetstream(connection).publish("kept", "one");
  });

  process.kill(first, "SIGKILL");
  await vi.waitFor(() => expect(broker.pid).not.toBe(first), { timeout: 20_000, interval: 20 });

  await connected(broker, async (connection) => {
    const { state } = await (await jetstreamManager(connection)).streams.info("kept");
    expect(state.messages).toBe(1);
  });
  expect(exits).toEqual([{ code: null, signal: "SIGKILL" }]);
  expect(notices).toEqual([`nats-server was ended by SIGKILL; starting it again on port ${broker.port}`]);
});

test("close in the middle of a restart leaves nothing running", async () => {
  const dataDir = tempDir();
  const broker = await start({ dataDir });
  const exited = new Promise((resolve) => broker.onExit(resolve));
  process.kill(broker.pid, "SIGKILL");
  await exited;
  await broker.close();
  await expect(connect({ servers: broker.url, reconnect: false })).rejects.toThrow();
  expect(existsSync(join(dataDir, "retrace.pid"))).toBe(false);
});

test("the server ends when its runtime is killed with SIGKILL, and the folder can be started again", async () => {
  const dataDir = tempDir();
  const runtime = runTypeScript("./broker-process.ts", [dataDir, confPath]);
  const { pid } = JSON.parse(await runtime.nextLine());
  expect(processIdentity(pid)).toBeDefined();
  await runtime.kill("SIGKILL");
  await vi.waitFor(() => expect(processIdentity(pid)).toBeUndefined(), { timeout: 20_000, interval: 20 });
  await start({ dataDir });
});

test("refuses a data folder that a living runtime uses", async () => {
  const dataDir = tempDir();
  const runtime = runTypeScript("./broker-process.ts", [dataDir, confPath]);
  const { pid } = JSON.parse(await runtime.nextLine());
  await expect(start({ dataDir })).rejects.toThrow(
    `data folder ${dataDir} is in use by retrace process ${runtime.pid}; stop it, use another --data, or join it with --nats URL.`,
  );
  expect(processIdentity(pid)).toBeDefined();
  await runtime.kill();
});

test("ends a server that a dead runtime left on the folder, and goes on with its streams", async () => {
  const dataDir = tempDir();
  const orphan = await startNats({ storeDir: dataDir });
  await connected(orphan, async (connection) => {
    await (await jetstreamManager(connection)).streams.add({ name: "kept", subjects: ["kept"] });
  });
  const notices: string[] = [];
  const broker = await start({ dataDir, notice: (line) => void notices.push(line) });
  expect(processIdentity(orphan.pid)).toBeUndefined();
  expect(notices).toEqual([`ending nats-server ${orphan.pid}, which an earlier run left on ${dataDir}`]);
  await connected(broker, async (connection) => {
    expect((await (await jetstreamManager(connection)).streams.info("kept")).config.name).toBe("kept");
  });
});

test("leaves a process alone that only has the pid of an earlier server", async () => {
  const dataDir = tempDir();
  const elsewhere = await startNats();
  writeFileSync(join(dataDir, "nats-server.pid"), String(elsewhere.pid));
  await start({ dataDir });
  expect(processIdentity(elsewhere.pid)).toBeDefined();
});

test("puts a log aside that has grown large", async () => {
  const dataDir = tempDir();
  const log = join(dataDir, "nats-server.log");
  writeFileSync(log, "");
  truncateSync(log, 9 * 1024 * 1024);
  await start({ dataDir });
  expect(statSync(log).size).toBeLessThan(1024 * 1024);
  expect(existsSync(`${log}.1`)).toBe(true);
});

test("accepts servers from 2.12.0 on", () => {
  for (const version of ["2.12.0", "2.15.1", "2.100.0", "3.0.0", "2.12.0-RC.1"]) assertServerVersion(version);
  for (const version of ["2.11.9", "2.9.25", "1.99.99", ""]) {
    expect(() => assertServerVersion(version)).toThrow(StartRefused);
  }
});

async function start(options: Partial<EmbeddedBrokerOptions> = {}): Promise<EmbeddedBroker> {
  const broker = await startEmbeddedBroker({ dataDir: tempDir(), port: 0, confPath, ...options });
  brokers.push(broker);
  return broker;
}

async function connected(to: { url: string }, use: (connection: NatsConnection) => Promise<void>): Promise<void> {
  const connection = await connect({ servers: to.url });
  await use(connection);
  await connection.close();
}

function script(body: string): string {
  const path = join(tempDir(), "nats-server");
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}
