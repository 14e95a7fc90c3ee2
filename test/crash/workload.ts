/**
 * The clients of a crash run: each owns some training runs and sends numbered commands to them, one at a time per run, the same command
 * again until it is acknowledged, and now and then one that was acknowledged long ago. Free of vitest.
 */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import type { NatsConnection } from "@nats-io/nats-core";
import type { Random } from "../support/random.ts";
import { connectRaw, type RawCommand, type RawReply, sendRaw } from "../support/raw-client.ts";

/** A command with the id and the expected version that it was sent with, always. */
export type NumberedCommand = RawCommand & { readonly commandId: string };

/** A command and its first reply. */
export interface Acknowledged {
  readonly command: NumberedCommand;
  readonly reply: RawReply;
}

/** What was sent and what came back. */
export interface Workload {
  readonly acknowledged: readonly Acknowledged[];
  /** Requests that were sent another time because nobody answered, or with an error that allows it. */
  readonly resent: number;
  /** Acknowledged commands that were sent again and answered with the first reply. */
  readonly repeated: number;
  /** Rejects when a reply is not what the protocol promises; never resolves. */
  readonly failed: Promise<never>;
  /** Lets the commands on their way end; resolves when each is acknowledged. */
  finish(): Promise<void>;
  /** Gives up at once. */
  abort(): Promise<void>;
}

/** How many clients, and how many training runs each of them owns. */
export interface WorkloadOptions {
  readonly url: string;
  readonly random: Random;
  readonly clients?: number;
  readonly runsPerClient?: number;
}

/** Shorter than any restart, so that there is much to repeat. */
const timeoutMs = 400;
const backoffMs = 25;
const repeatedShare = 0.05;

/** Starts the clients. */
export async function startWorkload(options: WorkloadOptions): Promise<Workload> {
  const { url, random, clients = 6, runsPerClient = 6 } = options;
  const state: State = { acknowledged: [], resent: 0, repeated: 0, isEnding: false, isAborted: false };
  const connections = await Promise.all(Array.from({ length: clients }, () => connectRaw(url)));
  const drivers = connections.flatMap((nats, client) =>
    Array.from({ length: runsPerClient }, (_, run) =>
      drive({ nats, state, random: random.fork() }, `c${client}r${run}`),
    ),
  );
  const finished = Promise.all(drivers);
  finished.catch(() => {});
  const close = async (): Promise<void> => {
    await Promise.all(connections.map((nats) => nats.close()));
  };
  return {
    acknowledged: state.acknowledged,
    get resent() {
      return state.resent;
    },
    get repeated() {
      return state.repeated;
    },
    failed: finished.then(() => new Promise<never>(() => {})),
    finish: async () => {
      state.isEnding = true;
      await finished;
      await close();
    },
    abort: async () => {
      state.isEnding = true;
      state.isAborted = true;
      await close();
    },
  };
}

interface State {
  readonly acknowledged: Acknowledged[];
  resent: number;
  repeated: number;
  isEnding: boolean;
  isAborted: boolean;
}

interface Driver {
  readonly nats: NatsConnection;
  readonly state: State;
  readonly random: Random;
}

/** One training run from its start to the end of the workload. */
async function drive(driver: Driver, id: string): Promise<void> {
  const { state, random } = driver;
  const own: Acknowledged[] = [];
  for (let number = 1; !state.isEnding; number++) {
    const command = numbered(id, number, random);
    const reply = await sendUntilAcknowledged(driver, command);
    const { duplicate: _, ...first } = reply;
    assert.equal(first.stream, `training-run-${id}`);
    assert.equal(first.version, number, `${command.commandId} is event ${number} of its stream`);
    assert.equal(first.events.length, 1, `${command.commandId} made one event`);
    assert.equal(first.durability, "flushed");
    own.push({ command, reply: first });
    state.acknowledged.push({ command, reply: first });
    if (random.chance(repeatedShare)) await repeat(driver, own[random.integer(own.length)] as Acknowledged);
  }
  // Once more at the very end, when all the killing is over.
  for (let i = 0; i < 3; i++) await repeat(driver, own[random.integer(own.length)] as Acknowledged);
}

/** A checkpoint is saved again each time it is told, so it shows a command that is carried out twice. */
function numbered(id: string, number: number, random: Random): NumberedCommand {
  const commandId = `${id}-${number}`;
  const expectedVersion = random.chance(0.5) ? { expectedVersion: number - 1 } : {};
  const address = { category: "training-run", id, commandId, ...expectedVersion };
  if (number === 1) return { ...address, type: "StartTraining", data: { config: { name: id }, seed: 1 } };
  if (number % 5 === 0) {
    return { ...address, type: "SaveCheckpoint", data: { checkpointId: "latest", step: number } };
  }
  return { ...address, type: "RecordProgress", data: { step: number, loss: 1 / number, metrics: { number } } };
}

async function sendUntilAcknowledged({ nats, state }: Driver, command: NumberedCommand): Promise<RawReply> {
  for (;;) {
    const outcome = await sendRaw(nats, command, { timeoutMs });
    if (outcome.outcome === "reply") return outcome.reply;
    if (state.isAborted) throw new Error("the workload was given up");
    if (outcome.outcome === "error" && !outcome.error.retryable) {
      throw new Error(`${command.commandId} was answered with ${JSON.stringify(outcome.error)}`);
    }
    state.resent += 1;
    if (outcome.outcome !== "unanswered") await delay(backoffMs);
  }
}

async function repeat(driver: Driver, { command, reply }: Acknowledged): Promise<void> {
  const again = await sendUntilAcknowledged(driver, command);
  assert.deepEqual(again, { ...reply, duplicate: true }, `${command.commandId} gets its first reply again`);
  driver.state.repeated += 1;
}
