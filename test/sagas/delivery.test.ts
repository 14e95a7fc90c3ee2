/** However events are handed over, each is reacted to once and in the order of the log. */
import type { RecordedEvent } from "retrace";
import { expect, test } from "vitest";
import { openSagas, type SagaSetting } from "./setting.ts";
import { buying, order, stock } from "./shop.ts";

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
