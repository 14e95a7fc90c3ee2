/** Why a field is what it is: the law of the fold over any history, and the chains of causes of a runtime that reacts. */
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import {
  type Client,
  connect as connectClient,
  createRuntime,
  defineAggregate,
  type EventStore,
  type Fault,
  fold,
  openMemoryStore,
  type RecordedEvent,
  type Runtime,
  type WhyReply,
} from "retrace";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { assign, setup } from "xstate";
import { z } from "zod";
import { takeActors } from "../../src/runtime/loader.ts";
import { fieldOf } from "../../src/runtime/queries/field-path.ts";
import { whyQuery } from "../../src/runtime/queries/why.ts";
import { buying, order, stock } from "../sagas/shop.ts";
import { connect } from "../support/connections.ts";
import { eventually } from "../support/eventually.ts";
import { startNats } from "../support/nats.ts";

interface Shelf {
  readonly count: number;
  readonly things: Readonly<Record<string, unknown>>;
}

const schemas = {
  commands: { Toggle: z.strictObject({}) },
  events: {
    Put: {
      version: 2,
      schema: z.looseObject({ key: z.string(), thing: z.unknown() }),
      upcasters: { 1: (data: unknown) => ({ thing: { size: 1 }, ...(data as object) }) },
    },
    Took: z.looseObject({ key: z.string() }),
    Toggled: z.looseObject({}),
  },
};

/** Holds things by keys with and without dots, and is open or closed. */
const shelf = defineAggregate({
  category: "shelf",
  schemas,
  machine: setup({
    types: {
      context: {} as Shelf,
      events: {} as
        | { type: "Put"; data: { key: string; thing: unknown } }
        | { type: "Took"; data: { key: string } }
        | { type: "Toggled" },
    },
    actions: {
      put: assign(({ context, event }) => {
        if (event.type !== "Put") return {};
        const { key, thing } = event.data;
        return { count: context.count + 1, things: { ...context.things, [key]: thing } };
      }),
      take: assign(({ context, event }) => {
        if (event.type !== "Took") return {};
        const { [event.data.key]: _, ...things } = context.things;
        return { things };
      }),
    },
  }).createMachine({
    id: "shelf",
    context: { count: 0, things: {} },
    initial: "open",
    on: { Put: { actions: "put" }, Took: { actions: "take" } },
    states: { open: { on: { Toggled: "closed" } }, closed: { on: { Toggled: "open" } } },
  }),
  decide: { Toggle: () => ({ type: "Toggled", data: {} }) },
});

const { aggregates } = takeActors([shelf]);

type Happened = readonly [type: string, data: unknown, schemaVersion?: number];

async function storeOf(history: readonly Happened[]): Promise<EventStore> {
  const store = openMemoryStore("test");
  const metadata = { correlationId: "c", causationId: "c", commandId: "c" };
  const recordedAt = "2026-01-01T00:00:00.000Z";
  await store.append(
    history.map(([type, data, schemaVersion = type === "Put" ? 2 : 1], i) => {
      const occurredAt = new Date(Date.UTC(2026, 0, 1, 0, 0, i)).toISOString();
      const where = { id: `e${i}`, stream: "shelf-s", category: "shelf", type, schemaVersion };
      return { ...where, data, occurredAt, recordedAt, metadata };
    }),
  );
  return store;
}

const key = fc.constantFrom("a", "a.b", "1.0", "1");
const thing = fc.oneof(fc.integer({ min: 0, max: 1 }), fc.record({ b: fc.boolean(), "0": fc.constant(null) }));
const happened: fc.Arbitrary<Happened> = fc.oneof(
  fc.tuple(fc.constant("Put"), fc.record({ key, thing })),
  fc.tuple(fc.constant("Put"), fc.record({ key }), fc.constant(1)),
  fc.tuple(fc.constant("Took"), fc.record({ key })),
  fc.tuple(fc.constant("Toggled"), fc.constant({})),
);
const field = fc.oneof(
  fc.constantFrom("state", "count", "things"),
  key.map((one) => `things.${one}`),
  fc.constantFrom("things.a.b", "things.1.0", "things.1.0.0", "things.a.size", "things.none"),
);

