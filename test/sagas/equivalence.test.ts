/**
 * Saga steps are what a live actor of XState would do: the same chart, walked at random by both, the saga's state going
 * through its bytes before every step, the actor on XState's own simulated clock.
 */
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { defineSaga, type Saga, send } from "retrace";
import { expect, test } from "vitest";
import { assign, cancel, createActor, raise, SimulatedClock, setup } from "xstate";
import { z } from "zod";
import { type ChartState, persist, restore } from "../../src/core/chart.ts";
import { sendType } from "../../src/core/saga.ts";
import { type SagaStep, sagaAccepts, startSaga, stepSaga } from "../../src/core/saga-chart.ts";
import { type PendingTimer, timersAfter } from "../../src/core/saga-history.ts";
import { packState, unpackState } from "../../src/core/saga-state.ts";

const inputs = ["GO", "LEFT", "RIGHT", "PAUSE", "DEEP", "SHALLOW", "REMIND", "FORGET", "AGAIN", "END"] as const;
type Input = { readonly type: (typeof inputs)[number]; readonly now: string };
type Timed = { readonly type: "REMINDED"; readonly round: number };

interface Walked {
  readonly rounds: number;
  readonly seen: ReadonlyMap<string, Date>;
  readonly types: ReadonlySet<string>;
  readonly ratio: number;
}

const machine = setup({
  types: { context: {} as Walked, events: {} as Input | Timed, input: {} as { now: string } },
  delays: { patience: ({ context }) => 900 + 10 * context.rounds },
  guards: {
    isThird: ({ context }) => context.rounds % 3 === 2,
    isEven: ({ context }) => context.rounds % 2 === 0,
    mayEnd: ({ context }) => context.rounds > 6,
  },
  actions: {
    see: assign(({ context, event }) => ({
      seen: "now" in event ? new Map(context.seen).set(event.type, new Date(event.now)) : context.seen,
      types: new Set(context.types).add(event.type),
    })),
    count: assign(({ context }) => ({ rounds: context.rounds + 1, ratio: context.rounds / (context.rounds % 2) })),
    remind: raise(({ context }) => ({ type: "REMINDED", round: context.rounds }), { id: "reminder", delay: 1_300 }),
    forget: cancel("reminder"),
    tellLeft: send("diary", ({ context }) => ({ id: "left", type: "Note", data: { rounds: context.rounds } })),
    tellRight: send("diary", ({ event }) => [
      { id: "right", type: "Note", data: event.type },
      { id: "right", type: "Note" },
    ]),
    tellOver: send("diary", ({ context }) => (context.rounds > 3 ? { id: "over", type: "Note" } : undefined)),
  },
}).createMachine({
  id: "walk",
  context: ({ input }) => ({
    rounds: 0,
    seen: new Map([["start", new Date(input.now)]]),
    types: new Set(),
    ratio: Number.NaN,
  }),
  initial: "idle",
  states: {
    idle: { on: { GO: { target: "busy", actions: "see" } }, exit: "tellOver" },
    busy: {
      type: "parallel",
      on: {
        PAUSE: { target: "paused", actions: ["see", "tellOver"] },
        AGAIN: { target: "busy", reenter: true, actions: "count" },
        REMIND: { actions: ["forget", "remind"] },
        FORGET: { actions: "forget" },
        REMINDED: { actions: ["see", "count"] },
        END: { guard: "mayEnd", target: "over" },
      },
      states: {
        left: {
          initial: "first",
          states: {
            first: { entry: "tellLeft", on: { LEFT: "second" }, after: { 700: "second" } },
            second: {
              always: { guard: "isThird", target: "third", actions: "count" },
              on: { LEFT: { target: "first", actions: ["count", "see"] } },
              after: { 1100: { target: "first", actions: "count" }, patience: { guard: "isEven", target: "third" } },
            },
            third: { exit: "tellLeft", after: { 1900: [{ guard: "isEven", target: "second" }, { target: "first" }] } },
          },
        },
        right: {
          initial: "low",
          states: {
            low: { on: { RIGHT: "high" }, after: { 2300: "high" } },
            high: {
              initial: "a",
              entry: "tellRight",
              after: { 3100: "low" },
              states: {
                a: { on: { RIGHT: "b" } },
                b: { on: { RIGHT: { target: "a", actions: "see" } }, after: { 500: "c" } },
                c: { type: "final" },
              },
              onDone: { target: "low", actions: "count" },
            },
          },
        },
        deep: { type: "history", history: "deep" },
        shallow: { type: "history" },
      },
    },
    paused: {
      on: { DEEP: "busy.deep", SHALLOW: { target: "busy.shallow", actions: "see" } },
      after: { 4000: "idle" },
    },
    over: { type: "final", entry: "tellOver" },
  },
});

