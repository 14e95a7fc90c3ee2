/** The composition of a runtime: store, broker connection and actors become one thing that serves until closed. */
import { setTimeout as delay } from "node:timers/promises";
import type { NatsConnection } from "@nats-io/nats-core";
import type { EventStore } from "../core/event-store.ts";
import { Fault, StartRefused } from "../core/fault.ts";
import { EventStream, StreamRefused } from "../wire/event-stream.ts";
import { type CommandServer, serveAdmin, serveBulk, serveCommands, serveQueries } from "../wire/serve.ts";
import { serveService } from "../wire/service.ts";
import { defaultPrefix, eventStreamName, isPrefix } from "../wire/subjects.ts";
import { helpSaga } from "./admin/help-saga.ts";
import { importEvents } from "./admin/import-events.ts";
import { projectionVerbs } from "./admin/projections.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type SweepCursor, sweepCommandRecords } from "./command-records.ts";
import { Decider } from "./decider.ts";
import { Lease } from "./lease.ts";
import { LiveActors } from "./live-actors.ts";
import { type ActorDefinition, type LoadedActors, takeActors } from "./loader.ts";
import { type Log, openLog } from "./log.ts";
import { Projections } from "./projections/projections.ts";
import { catalogQuery } from "./queries/catalog.ts";
import { eventsQuery, historyQuery } from "./queries/events.ts";
import { healthQuery } from "./queries/health.ts";
import { projectionQuery } from "./queries/projection.ts";
import { projectionDiffQuery, projectionParkedQuery } from "./queries/projection-rows.ts";
import type { Query } from "./queries/query.ts";
import { sagasQuery } from "./queries/sagas.ts";
import { stateQuery } from "./queries/state.ts";
import { whyQuery } from "./queries/why.ts";
import { Relay, type RelayStatus, relayTarget } from "./relay.ts";
import { sagaSource } from "./sagas/carry-over.ts";
import { Follower } from "./sagas/follower.ts";
import { Policies } from "./sagas/policy-settings.ts";
import { beginReacting, latestWith, listenersOf, prepareSagas } from "./sagas/prepare.ts";
import { projectedTypes, rowsOf } from "./sagas/projected-rows.ts";
import { Reactor, type ReactorOptions } from "./sagas/reactor.ts";
import { Tick } from "./tick.ts";

/** What a runtime is made of. The caller opens store and connection, and closes them after the runtime. */
export interface RuntimeOptions {
  readonly store: EventStore;
  readonly nats: NatsConnection;
  /** Aggregates and sagas in hand, or what `loadActors` found. */
  readonly actors: readonly ActorDefinition[] | LoadedActors;
  /** Of all subjects. Default: `retrace`. */
  readonly prefix?: string;
  readonly clock?: Clock;
  readonly log?: Log;
  /** Commands that may wait before new ones are answered OVERLOADED. Default: 20,000. */
  readonly maxQueued?: number;
  /** Actors kept in memory. Default: 100,000. */
  readonly maxLiveActors?: number;
  /** How long a command id is remembered, in days. Default: 30. */
  readonly commandRecordDays?: number;
  /** What `nats micro ls` shows. Default: `0.0.0`. */
  readonly version?: string;
}

/** A serving runtime. */
export interface Runtime {
  /**
   * Refuses new commands, finishes those it took in, relays what is in the log for at most `drainMs` (default 10,000),
   * and stops serving. Returns false when this process relays and could not bring everything to JetStream in time.
   */
  close(options?: { readonly drainMs?: number }): Promise<boolean>;
}

/** Of the broker: a body of 256 KiB grows by what decide adds, and by its headers. */
const minMaxPayload = 512 * 1024;
const sweepEveryMs = 10_000;
/** Longer than a lease lasts that its process cannot renew any more. */
const joinTimeoutMs = 5_000;
const joinPollMs = 50;
const dayMs = 24 * 60 * 60 * 1_000;

