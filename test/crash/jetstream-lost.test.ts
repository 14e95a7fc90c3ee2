/** The log in LMDB is the truth: what JetStream loses is brought back at the same sequences, what is not of this log is refused. */
import { cpSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { expect, test } from "vitest";
import { connect } from "../support/connections.ts";
import { type EventMessage, readEventMessages, streamInfo } from "../support/event-messages.ts";
import { eventually } from "../support/eventually.ts";
import { startNats } from "../support/nats.ts";
import { seededRandom } from "../support/random.ts";
import { queryRaw, type RawHealth, relayCaughtUp, sendRaw } from "../support/raw-client.ts";
import { embeddedBrokerPid, launchRuntime, startRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";
import { assertOneStory } from "./one-story.ts";
import { startWorkload, type Workload } from "./workload.ts";

const stream = "RETRACE_EVENTS";

/** Adds `runs` training runs of `events` events each. */
async function record(nats: NatsConnection, name: string, { runs = 20, events = 20 } = {}): Promise<void> {
  const run = async (id: string): Promise<void> => {
    await accepted(nats, id, "StartTraining", { seed: id });
    for (let step = 1; step < events; step++) await accepted(nats, id, "RecordProgress", { step, loss: 1 / step });
  };
  await Promise.all(Array.from({ length: runs }, (_, i) => run(`${name}${i}`)));
}

async function accepted(nats: NatsConnection, id: string, type: string, data: unknown): Promise<void> {
  const outcome = await sendRaw(nats, { category: "training-run", id, type, data }, { timeoutMs: 20_000 });
  expect(outcome).toMatchObject({ outcome: "reply" });
}

/** What JetStream holds once it has everything. */
async function relayed(nats: NatsConnection): Promise<EventMessage[]> {
  const position = await relayCaughtUp(nats);
  const messages = await readEventMessages(nats, stream);
  expect(messages.map(({ sequence }) => sequence)).toEqual(Array.from({ length: position }, (_, i) => i + 1));
  return messages;
}

async function deleteStream(nats: NatsConnection): Promise<void> {
  await (await jetstreamManager(nats)).streams.delete(stream);
}

/** The stream of another birth: made again after it was lost. */
async function madeAgain(nats: NatsConnection, created: string): Promise<void> {
  await eventually("the stream is made again", async () => (await streamInfo(nats, stream)).created !== created);
}

test("makes a stream that was deleted while nothing happens again, the same to the last header", async () => {
  const { url } = await startRuntime({ dataDir: tempDir() });
  const nats = await connect(url);
  await record(nats, "before");
  const before = await relayed(nats);
  const { created } = await streamInfo(nats, stream);

  await deleteStream(nats);
  await madeAgain(nats, created);
  expect(await relayed(nats)).toEqual(before);

  await record(nats, "after", { runs: 2 });
  expect((await relayed(nats)).slice(0, before.length)).toEqual(before);
});

/** Deletes the stream time after time while commands keep coming. */
async function deleteUnderLoad(nats: NatsConnection, workload: Workload): Promise<void> {
  for (let round = 1; round <= 4; round++) {
    const isEnough = () => workload.acknowledged.length >= round * 300;
    await Promise.race([workload.failed, eventually("more commands are acknowledged", isEnough)]);
    const { created } = await eventually("there is a stream", () => streamInfo(nats, stream));
    await deleteStream(nats);
    await madeAgain(nats, created);
  }
}

test("makes a stream that is deleted under load again, time after time, and loses nothing", async () => {
  const dataDir = tempDir();
  const runtime = await startRuntime({ dataDir });
  const workload = await startWorkload({ url: runtime.url, random: seededRandom(5) });
  await deleteUnderLoad(await connect(runtime.url), workload);
  await workload.finish();
  await assertOneStory({ url: runtime.url, dataDir, runtime }, workload.acknowledged);
});

test("leaves it to the process that relays to make the stream again: to look at health makes none", async () => {
  const [dataDir, { url }] = [tempDir(), await startNats()];
  const start = () => startRuntime({ dataDir, nats: url });
  const runtimes = [await start(), await start()];
  const nats = await connect(url);
  await record(nats, "run", { runs: 2 });
  await relayCaughtUp(nats);
  const lookAt = (wanted: (health: RawHealth) => boolean): Promise<RawHealth> =>
    eventually("the right one of the two answers", async () => {
      const health = await queryRaw<RawHealth>(nats, "health", {}, { timeoutMs: 250 });
      return wanted(health) ? health : undefined;
    });
  const { process: relaying } = await lookAt(({ relay }) => relay.reason === undefined);
  expect(runtimes.map(({ pid }) => pid)).toContain(relaying.pid);

  process.kill(relaying.pid, "SIGSTOP");
  await deleteStream(nats);
  const { relay } = await lookAt(({ process: { pid } }) => pid !== relaying.pid);
  // A very slow machine may have seen the other one take over in the meantime.
  if (relay.reason !== undefined) expect(relay).toMatchObject({ status: "waiting", position: 0 });
  process.kill(relaying.pid, "SIGCONT");
  expect(await relayed(nats)).toHaveLength(40);
});

const streamFolder = (dataDir: string): string => join(dataDir, "jetstream", "jetstream", "$G", "streams", stream);

test.each([
  ["its folder", (dataDir: string) => rmSync(streamFolder(dataDir), { recursive: true })],
  ["the whole JetStream folder", (dataDir: string) => rmSync(join(dataDir, "jetstream"), { recursive: true })],
  ["its message folder", (dataDir: string) => rmSync(join(streamFolder(dataDir), "msgs"), { recursive: true })],
  ["only its message blocks", removeBlocks],
])("brings back what the stream held when %s was lost while stopped", async (_, lose) => {
  const dataDir = tempDir();
  const first = await startRuntime({ dataDir });
  const nats = await connect(first.url);
  await record(nats, "run");
  const before = await relayed(nats);
  expect(await first.stop()).toEqual({ code: 0, signal: null });
  expect(embeddedBrokerPid(dataDir)).toBeUndefined();

  lose(dataDir);
  const second = await startRuntime({ dataDir });
  expect(await relayed(await connect(second.url))).toEqual(before);
});

function removeBlocks(dataDir: string): void {
  const folder = join(streamFolder(dataDir), "msgs");
  const blocks = readdirSync(folder).filter((name) => name.endsWith(".blk"));
  expect(blocks).not.toEqual([]);
  for (const name of blocks) rmSync(join(folder, name));
}

test("notices, without a new event, that the broker came back with less than it had", async () => {
  const storeDir = tempDir();
  const broker = await startNats({ storeDir });
  await startRuntime({ dataDir: tempDir(), nats: broker.url });
  const nats = await connect(broker.url);
  await record(nats, "run");
  const before = await relayed(nats);

  await broker.stop();
  rmSync(join(streamFolder(storeDir), "msgs"), { recursive: true });
  await broker.restart();
  expect(await relayed(nats)).toEqual(before);
});

/** How a start is refused: status 1, nothing on stdout, one sentence on stderr. */
async function refusal(dataDir: string, nats: string): Promise<string> {
  const runtime = launchRuntime({ dataDir, nats, args: ["--log-level", "silent"] });
  expect(await runtime.exited).toEqual({ code: 1, signal: null });
  expect(runtime.stdout()).toEqual([]);
  expect(runtime.stderr().trimEnd().split("\n")).toHaveLength(1);
  return runtime.stderr();
}

test("refuses a stream that carries the events of another store, and leaves it as it is", async () => {
  const broker = await startNats();
  const nats = await connect(broker.url);
  const owner = await startRuntime({ dataDir: tempDir(), nats: broker.url });
  await record(nats, "run", { runs: 2 });
  const before = await relayed(nats);
  await owner.stop();

  expect(await refusal(tempDir(), broker.url)).toMatch(
    /carries the events of store .+: use another --prefix, or delete/,
  );
  expect(await readEventMessages(nats, stream)).toEqual(before);
});

test("refuses a stream that is not Retrace's", async () => {
  const broker = await startNats();
  const nats = await connect(broker.url);
  await (await jetstreamManager(nats)).streams.add({ name: stream, subjects: ["retrace.evt.>"] });
  expect(await refusal(tempDir(), broker.url)).toMatch(/was not made by Retrace.*: use another --prefix, or delete/);
});

test("refuses a stream that is longer than the log, and goes on once the stream is deleted as it says", async () => {
  const broker = await startNats();
  const nats = await connect(broker.url);
  const dataDir = tempDir();
  const log = join(dataDir, "log");
  const copy = join(tempDir(), "log");

  const first = await startRuntime({ dataDir, nats: broker.url });
  await record(nats, "early");
  const early = await relayed(nats);
  await first.stop();
  cpSync(log, copy, { recursive: true });

  const second = await startRuntime({ dataDir, nats: broker.url });
  await record(nats, "late");
  const all = await relayed(nats);
  await second.stop();
  rmSync(log, { recursive: true });
  cpSync(copy, log, { recursive: true });

  expect(await refusal(dataDir, broker.url)).toMatch(
    /ends at sequence 800, but this store has only 400 events: .+ Restore the store, or delete the stream/,
  );
  expect(await readEventMessages(nats, stream)).toEqual(all);

  await deleteStream(nats);
  await startRuntime({ dataDir, nats: broker.url });
  expect(await relayed(nats)).toEqual(early);
});

test("refuses a stream that ends with another event than the log has there", async () => {
  const [broker, elsewhere] = await Promise.all([startNats(), startNats()]);
  const nats = await connect(broker.url);
  const dataDir = tempDir();
  const branch = tempDir();

  const first = await startRuntime({ dataDir, nats: broker.url });
  await record(nats, "common", { runs: 2 });
  await relayed(nats);
  await first.stop();
  cpSync(join(dataDir, "log"), join(branch, "log"), { recursive: true });

  const second = await startRuntime({ dataDir, nats: broker.url });
  await record(nats, "here", { runs: 2 });
  await relayed(nats);
  await second.stop();
  const third = await startRuntime({ dataDir: branch, nats: elsewhere.url });
  await record(await connect(elsewhere.url), "there", { runs: 2 });
  await third.stop();

  expect(await refusal(branch, broker.url)).toMatch(/but this store has another event there: .+ delete the stream/);
});
