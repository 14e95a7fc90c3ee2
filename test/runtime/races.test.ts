/** Many clients want the same version of one stream: the log decides, whichever process asks it. */
import type { NatsConnection } from "@nats-io/nats-core";
import { expect, test } from "vitest";
import { assertOneStory } from "../crash/one-story.ts";
import { startWorkload, type Workload } from "../crash/workload.ts";
import { connect } from "../support/connections.ts";
import { eventually } from "../support/eventually.ts";
import { startNats } from "../support/nats.ts";
import { seededRandom } from "../support/random.ts";
import {
  queryRaw,
  type RawHealth,
  type RawOutcome,
  type RawReply,
  relayCaughtUp,
  sendRaw,
} from "../support/raw-client.ts";
import { launchRuntime, startRuntime, type TestRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";

const clientCount = 50;
const rounds = 30;
const stream = "training-run-contested";

/** Round by round, all clients send a command of their own that names the same version; from the empty stream on. */
async function race(url: string): Promise<void> {
  const clients = await Promise.all(Array.from({ length: clientCount }, () => connect(url)));
  for (let version = 0; version < rounds; version++) {
    const outcomes = await Promise.all(clients.map((nats, client) => contend(nats, client, version)));
    expectOneWinner(outcomes, version);
  }
}

function contend(nats: NatsConnection, client: number, version: number): Promise<RawOutcome<RawReply>> {
  const [type, data] =
    version === 0 ? ["StartTraining", { seed: client }] : ["RecordProgress", { step: version, metrics: { client } }];
  const expectedVersion = version === 0 ? "no-stream" : version;
  return sendRaw(
    nats,
    { category: "training-run", id: "contested", type, data, expectedVersion },
    { timeoutMs: 30_000 },
  );
}

function expectOneWinner(outcomes: readonly RawOutcome<RawReply>[], version: number): void {
  const actual = version + 1;
  const winners = outcomes.flatMap((outcome) => (outcome.outcome === "reply" ? [outcome.reply] : []));
  expect(winners).toEqual([expect.objectContaining({ stream, version: actual })]);
  expect(winners[0]?.events).toHaveLength(1);
  for (const outcome of outcomes.filter(({ outcome }) => outcome !== "reply")) {
    expect(outcome).toMatchObject({
      outcome: "error",
      number: 412,
      error: { code: "WRONG_EXPECTED_VERSION", retryable: true, details: { stream, expected: version, actual } },
    });
  }
}

test("lets exactly one of 50 clients win each version, and tells the others which version it is now", async () => {
  const dataDir = tempDir();
  const runtime = await startRuntime({ dataDir });
  await race(runtime.url);
  expect(await relayCaughtUp(await connect(runtime.url))).toBe(rounds);
});

/** Two runtimes, started at the same time on one store and one broker. */
async function startTwo() {
  const [dataDir, broker] = [tempDir(), await startNats()];
  const start = () => startRuntime({ dataDir, nats: broker.url });
  const runtimes = await Promise.all([start(), start()]);
  return { dataDir, url: broker.url, start, runtimes };
}

test("lets exactly one win when two processes on one store take the commands", async () => {
  const { url, runtimes } = await startTwo();
  await race(url);
  const nats = await connect(url);
  expect(await relayCaughtUp(nats)).toBe(rounds);

  const busy = new Set<number>();
  await eventually("both processes have taken commands", async () => {
    const { process, commands } = await queryRaw<RawHealth>(nats, "health");
    if (commands.liveActors > 0) busy.add(process.pid);
    return busy.size === 2;
  });
  expect([...busy].sort()).toEqual(runtimes.map(({ pid }) => pid).sort());
  for (const runtime of runtimes) expect(await runtime.stop()).toEqual({ code: 0, signal: null });
});

test("goes on when either of two processes is killed: the other serves and relays", async () => {
  const { dataDir, url, start, runtimes } = await startTwo();
  const [first, second] = runtimes;
  const workload = await startWorkload({ url, random: seededRandom(8) });
  const more = async (): Promise<void> => {
    const enough = workload.acknowledged.length + 300;
    const isEnough = () => workload.acknowledged.length >= enough;
    await Promise.race([workload.failed, eventually("more commands are acknowledged", isEnough)]);
  };

  // One of the two holds the relay; each of them is killed once.
  await more();
  await first.kill();
  await more();
  const third = await start();
  await more();
  await second.kill();
  await more();
  await workload.finish();
  await assertOneStory({ url, dataDir, runtime: third }, workload.acknowledged);
});

test("publishes each event once when a process that slept through its lease goes on where it was", async () => {
  const { dataDir, url, runtimes } = await startTwo();
  const nats = await connect(url);
  const relaying = async (): Promise<TestRuntime | undefined> => {
    const { process, relay } = await queryRaw<RawHealth>(nats, "health", {}, { timeoutMs: 500 });
    // The other one gives the name of the process that does it.
    return relay.reason === undefined ? runtimes.find(({ pid }) => pid === process.pid) : undefined;
  };
  const sleeper = await eventually("one of the two relays", relaying);
  const [other] = runtimes.filter((runtime) => runtime !== sleeper) as [TestRuntime];
  const workload = await startWorkload({ url, random: seededRandom(9) });
  await fallAsleepWithoutTheLock(sleeper.pid, workload);
  await eventually("the other one relays", async () => (await relaying()) === other);
  const enough = workload.acknowledged.length + 300;
  process.kill(sleeper.pid, "SIGCONT");
  await eventually("more commands are acknowledged", () => workload.acknowledged.length >= enough);
  await workload.finish();
  expect(await sleeper.stop()).toEqual({ code: 0, signal: null });
  await assertOneStory({ url, dataDir, runtime: other }, workload.acknowledged);
});

/** A process that is stopped while it writes to the store holds up everybody. */
async function fallAsleepWithoutTheLock(pid: number, { acknowledged }: Workload): Promise<void> {
  await eventually("the process sleeps and the other one serves", async () => {
    process.kill(pid, "SIGSTOP");
    const enough = acknowledged.length + 10;
    try {
      return await eventually("commands are acknowledged", () => acknowledged.length >= enough, 1_000);
    } catch {
      process.kill(pid, "SIGCONT");
      return false;
    }
  });
}

/** Status 1, nothing on stdout, one sentence on stderr. */
async function refusal(options: { dataDir: string; nats?: string }): Promise<string> {
  const runtime = launchRuntime({ ...options, args: ["--log-level", "silent"] });
  expect(await runtime.exited).toEqual({ code: 1, signal: null });
  expect(runtime.stdout()).toEqual([]);
  expect(runtime.stderr().trimEnd().split("\n")).toHaveLength(1);
  return runtime.stderr();
}

async function expectServing(url: string): Promise<void> {
  const nats = await connect(url);
  const command = { category: "training-run", id: "still", type: "StartTraining", data: {} };
  expect(await sendRaw(nats, command)).toMatchObject({ outcome: "reply" });
}

test("refuses a second start with a broker of its own on data that an embedded broker serves", async () => {
  const dataDir = tempDir();
  const { url, pid } = await startRuntime({ dataDir });
  expect(await refusal({ dataDir })).toContain(
    `is in use by retrace process ${pid}; stop it, use another --data, or join`,
  );
  await expectServing(url);
});

test("lets a second process join the embedded broker of the first", async () => {
  const dataDir = tempDir();
  const first = await startRuntime({ dataDir });
  const second = await startRuntime({ dataDir, nats: first.url });
  await race(first.url);
  expect(await relayCaughtUp(await connect(first.url))).toBe(rounds);
  expect(await second.stop()).toEqual({ code: 0, signal: null });
  await expectServing(first.url);
});

test("refuses a second start with a broker of its own on data that serves an external broker", async () => {
  const dataDir = tempDir();
  const broker = await startNats();
  const { pid } = await startRuntime({ dataDir, nats: broker.url });
  expect(await refusal({ dataDir })).toContain(`is in use by retrace process ${pid} with another broker`);
  await expectServing(broker.url);
});

test("refuses a second start that names another broker", async () => {
  const dataDir = tempDir();
  const [broker, other] = await Promise.all([startNats(), startNats()]);
  const { pid } = await startRuntime({ dataDir, nats: broker.url });
  expect(await refusal({ dataDir, nats: other.url })).toContain(
    `is in use by retrace process ${pid} with another broker`,
  );
  await expectServing(broker.url);
});