/** Starts serving. @throws StartRefused with a sentence when the actors, the prefix or the event stream are not right. */
export async function createRuntime(options: RuntimeOptions): Promise<Runtime> {
  const { store, nats, prefix = defaultPrefix, clock = systemClock(), log = openLog("silent") } = options;
  if (!isPrefix(prefix)) {
    throw new StartRefused(`prefix "${prefix}" must be 1 to 32 of A-Z a-z 0-9 _ -`);
  }
  assertRoomForEvents(nats);
  const loaded = "aggregates" in options.actors ? options.actors : takeActors(options.actors);
  const { aggregates, sagas } = loaded;
  const projections = new Projections({ ...loaded, store, clock, log });
  const actors = new LiveActors(store, options.maxLiveActors ?? 100_000);
  const decider = new Decider({ store, actors, aggregates, projections, clock, log });
  const tick = new Tick({ store, decider, actors, aggregates, log, maxQueued: options.maxQueued ?? 20_000 });

  const streamOptions = { nats, name: eventStreamName(prefix), subjects: `${prefix}.evt.>`, storeId: store.id };
  const stream = new EventStream(streamOptions);
  const onBug = (error: unknown, subject: string): string => {
    const correlationId = clock.newId();
    log.error({ err: error, subject, correlationId }, "a request hit a bug");
    return correlationId;
  };
  const schemas = new Map([...aggregates].map(([category, { aggregate }]) => [category, aggregate.schemas]));
  const policies = new Policies(store);
  const reactorOptions: ReactorOptions = {
    store,
    actors,
    aggregates,
    decider,
    sagas,
    listeners: listenersOf(sagas),
    policies,
    clock,
    log,
    requests: { prefix, schemas, now: clock.now, newId: clock.newId },
    latest: latestWith(aggregates),
    rows: rowsOf(projections),
    project: (tx, events) => projections.apply(tx, "async", events),
    projected: projectedTypes([...loaded.projections.values(), ...loaded.nextProjections.values()]),
  };
  await beginReacting(store);
  await prepareSagas(reactorOptions);
  const reactor = new Reactor(reactorOptions);
  const background = new Background(
    { store, stream, prefix, projections, log, clock, reactor },
    options.commandRecordDays ?? 30,
  );
  await background.start();

  const context = { nats, prefix, onBug, now: clock.now, newId: clock.newId };
  const commandServer: CommandServer = {
    ...context,
    schemas,
    submit: (request, settle) => tick.submit(request, settle),
  };
  const load = () => ({ queued: tick.queued, liveActors: actors.size });
  const queries = [
    stateQuery({ store, aggregates, sagas, source: (saga) => sagaSource(saga, reactorOptions) }),
    historyQuery({ store, aggregates }),
    whyQuery({ store, aggregates }),
    eventsQuery(store),
    projectionQuery({ store, projections }),
    projectionParkedQuery({ store, projections }),
    projectionDiffQuery({ store, projections }),
    healthQuery({
      store,
      clock,
      relay: () => background.relayStatus(),
      load,
      sagas,
      reactor,
      policies,
      projections: () => projections.status(),
    }),
    catalogQuery(loaded),
    sagasQuery({ store, sagas, clock }),
  ];
  const verbs = [
    importEvents(store, projections),
    ...projectionVerbs({ store, projections }),
    ...helpSaga(reactor, sagas),
  ];
  const endpoints = [
    serveCommands(commandServer),
    serveBulk(commandServer),
    serveQueries({ ...context, answer: answerWith(queries, "UNKNOWN_QUERY") }),
    serveAdmin({ ...context, answer: answerWith(verbs, "UNKNOWN_COMMAND") }),
  ];
  const service = serveService({
    nats,
    id: clock.newId(),
    version: options.version ?? "0.0.0",
    startedAt: clock.now(),
    metadata: { prefix, store: store.id },
    endpoints,
  });
  await nats.flush();

  return {
    close: async ({ drainMs = 10_000 } = {}) => {
      await tick.stop();
      const isDrained = await background.stop(drainMs);
      // Requests that the broker has already handed over are answered, too; a lost connection ends the wait.
      const served = [...endpoints.map(({ subscription }) => subscription), ...service];
      await Promise.allSettled(served.map((subscription) => subscription.drain()));
      await nats.flush().catch(() => {});
      return isDrained;
    },
  };
}

/** One event that the broker never takes would hold up all behind it. */
function assertRoomForEvents(nats: NatsConnection): void {
  const { max_payload: limit = Number.POSITIVE_INFINITY } = nats.info ?? {};
  if (limit >= minMaxPayload) return;
  throw new StartRefused(
    `the broker's max_payload is ${limit} bytes; events may need ${minMaxPayload}: raise it in the configuration of nats-server`,
  );
}

