/**
 * The inside of a runtime, without a broker and without time of its own: commands are decided as they come, and sagas
 * react and timers fire when they are told to, as the follower tells them.
 */
import type { EventStore } from "../core/event-store.ts";
import { Fault } from "../core/fault.ts";
import { isStreamId } from "../core/stream.ts";
import { type CommandOutcome, Decider } from "../runtime/decider.ts";
import { LiveActors } from "../runtime/live-actors.ts";
import { type ActorDefinition, type LoadedActors, takeActors } from "../runtime/loader.ts";
import { openLog } from "../runtime/log.ts";
import { Projections } from "../runtime/projections/projections.ts";
import { Policies } from "../runtime/sagas/policy-settings.ts";
import { beginReacting, latestWith, listenersOf, prepareSagas } from "../runtime/sagas/prepare.ts";
import { projectedTypes, rowsOf } from "../runtime/sagas/projected-rows.ts";
import { Reactor, type ReactorOptions } from "../runtime/sagas/reactor.ts";
import type { ReadRows } from "../runtime/sagas/tools.ts";
import { Tick } from "../runtime/tick.ts";
import { checkCommand, type RequestHeaders } from "../wire/command-request.ts";
import { type CommandAddress, defaultPrefix } from "../wire/subjects.ts";
import type { TestClock } from "./clock.ts";

/** What it is made of. */
export interface SagaRuntimeOptions {
  readonly store: EventStore;
  readonly clock: TestClock;
  /** What sagas read instead of the projections. */
  readonly rows?: ReadRows | undefined;
}

/** One runtime. It holds nothing open. */
export interface SagaRuntime {
  readonly reactor: Reactor;
  readonly options: ReactorOptions;
  /** Checks a command as one from outside and decides it. @throws Fault when it does not pass its checks. */
  decide(address: CommandAddress, data: unknown, headers?: Readonly<Record<string, string>>): Promise<CommandOutcome>;
  /** Lets sagas react until there is nothing left to react to now. */
  settle(): Promise<void>;
  /** Sets the clock forward, firing what falls due on the way, each at its time. */
  pass(ms: number): Promise<void>;
}

/** Opens one over a store, as a process does that starts. @throws StartRefused when the actors are not right. */
export async function openSagaRuntime(
  actors: readonly ActorDefinition[] | LoadedActors,
  { store, clock, rows }: SagaRuntimeOptions,
): Promise<SagaRuntime> {
  const loaded = "aggregates" in actors ? actors : takeActors(actors);
  const { aggregates, sagas } = loaded;
  const live = new LiveActors(store, 1_000);
  const log = openLog("silent");
  const projections = new Projections({ ...loaded, store, clock, log });
  const decider = new Decider({ store, actors: live, aggregates, projections, clock, log });
  const schemas = new Map([...aggregates].map(([category, { aggregate }]) => [category, aggregate.schemas]));
  const options: ReactorOptions = {
    store,
    actors: live,
    aggregates,
    decider,
    sagas,
    listeners: listenersOf(sagas),
    policies: new Policies(store),
    clock,
    log,
    requests: { prefix: defaultPrefix, schemas, now: clock.now, newId: clock.newId },
    latest: latestWith(aggregates),
    rows: rows ?? rowsOf(projections),
    project: (tx, events) => projections.apply(tx, "async", events),
    projected: projectedTypes([...loaded.projections.values(), ...loaded.nextProjections.values()]),
  };
  await beginReacting(store);
  if (projections.names.length > 0) {
    projections.startBuilding();
    await projections.built();
    await projections.stop();
  }
  await prepareSagas(options);
  const reactor = new Reactor(options);
  const tick = new Tick({ store, decider, actors: live, aggregates, log, maxQueued: 10_000 });
  const settle = async (): Promise<void> => {
    for (;;) {
      const events = [...store.readAll({ afterPosition: reactor.position })];
      if (events.length > 0) await reactor.react(events);
      else if ((await reactor.fireDue()) === 0) return reactor.save();
    }
  };
  return {
    reactor,
    options,
    settle,
    decide: async (address, data, headers) => {
      if (!isStreamId(address.id)) throw notAnId(address.id);
      const sent = { address, body: () => data, headers: () => headers && readerOf(headers), bytes: maxUnmeasured };
      const request = checkCommand(sent, options.requests);
      return new Promise((resolve) => tick.submit(request, resolve));
    },
    pass: async (ms) => {
      const untilMs = Date.parse(clock.now()) + ms;
      await settle();
      for (let due = reactor.nextDueMs(); due !== undefined && due <= untilMs; due = reactor.nextDueMs()) {
        clock.advance(Math.max(0, due - Date.parse(clock.now())));
        await settle();
      }
      clock.advance(untilMs - Date.parse(clock.now()));
    },
  };
}

/** What was never on a wire has its size looked at like that of a large body. */
const maxUnmeasured = Number.MAX_SAFE_INTEGER;

function readerOf(headers: Readonly<Record<string, string>>): RequestHeaders {
  return { has: (name) => Object.hasOwn(headers, name), get: (name) => headers[name] ?? "" };
}

function notAnId(id: string): Fault {
  const message = `"${id}" is no id: 1 to 128 of A-Z a-z 0-9 _ - ~`;
  return new Fault("INVALID_COMMAND", message, { issues: [{ path: "subject", message }] });
}
