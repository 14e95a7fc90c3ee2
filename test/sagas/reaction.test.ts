/** What a saga's steps become: its history, its commands, its timers, and what comes back. */
import { defineSaga, type SagaEventOf, type SagaReplies, send } from "retrace";
import { describe, expect, test } from "vitest";
import { setup } from "xstate";
import { z } from "zod";
import { openSagas } from "./setting.ts";
import { buying, order, type orderSchemas, stock } from "./shop.ts";

const actors = [order, stock, buying];

describe("a saga over one order", () => {
  test("reserves, waits, and closes when the order is shipped", async () => {
    const sagas = await openSagas(actors);
    await sagas.send("stock", "s", "Fill", { amount: 1 });
    await sagas.send("order", "o", "Place", { stock: "s" });
    await sagas.settle();
    expect(sagas.story("buying", "o").map(({ type }) => type)).toEqual(["SagaStarted", "SagaAdvanced", "SagaAdvanced"]);
    await sagas.send("order", "o", "Ship");
    await sagas.settle();
    const story = sagas.story("buying", "o");
    expect(story.at(-2)).toMatchObject({ type: "SagaAdvanced", data: { from: "waiting", to: "shipped" } });
    expect(story.at(-1)).toMatchObject({ type: "SagaEnded", data: { how: "done", state: "shipped" } });
    expect([...sagas.store.readStream("order-o")].map(({ type }) => type)).toEqual(["Placed", "Shipped", "Closed"]);
    expect(sagas.reactor.nextDueMs()).toBeUndefined();
    expect([...sagas.store.scan("sagas", {})]).toEqual([]);
  });

  test("a refused command comes back, and the saga compensates", async () => {
    const sagas = await openSagas(actors);
    await sagas.send("order", "o", "Place", { stock: "s" });
    await sagas.settle();
    expect(sagas.story("buying", "o")[2]).toMatchObject({
      type: "SagaCommandRejected",
      data: { code: "REJECTED", reason: "SOLD_OUT", from: "reserving", to: "refused" },
    });
    expect([...sagas.store.readStream("order-o")].at(-1)).toMatchObject({ type: "Closed", data: { how: "refused" } });
  });

  test("timers are told by the clock alone: reminded twice, then given up", async () => {
    const sagas = await openSagas(actors);
    await sagas.send("stock", "s", "Fill", { amount: 1 });
    await sagas.send("order", "o", "Place", { stock: "s" });
    await sagas.pass(59_999);
    expect(sagas.story("buying", "o")).toHaveLength(3);
    await sagas.pass(1);
    expect(sagas.story("buying", "o").at(-1)).toMatchObject({ type: "SagaTimerFired", data: { to: "waiting" } });
    await sagas.pass(120_000);
    expect(sagas.story("buying", "o").map(({ type }) => type)).toEqual([
      "SagaStarted",
      "SagaAdvanced",
      "SagaAdvanced",
      "SagaTimerFired",
      "SagaTimerFired",
      "SagaTimerFired",
      "SagaEnded",
    ]);
    expect([...sagas.store.readStream("stock-s")].at(-1)).toMatchObject({ type: "Released" });
  });

  test("everything carries the correlation id of the start, and the step's event as its cause", async () => {
    const sagas = await openSagas(actors);
    await sagas.send("stock", "s", "Fill", { amount: 1 });
    await sagas.send("order", "o", "Place", { stock: "s" });
    await sagas.settle();
    const placed = [...sagas.store.readStream("order-o")][0];
    const reserved = [...sagas.store.readStream("stock-s")].at(-1);
    const { correlationId } = placed?.metadata ?? expect.fail();
    expect(reserved?.metadata).toEqual({
      correlationId,
      causationId: placed?.id,
      commandId: "saga-buying-o@2.1",
      actor: { id: "saga:buying", verified: true },
    });
    const advanced = [...sagas.store.readStream("saga-buying-o")].at(-1);
    expect(advanced?.metadata).toMatchObject({ correlationId, causationId: reserved?.id });
  });
});

describe("many commands", () => {
  const machine = setup({
    types: { events: {} as SagaEventOf<typeof orderSchemas, "Placed"> },
    actions: {
      fill: send("stock", () =>
        Array.from({ length: 1_000 }, (_, i) => ({ id: `s${i}`, type: "Fill", data: { amount: 1 } })),
      ),
    },
  }).createMachine({
    id: "generous",
    initial: "begun",
    states: { begun: { on: { Placed: { target: "over", actions: "fill" } } }, over: { type: "final" } },
  });
  const generous = defineSaga({
    name: "generous",
    settings: z.object({}),
    startedBy: ["Placed"],
    correlate: { Placed: () => "g" },
    machine,
  });

  test("of one step are all decided", async () => {
    const sagas = await openSagas([order, stock, generous]);
    await sagas.send("order", "o", "Place", { stock: "s" });
    await sagas.settle();
    expect(sagas.story("generous", "g").at(-1)?.type).toBe("SagaEnded");
    expect([...sagas.store.readAll({ types: ["Filled"] })]).toHaveLength(1_000);
  });

  test("in answer to one another are a saga that goes round in circles", async () => {
    const circling = setup({
      types: { events: {} as SagaEventOf<typeof orderSchemas, "Placed"> | SagaReplies },
      actions: { release: send("stock", () => ({ id: "s", type: "Release", data: { order: "nobody's" } })) },
    }).createMachine({
      id: "circling",
      initial: "on",
      states: { on: { on: { Placed: { actions: "release" }, SagaCommandRejected: { actions: "release" } } } },
    });
    const saga = defineSaga({
      name: "circling",
      settings: z.object({}),
      startedBy: ["Placed"],
      correlate: { Placed: () => "c" },
      machine: circling,
    });
    const sagas = await openSagas([order, stock, saga]);
    await sagas.send("order", "o", "Place", { stock: "s" });
    await sagas.settle();
    expect(sagas.story("circling", "c").at(-1)).toMatchObject({ type: "SagaStuck", data: { reason: "ENDLESS" } });
  });
});

describe("a saga that cannot go on", () => {
  test("a bug in a command leaves it stuck, with what came later kept for it", async () => {
    const sagas = await openSagas(actors);
    await sagas.send("order", "bug1", "Place", { stock: "s" });
    await sagas.settle();
    expect(sagas.story("buying", "bug1").at(-1)).toMatchObject({
      type: "SagaStuck",
      data: { reason: "INTERNAL", at: "the command Reserve to stock-s", state: "reserving" },
    });
    await sagas.send("order", "bug1", "Ship");
    await sagas.settle();
    const row = sagas.store.get("sagas", ["buying", "bug1"]) as { stuck: unknown; queue: unknown[] };
    expect(row.stuck).toMatchObject({ reason: "INTERNAL" });
    expect(row.queue).toHaveLength(2);
  });
});
