/** Sagas that cannot go on: what waits for them meanwhile, and what becomes of it when somebody helps. */
import { defineSaga, type Saga, type SagaEventOf, type SagaReplies, send } from "retrace";
import { beforeEach, describe, expect, test } from "vitest";
import { assign, cancel, raise, setup } from "xstate";
import { z } from "zod";
import type { SagaEvents } from "../../src/core/saga-events.ts";
import { assertAllEnded, assertRowsAreFolds } from "./saga-laws.ts";
import { openSagas, type SagaSetting } from "./setting.ts";
import { order, type orderSchemas, stock } from "./shop.ts";

/** While it is set, the chart has a bug. */
let isBroken = true;
beforeEach(() => {
  isBroken = true;
});

const byOrder = { Placed: streamId, Shipped: streamId, Closed: streamId };

function streamId({ stream }: { readonly stream: string }): string {
  return stream.slice("order-".length);
}

/** Waits for a second, begins again whenever an order is shipped, and sets another timer that shipping takes back. */
function restless(edition = 0): Saga {
  const machine = setup({
    types: {
      context: {} as { readonly shipped: number },
      events: {} as SagaEventOf<typeof orderSchemas, "Placed" | "Shipped" | "Closed"> | { type: "LATER" },
    },
    guards: {
      isWhole: () => {
        if (isBroken) throw new Error("a bug in a guard");
        return true;
      },
    },
    actions: {
      count: assign(({ context }) => ({ shipped: context.shipped + 1 })),
      setLater: raise({ type: "LATER" }, { id: "later", delay: 1_000 }),
      cancelLater: cancel("later"),
    },
  }).createMachine({
    id: "restless",
    description: `edition ${edition}`,
    context: { shipped: 0 },
    initial: "begun",
    states: {
      begun: { on: { Placed: { target: "waiting", actions: "setLater" } } },
      waiting: {
        on: {
          Shipped: { guard: "isWhole", target: "waiting", reenter: true, actions: ["count", "cancelLater"] },
          LATER: "reminded",
          Closed: "closed",
        },
        after: { 1000: "late" },
      },
      reminded: { on: { Closed: "closed" } },
      late: { on: { Closed: "closed", LATER: "reminded" } },
      closed: { type: "final" },
    },
  });
  return defineSaga({ name: "restless", settings: z.object({}), startedBy: ["Placed"], correlate: byOrder, machine });
}

const steps = (sagas: SagaSetting, name: string, id: string): unknown[] =>
  sagas.story(name, id).map(({ type, data }) => [type, (data as { to?: unknown; reason?: unknown }).to]);

async function help(
  sagas: SagaSetting,
  name: string,
  id: string,
  how: SagaEvents["SagaResumed"]["how"],
): Promise<void> {
  await sagas.reactor.transaction((reaction) => {
    const loaded = sagas.options.sagas.get(name) ?? expect.fail();
    reaction.resume(reaction.find(loaded, id) ?? expect.fail(`${name} ${id} is not under way`), { how, by: "me" });
  });
}

/** Placed, and stuck at being shipped until its timers have come. */
async function stuckAtShipped(): Promise<SagaSetting> {
  const sagas = await openSagas([order, stock, restless()]);
  await sagas.send("order", "o", "Place", { stock: "s" });
  await sagas.settle();
  await sagas.send("order", "o", "Ship");
  await sagas.pass(5_000);
  expect(sagas.story("restless", "o").at(-1)).toMatchObject({
    type: "SagaStuck",
    data: { reason: "CHART_FAILED", at: "the event at position 4", state: "waiting" },
  });
  isBroken = false;
  return sagas;
}

describe("timers that fell due while a saga was stuck", () => {
  test("do not fire when what it was stuck at takes them back or sets them again", async () => {
    const sagas = await stuckAtShipped();
    await help(sagas, "restless", "o", "retried");
    expect(steps(sagas, "restless", "o").slice(3)).toEqual([
      ["SagaResumed", undefined],
      ["SagaAdvanced", "waiting"],
    ]);
    await sagas.pass(999);
    expect(steps(sagas, "restless", "o")).toHaveLength(5);
    await sagas.pass(1);
    expect(steps(sagas, "restless", "o").at(-1)).toEqual(["SagaTimerFired", "late"]);
  });

  test("fire once, in their order, when it is left out", async () => {
    const sagas = await stuckAtShipped();
    await help(sagas, "restless", "o", "skipped");
    await sagas.pass(10_000);
    expect(steps(sagas, "restless", "o").slice(4)).toEqual([["SagaTimerFired", "reminded"]]);
  });

  test("fire once, also when the chart's text changes meanwhile", async () => {
    const before = await stuckAtShipped();
    const { store, clock } = before;
    const sagas = await openSagas([order, stock, restless(1)], { store, clock });
    expect(sagas.reactor.nextDueMs()).toBeUndefined();
    await help(sagas, "restless", "o", "skipped");
    await sagas.pass(10_000);
    expect(steps(sagas, "restless", "o").slice(4)).toEqual([["SagaTimerFired", "reminded"]]);
    await sagas.send("order", "o", "Close", { how: "done" });
    await sagas.settle();
    assertAllEnded(store);
  });
});

