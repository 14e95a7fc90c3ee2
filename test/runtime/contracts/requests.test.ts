/** What the contracts say of queries, verbs and many commands at once, against a runtime that answers them over NATS. */
import { createRuntime, defineProjection, type EventStore, type Runtime } from "retrace";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { asyncApi } from "../../../src/runtime/contracts/asyncapi.ts";
import type { JsonSchema } from "../../../src/runtime/contracts/json-schema.ts";
import { queries, type RequestContract, verbs } from "../../../src/runtime/contracts/requests.ts";
import { openLmdbStore } from "../../../src/store/lmdb.ts";
import { type Edge, errorOf, openEdge } from "../../protocol/edge.ts";
import { buying, order, stock } from "../../sagas/shop.ts";
import { connect } from "../../support/connections.ts";
import { eventually } from "../../support/eventually.ts";
import { startNats } from "../../support/nats.ts";
import { tempDir } from "../../support/temp.ts";

/** Takes no order that is wrong. */
const orders = defineProjection<unknown>({
  name: "orders",
  version: 1,
  mode: "sync",
  on: {
    Placed: ({ stream, data }, rows) => {
      if (stream.endsWith("wrong")) throw new Error("it is wrong");
      rows.put(stream, data);
    },
  },
});

let store: EventStore;
let runtime: Runtime;
let edge: Edge;

beforeAll(async () => {
  const { url } = await startNats();
  store = openLmdbStore({ path: tempDir(), newId: () => "id" });
  runtime = await createRuntime({ store, nats: await connect(url), actors: [order, stock, buying, orders] });
  edge = await openEdge(url);
});

afterAll(async () => {
  await runtime?.close({ drainMs: 0 });
  await store?.close();
});

/** Asks by the contract, and reads the reply by it. */
async function ask(kind: "qry" | "adm", name: string, body: object = {}): Promise<unknown> {
  const contract = (kind === "qry" ? queries : verbs)[name as never] as RequestContract;
  contract.body.parse(body);
  const reply = JSON.parse((await edge.request(`${kind}.${name}`, body)).body.toString());
  const parsed = contract.reply.safeParse(reply);
  expect(parsed.error, `${name}: ${JSON.stringify(reply)}`).toBeUndefined();
  return reply;
}

const recorded = {
  ...{ id: "e1", position: 1, stream: "order-o0", category: "order", version: 1, type: "Placed", schemaVersion: 1 },
  ...{ data: { stock: "s" }, occurredAt: "2025-01-01T00:00:00.000Z", recordedAt: "2025-01-01T00:00:00.000Z" },
  metadata: { correlationId: "c", causationId: "c", commandId: "c", actor: { id: "ada", verified: false } },
};

describe("the contracts name", () => {
  test.each([
    ["qry", "UNKNOWN_QUERY", queries],
    ["adm", "UNKNOWN_COMMAND", verbs],
  ])("on %s all that the runtime answers, and nothing else", async (kind, code, contracts) => {
    const { known } = errorOf(await edge.request(`${kind}.nothing`), code);
    expect(known).toEqual(Object.keys(contracts).sort());
  });
});

test("what is asked as the contracts say is answered as they say", async () => {
  await ask("adm", "import-events", { afterPosition: 0, events: [recorded] });
  await edge.command("order.o1.Place", { stock: "s" });
  await edge.command("order.bug1.Place", { stock: "s" });
  await edge.command("order.wrong.Place", { stock: "s" });
  await eventually("a saga is stuck", async () => {
    const { instances } = (await ask("qry", "sagas", { name: "buying", status: "stuck" })) as { instances: object[] };
    return instances.length === 1;
  });

  await ask("qry", "state", { category: "order", id: "o1", atVersion: 1 });
  await ask("qry", "state", { category: "saga", id: "buying-o1" });
  await ask("qry", "history", { category: "saga", id: "buying-bug1", limit: 1 });
  const why = { category: "order", id: "o1", field: "state" };
  expect(await ask("qry", "why", why)).toMatchObject({ value: "closed" });
  expect(await ask("qry", "why", { ...why, atVersion: 1 })).toMatchObject({ setBy: { type: "Placed" }, causes: [] });
  await ask("qry", "events", { types: ["Placed"], since: "2025-01-01T00:00:00+01:00", limit: 2 });
  await ask("qry", "health");
  await ask("qry", "catalog");
  await ask("qry", "projection", { name: "orders", where: { stock: { prefix: "s" } }, limit: 1 });
  const parked = (await ask("qry", "projection-parked", { name: "orders" })) as { parked: { position: number }[] };
  const positions = parked.parked.map(({ position }) => position);
  expect(positions).toHaveLength(1);

  await ask("adm", "retry-parked", { name: "orders", positions });
  await ask("adm", "skip-parked", { name: "orders", positions });
  await ask("adm", "rebuild", { name: "orders", hold: true });
  await eventually("a build stands by", async () => {
    const { projections } = (await ask("qry", "health")) as { projections: { standby?: unknown }[] };
    return projections[0]?.standby;
  });
  await ask("qry", "projection-diff", { a: "orders", b: "orders@standby" });
  await ask("adm", "switch", { name: "orders" });
  await ask("adm", "drop-standby", { name: "orders" });
  await ask("adm", "retry", { saga: "buying", id: "bug1", by: "ada" });
  await ask("adm", "skip", { saga: "buying", id: "bug1", by: "ada" });
  await ask("adm", "resolve", { saga: "buying", id: "bug1", by: "ada", reason: "by hand" });
});

test("many commands at once, and what they are answered", async () => {
  const document = asyncApi({ contracts: {}, versionsOf: () => new Map(), prefix: "retrace" });
  const schemas = (document.components as { schemas: Record<string, JsonSchema> }).schemas;
  const read = (name: string): z.ZodType => {
    const alone = { $schema: "http://json-schema.org/draft-07/schema#", ...schemas[name], definitions: schemas };
    const text = JSON.stringify(alone).replaceAll("#/components/schemas/", "#/definitions/");
    return z.fromJSONSchema(JSON.parse(text));
  };
  const command = { category: "order", id: "many", type: "Place", data: { stock: "s" } };
  const body = {
    commands: [{ ...command, headers: { "Nats-Msg-Id": "m1" } }, { ...command, type: "Ship", data: {} }, command],
  };
  const reply = JSON.parse((await edge.request("bulk", body)).body.toString());

  expect(read("bulk").safeParse(body).error).toBeUndefined();
  expect(read("bulk").safeParse({ commands: [] }).success).toBe(false);
  expect(
    read("bulk").safeParse({ commands: [{ ...command, headers: { "Retrace-Expected-Version": "x" } }] }).success,
  ).toBe(false);
  expect(reply.replies).toMatchObject([{ version: 1 }, { version: 2 }, { error: { code: "NOT_ALLOWED_IN_STATE" } }]);
  expect(read("bulk.reply").safeParse(reply).error).toBeUndefined();
  expect(read("bulk.reply").safeParse({ replies: [{ stream: "order-many" }] }).success).toBe(false);
});
