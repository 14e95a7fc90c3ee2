/**
 * Sagas driven by hand: the test of a saga with the aggregates around it, without a broker and on a clock that stands,
 * so that a wait of days is over at once.
 */
import type { Domain, DomainCommand } from "../core/domain.ts";
import type { EventStore } from "../core/event-store.ts";
import { Fault } from "../core/fault.ts";
import type { RecordedEvent } from "../core/message.ts";
import type { Saga } from "../core/saga.ts";
import { type SagaEvents, sagaCategory } from "../core/saga-events.ts";
import { streamName } from "../core/stream.ts";
import type { ActorDefinition, LoadedActors } from "../runtime/loader.ts";
import { readRow, storedContext } from "../runtime/sagas/instance.ts";
import { openMemoryStore } from "../store/memory.ts";
import { type CommandMetadata, commandHeaders } from "../wire/command-headers.ts";
import type { CommandReply } from "../wire/replies.ts";
import { type TestClock, testClock } from "./clock.ts";
import { openSagaRuntime, type SagaRuntime } from "./saga-runtime.ts";

/** What a test may fix. */
export interface DriveOptions {
  /** Default: one that begins with 2026. */
  readonly clock?: TestClock;
  /** Default: an empty one in memory. That of other driven sagas goes on where they are, as after a restart. */
  readonly store?: EventStore;
}

/** An instance of a saga. */
export interface DrivenInstance {
  /** `stuck`: it cannot go on, and `stuck` says why. */
  readonly status: "running" | "stuck" | "ended";
  /** A state value of its chart; null before the first. */
  readonly state: unknown;
  /** Of its chart; undefined when it has ended. */
  readonly context: unknown;
  /** What it waits for. `dueAt` is ISO 8601. */
  readonly timers: readonly { readonly id: string; readonly dueAt: string }[];
  /** A stable code, and a sentence. */
  readonly stuck?: { readonly reason: string; readonly message: string };
}

/** Sagas, and the aggregates and projections around them. Nothing happens by itself: `settle` and `pass` let it. */
export interface DrivenSagas<D extends Domain = Domain> {
  readonly clock: TestClock;
  readonly store: EventStore;
  /**
   * Sends a command as a client does. Sagas do not see what comes of it before they are let.
   * @throws Fault with a code of PROTOCOL.md when it is refused.
   */
  send<Category extends keyof D & string>(
    category: Category,
    id: string,
    command: DomainCommand<D, Category>,
    options?: CommandMetadata,
  ): Promise<CommandReply>;
  /** Sets the settings of a saga, from its next step on. @throws Error when they do not fit. */
  setPolicy(saga: string, settings: Readonly<Record<string, unknown>>): Promise<void>;
  /** Lets sagas react to events, to what comes of that, and to timers that are due, until there is nothing left. */
  settle(): Promise<void>;
  /** The same, and sets the clock forward; timers fire on the way, each at its time. */
  pass(ms: number): Promise<void>;
  /** The events of an aggregate; of a saga, with the category `saga` and the id `<name>-<id>`. */
  history(category: string, id: string): readonly RecordedEvent[];
  /** Undefined where nothing has started one. @throws Error when there is no such saga. */
  instance(saga: string, id: string): DrivenInstance | undefined;
}

/**
 * Opens sagas with the aggregates whose events they listen to and whose commands they send, and with the projections
 * that they ask; or all that `loadActors` has found. `D` types the commands, as for `connect`.
 * @throws StartRefused listing what is wrong with the actors.
 */
export async function openSagas<D extends Domain = Domain>(
  actors: readonly ActorDefinition[] | LoadedActors,
  { clock = testClock(), store = openMemoryStore("test") }: DriveOptions = {},
): Promise<DrivenSagas<D>> {
  const runtime = await openSagaRuntime(actors, { store, clock });
  const { settle, pass } = runtime;
  return {
    clock,
    store,
    settle,
    pass,
    send: async (category, id, { type, data }, metadata = {}) => {
      const headers = commandHeaders({ commandId: clock.newId(), ...metadata }, undefined);
      const outcome = await runtime.decide({ category, id, type }, data, headers);
      if (outcome instanceof Fault) throw outcome;
      return outcome;
    },
    setPolicy: (saga, settings) => setPolicy(runtime, saga, settings),
    history: (category, id) => [...store.readStream(streamName(category, id))],
    instance: (saga, id) => instanceIn(store, sagaOf(runtime, saga), id),
  };
}

/** As the aggregate `policy` records it, which need not be among the actors. */
async function setPolicy(runtime: SagaRuntime, name: string, settings: object): Promise<void> {
  const { store, clock, decider, policies } = runtime.options;
  const saga = sagaOf(runtime, name);
  const id = clock.newId();
  const event = {
    ...{ id, stream: streamName("policy", name), category: "policy", type: "PolicySet", schemaVersion: 1 },
    ...{ data: { settings }, occurredAt: clock.now(), recordedAt: clock.now() },
    metadata: { correlationId: id, causationId: id, commandId: id },
  };
  await store.withTransaction((tx) => {
    decider.append(tx, [event]);
    decider.finish(tx);
    const { refused } = policies.current(saga);
    if (refused === undefined) return;
    policies.forget();
    throw new Error(`the settings do not fit ${name}: ${refused.message}`);
  });
}

function sagaOf({ options: { sagas } }: SagaRuntime, name: string): Saga {
  const loaded = sagas.get(name);
  if (loaded !== undefined) return loaded.saga;
  throw new Error(`there is no saga ${name}; there are ${[...sagas.keys()].join(", ")}`);
}

function instanceIn(store: EventStore, { name }: Saga, id: string): DrivenInstance | undefined {
  const row = readRow(store, name, id);
  if (row === undefined) return endedIn(store, name, id);
  const { value, stuck, timers } = row;
  return {
    status: stuck === undefined ? "running" : "stuck",
    state: value,
    context: storedContext(row),
    timers: timers.map(([timer, dueMs]) => ({ id: timer, dueAt: new Date(dueMs).toISOString() })),
    ...(stuck !== undefined && { stuck: { reason: stuck.reason, message: stuck.message } }),
  };
}

function endedIn(store: EventStore, saga: string, id: string): DrivenInstance | undefined {
  const last = [...store.readStream(streamName(sagaCategory, `${saga}-${id}`))].at(-1);
  if (last === undefined) return undefined;
  const { state } = last.data as SagaEvents["SagaEnded"];
  return { status: "ended", state, context: undefined, timers: [] };
}
