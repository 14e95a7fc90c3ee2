/**
 * The sagas of the simulation. Between them they use all that a chart may have: parallel states, deep history, eventless
 * transitions, timers of states, delayed raises that are cancelled, questions, several instances for one event, and a
 * context that JSON could not carry. An edition does what every other does, under another fingerprint.
 */
import { ask, defineSaga, type Saga, type SagaEventOf, type SagaReplies, send } from "retrace";
import { assertEvent, assign, cancel, raise, setup } from "xstate";
import { z } from "zod";
import {
  type accountSchemas,
  brokenInTrouble,
  type carrierSchemas,
  type purchaseSchemas,
  type stockSchemas,
} from "./market.ts";

const minute = 60_000;
const hour = 60 * minute;

const patience = z.object({
  patienceMs: z.number().default(hour),
  deadlineMs: z.number().default(12 * hour),
  reminders: z.int().default(2),
  /** Changes what is recorded, and nothing of what is done. */
  remark: z.string().default(""),
});
type Patience = z.output<typeof patience>;

interface Fulfilment {
  readonly order: string;
  readonly stocks: readonly string[];
  readonly account: string;
  readonly amount: number;
  /** Pieces that were asked for and not refused, with when they came: NaN until then. */
  readonly pieces: ReadonlyMap<string, number>;
  readonly placedAt: Date;
  readonly isPaid: boolean;
  readonly isConfirmed: boolean;
  readonly isBooked: boolean;
  readonly isShipped: boolean;
  readonly carrier: string | undefined;
  readonly reminded: number;
  readonly outcome: string;
}

