/** Timers of sagas by the clock alone: each fires once, whatever takes it back and sets it again on the way. */
import { defineSaga, type Saga, type SagaEventOf } from "retrace";
import { expect, test } from "vitest";
import { cancel, raise, setup } from "xstate";
import { z } from "zod";
import { assertRowsAreFolds } from "./saga-laws.ts";
import { openSagas, type SagaSetting } from "./setting.ts";
import { order, type orderSchemas, stock } from "./shop.ts";

const streamId = ({ stream }: { readonly stream: string }): string => stream.slice("order-".length);

/** Sets three timers for the same moment: the first takes the second back, the third sets it again for now. */
function three(edition = 0): Saga {
  const machine = setup({
    types: {
      events: {} as SagaEventOf<typeof orderSchemas, "Placed" | "Shipped"> | { type: "FIRST" | "SECOND" | "THIRD" },
    },
    actions: {
      setFirst: raise({ type: "FIRST" }, { id: "1", delay: 1_000 }),
      setSecond: raise({ type: "SECOND" }, { id: "2", delay: 1_000 }),
      setThird: raise({ type: "THIRD" }, { id: "3", delay: 1_000 }),
      cancelSecond: cancel("2"),
      setSecondNow: raise({ type: "SECOND" }, { id: "2", delay: 0 }),
    },
  }).createMachine({
    id: "three",
    description: `edition ${edition}`,
    initial: "begun",
    states: {
      begun: { on: { Placed: { target: "waiting", actions: ["setFirst", "setSecond", "setThird"] } } },
      waiting: {
        on: {
          FIRST: { actions: "cancelSecond" },
          THIRD: { actions: "setSecondNow" },
          SECOND: "fired",
          Shipped: "deaf",
        },
      },
      fired: {},
      deaf: { on: { Placed: "fired" } },
    },
  });
  return defineSaga({
    name: "three",
    settings: z.object({}),
    startedBy: ["Placed"],
    correlate: { Placed: streamId, Shipped: streamId },
    machine,
  });
}

const fired = (sagas: SagaSetting): unknown[] =>
  sagas
    .story("three", "o")
    .filter(({ type }) => type === "SagaTimerFired")
    .map(({ data }) => (data as { timer: string }).timer);

async function placed(): Promise<SagaSetting> {
  const sagas = await openSagas([order, stock, three()]);
  await sagas.send("order", "o", "Place", { stock: "s" });
  await sagas.settle();
  return sagas;
}

test("one that is taken back and set again in the millisecond it was due fires", async () => {
  const sagas = await placed();
  await sagas.pass(1_000);
  expect(fired(sagas)).toEqual(["1", "3", "2"]);
  assertRowsAreFolds(sagas.store, [three()]);
});

test("ones that the chart does not accept are gone, also when its text changes afterwards", async () => {
  const before = await placed();
  await before.send("order", "o", "Ship");
  await before.pass(1_000);
  expect(fired(before)).toEqual([]);
  const { store, clock } = before;
  const sagas = await openSagas([order, stock, three(1)], { store, clock });
  expect(sagas.reactor.nextDueMs()).toBeUndefined();
});

test("one that is raised again under its id is moved: it fires once, when it was last set for", async () => {
  const machine = setup({
    types: { events: {} as SagaEventOf<typeof orderSchemas, "Placed" | "Shipped"> | { type: "LATER" } },
    actions: { setLater: raise({ type: "LATER" }, { id: "later", delay: 1_000 }) },
  }).createMachine({
    id: "moving",
    initial: "begun",
    states: {
      begun: { on: { Placed: { target: "waiting", actions: "setLater" } } },
      waiting: { on: { Shipped: { actions: "setLater" }, LATER: { target: "waiting", reenter: true } } },
    },
  });
  const moving = defineSaga({
    name: "moving",
    settings: z.object({}),
    startedBy: ["Placed"],
    correlate: { Placed: streamId, Shipped: streamId },
    machine,
  });
  const sagas = await openSagas([order, stock, moving]);
  await sagas.send("order", "o", "Place", { stock: "s" });
  await sagas.pass(600);
  await sagas.send("order", "o", "Ship");
  await sagas.pass(10_000);
  const fired = sagas.story("moving", "o").filter(({ type }) => type === "SagaTimerFired");
  expect(fired).toMatchObject([{ data: { dueAt: "2026-01-01T00:00:01.600Z" } }]);
});
