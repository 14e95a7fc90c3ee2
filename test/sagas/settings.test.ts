/** Where a saga's settings come from, and that they are those of the log. */
import { defineSaga, type SagaEventOf, send } from "retrace";
import { expect, test } from "vitest";
import { setup } from "xstate";
import { z } from "zod";
import policy from "../../actors/aggregates/policy.ts";
import { overStore } from "./over-store.ts";
import { openPackedStore } from "./packed-store.ts";
import { openSagas } from "./setting.ts";
import { order, type orderSchemas, stock } from "./shop.ts";

const settings = z.object({ how: z.string().default("by default") });
type Settings = z.output<typeof settings>;

/** Sets its own policy when an order is placed, and closes orders as its policy says when they are shipped. */
const machine = setup({
  types: {
    context: {} as { readonly order: string },
    input: {} as { id: string },
    events: {} as SagaEventOf<typeof orderSchemas, "Placed" | "Shipped", Settings>,
  },
  actions: {
    setPolicy: send("policy", () => ({ id: "self", type: "SetPolicy", data: { settings: { how: "by the saga" } } })),
    close: send("order", ({ context, event }) => ({
      id: context.order,
      type: "Close",
      data: { how: event.settings.how },
    })),
  },
}).createMachine({
  id: "self",
  context: ({ input }) => ({ order: input.id }),
  initial: "begun",
  states: {
    begun: { on: { Placed: { target: "placed", actions: "setPolicy" } } },
    placed: { on: { Shipped: { target: "closed", actions: "close" } } },
    closed: { type: "final" },
  },
});
const streamId = ({ stream }: { readonly stream: string }): string => stream.slice("order-".length);
const self = defineSaga({
  name: "self",
  settings,
  startedBy: ["Placed"],
  correlate: { Placed: streamId, Shipped: streamId },
  machine,
});

test("settings that were never committed are not remembered", async () => {
  const inner = openPackedStore("settings");
  let fails = false;
  const store = overStore(inner, {
    withTransaction: (work) =>
      inner.withTransaction((tx) => {
        const result = work(tx);
        if (fails) throw new Error("the disk is full");
        return result;
      }),
  });
  const sagas = await openSagas([order, stock, policy, self], { store });
  const place = async (id: string): Promise<void> => void (await sagas.send("order", id, "Place", { stock: "s" }));
  await place("o");
  await place("p");
  fails = true;
  await expect(sagas.settle()).rejects.toThrow("the disk is full");
  fails = false;
  // What a person sets in the meantime gets the version that was never committed.
  await sagas.send("policy", "self", "SetPolicy", { settings: { how: "by a person" } });
  expect(sagas.options.policies.current(self).settings).toEqual({ how: "by a person" });
});
