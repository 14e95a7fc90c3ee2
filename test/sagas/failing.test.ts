/** What the store or a saga's own values make impossible: taken back as a whole, tried again, and never in the way of others. */
import { defineSaga, type EventStore, type NewEvent, type SagaEventOf, send, type Transaction } from "retrace";
import { describe, expect, test } from "vitest";
import { assign, setup } from "xstate";
import { z } from "zod";
import { Fault } from "../../src/core/fault.ts";
import { overStore } from "./over-store.ts";
import { openPackedStore } from "./packed-store.ts";
import { openSagas, type SagaSetting } from "./setting.ts";
import { buying, order, type orderSchemas, stock } from "./shop.ts";

const types = (sagas: SagaSetting, stream: string): string[] =>
  Array.from(sagas.store.readStream(stream), ({ type }) => type);

describe("a store that fails in the middle of a step", () => {
  test.each(["before", "after"])("takes the whole step back, and it is taken again (%s the append)", async (when) => {
    const inner = openPackedStore("failing");
    let fails = false;
    const append = ((events: readonly NewEvent[], tx: Transaction) => {
      const isReservation = fails && events.some(({ type }) => type === "Reserved");
      if (isReservation && when === "before") throw new Error("the disk is gone");
      const result = inner.append(events, tx);
      if (isReservation) throw new Error("the disk is gone");
      return result;
    }) as EventStore["append"];
    const sagas = await openSagas([order, stock, buying], { store: overStore(inner, { append }) });
    await sagas.send("stock", "s", "Fill", { amount: 1 });
    await sagas.send("order", "o", "Place", { stock: "s" });
    fails = true;
    await expect(sagas.settle()).rejects.toThrow("the disk is gone");
    expect(sagas.store.position()).toBe(2);
    fails = false;
    await sagas.settle();
    expect(types(sagas, "stock-s")).toEqual(["Filled", "Reserved"]);
    expect(types(sagas, "saga-buying-o")).toEqual(["SagaStarted", "SagaAdvanced", "SagaAdvanced"]);
  });
});

test("a store that cannot be read while a command is decided leaves nothing stuck", async () => {
  const inner = openPackedStore("unreadable");
  let fails = false;
  const readStream: EventStore["readStream"] = (stream, range) => {
    if (fails && stream === "stock-s") throw new Fault("STORE_UNAVAILABLE", "a page is missing");
    return inner.readStream(stream, range);
  };
  const first = await openSagas([order, stock, buying], { store: inner });
  await first.send("stock", "s", "Fill", { amount: 1 });
  await first.send("order", "o", "Place", { stock: "s" });
  const { clock } = first;
  const sagas = await openSagas([order, stock, buying], { store: overStore(inner, { readStream }), clock });
  fails = true;
  await expect(sagas.settle()).rejects.toThrow("a page is missing");
  fails = false;
  await sagas.settle();
  expect(types(sagas, "saga-buying-o")).toEqual(["SagaStarted", "SagaAdvanced", "SagaAdvanced"]);
});

test("a projection that cannot be read while an event is correlated leaves nothing stuck", async () => {
  const { machine, correlate, settings } = buying;
  const asking = defineSaga({
    ...{ name: "asking", settings, startedBy: ["Placed"], machine },
    correlate: { ...correlate, Placed: (_event, { read }) => read("orders", "o") as string },
  });
  let fails = true;
  const rows = () => {
    if (fails) throw new Fault("STORE_UNAVAILABLE", "a page is missing");
    return [{ key: "o", value: "found" }];
  };
  const sagas = await openSagas([order, stock, asking], { rows });
  await sagas.send("order", "o", "Place", { stock: "s" });
  await expect(sagas.settle()).rejects.toThrow("a page is missing");
  fails = false;
  await sagas.settle();
  expect(types(sagas, "saga-asking-found")[0]).toBe("SagaStarted");
});

describe("values that cannot be stored", () => {
  const machine = setup({
    types: { context: {} as { odd: unknown }, events: {} as SagaEventOf<typeof orderSchemas, "Placed"> },
    actions: {
      keep: assign(({ event }) => ({ odd: event.data.stock === "odd" ? Symbol("odd") : "even" })),
      fill: send("stock", () => ({ id: "s", type: "Fill", data: { amount: 1 } })),
    },
  }).createMachine({
    id: "odd",
    context: { odd: undefined },
    initial: "begun",
    states: { begun: { on: { Placed: { target: "placed", actions: ["keep", "fill"] } } }, placed: {} },
  });
  const odd = defineSaga({
    name: "odd",
    settings: z.object({}),
    startedBy: ["Placed"],
    correlate: { Placed: ({ stream }) => stream.slice("order-".length) },
    machine,
  });

  /** As the follower does it. */
  async function settleAgain(sagas: SagaSetting, times: number): Promise<void> {
    for (let i = 0; i < times; i++) await sagas.settle().catch(() => sagas.reactor.reload());
  }

  test("are tried again, and then set aside, so that other instances go on", async () => {
    const sagas = await openSagas([order, stock, odd]);
    await sagas.send("order", "o", "Place", { stock: "odd" });
    await sagas.send("order", "p", "Place", { stock: "even" });
    await settleAgain(sagas, 5);
    expect(types(sagas, "saga-odd-p")).toEqual(["SagaStarted", "SagaAdvanced"]);
    expect(types(sagas, "saga-odd-o")).toEqual(["SagaStuck"]);
    expect(sagas.story("odd", "o")[0]?.data).toMatchObject({ reason: "STEP_FAILED", at: "the event at position 1" });
    expect(types(sagas, "stock-s")).toEqual(["Filled"]);
  });
});