describe("the law:", () => {
  test("the event named changed the field, none after it did, and it is what the field has been since", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(happened, { minLength: 1, maxLength: 20 }),
        field,
        fc.nat(21),
        async (history, name, at) => {
          const store = await storeOf(history);
          const events = [...store.readStream("shelf-s")];
          const atVersion = Math.min(Math.max(1, at), events.length);
          const values = Array.from({ length: atVersion + 1 }, (_, version) =>
            fieldOf(fold(shelf, events.slice(0, version)), name),
          );
          const asked = whyQuery({ store, aggregates }).answer({
            ...{ category: "shelf", id: "s", field: name },
            ...(at < events.length && { atVersion }),
          });
          if (values.every((value) => value === undefined)) {
            await expect(asked).rejects.toMatchObject({ code: "NOT_FOUND" });
            return;
          }
          const { version, value, before, setBy } = (await asked) as WhyReply;
          expect(version).toBe(atVersion);
          expect(value).toEqual(values[atVersion]);
          const changedAt = setBy?.version ?? 0;
          expect(values.slice(changedAt).every((one) => isDeepStrictEqual(one, values[atVersion]))).toBe(true);
          if (setBy === null) return;
          expect(before).toEqual(values[changedAt - 1]);
          expect(before).not.toEqual(value);
          expect(setBy).toMatchObject({ id: events[changedAt - 1]?.id, type: events[changedAt - 1]?.type });
          expect(setBy).not.toHaveProperty("data");
        },
      ),
    );
  });
});

describe("asked of a history", () => {
  const history: readonly Happened[] = [
    ["Put", { key: "v1.0", thing: { status: "new", notes: ["a", "b"] } }],
    ["Put", { key: "v1.0", thing: { status: "old", notes: ["a", "c"] } }],
    ["Took", { key: "v1.0" }],
    ["Put", { key: "other" }, 1],
  ];
  const ask = async (name: string, point: object = {}) => {
    const store = await storeOf(history);
    const body = { category: "shelf", id: "s", field: name, ...point };
    return (await whyQuery({ store, aggregates }).answer(body)) as WhyReply;
  };

  test("it finds keys with dots, parts of lists, what upcasters made, and what is gone", async () => {
    expect(await ask("things.v1.0.status", { atVersion: 2 })).toMatchObject({ value: "old", setBy: { version: 2 } });
    expect(await ask("things.v1.0.notes.0", { atVersion: 2 })).toMatchObject({ value: "a", setBy: { version: 1 } });
    expect(await ask("things.other.size")).toMatchObject({ value: 1, setBy: { type: "Put", version: 4 } });
    const gone = await ask("things.v1.0");
    expect(gone).toMatchObject({ before: { status: "old" }, setBy: { type: "Took", version: 3 }, version: 4 });
    expect(gone).not.toHaveProperty("value");
  });

  test("as of a position, a recorded and an occurred time", async () => {
    expect(await ask("count", { atPosition: 1 })).toMatchObject({ value: 1, before: 0, version: 1 });
    expect(await ask("count", { atRecorded: "2026-01-01T00:00:00Z" })).toMatchObject({ value: 3, version: 4 });
    expect(await ask("count", { atOccurred: "2026-01-01T00:00:01Z" })).toMatchObject({ value: 2, version: 2 });
  });

  test("what no event has changed, nobody has set", async () => {
    expect(await ask("state")).toMatchObject({ value: "open", setBy: null, causes: [], hasMoreCauses: false });
  });

  test("a field that is not there is told beside those that are", async () => {
    const fields = async (name: string) => {
      const error = await ask(name).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "NOT_FOUND", message: expect.stringContaining(`no field ${name}`) });
      return (error as Fault).details.fields;
    };
    expect(await fields("thing")).toEqual(["state", "count", "things"]);
    expect(await fields("things.other.colour")).toEqual(["things.other.size"]);
    expect(await fields("toString")).toEqual(["state", "count", "things"]);
  });
});

test("a timer's command is followed back to the step that set the timer", async () => {
  const store = openMemoryStore("timers");
  const time = "2026-01-01T00:00:00.000Z";
  const step = (type: string, version: number, data: object) => ({
    ...{ id: `saga-${version}`, stream: "saga-clock-s", category: "saga", type, schemaVersion: 1, data, version },
    metadata: { correlationId: "c", causationId: "c", commandId: `saga-clock-s@${version}` },
    ...{ occurredAt: time, recordedAt: time },
  });
  const commands = [{ commandId: "saga-clock-s@3.1", category: "shelf", id: "s", type: "Toggle" }];
  const metadata = { correlationId: "c", causationId: "saga-2", commandId: "saga-clock-s@3.1" };
  const toggled = { ...step("Toggled", 1, {}), id: "toggled", stream: "shelf-s", category: "shelf", metadata };
  await store.append([
    step("SagaAdvanced", 1, { consumed: { position: 9 }, commands: [], timers: { set: [{ id: "t" }] } }),
    step("SagaAdvanced", 2, { consumed: { position: 9 }, commands: [], timers: { set: [{ id: "other" }] } }),
    step("SagaTimerFired", 3, { timer: "t", commands, timers: { set: [{ id: "t" }] } }),
    toggled,
  ]);
  const why = await whyQuery({ store, aggregates }).answer({ category: "shelf", id: "s", field: "state" });
  expect((why as WhyReply).causes.map(({ position }) => position)).toEqual([3, 1]);
});