function answerWith(
  queries: readonly Query[],
  unknown: "UNKNOWN_QUERY" | "UNKNOWN_COMMAND",
): (name: string, body: unknown) => Promise<unknown> {
  const byName = new Map(queries.map((query) => [query.name, query]));
  return async (name, body) => {
    const found = byName.get(name);
    if (found !== undefined) return found.answer(body);
    const known = [...byName.keys()].sort();
    throw new Fault(unknown, `there is no ${name}; there are ${known.join(", ")}`, { known });
  };
}

interface BackgroundOptions {
  readonly store: EventStore;
  readonly stream: EventStream;
  readonly prefix: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly reactor: Reactor;
  readonly projections: Projections;
}

/** The work beside the command path: done by the process that holds the lease. */
class Background {
  readonly #options: BackgroundOptions;
  readonly #recordDays: number;
  readonly #lease: Lease;
  #relay: Relay | undefined;
  #follower: Follower | undefined;
  #sweep: NodeJS.Timeout | undefined;
  #isStarted = false;

  constructor(options: BackgroundOptions, recordDays: number) {
    this.#options = options;
    this.#recordDays = recordDays;
    this.#lease = new Lease(options.store, options.clock, "background");
  }

  async start(): Promise<void> {
    await this.#lease.start({
      onHeld: () => {
        this.#relay = new Relay(this.#options);
        this.#follower = new Follower(this.#options);
        if (this.#isStarted) this.#run();
        this.#options.projections.startBuilding();
      },
      onLost: () => {
        void this.#options.projections.stop();
        void this.#relay?.close();
        void this.#follower?.close();
        this.#relay = undefined;
        this.#follower = undefined;
      },
      onError: (error) => this.#options.log.warn({ err: error }, "the lease of the background work could not be taken"),
    });
    try {
      await this.#join();
      await this.#relay?.synchronise();
    } catch (error) {
      await this.#lease.stop();
      throw asRefusal(error);
    }
    this.#isStarted = true;
    this.#run();
    this.#startSweep();
  }

  #run(): void {
    void this.#relay?.run();
    this.#follower?.run();
  }

  /**
   * Where another process has the lease, its events go to a stream: resolves when that is the one on this broker, too,
   * or when that process turns out to be gone.
   */
  async #join(): Promise<void> {
    const { store, stream } = this.#options;
    const giveUpAt = performance.now() + joinTimeoutMs;
    while (this.#relay === undefined) {
      const { holder } = this.#lease;
      const target = relayTarget(store);
      const isAnnounced = target !== undefined && target.pid === holder;
      if (isAnnounced && target.madeAt === (await stream.end())?.madeAt) return;
      if (performance.now() > giveUpAt) {
        throw new StartRefused(
          `the data folder is in use by retrace process ${holder} with another broker; stop it, use another --data, ` +
            "or name its broker with --nats URL.",
        );
      }
      await delay(joinPollMs);
    }
  }

  #startSweep(): void {
    let cursor: SweepCursor = null;
    const { store, clock, log } = this.#options;
    this.#sweep = setInterval(async () => {
      if (!this.#lease.isHeld) return;
      const before = new Date(Date.parse(clock.now()) - this.#recordDays * dayMs).toISOString();
      try {
        cursor = await sweepCommandRecords(store, before, cursor);
      } catch (error) {
        log.warn({ err: error }, "old command records could not be deleted; tried again in a moment");
      }
    }, sweepEveryMs);
    this.#sweep.unref();
  }

  async relayStatus(): Promise<RelayStatus> {
    if (this.#relay !== undefined) return this.#relay.status;
    try {
      const end = await this.#options.stream.end();
      const reason = `done by process ${this.#lease.holder}`;
      return { status: end === undefined ? "waiting" : "relaying", position: end?.lastSequence ?? 0, reason };
    } catch (error) {
      return { status: "waiting", position: 0, reason: (error as Error).message };
    }
  }

  async stop(drainMs: number): Promise<boolean> {
    clearInterval(this.#sweep);
    await this.#follower?.close();
    await this.#options.projections.stop();
    const relay = this.#relay;
    const isDrained = relay === undefined || (await relay.drain(this.#options.store.position(), drainMs));
    await relay?.close();
    await this.#lease.stop().catch(() => {});
    return isDrained;
  }
}

/** A stream that is not this store's, or a broker without streams, is refused before anything is served. */
function asRefusal(error: unknown): StartRefused {
  if (error instanceof StartRefused) return error;
  const { message } = error as Error;
  if (error instanceof StreamRefused) return new StartRefused(message);
  return new StartRefused(`JetStream cannot be used: ${message}. Is it enabled on this broker?`);
}
