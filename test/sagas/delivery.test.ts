/** However events are handed over, each is reacted to once and in the order of the log. */
import { defineSaga, type NewEvent, type RecordedEvent, type SagaEventOf, send } from "retrace";
import { describe, expect, test } from "vitest";
import { assign, setup } from "xstate";
import { z } from "zod";
import { openSagas, type SagaSetting } from "./setting.ts";
import { buying, order, type orderSchemas, stock } from "./shop.ts";

/** A log of one filled stock and three orders. */
async function threeOrders(): Promise<{ sagas: SagaSetting; log: readonly RecordedEvent[] }> {
  const sagas = await openSagas([order, stock, buying]);
  await sagas.send("stock", "s", "Fill", { amount: 3 });
  for (const id of ["o", "p", "q"]) await sagas.send("order", id, "Place", { stock: "s" });
  return { sagas, log: [...sagas.store.readAll()] };
}

const consumed = (sagas: SagaSetting): unknown[] =>
  Array.from(sagas.store.readAll({ types: ["SagaAdvanced"] }), ({ data }) => {
    return (data as { consumed: { position: number } }).consumed.position;
  });

test.each([
  ["with one missing in between", ([a, b, _, d]: readonly RecordedEvent[]) => [a, b, d]],
  ["in another order", ([a, b, c, d]: readonly RecordedEvent[]) => [a, c, b, d]],
  ["some of them twice", ([a, b, c, d]: readonly RecordedEvent[]) => [a, b, b, c, b, d]],
  ["without the first", ([_, b, c, d]: readonly RecordedEvent[]) => [b, c, d]],
])("events that are handed over %s", async (_, hand) => {
  const { sagas, log } = await threeOrders();
  await sagas.reactor.react(hand(log) as RecordedEvent[]);
  expect(consumed(sagas)).toEqual([2, 3, 4]);
  expect(sagas.reactor.position).toBe(4);
});

test("an event that correlates with one instance twice reaches it once", async () => {
  const machine = setup({
    types: {
      context: {} as { readonly placed: number },
      events: {} as SagaEventOf<typeof orderSchemas, "Placed">,
    },
    actions: { count: assign(({ context }) => ({ placed: context.placed + 1 })) },
  }).createMachine({
    id: "counting",
    context: { placed: 0 },
    initial: "on",
    states: { on: { on: { Placed: { actions: "count" } } } },
  });
  const counting = defineSaga({
    name: "counting",
    settings: z.object({}),
    startedBy: ["Placed"],
    correlate: { Placed: ({ data }) => [(data as { stock: string }).stock, "all", "all"] },
    machine,
  });
  const sagas = await openSagas([order, stock, counting]);
  await sagas.send("order", "o", "Place", { stock: "all" });
  await sagas.settle();
  expect(sagas.story("counting", "all").map(({ type }) => type)).toEqual(["SagaStarted", "SagaAdvanced"]);
});

test("what has ended is not started again", async () => {
  const machine = setup({
    types: { events: {} as SagaEventOf<typeof orderSchemas, "Placed"> },
  }).createMachine({
    id: "once",
    initial: "begun",
    states: { begun: { on: { Placed: "over" } }, over: { type: "final" } },
  });
  const once = defineSaga({
    name: "once",
    settings: z.object({}),
    startedBy: ["Placed"],
    correlate: { Placed: ({ data }) => (data as { stock: string }).stock },
    machine,
  });
  const sagas = await openSagas([order, stock, once]);
  for (const id of ["o", "p"]) await sagas.send("order", id, "Place", { stock: "s" });
  await sagas.settle();
  await sagas.send("order", "q", "Place", { stock: "s" });
  await sagas.settle();
  const ended = ["SagaStarted", "SagaAdvanced", "SagaEnded"];
  expect(sagas.story("once", "s").map(({ type }) => type)).toEqual(ended);
});

describe("a command to a stream that is long and cold", () => {
  const machine = setup({
    types: { events: {} as SagaEventOf<typeof orderSchemas, "Placed"> },
    actions: { fill: send("stock", () => ({ id: "s", type: "Fill", data: { amount: 1 } })) },
  }).createMachine({ id: "filling", initial: "on", states: { on: { on: { Placed: { actions: "fill" } } } } });
  const filling = defineSaga({
    name: "filling",
    settings: z.object({}),
    startedBy: ["Placed"],
    correlate: { Placed: () => "all" },
    machine,
  });
  const filled: Omit<NewEvent, "id"> = {
    ...{ stream: "stock-s", category: "stock", type: "Filled", schemaVersion: 1, data: { amount: 1 } },
    ...{ occurredAt: "2026-01-01T00:00:00.000Z", recordedAt: "2026-01-01T00:00:00.000Z" },
    metadata: { correlationId: "c", causationId: "c", commandId: "c" },
  };
  /** More than a transaction folds. */
  const fills = 1_100;

  /** A process that has never seen the stock. */
  async function longAndCold(): Promise<SagaSetting> {
    const { store, clock, send } = await openSagas([order, stock, filling]);
    const events = Array.from({ length: fills }, (_, i) => ({ ...filled, id: `fill-${i}`, version: i + 1 }));
    await store.withTransaction((tx) => store.append(events, tx));
    await send("order", "o", "Place", { stock: "s" });
    return openSagas([order, stock, filling], { store, clock });
  }

  test("is decided once the stream has been brought near", async () => {
    const sagas = await longAndCold();
    await sagas.settle();
    expect(sagas.store.head("stock-s").version).toBe(fills + 1);
  });

  test("is decided once, also when the same events are handed over again meanwhile", async () => {
    const sagas = await longAndCold();
    const log = [...sagas.store.readAll()];
    await Promise.all([sagas.reactor.react(log), sagas.reactor.react(log)]);
    await sagas.settle();
    expect(sagas.store.head("stock-s").version).toBe(fills + 1);
  });
});

test("a clock that jumps back makes no news old", async () => {
  const sagas = await openSagas([order, stock, buying]);
  await sagas.send("stock", "s", "Fill", { amount: 2 });
  sagas.clock.advance(-3 * 60 * 60 * 1_000);
  await sagas.send("order", "o", "Place", { stock: "s" });
  await sagas.settle();
  expect(consumed(sagas)).toEqual([2, 5]);
});

test("an id that is no text is refused, and seen", async () => {
  const { machine, ...rest } = buying;
  const numbered = defineSaga({
    ...{ name: "numbered", settings: rest.settings, startedBy: ["Placed"], machine },
    correlate: { ...rest.correlate, Placed: () => 5 as unknown as string },
  });
  const sagas = await openSagas([order, stock, numbered]);
  await sagas.send("order", "o", "Place", { stock: "s" });
  await sagas.settle();
  expect(sagas.story("numbered", "~1")).toMatchObject([{ type: "SagaStuck", data: { reason: "NOT_AN_ID" } }]);
});