/** Takes an order from its placement to its close, or undoes what it has done for it. */
function fulfilment(edition: number): Saga {
  const machine = setup({
    types: {
      context: {} as Fulfilment,
      input: {} as { id: string; now: string },
      output: {} as { readonly outcome: string; readonly reminded: number; readonly carriers: number },
      events: {} as
        | SagaEventOf<
            typeof purchaseSchemas,
            "Placed" | "Confirmed" | "Paused" | "Resumed" | "Shipped" | "Cancelled" | "Closed",
            Patience
          >
        | SagaEventOf<typeof stockSchemas, "Reserved", Patience>
        | SagaEventOf<typeof accountSchemas, "Paid", Patience>
        | SagaEventOf<typeof carrierSchemas, "Booked", Patience>
        | SagaReplies<Patience>
        | { readonly type: "DEADLINE" },
    },
    delays: { patience: ({ event }) => ("settings" in event ? event.settings.patienceMs : hour) },
    guards: {
      hasAllPieces: ({ context: { stocks, pieces } }) => stocks.every((stock) => (pieces.get(stock) ?? Number.NaN) > 0),
      isPaid: ({ context }) => context.isPaid,
      isConfirmed: ({ context }) => {
        brokenInTrouble();
        return context.isConfirmed;
      },
      isBooked: ({ context }) => context.isBooked,
      isShipped: ({ context }) => context.isShipped,
      mayRemind: ({ context, event }) =>
        context.reminded < ("settings" in event ? event.settings.reminders : Number.NaN),
      isRefused: ({ event }) => isRejected(event, "SOLD_OUT", "NO_MONEY"),
      isCancelledMeanwhile: ({ event }) => isRejected(event, "NOT_ALLOWED_IN_STATE"),
      isNothingToUndo: ({ event }) => isRejected(event, "NOTHING_TO_UNDO", "SOLD_OUT", "NO_MONEY"),
    },
    actions: {
      remember: assign(({ event }) => {
        assertEvent(event, "Placed");
        const { stocks, account, amount } = event.data;
        const pieces = new Map(stocks.map((stock) => [stock, Number.NaN]));
        return { stocks, account, amount, pieces, placedAt: new Date(event.occurredAt) };
      }),
      setDeadline: raise(
        { type: "DEADLINE" },
        { id: "deadline", delay: ({ event }) => ("settings" in event ? event.settings.deadlineMs : 0) },
      ),
      cancelDeadline: cancel("deadline"),
      reserve: send("stock", ({ context: { stocks, order } }) =>
        stocks.map((id) => ({ id, type: "Reserve", data: { order } })),
      ),
      pay: send("account", ({ context: { account, order, amount } }) => ({
        id: account,
        type: "Pay",
        data: { order, amount },
      })),
      confirm: send("purchase", ({ context }) => ({ id: context.order, type: "Confirm" })),
      askForCarrier: ask("carriers", () => ({ prefix: "", limit: 10 })),
      book: send("carrier", ({ context: { carrier, order } }) => ({
        id: carrier ?? "nobody",
        type: "Book",
        data: { order },
      })),
      remind: send("diary", ({ context: { order, reminded } }) => ({
        id: order,
        type: "Note",
        data: { text: `reminded ${reminded}` },
      })),
      release: send("stock", ({ context: { pieces, order } }) =>
        Array.from(pieces.keys(), (id) => ({ id, type: "Release", data: { order } })),
      ),
      refund: send("account", ({ context: { account, order } }) => ({ id: account, type: "Refund", data: { order } })),
      unbook: send("carrier", ({ context: { carrier, order } }) =>
        carrier === undefined ? undefined : { id: carrier, type: "Unbook", data: { order } },
      ),
      close: send("purchase", ({ context: { order, outcome } }) => ({
        id: order,
        type: "Close",
        data: { how: outcome },
      })),
      takePiece: assign(({ context, event }) => {
        assertEvent(event, "Reserved");
        return { pieces: new Map(context.pieces).set(event.streamId, event.position) };
      }),
      dropPiece: assign(({ context, event }) => {
        assertEvent(event, "SagaCommandRejected");
        const { category, id } = event.data.command;
        return { pieces: new Map([...context.pieces].filter(([stock]) => category !== "stock" || stock !== id)) };
      }),
      markPaid: assign({ isPaid: true }),
      markConfirmed: assign({ isConfirmed: true }),
      markBooked: assign({ isBooked: true }),
      markShipped: assign({ isShipped: true }),
      chooseCarrier: assign(({ event }) => {
        assertEvent(event, "SagaAnswered");
        const loads = event.data.rows.map(({ key, value }) => ({ key, load: value as number }));
        return { carrier: loads.sort((a, b) => a.load - b.load)[0]?.key };
      }),
      countReminder: assign(({ context }) => ({ reminded: context.reminded + 1 })),
      endShipped: assign({ outcome: "shipped" }),
      endRefused: assign({ outcome: "refused" }),
      endCancelled: assign({ outcome: "cancelled" }),
      endLate: assign({ outcome: "late" }),
      stay: assign({}),
    },
  }).createMachine({
    id: "fulfilment",
    description: `edition ${edition}`,
    context: ({ input }) => ({
      order: input.id,
      stocks: [],
      account: "",
      amount: 0,
      pieces: new Map(),
      placedAt: new Date(input.now),
      isPaid: false,
      isConfirmed: false,
      isBooked: false,
      isShipped: false,
      carrier: undefined,
      reminded: 0,
      outcome: "",
    }),
    output: ({ context: { outcome, reminded, carrier } }) => ({
      outcome,
      reminded,
      carriers: carrier === undefined || outcome !== "shipped" ? 0 : 1,
    }),
    initial: "begun",
    states: {
      begun: {
        on: { Placed: { target: "open", actions: ["remember", "setDeadline", "reserve", "pay"] } },
      },
      open: {
        initial: "working",
        on: {
          Reserved: { actions: "takePiece" },
          Paid: { actions: "markPaid" },
          Confirmed: { actions: "markConfirmed" },
          Booked: { actions: "markBooked" },
          Shipped: { actions: "markShipped" },
          Cancelled: { target: "undoing", actions: "endCancelled" },
          DEADLINE: { target: "undoing", actions: "endLate" },
          SagaCommandRejected: [
            { guard: "isRefused", target: "undoing", actions: ["dropPiece", "endRefused"] },
            { guard: "isCancelledMeanwhile", actions: "stay" },
          ],
        },
        states: {
          working: {
            initial: "preparing",
            on: { Paused: "paused" },
            states: {
              preparing: {
                type: "parallel",
                states: {
                  goods: {
                    initial: "wanted",
                    states: {
                      wanted: { always: { guard: "hasAllPieces", target: "there" } },
                      there: { type: "final" },
                    },
                  },
                  money: {
                    initial: "wanted",
                    states: { wanted: { always: { guard: "isPaid", target: "there" } }, there: { type: "final" } },
                  },
                },
                onDone: { target: "confirming", actions: "confirm" },
              },
              confirming: {
                always: { guard: "isConfirmed", target: "booking", actions: "askForCarrier" },
              },
              booking: {
                on: { SagaAnswered: { actions: ["chooseCarrier", "book"] } },
                always: { guard: "isBooked", target: "waiting" },
              },
              waiting: {
                always: { guard: "isShipped", target: "#fulfilment.closing", actions: "endShipped" },
                after: {
                  patience: [
                    { guard: "mayRemind", target: "waiting", reenter: true, actions: ["countReminder", "remind"] },
                    { target: "#fulfilment.undoing", actions: "endLate" },
                  ],
                },
              },
              last: { type: "history", history: "deep" },
            },
          },
          paused: { on: { Resumed: "working.last" } },
        },
      },
      undoing: {
        entry: ["cancelDeadline", "release", "refund", "unbook", "close"],
        on: {
          SagaCommandRejected: { guard: "isNothingToUndo", actions: "stay" },
          Closed: "closed",
        },
      },
      closing: {
        entry: ["cancelDeadline", "close"],
        on: { Closed: "closed" },
      },
      closed: { type: "final" },
    },
  });
  return defineSaga({
    name: "fulfilment",
    settings: patience,
    startedBy: ["Placed"],
    correlate: {
      Placed: ofPurchase,
      Confirmed: ofPurchase,
      Paused: ofPurchase,
      Resumed: ofPurchase,
      Shipped: ofPurchase,
      Cancelled: ofPurchase,
      Closed: ofPurchase,
      Reserved: ofOrder,
      Paid: ofOrder,
      Booked: ofOrder,
    },
    machine,
  });
}

