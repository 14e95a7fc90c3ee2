/** Ending in good order: what was accepted is finished, what comes too late is refused, and nobody is left without an answer. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { NatsConnection } from "@nats-io/nats-core";
import { expect, test } from "vitest";
import { closeConnections, connect } from "../support/connections.ts";
import { assertStreamHolds } from "../support/event-messages.ts";
import { eventually } from "../support/eventually.ts";
import { startNats } from "../support/nats.ts";
import { type RawOutcome, type RawReply, relayCaughtUp, sendRaw } from "../support/raw-client.ts";
import { embeddedBrokerPid, startRuntime } from "../support/runtime.ts";
import { storedEvents } from "../support/stored-events.ts";
import { tempDir } from "../support/temp.ts";

/** Commands on many streams at once, from senders that go on until nobody is there to take a command. */
interface Load {
  /** Ids of the commands that were acknowledged, and their replies. */
  readonly acknowledged: Map<string, RawReply>;
  /** Ids of the commands that were not, and what was said instead. */
  readonly refused: Map<string, RawOutcome<RawReply>>;
  /** Resolves when every sender has come to its end: no responders, or no answer at all. */
  readonly ended: Promise<unknown>;
}

const senderCount = 200;

async function startLoad(url: string): Promise<Load> {
  const clients = await Promise.all(Array.from({ length: 4 }, () => connect(url)));
  const acknowledged = new Map<string, RawReply>();
  const refused = new Map<string, RawOutcome<RawReply>>();
  const send = async (sender: number): Promise<void> => {
    const nats = clients[sender % clients.length] as NatsConnection;
    for (let step = 0; ; step++) {
      const [type, data] = step === 0 ? ["StartTraining", {}] : ["RecordProgress", { step, loss: 1 / step }];
      const commandId = `s${sender}-${step}`;
      const command = { category: "training-run", id: `s${sender}`, type, data, commandId };
      const outcome = await sendRaw(nats, command, { timeoutMs: 10_000 });
      if (outcome.outcome === "reply") acknowledged.set(commandId, outcome.reply);
      else refused.set(commandId, outcome);
      if (outcome.outcome === "no responders" || outcome.outcome === "unanswered") return;
    }
  };
  const ended = Promise.all(Array.from({ length: senderCount }, (_, sender) => send(sender)));
  await eventually("the load is on", () => acknowledged.size > 2 * senderCount);
  return { acknowledged, refused, ended };
}

/** Each acknowledged command is in the log as its reply said, each refused one is not. */
async function expectKept(dataDir: string, { acknowledged, refused, ended }: Load) {
  await ended;
  const events = await storedEvents(dataDir);
  const byCommand = new Map(events.map((event) => [event.metadata.commandId, event]));
  expect(byCommand.size).toBe(events.length);
  for (const [commandId, reply] of acknowledged) {
    expect(reply.events).toEqual([expect.objectContaining({ id: byCommand.get(commandId)?.id })]);
  }
  for (const [commandId, { outcome }] of refused) {
    if (outcome !== "unanswered") expect(byCommand.has(commandId)).toBe(false);
  }
  return events;
}

test.each([
  "SIGTERM",
  "SIGINT",
] as const)("on %s under load answers everyone, keeps what it acknowledged and relays it", async (signal) => {
  const dataDir = tempDir();
  const broker = await startNats();
  const runtime = await startRuntime({ dataDir, nats: broker.url });
  const load = await startLoad(broker.url);
  process.kill(runtime.pid, signal);
  expect(await runtime.exited).toEqual({ code: 0, signal: null });

  await load.ended;
  for (const outcome of load.refused.values()) {
    if (outcome.outcome === "no responders") continue;
    expect(outcome).toMatchObject({ outcome: "error", number: 503, error: { code: "SHUTTING_DOWN", retryable: true } });
  }
  const events = await expectKept(dataDir, load);
  expect(events).toHaveLength(load.acknowledged.size);
  await assertStreamHolds(await connect(broker.url), events);
});

test("ends its own broker last, when everything is in JetStream", async () => {
  const dataDir = tempDir();
  const runtime = await startRuntime({ dataDir });
  const load = await startLoad(runtime.url);
  expect(await runtime.stop()).toEqual({ code: 0, signal: null });
  expect(embeddedBrokerPid(dataDir)).toBeUndefined();
  expect(existsSync(join(dataDir, "retrace.pid"))).toBe(false);

  await closeConnections();
  const events = await expectKept(dataDir, load);
  const broker = await startNats({ storeDir: dataDir });
  await assertStreamHolds(await connect(broker.url), events);
  await broker.stop();
});

test("ends although its broker is gone, and relays the rest after the next start", async () => {
  const dataDir = tempDir();
  const broker = await startNats();
  const runtime = await startRuntime({ dataDir, nats: broker.url });
  const load = await startLoad(broker.url);
  await broker.kill();
  expect(await runtime.stop()).toEqual({ code: 0, signal: null });

  await closeConnections();
  const events = await expectKept(dataDir, load);
  await broker.restart();
  await startRuntime({ dataDir, nats: broker.url });
  const nats = await connect(broker.url);
  expect(await relayCaughtUp(nats)).toBe(events.length);
  await assertStreamHolds(nats, events);
});

test("ends at once when its broker is gone and everything was relayed", async () => {
  const broker = await startNats();
  const runtime = await startRuntime({ dataDir: tempDir(), nats: broker.url });
  await relayCaughtUp(await connect(broker.url));
  await broker.kill();
  expect(await runtime.stop()).toEqual({ code: 0, signal: null });
});
