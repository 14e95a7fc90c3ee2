/**
 * Many commands, as fast as they go: sent in bulk, several requests in flight, the order of each stream kept.
 */
import { setTimeout as delay, setImmediate } from "node:timers/promises";
import type { NatsConnection } from "@nats-io/nats-core";
import { type ErrorBody, Fault } from "../core/fault.ts";
import { type CommandMetadata, commandHeaders } from "./command-headers.ts";
import type { BulkReply, CommandReply } from "./replies.ts";
import { faultOf, isWorthAnotherTry, maxRequestBytes, pauses, requestBytes } from "./request.ts";
import { bulkSubject } from "./subjects.ts";

/** A command and where it goes. */
export interface AddressedCommand {
  readonly category: string;
  readonly id: string;
  readonly command: { readonly type: string; readonly data: unknown };
  readonly options?: CommandMetadata;
}

/** How to send them. */
export interface SendManyOptions {
  /** Commands in flight, 1 to 10,000. Default: 1,000. */
  readonly window?: number;
  /** For each bulk request, its retries included. Default: 30,000. */
  readonly timeoutMs?: number;
}

/** What became of one command: exactly one of `reply` and `fault`. */
export type Sent<Command extends AddressedCommand = AddressedCommand> =
  | { readonly command: Command; readonly reply: CommandReply; readonly fault?: undefined }
  | { readonly command: Command; readonly fault: Fault; readonly reply?: undefined };

/** What sending works with. */
export interface SendManyContext {
  readonly nats: NatsConnection;
  readonly prefix: string;
  readonly actor: string | undefined;
}

const defaultWindow = 1_000;
const maxWindow = 10_000;
const defaultTimeoutMs = 30_000;
const maxBatch = 500;
const maxBatchBytes = 1024 * 1024;

/**
 * Yields the outcomes in the order of the commands. Of a stream, a command is sent only when all before it are answered
 * or travel in the same request; its outcome does not stop those behind it. A source that makes wait does not hold up
 * what it has given.
 */
export async function* sendMany<Command extends AddressedCommand>(
  { nats, prefix, actor }: SendManyContext,
  commands: Iterable<Command> | AsyncIterable<Command>,
  { window = defaultWindow, timeoutMs = defaultTimeoutMs }: SendManyOptions = {},
): AsyncGenerator<Sent<Command>, void, undefined> {
  if (!Number.isInteger(window) || window < 1 || window > maxWindow) {
    throw new RangeError(`window must be an integer from 1 to ${maxWindow}`);
  }
  const limits = { commands: Math.min(maxBatch, window), bytes: Math.min(maxBatchBytes, maxRequestBytes(nats)) };
  const source = batches(commands, actor, limits);
  const inFlight: Flight<Command>[] = [];
  try {
    for (let next = source.next(); ; ) {
      const oldest = inFlight[0]?.outcomes;
      const ready = await (oldest === undefined ? next : Promise.race([oldest, next]));
      if (isOutcomes(ready)) {
        inFlight.shift();
        yield* ready;
        continue;
      }
      if (ready.done === true) break;
      while (mustWait(inFlight, ready.value, window)) yield* await landed(inFlight);
      inFlight.push({ batch: ready.value, outcomes: send(ready.value, { nats, prefix, timeoutMs }) });
      next = source.next();
    }
    while (inFlight.length > 0) yield* await landed(inFlight);
  } finally {
    // Not awaited: a source that is asked for more may never answer.
    void source.return();
  }
}

/** A command as it is written into a bulk request. */
interface Entry<Command> {
  readonly command: Command;
  readonly stream: string;
  readonly json: string;
}

interface Flight<Command extends AddressedCommand> {
  readonly batch: readonly Entry<Command>[];
  readonly outcomes: Promise<readonly Sent<Command>[]>;
}

function isOutcomes<Command extends AddressedCommand>(
  ready: readonly Sent<Command>[] | IteratorResult<readonly Entry<Command>[], void>,
): ready is readonly Sent<Command>[] {
  return Array.isArray(ready);
}

function mustWait<Command extends AddressedCommand>(
  inFlight: readonly Flight<Command>[],
  next: readonly Entry<Command>[],
  window: number,
): boolean {
  if (inFlight.length === 0) return false;
  if (inFlight.reduce((sum, { batch }) => sum + batch.length, next.length) > window) return true;
  const streams = new Set(inFlight.flatMap(({ batch }) => batch.map(({ stream }) => stream)));
  return next.some(({ stream }) => streams.has(stream));
}