test("an event of which nobody could say whom it concerns is seen, and tried again when somebody helps", async () => {
  const { machine, settings } = restless();
  const asking = defineSaga({
    ...{ name: "asking", settings, startedBy: ["Placed"], machine },
    correlate: {
      ...byOrder,
      Placed: (event) => {
        if (isBroken) throw new Error("a bug in correlate");
        return [streamId(event), "all"];
      },
    },
  });
  const sagas = await openSagas([order, stock, asking]);
  await sagas.send("order", "o", "Place", { stock: "s" });
  await sagas.settle();
  expect(sagas.story("asking", "~1")).toMatchObject([{ type: "SagaStuck", data: { reason: "CORRELATE_FAILED" } }]);
  await help(sagas, "asking", "~1", "retried");
  expect(sagas.story("asking", "~1").map(({ type }) => type)).toEqual(["SagaStuck", "SagaResumed", "SagaStuck"]);
  isBroken = false;
  await help(sagas, "asking", "~1", "retried");
  expect(sagas.story("asking", "~1").at(-1)?.type).toBe("SagaEnded");
  expect(steps(sagas, "asking", "o").at(-1)).toEqual(["SagaAdvanced", "waiting"]);
  expect(steps(sagas, "asking", "all").at(-1)).toEqual(["SagaAdvanced", "waiting"]);
  expect(Array.from(sagas.store.scan("sagas", {}), ({ key }) => key[1])).toEqual(["all", "o"]);
});

describe("refused commands", () => {
  /** Sends two commands that are both refused, and knows what to do about one refusal. */
  const machine = setup({
    types: {
      events: {} as SagaEventOf<typeof orderSchemas, "Placed"> | SagaReplies,
    },
    actions: {
      releaseTwice: send("stock", () => ["s", "t"].map((id) => ({ id, type: "Release", data: { order: "nobody's" } }))),
    },
  }).createMachine({
    id: "hasty",
    initial: "begun",
    states: {
      begun: { on: { Placed: { target: "sure", actions: "releaseTwice" } } },
      sure: { on: { SagaCommandRejected: "unsure" } },
      unsure: {},
    },
  });
  const { Placed } = byOrder;
  const hasty = defineSaga({
    name: "hasty",
    settings: z.object({}),
    startedBy: ["Placed"],
    correlate: { Placed },
    machine,
  });

  test("are never swallowed: one that finds the chart in another state leaves the saga stuck", async () => {
    const sagas = await openSagas([order, stock, hasty]);
    await sagas.send("order", "o", "Place", { stock: "s" });
    await sagas.settle();
    expect(steps(sagas, "hasty", "o").slice(2)).toEqual([
      ["SagaCommandRejected", "unsure"],
      ["SagaStuck", undefined],
    ]);
    expect(sagas.story("hasty", "o").at(-1)?.data).toMatchObject({
      reason: "COMMAND_REJECTED",
      at: "the rejection of Release",
    });
    await help(sagas, "hasty", "o", "skipped");
    expect([...sagas.store.scan("sagas", {})]).toMatchObject([{ value: { value: "unsure" } }]);
    assertRowsAreFolds(sagas.store, [hasty]);
  });
});

describe("a chart that ends, and is stuck at its last command", () => {
  const machine = setup({
    types: { events: {} as SagaEventOf<typeof orderSchemas, "Placed" | "Shipped"> | { type: "LATER" } },
    actions: {
      setLater: raise({ type: "LATER" }, { id: "later", delay: 1_000 }),
      reserve: send("stock", () => ({ id: "s", type: "Reserve", data: { order: "bug" } })),
    },
  }).createMachine({
    id: "brief",
    initial: "begun",
    states: {
      begun: { on: { Placed: { target: "waiting", actions: "setLater" } } },
      waiting: { on: { Shipped: "over", LATER: "over" } },
      over: { type: "final", entry: "reserve" },
    },
  });
  const { Placed, Shipped } = byOrder;
  const correlate = { Placed, Shipped };
  const brief = defineSaga({ name: "brief", settings: z.object({}), startedBy: ["Placed"], correlate, machine });

  test("has no timers any more", async () => {
    const sagas = await openSagas([order, stock, brief]);
    await sagas.send("order", "o", "Place", { stock: "s" });
    await sagas.settle();
    expect(sagas.reactor.nextDueMs()).toBeDefined();
    await sagas.send("order", "o", "Ship");
    await sagas.settle();
    expect(sagas.story("brief", "o").at(-1)).toMatchObject({ type: "SagaStuck", data: { reason: "INTERNAL" } });
    expect(sagas.reactor.nextDueMs()).toBeUndefined();
    assertRowsAreFolds(sagas.store, [brief]);
    await help(sagas, "brief", "o", "skipped");
    assertAllEnded(sagas.store);
  });
});

test.each([
  ["a delay that reaches beyond what a date can be", "later", 1e20, undefined, "DELAY_NOT_FINITE"],
  ["a timer whose id fits in no key", "x".repeat(3_000), 1_000, undefined, "TIMER_ID_TOO_LONG"],
  ["a timer with a map, of which no record would be true", "later", 1_000, new Map([[1, 2]]), "TIMER_NOT_PLAIN"],
  ["a timer with a number that JSON does not know", "later", 1_000, [{ ratio: Number.NaN }], "TIMER_NOT_PLAIN"],
])("%s leaves the saga stuck at the event", async (_, id, delay, what, reason) => {
  const { Placed } = byOrder;
  const machine = setup({
    types: { events: {} as SagaEventOf<typeof orderSchemas, "Placed"> | { type: "LATER"; what: unknown } },
    actions: { setLater: raise({ type: "LATER", what }, { id, delay }) },
  }).createMachine({ id: "odd", initial: "begun", states: { begun: { on: { Placed: { actions: "setLater" } } } } });
  const correlate = { Placed };
  const odd = defineSaga({ name: "odd", settings: z.object({}), startedBy: ["Placed"], correlate, machine });
  const sagas = await openSagas([order, stock, odd]);
  await sagas.send("order", "o", "Place", { stock: "s" });
  await sagas.settle();
  expect(sagas.story("odd", "o").at(-1)?.data).toMatchObject({ reason, at: "the event at position 1" });
});
