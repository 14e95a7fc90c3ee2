/**
 * THE LOOP. All commands that arrive in one turn of the event loop are decided and appended in one transaction of the
 * store; when it is durable, the actors' new states become visible and all replies go out.
 */
import { type DecideInput, decideCommand, type Refusal, type Rejection } from "../core/aggregate.ts";
import type { EventStore, Transaction } from "../core/event-store.ts";
import { Fault } from "../core/fault.ts";
import type { ChartEvent, NewEvent } from "../core/message.ts";
import type { CommandRequest } from "../wire/command-request.ts";
import type { CommandReply } from "../wire/replies.ts";
import type { Clock } from "./clock.ts";
import { knownReply, recordCommand } from "./command-records.ts";
import type { LiveActor, LiveActors } from "./live-actors.ts";
import type { LoadedAggregate } from "./loader.ts";
import type { Log } from "./log.ts";
import { writeSnapshotWhenDue } from "./snapshots.ts";

/** What came of one command: a reply to send, or a fault. */
export type CommandOutcome = CommandReply | Fault;

/** A command on its way, and whom to tell. Called once. */
interface Pending {
  readonly request: CommandRequest;
  readonly settle: (outcome: CommandOutcome) => void;
}

/** What the loop works with. */
export interface TickOptions {
  readonly store: EventStore;
  readonly actors: LiveActors;
  readonly aggregates: ReadonlyMap<string, LoadedAggregate>;
  readonly clock: Clock;
  readonly log: Log;
  /** Commands that may wait; one more is answered OVERLOADED. */
  readonly maxQueued: number;
}

/** Bounds how long one commit holds the thread and how much one failure takes down. */
const maxBatch = 1_000;
const retryAfterMs = 100;

/** The command loop of one runtime. */
export class Tick {
  readonly #options: TickOptions;
  #queue: Pending[] = [];
  /** Commands for streams that are being brought near; they keep their order. */
  readonly #waiting = new Map<string, Pending[]>();
  #waitingCount = 0;
  #isScheduled = false;
  #isStopping = false;
  #onIdle: (() => void)[] = [];

  constructor(options: TickOptions) {
    this.#options = options;
  }

  /** Takes a command in; `settle` is called once, with the reply when the command is durable. */
  submit(request: CommandRequest, settle: (outcome: CommandOutcome) => void): void {
    if (this.#isStopping) {
      settle(new Fault("SHUTTING_DOWN", "the runtime is stopping: send the command again in a moment"));
      return;
    }
    if (this.queued >= this.#options.maxQueued) {
      settle(new Fault("OVERLOADED", `${this.queued} commands are waiting: send again later`, { retryAfterMs }));
      return;
    }
    this.#queue.push({ request, settle });
    this.#schedule();
  }

  get queued(): number {
    return this.#queue.length + this.#waitingCount;
  }