function isRejected(event: { readonly type: string }, ...reasons: readonly string[]): boolean {
  if (event.type !== "SagaCommandRejected") return false;
  const { code, reason } = (event as Extract<SagaReplies, { type: "SagaCommandRejected" }>).data;
  return reasons.includes(code === "REJECTED" ? (reason ?? "") : code);
}

const ofPurchase = ({ stream }: { readonly stream: string }): string => stream.slice("purchase-".length);
const ofOrder = ({ data }: { readonly data: unknown }): string => (data as { readonly order: string }).order;

const quiet = z.object({ quietMs: z.number().default(24 * hour) });

interface Counts {
  readonly placed: number;
  readonly closed: ReadonlySet<string>;
}

/** Counts the orders of a customer, and all of them, until nothing has come for a day. */
function tally(edition: number): Saga {
  type Quiet = z.output<typeof quiet>;
  const machine = setup({
    types: {
      context: {} as Counts,
      output: {} as { readonly placed: number; readonly closed: number },
      events: {} as SagaEventOf<typeof purchaseSchemas, "Placed" | "Closed", Quiet>,
    },
    delays: { quiet: ({ event }) => event.settings.quietMs },
    actions: {
      countPlaced: assign(({ context }) => ({ placed: context.placed + 1 })),
      countClosed: assign(({ context, event }) => ({ closed: new Set(context.closed).add(event.streamId) })),
    },
  }).createMachine({
    id: "tally",
    description: `edition ${edition}`,
    context: { placed: 0, closed: new Set<string>() },
    output: ({ context }) => ({ placed: context.placed, closed: context.closed.size }),
    initial: "begun",
    on: {
      Placed: { target: ".counting", reenter: true, actions: "countPlaced" },
      Closed: { target: ".counting", reenter: true, actions: "countClosed" },
    },
    states: {
      begun: {},
      counting: { after: { quiet: "over" } },
      over: { type: "final" },
    },
  });
  return defineSaga({
    name: "tally",
    settings: quiet,
    startedBy: ["Placed"],
    correlate: {
      Placed: ({ data }) => ["all", `of-${(data as { readonly customer: string }).customer}`],
      Closed: ({ stream }, { read }) => {
        const placed = read("purchases", stream) as { readonly customer: string } | undefined;
        return placed === undefined ? undefined : ["all", `of-${placed.customer}`];
      },
    },
    machine,
  });
}

const beats = 5;

/** Notes five beats, ten seconds apart, and sets out to be reminded of itself, which never happens. */
function pulse(edition: number): Saga {
  const machine = setup({
    types: {
      context: {} as { readonly order: string; readonly beat: number },
      input: {} as { id: string },
      events: {} as
        | SagaEventOf<typeof purchaseSchemas, "Placed">
        | { readonly type: "BEAT"; readonly beat: number }
        | { readonly type: "FORGOTTEN" },
    },
    guards: {
      isLast: ({ context }) => {
        brokenInTrouble();
        return context.beat === beats - 1;
      },
    },
    actions: {
      raiseBeat: raise(({ context }) => ({ type: "BEAT", beat: context.beat + 1 }), { id: "beat", delay: 10_000 }),
      raiseForgotten: raise({ type: "FORGOTTEN" }, { id: "forgotten", delay: 100 * hour }),
      cancelForgotten: cancel("forgotten"),
      count: assign(({ event }) => {
        assertEvent(event, "BEAT");
        return { beat: event.beat };
      }),
      note: send("diary", ({ context }) => ({
        id: context.order,
        type: "Note",
        data: { text: `beat ${context.beat}` },
      })),
    },
  }).createMachine({
    id: "pulse",
    description: `edition ${edition}`,
    context: ({ input }) => ({ order: input.id, beat: 0 }),
    initial: "begun",
    states: {
      begun: { on: { Placed: { target: "beating", actions: ["raiseForgotten", "raiseBeat"] } } },
      beating: {
        on: {
          BEAT: [
            { guard: "isLast", target: "resting", actions: ["count", "note", "cancelForgotten"] },
            { actions: ["count", "note", "raiseBeat"] },
          ],
          FORGOTTEN: "forgotten",
        },
      },
      resting: { type: "final" },
      forgotten: { type: "final" },
    },
  });
  return defineSaga({
    name: "pulse",
    settings: z.object({}),
    startedBy: ["Placed"],
    correlate: { Placed: ofPurchase },
    machine,
  });
}

/** All sagas of the simulation. */
export function marketSagas(edition = 0): readonly Saga[] {
  return [fulfilment(edition), tally(edition), pulse(edition)];
}