async function landed<Command extends AddressedCommand>(
  inFlight: Flight<Command>[],
): Promise<readonly Sent<Command>[]> {
  const outcomes = await (inFlight[0] as Flight<Command>).outcomes;
  inFlight.shift();
  return outcomes;
}

interface Limits {
  readonly commands: number;
  readonly bytes: number;
}

/** A character takes up to three bytes. */
const bytesPerCharacter = 3;

async function* batches<Command extends AddressedCommand>(
  commands: Iterable<Command> | AsyncIterable<Command>,
  actor: string | undefined,
  limits: Limits,
): AsyncGenerator<readonly Entry<Command>[], void, undefined> {
  let batch: Entry<Command>[] = [];
  let bytes = 0;
  for await (const command of withPauses(commands)) {
    const entry = command === pause ? undefined : entryOf(command, actor);
    const entryBytes = (entry?.json.length ?? 0) * bytesPerCharacter;
    const isFull = batch.length === limits.commands || bytes + entryBytes > limits.bytes;
    if (batch.length > 0 && (entry === undefined || isFull)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    if (entry === undefined) continue;
    batch.push(entry);
    bytes += entryBytes;
  }
  if (batch.length > 0) yield batch;
}

function entryOf<Command extends AddressedCommand>(command: Command, actor: string | undefined): Entry<Command> {
  const { category, id, command: sent, options = {} } = command;
  const { type, data = {} } = sent;
  const json = JSON.stringify({ category, id, type, data, headers: commandHeaders(options, actor) });
  return { command, stream: `${category}.${id}`, json };
}

/** Stands between two commands where the source makes wait for the second. */
const pause = Symbol("pause");

async function* withPauses<Command>(
  commands: Iterable<Command> | AsyncIterable<Command>,
): AsyncGenerator<Command | typeof pause, void, undefined> {
  if (Symbol.iterator in commands) {
    yield* commands;
    return;
  }
  const iterator = commands[Symbol.asyncIterator]();
  try {
    while (true) {
      const next = iterator.next();
      if ((await Promise.race([next, setImmediate(pause)])) === pause) yield pause;
      const { done, value } = await next;
      if (done === true) return;
      yield value;
    }
  } finally {
    await iterator.return?.();
  }
}

interface SendContext {
  readonly nats: NatsConnection;
  readonly prefix: string;
  readonly timeoutMs: number;
}

/** Sends one batch, and again what was turned away, until all is answered or the time is over. Never rejects. */
async function send<Command extends AddressedCommand>(
  batch: readonly Entry<Command>[],
  { nats, prefix, timeoutMs }: SendContext,
): Promise<readonly Sent<Command>[]> {
  const outcomes: Sent<Command>[] = [];
  let open = batch.map((_, index) => index);
  const deadline = Date.now() + timeoutMs;
  for (const pauseFor of pauses()) {
    const bytes = Buffer.from(`{"commands":[${open.map((index) => (batch[index] as Entry<Command>).json).join(",")}]}`);
    const again: number[] = [];
    let turnedAway: Fault | undefined;
    const answers = await ask(open.length, { nats, subject: bulkSubject(prefix), bytes, deadline });
    for (const [i, index] of open.entries()) {
      const answer = answers[i] as CommandReply | Fault;
      const { command } = batch[index] as Entry<Command>;
      if (!(answer instanceof Fault)) {
        outcomes[index] = { command, reply: answer };
        continue;
      }
      outcomes[index] = { command, fault: answer };
      if (!isWorthAnotherTry(answer)) continue;
      turnedAway = answer;
      again.push(index);
    }
    const pauseMs = turnedAway === undefined ? 0 : pauseFor(turnedAway);
    if (again.length === 0 || Date.now() + pauseMs >= deadline) return outcomes;
    await delay(pauseMs);
    open = again;
  }
  return outcomes;
}

interface Ask {
  readonly nats: NatsConnection;
  readonly subject: string;
  readonly bytes: Uint8Array;
  readonly deadline: number;
}

/** As many answers as commands: where the whole request failed, the same fault for each. */
async function ask(count: number, { deadline, ...rest }: Ask): Promise<readonly (CommandReply | Fault)[]> {
  try {
    const { replies } = await requestBytes<BulkReply>({ ...rest, timeoutMs: deadline - Date.now() });
    return replies.map((reply) => ("error" in reply ? faultOf(reply as ErrorBody) : reply));
  } catch (error) {
    if (error instanceof Fault) return new Array<Fault>(count).fill(error);
    throw error;
  }
}