const saga: Saga = defineSaga({ name: "walk", settings: z.object({}), startedBy: [], correlate: {}, machine });

type Move = { readonly input: Input["type"] } | { readonly passMs: number };

/** All that tells two states apart. */
interface Look {
  readonly value: unknown;
  readonly context: unknown;
  readonly status: string;
  readonly history: unknown;
  readonly timers: readonly string[];
  readonly sent: readonly unknown[];
}

function look(state: ChartState, timers: Iterable<string>, sent: readonly unknown[]): Look {
  const { value, context, status, historyValue } = state;
  const history = Object.fromEntries(
    Object.entries(historyValue).map(([id, nodes]) => [id, nodes.map((node) => node.id).sort()]),
  );
  // XState leaves the timers of an actor that has ended to fire into nothing.
  const set = status === "active" ? [...timers].sort() : [];
  return { value, context, status, history, timers: set, sent: [...sent] };
}

const startedAt = Date.parse("2026-01-01T00:00:00Z");
const iso = (ms: number): string => new Date(startedAt + ms).toISOString();

function liveWalk(moves: readonly Move[]): Look[] {
  const clock = new SimulatedClock();
  const sent: unknown[] = [];
  const provided = machine.provide({
    actions: { [sendType]: (_: unknown, params: unknown) => sent.push(params) } as never,
  });
  const actor = createActor(provided, { clock, input: { now: iso(0) } });
  actor.start();
  const timers = (): string[] => {
    const { _scheduledEvents: scheduled } = (actor.system as unknown as Scheduled)._snapshot;
    return Object.values(scheduled).map(({ id }) => id);
  };
  return moves.map((move) => {
    sent.length = 0;
    if ("passMs" in move) clock.increment(move.passMs);
    else if (actor.getSnapshot().status === "active") actor.send({ type: move.input, now: iso(clock.now()) });
    return look(actor.getSnapshot() as unknown as ChartState, timers(), sent);
  });
}

interface Scheduled {
  readonly _snapshot: { readonly _scheduledEvents: Readonly<Record<string, { readonly id: string }>> };
}

function sagaWalk(moves: readonly Move[]): Look[] {
  let nowMs = 0;
  let timers: ReadonlyMap<string, PendingTimer> = new Map();
  let bytes = new Uint8Array();
  const sent: unknown[] = [];
  const state = (): ChartState => restore(machine, unpackState(bytes));
  const take = (step: SagaStep): void => {
    bytes = Uint8Array.from(packState(persist(machine, step.state)));
    timers = step.state.status === "active" ? timersAfter(timers, step.effects, iso(nowMs)) : new Map();
    for (const effect of step.effects) if (effect.kind === "send") sent.push(effect.command);
  };
  const give = (event: { readonly type: string }): void => {
    if (sagaAccepts(state(), event)) take(stepSaga(saga, state(), event));
  };
  const fireDue = (): void => {
    const due = [...timers].filter(([, { dueMs }]) => dueMs <= startedAt + nowMs);
    const [next] = due.sort(([, a], [, b]) => a.dueMs - b.dueMs);
    if (next === undefined) return;
    timers = new Map([...timers].filter(([id]) => id !== next[0]));
    give(next[1].event);
    fireDue();
  };
  take(startSaga(saga, { id: "w", now: iso(0), settings: {} }));
  return moves.map((move) => {
    sent.length = 0;
    if ("passMs" in move) {
      nowMs += move.passMs;
      fireDue();
    } else give({ type: move.input, now: iso(nowMs) } as Input);
    return look(state(), timers.keys(), sent);
  });
}

const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ input: fc.constantFrom(...inputs) }) },
  { weight: 3, arbitrary: fc.record({ passMs: fc.integer({ min: 1, max: 2_500 }) }) },
);
const moves = fc.array(move, { maxLength: 80, size: "max" }).map((some): Move[] => [{ input: "GO" }, ...some]);
const numRuns = Number(process.env.RETRACE_TORTURE_RUNS ?? 150);

test("a saga walks as a live actor does", () => {
  const visited = new Set<string>();
  fc.assert(
    fc.property(moves, (some) => {
      const [expected, actual] = [liveWalk(some), sagaWalk(some)];
      const different = expected.findIndex((one, i) => !isDeepStrictEqual(one, actual[i]));
      if (different >= 0)
        expect({ at: different, ...actual[different] }).toEqual({ at: different, ...expected[different] });
      for (const { value } of actual) visited.add(JSON.stringify(value));
    }),
    { numRuns },
  );
  expect(visited.size).toBeGreaterThan(10);
});