  /** Refuses new commands and resolves when all that were taken in are answered. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    if (this.queued > 0 || this.#isScheduled) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#run());
  }

  async #run(): Promise<void> {
    const batch = this.#queue.splice(0, maxBatch).filter((pending) => !this.#joinsWaiting(pending));
    if (batch.length > 0) await this.#commit(batch);
    this.#isScheduled = false;
    if (this.#queue.length > 0) this.#schedule();
    else if (this.#waitingCount === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  async #commit(batch: readonly Pending[]): Promise<void> {
    const touched = new Map<string, LiveActor>();
    let outcomes: readonly (CommandOutcome | TooFar)[];
    try {
      outcomes = await this.#options.store.withTransaction((tx) =>
        batch.map(({ request }) => this.#decide(tx, request, touched)),
      );
      this.#options.actors.keep(touched);
    } catch (error) {
      this.#options.actors.drop(touched.keys());
      const faultOf = this.#storeFailed(error);
      outcomes = batch.map(({ request }) => faultOf(request));
    }
    for (const [i, pending] of batch.entries()) {
      const outcome = outcomes[i] as CommandOutcome | TooFar;
      if (outcome === tooFar) this.#waitFor(pending);
      else pending.settle(outcome);
    }
  }

  /** Logs once what has failed for many, and gives each its fault. */
  #storeFailed(error: unknown): (request: CommandRequest) => Fault {
    this.#options.log.error({ err: error }, "the store failed; nothing was appended");
    if (error instanceof Fault) return () => error;
    return ({ command }) => {
      const { correlationId } = command.metadata;
      return new Fault("INTERNAL", "the commit failed because of a bug; see the runtime's log", { correlationId });
    };
  }

  /** One command within the transaction: all computing first, all writing after. */
  #decide(tx: Transaction, request: CommandRequest, touched: Map<string, LiveActor>): CommandOutcome | TooFar {
    const { store } = this.#options;
    const { category, stream } = request;
    const loaded = this.#options.aggregates.get(category) as LoadedAggregate;
    const known = request.isIdempotent ? knownReply(store, tx, request) : undefined;
    if (known !== undefined) return known;

    const head = store.head(stream);
    const { expectedVersion } = request;
    if (expectedVersion !== undefined && expectedVersion !== head.version) {
      return wrongVersion(stream, expectedVersion, head.version);
    }

    let live: LiveActor | undefined;
    let computed: Computed | Fault;
    try {
      live = touched.get(stream) ?? this.#options.actors.current(loaded, stream, head.version);
      if (live === undefined) return tooFar;
      // Also of a command that changes nothing: the next one need not fold again.
      if (live.version > 0) touched.set(stream, live);
      computed = this.#compute(loaded, live, request);
    } catch (error) {
      return this.#decideFault(error, request);
    }
    if (computed instanceof Fault) return computed;

    const { state, events } = computed;
    const appended = events.length === 0 ? [] : appendOrThrow(store, tx, events);
    const last = appended.at(-1);
    const version = last?.version ?? head.version;
    if (last !== undefined) {
      const next = { state, version, snapshotVersion: live.snapshotVersion };
      touched.set(stream, { ...next, snapshotVersion: writeSnapshotWhenDue(tx, loaded, stream, next) });
    }
    const reply: CommandReply = {
      stream,
      version,
      position: last?.position ?? head.position,
      durability: "flushed",
      events: appended.map(({ id, type, version, position }) => ({ id, type, version, position })),
      state: { value: state.value, status: state.status },
    };
    if (request.isIdempotent) recordCommand(tx, request, reply, this.#options.clock.now());
    return reply;
  }

  #compute(loaded: LoadedAggregate, live: LiveActor, request: CommandRequest): Computed | Fault {
    const { clock } = this.#options;
    const now = clock.now();
    const input: DecideInput = {
      state: live.state,
      version: live.version,
      command: request.command,
      context: { id: request.id, now },
      newId: clock.newId,
    };
    const decided = decideCommand(loaded.aggregate, input);
    if (decided.outcome === "rejected") return rejected(decided);
    if (decided.outcome === "refused") return notAllowed(request, decided);
    const events = decided.events.map((event) => newEvent(loaded, request, event, now));
    return { state: decided.state, events };
  }

  #decideFault(error: unknown, request: CommandRequest): Fault {
    if (error instanceof Fault) return error;
    const { correlationId } = request.command.metadata;
    const { type } = request.command;
    this.#options.log.error({ err: error, stream: request.stream, type, correlationId }, "a command hit a bug");
    return new Fault("INTERNAL", `${type} failed because of a bug; see the runtime's log under ${correlationId}`, {
      correlationId,
    });
  }

  /** Whether others wait for the command's stream: then it waits behind them. */
  #joinsWaiting(pending: Pending): boolean {
    const waiting = this.#waiting.get(pending.request.stream);
    if (waiting === undefined) return false;
    waiting.push(pending);
    this.#waitingCount += 1;
    return true;
  }

  /** Sets a command aside until its stream is near. */
  #waitFor(pending: Pending): void {
    if (this.#joinsWaiting(pending)) return;
    const { stream, category } = pending.request;
    this.#waiting.set(stream, [pending]);
    this.#waitingCount += 1;
    void this.#warm(this.#options.aggregates.get(category) as LoadedAggregate, stream);
  }

  async #warm(loaded: LoadedAggregate, stream: string): Promise<void> {
    let faultOf: ((request: CommandRequest) => Fault) | undefined;
    try {
      await this.#options.actors.warm(loaded, stream);
    } catch (error) {
      faultOf = this.#storeFailed(error);
    }
    const waiting = this.#waiting.get(stream) ?? [];
    this.#waiting.delete(stream);
    this.#waitingCount -= waiting.length;
    if (faultOf === undefined) this.#queue = [...waiting, ...this.#queue];
    else for (const { request, settle } of waiting) settle(faultOf(request));
    this.#schedule();
  }
}

/** The command's stream is too long a way from what is in memory: it is brought near outside of the commit. */
const tooFar = Symbol("too far");
type TooFar = typeof tooFar;

interface Computed {
  readonly state: LiveActor["state"];
  readonly events: readonly NewEvent[];
}

function appendOrThrow(store: EventStore, tx: Transaction, events: readonly NewEvent[]) {
  const result = store.append(events, tx);
  if (result.outcome === "appended") return result.events;
  throw new Error(
    `the head of ${result.stream} moved from ${result.expected} to ${result.actual} inside a transaction`,
  );
}

function newEvent(
  { aggregate }: LoadedAggregate,
  { command, stream, category }: CommandRequest,
  event: ChartEvent,
  recordedAt: string,
): NewEvent {
  const schema = aggregate.eventSchemas[event.type];
  if (schema === undefined) throw new Error(`${category} decided ${event.type}, which its schemas do not have`);
  const parsed = schema.schema.safeParse(event.data);
  if (!parsed.success)
    throw new Error(`${category} decided a ${event.type} that its schema refuses: ${parsed.error.message}`);
  return {
    id: event.id,
    stream,
    category,
    version: event.version,
    type: event.type,
    schemaVersion: schema.version,
    data: event.data,
    occurredAt: event.occurredAt,
    recordedAt,
    metadata: command.metadata,
  };
}

function wrongVersion(stream: string, expected: number, actual: number): Fault {
  return new Fault(
    "WRONG_EXPECTED_VERSION",
    `${stream} is at version ${actual}, not ${expected}: read it and decide again`,
    {
      stream,
      expected,
      actual,
    },
  );
}

function rejected({ reason, message, details }: Rejection): Fault {
  return new Fault("REJECTED", message, { ...details, reason });
}

function notAllowed({ stream, command }: CommandRequest, { outcome: _, ...refusal }: Refusal): Fault {
  const where = refusal.part === undefined ? stream : `${refusal.part.name} ${refusal.part.key} of ${stream}`;
  const accepts = refusal.accepts.length === 0 ? "nothing" : refusal.accepts.join(", ");
  const state = typeof refusal.state === "string" ? refusal.state : JSON.stringify(refusal.state);
  const message = `${command.type} would make ${refusal.event}, but ${where} is ${state} and accepts ${accepts}`;
  return new Fault("NOT_ALLOWED_IN_STATE", message, { ...refusal });
}
