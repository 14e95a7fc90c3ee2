/** One command within a transaction: known, decided, appended, recorded. The loop and the sagas share it. */
import { type DecideInput, decideCommand, type Refusal, type Rejection } from "../core/aggregate.ts";
import type { EventStore, Transaction } from "../core/event-store.ts";
import { Fault } from "../core/fault.ts";
import type { ChartEvent, NewEvent, RecordedEvent } from "../core/message.ts";
import type { CommandRequest } from "../wire/command-request.ts";
import type { CommandReply } from "../wire/replies.ts";
import type { Clock } from "./clock.ts";
import { knownReply, recordCommand } from "./command-records.ts";
import type { LiveActor, LiveActors } from "./live-actors.ts";
import type { LoadedAggregate } from "./loader.ts";
import type { Log } from "./log.ts";
import type { Projections } from "./projections/projections.ts";
import { writeSnapshotWhenDue } from "./snapshots.ts";

/** What came of one command: a reply to send, or a fault. */
export type CommandOutcome = CommandReply | Fault;

/** What deciding works with. */
export interface DeciderOptions {
  readonly store: EventStore;
  readonly actors: LiveActors;
  readonly aggregates: ReadonlyMap<string, LoadedAggregate>;
  readonly projections: Projections;
  readonly clock: Clock;
  readonly log: Log;
}

/** Decides commands and appends what they decide. */
export class Decider {
  readonly #options: DeciderOptions;

  constructor(options: DeciderOptions) {
    this.#options = options;
  }

  /**
   * Decides one command: all computing first, all writing after. The states it leads to are collected in `touched`,
   * and may be kept when the transaction has become durable.
   */
  decide(tx: Transaction, request: CommandRequest, touched: Map<string, LiveActor>): CommandOutcome | TooFar {
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
    const appended = events.length === 0 ? [] : this.append(tx, events);
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

  /** Appends what has been decided; the rows that are to be read with it are written by `finish`. @throws when a head is not where the transaction has seen it. */
  append(tx: Transaction, events: readonly NewEvent[]): readonly RecordedEvent[] {
    const result = this.#options.store.append(events, tx);
    if (result.outcome === "appended") {
      this.#options.projections.apply(tx, "sync", result.events);
      return result.events;
    }
    throw new Error(
      `the head of ${result.stream} moved from ${result.expected} to ${result.actual} inside a transaction`,
    );
  }

  /** Whoever decides or appends in a transaction calls it last. */
  finish(tx: Transaction): void {
    this.#options.projections.flush(tx);
  }
}

/** The command's stream is too long a way from what is in memory: it is brought near outside of the commit. */
export const tooFar = Symbol("too far");
export type TooFar = typeof tooFar;

interface Computed {
  readonly state: LiveActor["state"];
  readonly events: readonly NewEvent[];
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
