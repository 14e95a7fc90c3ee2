/** Sagas over a store, with a clock of their own: driven step by step, as the follower drives them. */
import type { EventStore } from "retrace";
import type { CommandOutcome } from "../../src/runtime/decider.ts";
import { Decider } from "../../src/runtime/decider.ts";
import { LiveActors } from "../../src/runtime/live-actors.ts";
import { type ActorDefinition, takeActors } from "../../src/runtime/loader.ts";
import { openLog } from "../../src/runtime/log.ts";
import { Projections } from "../../src/runtime/projections/projections.ts";
import { Policies } from "../../src/runtime/sagas/policy-settings.ts";
import { beginReacting, latestWith, listenersOf, prepareSagas } from "../../src/runtime/sagas/prepare.ts";
import { projectedTypes, rowsOf } from "../../src/runtime/sagas/projected-rows.ts";
import { Reactor, type ReactorOptions } from "../../src/runtime/sagas/reactor.ts";
import type { ReadRows } from "../../src/runtime/sagas/tools.ts";
import { Tick } from "../../src/runtime/tick.ts";
import { checkCommand, type RequestHeaders } from "../../src/wire/command-request.ts";
import { openPackedStore } from "./packed-store.ts";

/** A clock that stands until it is set. */
export interface TestClock {
  now(): string;
  newId(): string;
  advance(ms: number): void;
}

export function testClock(startMs = Date.parse("2026-01-01T00:00:00Z")): TestClock {
  let nowMs = startMs;
  let ids = 0;
  return {
    now: () => new Date(nowMs).toISOString(),
    newId: () => {
      ids += 1;
      return `id-${ids}`;
    },
    advance: (ms) => {
      nowMs += ms;
    },
  };
}

/** What a test may fix. */
export interface SagaSettings {
  readonly store?: EventStore;
  readonly clock?: TestClock;
  readonly rows?: ReadRows;
}

/** A runtime's inside without a broker. */
export interface SagaSetting {
  readonly store: EventStore;
  readonly clock: TestClock;
  readonly reactor: Reactor;
  readonly options: ReactorOptions;
  /** Sends a command as a client would; with a command id, it may be sent again. */
  send(category: string, id: string, type: string, data?: unknown, commandId?: string): Promise<CommandOutcome>;
  /** Lets sagas react until there is nothing left to react to now. */
  settle(): Promise<void>;
  /** Sets the clock forward, firing what falls due on the way. */
  pass(ms: number): Promise<void>;
  /** The types and data of an instance's stream. */
  story(name: string, id: string): readonly { readonly type: string; readonly data: never }[];
}

export async function openSagas(actors: readonly ActorDefinition[], given: SagaSettings = {}): Promise<SagaSetting> {
  const { store = openPackedStore("sagas"), clock = testClock() } = given;
  const loaded = takeActors(actors);
  const { aggregates, sagas } = loaded;
  const live = new LiveActors(store, 1_000);
  const log = openLog("silent");
  const projections = new Projections({ store, projections: loaded.projections, aggregates, clock, log });
  const decider = new Decider({ store, actors: live, aggregates, projections, clock, log });
  const schemas = new Map([...aggregates].map(([category, { aggregate }]) => [category, aggregate.schemas]));
  const requests = { prefix: "retrace", schemas, now: clock.now, newId: clock.newId };
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
    requests,
    latest: latestWith(aggregates),
    rows: given.rows ?? rowsOf(projections),
    project: (tx, events) => projections.apply(tx, "async", events),
    projected: projectedTypes([...loaded.projections.values()]),
  };
  await beginReacting(store);
  projections.startBuilding();
  await projections.built();
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
    store,
    clock,
    reactor,
    options,
    settle,
    send: (category, id, type, data = {}, commandId = undefined) =>
      new Promise((resolve) => {
        const headers = commandId === undefined ? undefined : commandIdHeader(commandId);
        const sent = { address: { category, id, type }, body: () => data, headers: () => headers, bytes: 0 };
        tick.submit(checkCommand(sent, requests), resolve);
      }),
    pass: async (ms) => {
      const untilMs = Date.parse(clock.now()) + ms;
      await settle();
      for (let due = reactor.nextDueMs(); due !== undefined && due <= untilMs; due = reactor.nextDueMs()) {
        clock.advance(Math.max(0, due - Date.parse(clock.now())));
        await settle();
      }
      clock.advance(untilMs - Date.parse(clock.now()));
    },
    story: (name, id) =>
      Array.from(store.readStream(`saga-${name}-${id}`), ({ type, data }) => ({ type, data: data as never })),
  };
}

function commandIdHeader(id: string): RequestHeaders {
  const name = "Nats-Msg-Id";
  return { has: (header) => header === name, get: (header) => (header === name ? id : "") };
}
