/** `openSagas` of `retrace/testing`, as a user's test of a saga calls it. */
import { builtInActors, defineSaga, Fault, loadActors, send } from "retrace";
import type { RetraceDomain } from "retrace/schemas";
import { openSagas, testClock } from "retrace/testing";
import { describe, expect, test } from "vitest";
import { setup } from "xstate";
import { z } from "zod";
import { buying, order, type orderSchemas, stock } from "../sagas/shop.ts";

type Shop = { order: typeof orderSchemas };

const actors = [order, stock, buying];

describe("driven sagas", () => {
  test("do nothing before they are let, and then all there is to do", async () => {
    const sagas = await openSagas(actors);
    await sagas.send("stock", "s", { type: "Fill", data: { amount: 1 } });
    await sagas.send("order", "o", { type: "Place", data: { stock: "s" } });
    expect(sagas.instance("buying", "o")).toBeUndefined();
    await sagas.settle();
    expect(sagas.instance("buying", "o")).toEqual({
      status: "running",
      state: "waiting",
      context: { order: "o", stock: "s", reminded: 0 },
      timers: [{ id: "xstate.after.patience.buying.waiting", dueAt: "2026-01-01T00:01:00.000Z" }],
    });
    expect(sagas.history("stock", "s").map(({ type }) => type)).toEqual(["Filled", "Reserved"]);
    expect(sagas.history("saga", "buying-o")).toHaveLength(3);
  });

  test("have timers that fire on the way, each at its time", async () => {
    const sagas = await openSagas(actors);
    await sagas.send("stock", "s", { type: "Fill", data: { amount: 1 } });
    await sagas.send("order", "o", { type: "Place", data: { stock: "s" } });
    await sagas.pass(179_999);
    expect(sagas.instance("buying", "o")).toMatchObject({ state: "waiting", context: { reminded: 2 } });
    await sagas.pass(1);
    expect(sagas.instance("buying", "o")).toEqual({
      status: "ended",
      state: "late",
      context: undefined,
      timers: [],
    });
    const fired = sagas.history("saga", "buying-o").filter(({ type }) => type === "SagaTimerFired");
    expect(fired.map(({ occurredAt }) => occurredAt.slice(14, 23))).toEqual(["01:00.000", "02:00.000", "03:00.000"]);
    expect(sagas.clock.now()).toBe("2026-01-01T00:03:00.000Z");
  });

  test("follow a policy from their next step on, and one that does not fit is an error", async () => {
    const sagas = await openSagas(actors);
    await sagas.send("stock", "s", { type: "Fill", data: { amount: 1 } });
    await sagas.setPolicy("buying", { patienceMs: 1_000, reminders: 0 });
    await expect(sagas.setPolicy("buying", { patienceMs: "long" })).rejects.toThrow(
      /do not fit buying: patienceMs: .*expected number/,
    );
    await expect(sagas.setPolicy("selling", {})).rejects.toThrow("there is no saga selling; there are buying");
    await sagas.send("order", "o", { type: "Place", data: { stock: "s" } });
    await sagas.pass(1_000);
    expect(sagas.instance("buying", "o")).toMatchObject({ status: "ended", state: "late" });
    expect(sagas.history("policy", "buying")).toHaveLength(1);
  });

  test("do not see history: what occurred long before it was recorded", async () => {
    const sagas = await openSagas(actors);
    const place = { type: "Place", data: { stock: "s" } };
    await sagas.send("order", "o", place, { occurredAt: "2025-06-01T12:00:00Z" });
    await sagas.settle();
    expect(sagas.instance("buying", "o")).toBeUndefined();
    expect(() => sagas.instance("selling", "o")).toThrow("there is no saga selling");
  });

  test("say why one cannot go on", async () => {
    const sagas = await openSagas(actors);
    await sagas.send("order", "bug1", { type: "Place", data: { stock: "s" } });
    await sagas.settle();
    expect(sagas.instance("buying", "bug1")).toMatchObject({
      status: "stuck",
      state: "reserving",
      stuck: { reason: "INTERNAL", message: expect.stringContaining("Reserve failed") },
    });
  });

  test("go on where others stood, as after a restart", async () => {
    const before = await openSagas([order, stock]);
    await before.send("stock", "s", { type: "Fill", data: { amount: 1 } });
    await before.send("order", "early", { type: "Place", data: { stock: "s" } });
    await before.settle();
    const { store, clock } = before;
    const sagas = await openSagas(actors, { store, clock });
    await sagas.send("order", "o", { type: "Place", data: { stock: "s" } });
    await sagas.settle();
    const again = await openSagas(actors, { store, clock });
    await again.pass(60_000);
    expect(again.instance("buying", "o")).toMatchObject({ context: { reminded: 1 } });
    // What was recorded before a saga was there is nothing to it.
    expect(again.instance("buying", "early")).toBeUndefined();
  });
});

