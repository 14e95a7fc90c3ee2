/** What a saga's steps become: its history, its commands, its timers, and what comes back. */
import { describe, expect, test } from "vitest";
import { openSagas } from "./setting.ts";
import { buying, order, stock } from "./shop.ts";

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
