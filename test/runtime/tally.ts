/** The smallest aggregate with everything a command can run into, and a tick over a store in memory to send it to. */
import { defineAggregate, type EventStore, reject } from "retrace";
import { assertEvent, assign, type SnapshotFrom, setup } from "xstate";
import { z } from "zod";
import type { ChartEventOf } from "../../src/core/aggregate.ts";
import { digest } from "../../src/core/digest.ts";
import type { NewEvent } from "../../src/core/message.ts";
import type { Clock } from "../../src/runtime/clock.ts";
import { type CommandOutcome, Decider } from "../../src/runtime/decider.ts";
import { LiveActors } from "../../src/runtime/live-actors.ts";
import { type LoadedAggregate, takeActors } from "../../src/runtime/loader.ts";
import { openLog } from "../../src/runtime/log.ts";
import { Projections } from "../../src/runtime/projections/projections.ts";
import { Tick, type TickOptions } from "../../src/runtime/tick.ts";
import type { CommandRequest } from "../../src/wire/command-request.ts";

const schemas = {
  commands: {
    Add: z.strictObject({ amount: z.number() }),
    AddMany: z.strictObject({ amounts: z.array(z.number()) }),
    AddNonsense: z.strictObject({}),
    Throw: z.strictObject({}),
    Refuse: z.strictObject({}),
    Close: z.strictObject({}),
  },
  events: { Added: z.looseObject({ amount: z.number() }), Closed: z.looseObject({}) },
};

interface Sum {
  readonly total: number;
}

type TallyEvent = ChartEventOf<typeof schemas>;

/** Two laws for the same history. */
const laws = {
  once: ({ context, event }: { context: Sum; event: TallyEvent }): Sum => {
    assertEvent(event, "Added");
    return { total: context.total + event.data.amount };
  },
  twice: ({ context, event }: { context: Sum; event: TallyEvent }): Sum => {
    assertEvent(event, "Added");
    return { total: context.total + 2 * event.data.amount };
  },
};

/** A chart that adds up. */
function chart(law: keyof typeof laws) {
  return setup({
    types: { context: {} as Sum, events: {} as TallyEvent },
    actions: { add: assign(laws[law]) },
  }).createMachine({
    id: "tally",
    context: { total: 0 },
    initial: "open",
    states: {
      open: { on: { Added: { actions: "add" }, Closed: "closed" } },
      closed: { type: "final" },
    },
  });
}

function tally(law: keyof typeof laws) {
  return defineAggregate<typeof schemas, ReturnType<typeof chart>>({
    category: "tally",
    schemas,
    machine: chart(law),
    decide: {
      Add: (_state, { data }) => ({ type: "Added", data }),
      AddMany: (_state, { data }) => data.amounts.map((amount) => ({ type: "Added" as const, data: { amount } })),
      AddNonsense: () => ({ type: "Added", data: { amount: "much" as unknown as number } }),
      Throw: (state: SnapshotFrom<ReturnType<typeof chart>>) => {
        throw new Error(`cannot decide at ${state.context.total}`);
      },
      Refuse: () => reject("NEVER", "this is never done"),
      Close: () => ({ type: "Closed", data: {} }),
    },
  });
}

/** The aggregate as the loader hands it to a runtime. */
export function loadedTally(law: keyof typeof laws = "once"): LoadedAggregate {
  return takeActors([tally(law)]).aggregates.get("tally") as LoadedAggregate;
}

let ids = 0;
const clock: Clock = {
  now: () => "2026-01-01T00:00:00.000Z",
  newId: () => {
    ids += 1;
    return `id-${ids}`;
  },
};

/** What a test may set. */
export interface TickSettings {
  readonly actor?: LoadedAggregate;
  readonly maxQueued?: number;
  readonly maxLiveActors?: number;
}

/** A tick, and how to send to it. */
export interface TestTick {
  readonly tick: Tick;
  readonly actors: LiveActors;
  send(id: string, type: string, data?: unknown, options?: RequestOptions): Promise<CommandOutcome>;
}

/** Makes a tick over a store. */
export function openTick(store: EventStore, settings: TickSettings = {}): TestTick {
  const { actor = loadedTally(), maxQueued = 10_000, maxLiveActors = 1_000 } = settings;
  const actors = new LiveActors(store, maxLiveActors);
  const aggregates = new Map([["tally", actor]]);
  const log = openLog("silent");
  const projections = new Projections({ store, projections: new Map(), aggregates, clock, log });
  const decider = new Decider({ store, actors, aggregates, projections, clock, log });
  const options: TickOptions = { store, decider, actors, aggregates, log, maxQueued };
  const tick = new Tick(options);
  return {
    tick,
    actors,
    send: (id, type, data = {}, request = {}) =>
      new Promise((resolve) => tick.submit(requestOf(id, { type, data }, request), resolve)),
  };
}

/** The headers of a request. */
export interface RequestOptions {
  readonly commandId?: string;
  readonly expectedVersion?: number;
}

function requestOf(
  id: string,
  { type, data }: { readonly type: string; readonly data: unknown },
  { commandId = clock.newId(), expectedVersion }: RequestOptions,
): CommandRequest {
  const metadata = { correlationId: commandId, causationId: commandId, commandId };
  return {
    category: "tally",
    id,
    stream: `tally-${id}`,
    command: { type, data, occurredAt: clock.now(), metadata },
    expectedVersion,
    isIdempotent: true,
    digest: digest(JSON.stringify([type, data])),
  };
}

/** Writes history past the tick: without snapshots, and whatever it may be. */
export async function writeHistory(store: EventStore, id: string, events: readonly Partial<NewEvent>[]): Promise<void> {
  const metadata = { correlationId: "history", causationId: "history", commandId: "history" };
  const result = await store.append(
    events.map((event) => ({
      id: clock.newId(),
      stream: `tally-${id}`,
      category: "tally",
      type: "Added",
      schemaVersion: 1,
      data: { amount: 1 },
      occurredAt: clock.now(),
      recordedAt: clock.now(),
      metadata,
      ...event,
    })),
  );
  if (result.outcome !== "appended") throw new Error("the history was not written");
}

/** A store that is like another, but for some of its functions. */
export function changed(store: EventStore, changes: Partial<EventStore>): EventStore {
  return new Proxy(store, {
    get: (target, name: keyof EventStore) => {
      const value = changes[name] ?? target[name];
      return typeof value === "function" && changes[name] === undefined ? value.bind(target) : value;
    },
  });
}
