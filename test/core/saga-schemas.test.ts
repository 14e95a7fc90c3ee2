/** The schemas of saga events, against the events of sagas to which everything has happened that can happen. */
import { ask, defineProjection, defineSaga, type RecordedEvent, type Saga, type SagaEventOf, send } from "retrace";
import { expect, test } from "vitest";
import { type AnyStateMachine, assign, setup } from "xstate";
import { z } from "zod";
import type { SagaEventType } from "../../src/core/saga-events.ts";
import { sagaEventSchemas } from "../../src/core/saga-schemas.ts";
import { openSagas, type SagaSetting } from "../sagas/setting.ts";
import { buying, order, type orderSchemas, stock } from "../sagas/shop.ts";

const { Placed, Shipped } = buying.correlate as typeof buying.correlate & { Placed: never; Shipped: never };

/** Asks, and is told; sends what breaks; ends with an output. */
function curious(version: number, waiting: string): Saga {
  const machine = setup({
    types: { events: {} as SagaEventOf<typeof orderSchemas, "Placed" | "Shipped"> | { type: "SagaAnswered" } },
    actions: {
      askAll: ask("placed", () => ({ prefix: "", limit: 10 })),
      askOne: ask("placed", () => ({ key: "order-o" })),
      breakStock: send("stock", () => ({ id: "s", type: "Reserve", data: { order: "bug" } })),
    },
  }).createMachine({
    id: "curious",
    initial: "begun",
    states: {
      begun: { on: { Placed: { target: waiting, actions: ["askAll", "askOne"] } } },
      [waiting]: {
        after: { 60000: { actions: "breakStock" } },
        on: { SagaAnswered: { actions: assign({}) }, Shipped: "over" },
      },
      over: { type: "final" },
    },
    output: { told: true },
  } as never);
  return defineSaga({
    name: "curious",
    version,
    settings: z.object({}),
    startedBy: ["Placed"],
    correlate: { Placed, Shipped },
    machine: machine as unknown as AnyStateMachine,
    ...(version > 1 && { migrate: ({ context }) => ({ value: waiting, context }) }),
  });
}

const placed = defineProjection<unknown>({
  name: "placed",
  version: 1,
  mode: "sync",
  on: { Placed: { key: ({ stream }) => stream, apply: (_row, { data }) => data } },
});

async function help(sagas: SagaSetting, name: string, id: string, how: "retried" | "skipped" | "resolved") {
  await sagas.reactor.transaction((reaction) => {
    const instance = reaction.find(sagas.options.sagas.get(name) ?? expect.fail(), id) ?? expect.fail(`no ${id}`);
    const words = { by: "ada", reason: "it is time" };
    if (how === "resolved") reaction.resolve(instance, words);
    else reaction.resume(instance, { how, ...words });
  });
}

/** All saga events of a log in which nothing was spared. */
async function story(): Promise<readonly RecordedEvent[]> {
  const first = await openSagas([order, stock, buying, curious(1, "waiting"), placed]);
  const { store, clock } = first;
  await first.send("stock", "s", "Fill", { amount: 1 });
  for (const id of ["o", "p", "bug1"]) await first.send("order", id, "Place", { stock: "s" });
  await first.pass(60_000);
  await help(first, "buying", "bug1", "retried");
  await help(first, "buying", "bug1", "resolved");
  await help(first, "curious", "o", "skipped");
  const second = await openSagas([order, stock, buying, curious(2, "patient"), placed], { store, clock });
  await second.send("order", "o", "Ship");
  await second.pass(120_000);
  return [...store.readAll({ categories: ["saga"] })];
}

test("every event fits its schema, and has no field that its schema does not name", async () => {
  const events = await story();
  const seen = new Map<string, Set<string>>();
  for (const { stream, version, type, data } of events) {
    const schema = sagaEventSchemas[type as SagaEventType];
    expect(schema.safeParse(data).error, `${stream}@${version} ${type}`).toBeUndefined();
    seen.set(type, new Set([...(seen.get(type) ?? []), ...Object.keys(data as object)]));
  }
  const fields = Object.entries(sagaEventSchemas).map(([type, schema]) => {
    return [type, Object.keys(z.toJSONSchema(schema, { io: "input" }).properties ?? {}).sort()] as const;
  });
  // Nothing in this story has no reason or no output, so all fields are seen, too.
  expect(Array.from(seen, ([type, names]) => [type, [...names].sort()]).sort()).toEqual(fields.sort());
});

test("an event that lacks a field, or has another type of value there, does not fit", async () => {
  for (const { type, data } of await story()) {
    const schema = sagaEventSchemas[type as SagaEventType];
    const { required = [] } = z.toJSONSchema(schema, { io: "input" });
    expect(required.length).toBeGreaterThan(1);
    for (const name of required.filter((field) => typeof (data as never)[field] !== "undefined")) {
      const { [name]: value, ...rest } = data as Record<string, unknown>;
      expect(schema.safeParse(rest).success, `${type} without ${name}`).toBe(false);
      if (typeof value === "number") expect(schema.safeParse({ ...rest, [name]: "x" }).success).toBe(false);
    }
  }
});