test("of those that ship, with all that is around them, as they are loaded", async () => {
  const sagas = await openSagas<RetraceDomain>(await loadActors([builtInActors]));
  await sagas.send("training-run", "r1", { type: "StartTraining", data: { userId: "ada" } });
  const modelArtifact = { id: "m" };
  const finalMetrics = { accuracy: 0.9 };
  await sagas.send("training-run", "r1", { type: "CompleteTraining", data: { modelArtifact, finalMetrics } });
  await sagas.settle();
  expect(sagas.instance("model-promotion", "r1")).toMatchObject({ status: "running" });
  expect(sagas.history("model", "m").map(({ type }) => type)).toContain("ModelVersioned");
});

describe("a command to driven sagas", () => {
  test("is answered, known again by its id, and typed by the domain", async () => {
    const sagas = await openSagas<Shop>(actors, { clock: testClock(Date.parse("2030-05-01T00:00:00Z")) });
    const place = { type: "Place", data: { stock: "s" } } as const;
    const reply = await sagas.send("order", "o", place, { commandId: "c1", actor: "ada" });
    expect(reply).toMatchObject({ stream: "order-o", version: 1, events: [{ type: "Placed" }] });
    expect(await sagas.send("order", "o", place, { commandId: "c1" })).toMatchObject({ version: 1, duplicate: true });
    const [placed] = sagas.history("order", "o");
    expect(placed).toMatchObject({
      recordedAt: "2030-05-01T00:00:00.000Z",
      metadata: { commandId: "c1", actor: { id: "ada", verified: false } },
    });
    // @ts-expect-error: the command has no such field
    await expect(sagas.send("order", "o", { type: "Place", data: { stok: "s" } })).rejects.toThrow(Fault);
  });

  test.each([
    ["a rejection", "stock", "s", "Release", { order: "o" }, "REJECTED"],
    ["an event out of order", "order", "o", "Ship", {}, "NOT_ALLOWED_IN_STATE"],
    ["a body that does not fit", "order", "o", "Place", {}, "INVALID_COMMAND"],
    ["a body that is too large", "order", "o", "Place", { stock: "s".repeat(300_000) }, "PAYLOAD_TOO_LARGE"],
    ["an id that is none", "order", "a.b", "Place", { stock: "s" }, "INVALID_COMMAND"],
    ["a category that is not there", "parcel", "p", "Post", {}, "UNKNOWN_CATEGORY"],
  ])("fails with the code of the protocol for %s", async (_, category, id, type, data, code) => {
    const sagas = await openSagas(actors);
    await expect(sagas.send(category, id, { type, data })).rejects.toMatchObject({ code });
  });
});

test("sagas that break a rule are refused, with all problems", async () => {
  const machine = setup({ actions: { tell: send("order", () => ({ id: "o", type: "Ship" })) } }).createMachine({
    id: "wrong",
    initial: "a",
    states: { a: { on: { Placed: { actions: "tell" } } } },
  });
  const wrong = defineSaga({
    name: "Wrong",
    settings: z.object({ limit: z.number() }),
    startedBy: ["Placed", "Lost"],
    correlate: { Placed: () => "o" },
    machine,
  });
  await expect(openSagas([order, wrong])).rejects.toThrow(
    /the actors have 3 problems:\n.*kebab-case\n.*no defaults: limit\n.*startedBy names Lost/,
  );
});
