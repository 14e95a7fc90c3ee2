/**
 * A small domain for the tests of sagas: an order reserves stock and takes payment, each of which may refuse, and waits
 * for a carrier; whatever fails is undone in reverse order.
 */
import { ask, defineAggregate, defineSaga, reject, type SagaEventOf, type SagaReplies, send } from "retrace";
import { assign, setup } from "xstate";
import { z } from "zod";

const named = z.strictObject({ order: z.string() });

/** Places something for orders until nothing is left; what was placed can be taken back once. */
const store = {
  commands: {
    Fill: z.strictObject({ amount: z.int().min(0) }),
    Reserve: named,
    Release: named,
  },
  events: {
    Filled: z.looseObject({ amount: z.int() }),
    Reserved: z.looseObject({ order: z.string() }),
    Released: z.looseObject({ order: z.string() }),
  },
};

interface Stock {
  readonly left: number;
  readonly orders: readonly string[];
  /** How often something was taken back that was not there. */
  readonly wrong: number;
}

const stockMachine = setup({
  types: {
    context: {} as Stock,
    events: {} as
      | { type: "Filled"; data: { amount: number } }
      | { type: "Reserved" | "Released"; data: { order: string } },
  },
}).createMachine({
  id: "stock",
  context: { left: 0, orders: [], wrong: 0 },
  on: {
    Filled: { actions: assign(({ context, event }) => ({ left: context.left + event.data.amount })) },
    Reserved: {
      actions: assign(({ context, event }) => ({
        left: context.left - 1,
        orders: [...context.orders, event.data.order],
      })),
    },
    Released: {
      actions: assign(({ context, event }) => ({
        left: context.left + 1,
        orders: context.orders.filter((order) => order !== event.data.order),
      })),
    },
  },
});

export const stock = defineAggregate({
  category: "stock",
  schemas: store,
  machine: stockMachine,
  decide: {
    Fill: (_state, { data }) => ({ type: "Filled", data }),
    Reserve: ({ context }, { data }) => {
      if (data.order.startsWith("bug")) throw new Error("a bug in decide");
      if (context.orders.includes(data.order)) return reject("RESERVED_TWICE", "this order has its piece");
      return context.left > 0 ? { type: "Reserved", data } : reject("SOLD_OUT", "nothing is left");
    },
    Release: ({ context }, { data }) => {
      if (!context.orders.includes(data.order)) return reject("NOT_RESERVED", "this order has no piece");
      return { type: "Released", data };
    },
  },
});

export const orderSchemas = {
  commands: {
    Place: z.strictObject({ stock: z.string() }),
    Ship: z.strictObject({}),
    Close: z.strictObject({ how: z.string() }),
  },
  events: {
    Placed: z.looseObject({ stock: z.string() }),
    Shipped: z.looseObject({}),
    Closed: z.looseObject({ how: z.string() }),
  },
};

const orderMachine = setup({
  types: { events: {} as { type: "Placed" | "Shipped" | "Closed" } },
}).createMachine({
  id: "order",
  initial: "empty",
  states: {
    empty: { on: { Placed: "placed" } },
    placed: { on: { Shipped: "shipped", Closed: "closed" } },
    shipped: { on: { Closed: "closed" } },
    closed: {},
  },
});

export const order = defineAggregate({
  category: "order",
  schemas: orderSchemas,
  machine: orderMachine,
  decide: {
    Place: (_state, { data }) => ({ type: "Placed", data }),
    Ship: (_state, { data }) => ({ type: "Shipped", data }),
    Close: (_state, { data }) => ({ type: "Closed", data }),
  },
});

const settings = z.object({ patienceMs: z.number().default(60_000), reminders: z.int().default(2) });
type Settings = z.output<typeof settings>;

interface Buying {
  readonly order: string;
  readonly stock: string;
  readonly reminded: number;
}

const machine = setup({
  types: {
    context: {} as Buying,
    input: {} as { id: string },
    events: {} as
      | SagaEventOf<typeof orderSchemas, "Placed" | "Shipped", Settings>
      | SagaEventOf<typeof store, "Reserved", Settings>
      | SagaReplies<Settings>,
  },
  delays: { patience: ({ event }) => event.settings.patienceMs },
  guards: {
    isRefused: ({ event }) => event.type === "SagaCommandRejected" && event.data.command.type === "Reserve",
    mayRemind: ({ context, event }) => context.reminded < event.settings.reminders,
  },
  actions: {
    remember: assign(({ event }) => (event.type === "Placed" ? { stock: event.data.stock } : {})),
    remind: assign(({ context }) => ({ reminded: context.reminded + 1 })),
    reserve: send("stock", ({ context }) => ({ id: context.stock, type: "Reserve", data: { order: context.order } })),
    release: send("stock", ({ context }) => ({ id: context.stock, type: "Release", data: { order: context.order } })),
    closeShipped: send("order", ({ context }) => ({ id: context.order, type: "Close", data: { how: "shipped" } })),
    closeRefused: send("order", ({ context }) => ({ id: context.order, type: "Close", data: { how: "refused" } })),
    closeLate: send("order", ({ context }) => ({ id: context.order, type: "Close", data: { how: "late" } })),
  },
}).createMachine({
  id: "buying",
  context: ({ input }) => ({ order: input.id, stock: "", reminded: 0 }),
  initial: "begun",
  states: {
    begun: { on: { Placed: { target: "reserving", actions: ["remember", "reserve"] } } },
    reserving: {
      on: {
        Reserved: "waiting",
        SagaCommandRejected: { target: "refused", guard: "isRefused" },
      },
    },
    waiting: {
      on: { Shipped: "shipped" },
      after: {
        patience: [{ target: "waiting", guard: "mayRemind", actions: "remind", reenter: true }, { target: "late" }],
      },
    },
    shipped: { entry: "closeShipped", type: "final" },
    refused: { entry: "closeRefused", type: "final" },
    late: { entry: ["release", "closeLate"], type: "final" },
  },
});

export const buying = defineSaga({
  name: "buying",
  settings,
  startedBy: ["Placed"],
  correlate: {
    Placed: ({ stream }) => stream.slice("order-".length),
    Shipped: ({ stream }) => stream.slice("order-".length),
    Reserved: ({ data }) => (data as { order: string }).order,
  },
  machine,
});

export { ask };
