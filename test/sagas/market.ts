/**
 * The aggregates of the simulation: stocks and accounts that may refuse, carriers of whom one is chosen, purchases that
 * clients make, and a diary in which whatever was done twice would stand twice.
 */
import { type ChartEventOf, defineAggregate, type EventOf, reject, type Schemas } from "retrace";
import { assertEvent, assign, setup } from "xstate";
import { z } from "zod";

/** While it is on, some decisions and guards have a bug. */
export const trouble = { isOn: false };

/** A part of the code that is broken now and then. */
export function brokenInTrouble(): void {
  if (trouble.isOn) throw new Error("a bug");
}

const ofOrder = z.strictObject({ order: z.string() });
const happenedToOrder = z.looseObject({ order: z.string() });

export const stockSchemas = {
  commands: { Fill: z.strictObject({ amount: z.int() }), Reserve: ofOrder, Release: ofOrder },
  events: { Filled: z.looseObject({ amount: z.int() }), Reserved: happenedToOrder, Released: happenedToOrder },
} satisfies Schemas;

interface Stock {
  readonly left: number;
  readonly orders: readonly string[];
}

const stockMachine = setup({
  types: { context: {} as Stock, events: {} as ChartEventOf<typeof stockSchemas> },
}).createMachine({
  id: "stock",
  context: { left: 0, orders: [] },
  on: {
    Filled: { actions: assign(({ context, event }) => ({ left: context.left + event.data.amount })) },
    Reserved: {
      actions: assign(({ context: { left, orders }, event }) => ({
        left: left - 1,
        orders: [...orders, event.data.order],
      })),
    },
    Released: {
      actions: assign(({ context: { left, orders }, event }) => ({
        left: left + 1,
        orders: orders.filter((order) => order !== event.data.order),
      })),
    },
  },
});

const stock = defineAggregate({
  category: "stock",
  schemas: stockSchemas,
  machine: stockMachine,
  decide: {
    Fill: (_state, { data }) => ({ type: "Filled", data }),
    Reserve: ({ context }, { data }) => {
      if (context.orders.includes(data.order)) return reject("RESERVED_TWICE", "this order has its piece");
      return context.left > 0 ? { type: "Reserved", data } : reject("SOLD_OUT", "nothing is left");
    },
    Release: ({ context }, { data }) => {
      const isReserved = context.orders.includes(data.order);
      return isReserved ? { type: "Released", data } : reject("NOTHING_TO_UNDO", "this order has no piece");
    },
  },
});

const payment = { order: z.string(), amount: z.int() };

export const accountSchemas = {
  commands: { Deposit: z.strictObject({ amount: z.int() }), Pay: z.strictObject(payment), Refund: ofOrder },
  events: {
    Deposited: z.looseObject({ amount: z.int() }),
    Paid: z.looseObject(payment),
    Refunded: z.looseObject(payment),
  },
} satisfies Schemas;

interface Account {
  readonly balance: number;
  /** Amounts by order. */
  readonly payments: Readonly<Record<string, number>>;
}

const accountMachine = setup({
  types: { context: {} as Account, events: {} as ChartEventOf<typeof accountSchemas> },
}).createMachine({
  id: "account",
  context: { balance: 0, payments: {} },
  on: {
    Deposited: { actions: assign(({ context, event }) => ({ balance: context.balance + event.data.amount })) },
    Paid: {
      actions: assign(({ context: { balance, payments }, event: { data } }) => ({
        balance: balance - data.amount,
        payments: { ...payments, [data.order]: data.amount },
      })),
    },
    Refunded: {
      actions: assign(({ context: { balance, payments }, event: { data } }) => ({
        balance: balance + data.amount,
        payments: Object.fromEntries(Object.entries(payments).filter(([order]) => order !== data.order)),
      })),
    },
  },
});

const account = defineAggregate({
  category: "account",
  schemas: accountSchemas,
  machine: accountMachine,
  decide: {
    Deposit: (_state, { data }) => ({ type: "Deposited", data }),
    Pay: ({ context }, { data }) => {
      brokenInTrouble();
      if (data.order in context.payments) return reject("PAID_TWICE", "this order is paid");
      return context.balance < data.amount ? reject("NO_MONEY", "the balance is too low") : { type: "Paid", data };
    },
    Refund: ({ context }, { data: { order } }) => {
      const amount = context.payments[order];
      if (amount === undefined) return reject("NOTHING_TO_UNDO", "this order is not paid");
      return { type: "Refunded", data: { order, amount } };
    },
  },
});

export const carrierSchemas = {
  commands: { Book: ofOrder, Unbook: ofOrder },
  events: { Booked: happenedToOrder, Unbooked: happenedToOrder },
} satisfies Schemas;

