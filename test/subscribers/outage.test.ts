/** A subscriber whose broker is killed, comes back with less than it had, or loses the stream: nothing lost, order kept. */
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { jetstreamManager } from "@nats-io/jetstream";
import { expect, test } from "vitest";
import type { Client } from "../../src/wire/client.ts";
import { streamInfo } from "../support/event-messages.ts";
import { eventually } from "../support/eventually.ts";
import { startNats } from "../support/nats.ts";
import { seededRandom } from "../support/random.ts";
import { relayCaughtUp } from "../support/raw-client.ts";
import { startRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";
import {
  connectTo,
  expectOneAfterAnother,
  freshName,
  type Notes,
  recordRuns,
  type Setting,
  startSetting,
  subscribeNoting,
  untilHandled,
} from "./setting.ts";

/** Training runs that keep coming until stopped, which resolves with all positions there are. */
function keepRecording(client: Client): { readonly count: () => number; readonly stop: () => Promise<number[]> } {
  const positions: number[] = [];
  let isStopped = false;
  const run = async (worker: number): Promise<void> => {
    for (let i = 0; !isStopped; i++) positions.push(...(await recordRuns(client, `w${worker}-${i}`, 1, 8)));
  };
  const workers = Array.from({ length: 6 }, (_, worker) => run(worker));
  return {
    count: () => positions.length,
    stop: async () => {
      isStopped = true;
      await Promise.all(workers);
      return positions.sort((a, b) => a - b);
    },
  };
}

/** Fails unless each event was handled exactly once, and those of each stream one after another. */
async function expectAllOnce(notes: Notes, positions: readonly number[]): Promise<void> {
  await untilHandled(notes, positions);
  expectOneAfterAnother(notes.calls);
  expect(notes.handled().sort((a, b) => a - b)).toEqual(positions);
}

/** A handler that takes a while and sometimes throws, the same on each run. */
function moody(seed: number): (event: unknown, delivery: { readonly deliveries: number }) => Promise<void> {
  const random = seededRandom(seed);
  return async (_, { deliveries }) => {
    await delay(random.integer(20));
    if (deliveries < 3 && random.chance(0.05)) throw new Error("in a mood");
  };
}

test("a broker that is killed while handlers run, time after time, loses nothing and mixes nothing up", async () => {
  const { nats, client } = await startSetting();
  const notes = await subscribeNoting(client, { maxInFlight: 4 }, moody(1));
  const recording = keepRecording(client);
  const random = seededRandom(2);
  for (let round = 1; round <= 3; round++) {
    await eventually("events come and are handled", () => notes.handled().length >= round * 40);
    await nats.kill();
    // Shorter and longer than the lease.
    await delay(random.integer(1_200));
    await nats.restart();
  }
  await expectAllOnce(notes, await recording.stop());
  expect(notes.notices).toContainEqual({ kind: "state", state: "waiting" });
  await eventually("it has settled", () => notes.subscription.status.state === "active");
});

test("a broker that is away for long finds the handlers where it left them", async () => {
  const { nats, client } = await startSetting();
  const waiting: (() => void)[] = [];
  const positions = await recordRuns(client, "a", 4, 2);
  const handler = () => new Promise<void>((resolve) => waiting.push(resolve));
  const notes = await subscribeNoting(client, { maxInFlight: 2 }, handler);
  await eventually("two handlers run", () => notes.calls.length === 2);
  await nats.kill();
  await eventually("it waits", () => notes.subscription.status.state === "waiting");
  expect(notes.subscription.status.reason).toMatch(/\S/);
  waiting.shift()?.();
  await eventually("one handler has finished", () => notes.handled().length === 1);
  await delay(800);
  expect(notes.calls, "nothing is begun without a lease").toHaveLength(2);
  await nats.restart();
  for (let done = 1; done < positions.length; done++) {
    (await eventually("a handler runs", () => waiting.shift()))();
  }
  await expectAllOnce(notes, positions);
});

async function deleteStream({ nats }: Client): Promise<void> {
  await (await jetstreamManager(nats)).streams.delete("RETRACE_EVENTS");
}

async function remakeStream({ client }: Setting): Promise<void> {
  const { created } = await streamInfo(client.nats);
  await deleteStream(client);
  await eventually("the stream is made again", async () => (await streamInfo(client.nats)).created !== created);
}

test("a stream that is deleted and made again under load costs nothing", async () => {
  const setting = await startSetting();
  const notes = await subscribeNoting(setting.client, { maxInFlight: 4 }, moody(3));
  const recording = keepRecording(setting.client);
  for (let round = 1; round <= 4; round++) {
    await eventually("events come and are handled", () => notes.handled().length >= round * 60);
    await remakeStream(setting);
  }
  await expectAllOnce(notes, await recording.stop());
});

test("a stream that is made again while nobody subscribes is gone on with from the position that was kept", async () => {
  const setting = await startSetting();
  const name = freshName();
  const before = await recordRuns(setting.client, "a", 3, 4);
  const first = await subscribeNoting(setting.client, { name });
  await untilHandled(first, before);
  await first.subscription.close();
  await remakeStream(setting);
  const after = await recordRuns(setting.client, "b", 3, 4);
  const second = await subscribeNoting(setting.client, { name });
  await expectAllOnce(second, after);
});

test("a broker that has lost its whole folder is gone on with from memory", async () => {
  const storeDir = tempDir();
  const nats = await startNats({ storeDir });
  await startRuntime({ dataDir: tempDir(), nats: nats.url });
  const client = await connectTo(nats.url);
  const notes = await subscribeNoting(client);
  const before = await recordRuns(client, "a", 3, 4);
  await untilHandled(notes, before);
  await nats.kill();
  rmSync(join(storeDir, "jetstream"), { recursive: true });
  await nats.restart();
  await relayCaughtUp(client.nats);
  const after = await recordRuns(client, "b", 3, 4);
  await expectAllOnce(notes, [...before, ...after]);
});

test("a log that is another one is not mistaken for the one before", async () => {
  const nats = await startNats();
  const [first, client] = [await startRuntime({ dataDir: tempDir(), nats: nats.url }), await connectTo(nats.url)];
  const { subscription, ...notes } = await subscribeNoting(client);
  await untilHandled({ subscription, ...notes }, await recordRuns(client, "a", 2, 4));
  await first.stop();
  await deleteStream(client);
  await startRuntime({ dataDir: tempDir(), nats: nats.url });

  await expect(subscription.done).rejects.toMatchObject({
    code: "INVALID_QUERY",
    message: expect.stringMatching(
      /is at position 8 of store .+, and the events are of .+; subscribe under another name/,
    ),
  });
  expect(subscription.status).toMatchObject({ state: "ended", reason: expect.stringMatching(/another name/) });
});

test("a log that was restored from an older copy is not waited for", async () => {
  const nats = await startNats();
  const client = await connectTo(nats.url);
  const [dataDir, copy] = [tempDir(), join(tempDir(), "log")];
  const start = () => startRuntime({ dataDir, nats: nats.url });
  const first = await start();
  await recordRuns(client, "a", 1, 3);
  await first.stop();
  cpSync(join(dataDir, "log"), copy, { recursive: true });
  const second = await start();
  const { subscription, ...notes } = await subscribeNoting(client);
  await untilHandled({ subscription, ...notes }, await recordRuns(client, "b", 1, 3));
  await second.stop();
  rmSync(join(dataDir, "log"), { recursive: true });
  cpSync(copy, join(dataDir, "log"), { recursive: true });
  await deleteStream(client);
  await start();

  await expect(subscription.done).rejects.toMatchObject({
    code: "INVALID_QUERY",
    message: expect.stringMatching(/is at position 6, and the log ends at 3: it is an older copy; subscribe under/),
  });
});