describe("in a runtime that reacts", () => {
  let store: EventStore;
  let runtime: Runtime;
  let client: Client;

  beforeAll(async () => {
    const { url } = await startNats();
    store = openMemoryStore("reacting");
    runtime = await createRuntime({ store, nats: await connect(url), actors: [order, stock, buying] });
    client = await connectClient({ servers: url, actor: "ada" });
  });

  afterAll(async () => {
    await client?.close();
    await runtime?.close({ drainMs: 0 });
    await store?.close();
  });

  const chain = ({ causes }: WhyReply): string[] => causes.map(({ type, stream }) => `${type} ${stream}`);

  test("what a saga did is followed back through its steps to the client's command", async () => {
    await client.send("stock", "s1", { type: "Fill", data: { amount: 1 } }, { actor: "bob" });
    await client.send("order", "o1", { type: "Place", data: { stock: "s1" } }, { commandId: "place-o1" });
    const why = await eventually("the order is in stock", async () => {
      const asked = await client.why("stock", "s1", "left");
      return asked.value === 0 && asked;
    });
    expect(why.setBy).toMatchObject({
      ...{ type: "Reserved", stream: "stock-s1", version: 2 },
      metadata: { actor: { id: "saga:buying", verified: true }, correlationId: "place-o1" },
    });
    expect(chain(why)).toEqual(["SagaAdvanced saga-buying-o1", "Placed order-o1"]);
    expect(why.causes.at(-1)?.metadata).toMatchObject({ commandId: "place-o1", actor: { id: "ada", verified: false } });
    expect(await client.why("stock", "s1", "left", { atVersion: 1 })).toMatchObject({
      ...{ value: 1, before: 0, causes: [] },
      setBy: { type: "Filled", metadata: { actor: { id: "bob" } } },
    });
  });

  test("a refusal, and what the saga did about it", async () => {
    await client.send("order", "o2", { type: "Place", data: { stock: "empty" } });
    const why = await eventually("the order is closed", async () => {
      const asked = await client.why("order", "o2", "state");
      return asked.value === "closed" && asked;
    });
    expect(chain(why)).toEqual([
      "SagaCommandRejected saga-buying-o2",
      "SagaAdvanced saga-buying-o2",
      "Placed order-o2",
    ]);
  });

  test("what clients name as causes: an event by its id, or a command", async () => {
    const conversation = { correlationId: "talk" };
    await client.send("stock", "s3", { type: "Fill", data: { amount: 1 } }, { ...conversation, commandId: "fill-1" });
    const [filled] = [...store.readStream("stock-s3")] as [RecordedEvent];
    const fill = (amount: number, causationId: string) =>
      client.send("stock", "s3", { type: "Fill", data: { amount } }, { ...conversation, causationId });
    await fill(1, filled.id);
    expect(chain(await client.why("stock", "s3", "left"))).toEqual(["Filled stock-s3"]);
    await fill(1, "fill-1");
    expect((await client.why("stock", "s3", "left")).causes).toMatchObject([{ version: 1 }]);
    await fill(1, "of another system");
    expect((await client.why("stock", "s3", "left")).causes).toEqual([]);
  });

  test("long chains are cut, and command ids that look like a saga's are not believed", async () => {
    const options = { correlationId: "long" };
    await client.send(
      "stock",
      "s4",
      { type: "Fill", data: { amount: 1 } },
      { ...options, commandId: "saga-buying-o1@1.9" },
    );
    expect((await client.why("stock", "s4", "left")).causes).toEqual([]);
    for (let i = 0; i < 12; i++) {
      const causationId = [...store.readStream("stock-s4")].at(-1)?.id as string;
      await client.send("stock", "s4", { type: "Fill", data: { amount: 1 } }, { ...options, causationId });
    }
    const { causes, hasMoreCauses } = await client.why("stock", "s4", "left");
    expect(causes.map(({ version }) => version)).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4, 3]);
    expect(hasMoreCauses).toBe(true);
  });

  test("sagas tell themselves, and what is not there is said", async () => {
    const refusal = (category: string, id: string, name = "state") =>
      client.why(category, id, name).then(
        () => expect.unreachable(),
        (error: unknown) => (error as Fault).code,
      );
    expect(await refusal("saga", "buying-o1")).toBe("INVALID_QUERY");
    expect(await refusal("nothing", "x")).toBe("UNKNOWN_CATEGORY");
    expect(await refusal("stock", "none")).toBe("NOT_FOUND");
    expect(await refusal("stock", "s1", "")).toBe("INVALID_QUERY");
  });
});