const carrierMachine = setup({
  types: { context: {} as { readonly orders: readonly string[] }, events: {} as ChartEventOf<typeof carrierSchemas> },
}).createMachine({
  id: "carrier",
  context: { orders: [] },
  on: {
    Booked: { actions: assign(({ context, event }) => ({ orders: [...context.orders, event.data.order] })) },
    Unbooked: {
      actions: assign(({ context, event }) => ({
        orders: context.orders.filter((order) => order !== event.data.order),
      })),
    },
  },
});

const carrier = defineAggregate({
  category: "carrier",
  schemas: carrierSchemas,
  machine: carrierMachine,
  decide: {
    Book: ({ context }, { data }) => {
      return context.orders.includes(data.order)
        ? reject("BOOKED_TWICE", "it is on its way")
        : { type: "Booked", data };
    },
    Unbook: ({ context }, { data }) => {
      const isBooked = context.orders.includes(data.order);
      return isBooked ? { type: "Unbooked", data } : reject("NOTHING_TO_UNDO", "this order is not booked");
    },
  },
});

const nothing = z.strictObject({});
const happened = z.looseObject({});
const placed = {
  customer: z.string(),
  stocks: z.array(z.string()),
  account: z.string(),
  amount: z.int(),
};

export const purchaseSchemas = {
  commands: {
    Place: z.strictObject(placed),
    Confirm: nothing,
    Pause: nothing,
    Resume: nothing,
    Ship: nothing,
    Cancel: nothing,
    Close: z.strictObject({ how: z.string() }),
  },
  events: {
    Placed: z.looseObject(placed),
    Confirmed: happened,
    Paused: happened,
    Resumed: happened,
    Shipped: happened,
    Cancelled: happened,
    Closed: z.looseObject({ how: z.string() }),
  },
} satisfies Schemas;

const purchaseMachine = setup({
  types: {
    context: {} as { readonly isPaused: boolean; readonly how: string },
    events: {} as ChartEventOf<typeof purchaseSchemas>,
  },
  guards: {
    isPaused: ({ context }) => context.isPaused,
    isGoing: ({ context }) => !context.isPaused,
  },
  actions: {
    pause: assign({ isPaused: true }),
    resume: assign({ isPaused: false }),
    close: assign(({ event }) => {
      assertEvent(event, "Closed");
      return { how: event.data.how };
    }),
  },
}).createMachine({
  id: "purchase",
  context: { isPaused: false, how: "" },
  initial: "empty",
  states: {
    empty: { on: { Placed: "open" } },
    open: {
      initial: "placed",
      on: {
        Paused: { guard: "isGoing", actions: "pause" },
        Resumed: { guard: "isPaused", actions: "resume" },
        Cancelled: "cancelled",
        Closed: { target: "closed", actions: "close" },
      },
      states: {
        placed: { on: { Confirmed: "confirmed" } },
        confirmed: { on: { Shipped: { guard: "isGoing", target: "#purchase.shipped" } } },
      },
    },
    shipped: { on: { Closed: { target: "closed", actions: "close" } } },
    cancelled: { on: { Closed: { target: "closed", actions: "close" } } },
    closed: {},
  },
});

const purchase = defineAggregate({
  category: "purchase",
  schemas: purchaseSchemas,
  machine: purchaseMachine,
  decide: {
    Place: (_state, { data }) => ({ type: "Placed", data }),
    Confirm: () => ({ type: "Confirmed", data: {} }),
    Pause: () => ({ type: "Paused", data: {} }),
    Resume: () => ({ type: "Resumed", data: {} }),
    Ship: () => ({ type: "Shipped", data: {} }),
    Cancel: () => ({ type: "Cancelled", data: {} }),
    Close: (_state, { data }) => ({ type: "Closed", data }),
  },
});

export const diarySchemas = {
  commands: { Note: z.strictObject({ text: z.string() }) },
  events: { Noted: z.looseObject({ text: z.string() }) },
} satisfies Schemas;

const diaryMachine = setup({
  types: { context: {} as { readonly notes: readonly string[] }, events: {} as ChartEventOf<typeof diarySchemas> },
}).createMachine({
  id: "diary",
  context: { notes: [] },
  on: { Noted: { actions: assign(({ context, event }) => ({ notes: [...context.notes, event.data.text] })) } },
});

const diary = defineAggregate({
  category: "diary",
  schemas: diarySchemas,
  machine: diaryMachine,
  decide: {
    Note: (_state, { data }): EventOf<typeof diarySchemas> => {
      brokenInTrouble();
      return { type: "Noted", data };
    },
  },
});

export const market = [stock, account, carrier, purchase, diary];
