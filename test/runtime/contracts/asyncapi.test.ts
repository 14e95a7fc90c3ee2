/** The AsyncAPI document, as AsyncAPI's own parser reads it, and against what goes over the wire. */
import { readFileSync } from "node:fs";
import { type AsyncAPIDocumentInterface, Parser } from "@asyncapi/parser";
import { builtInActors, loadActors } from "retrace";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { asyncApi } from "../../../src/runtime/contracts/asyncapi.ts";
import { contractsOf } from "../../../src/runtime/contracts/contracts.ts";
import type { JsonSchema } from "../../../src/runtime/contracts/json-schema.ts";
import { queries, verbs } from "../../../src/runtime/contracts/requests.ts";
import { commandHeaders, eventHeaders } from "../../../src/runtime/contracts/wire-schemas.ts";
import { takeActors } from "../../../src/runtime/loader.ts";
import { eventMessage } from "../../../src/wire/cloud-event.ts";
import { buying, order, stock } from "../../sagas/shop.ts";
import { actorsWith } from "./actors.ts";

const errorSeverity = 0;

/** Parses the document. @throws when the parser finds an error. */
async function parse(document: JsonSchema): Promise<AsyncAPIDocumentInterface> {
  const parsed = await new Parser().parse(JSON.stringify(document));
  const errors = parsed.diagnostics.filter(({ severity }) => severity === errorSeverity);
  expect(errors.map(({ message, path }) => `${path.join(".")}: ${message}`)).toEqual([]);
  return parsed.document as AsyncAPIDocumentInterface;
}

test("of the actors that ship: every command with its reply, every event with its versions, every other request", async () => {
  const contracts = contractsOf(await loadActors([builtInActors]));
  const versionsOf = (category: string, type: string) => {
    const { version, schema } = contracts[category]?.events[type] as { version: number; schema: JsonSchema };
    return new Map([[version, schema]]);
  };
  const document = await parse(asyncApi({ contracts, versionsOf, prefix: "ml" }));
  const addresses = document
    .channels()
    .all()
    .map((channel) => channel.address());
  const operation = document.operations().get("command.model.DeployModel");
  const sent = document.operations().get("event.model.ModelDeployed");

  const expected = Object.entries(contracts).flatMap(([category, { commands, events }]) => [
    ...Object.keys(commands).map((type) => `ml.cmd.${category}.{id}.${type}`),
    ...Object.keys(events).map((type) => `ml.evt.${category}.{id}.${type}`),
  ]);
  expected.push(...Object.keys(queries).map((name) => `ml.qry.${name}`), "ml.bulk");
  expected.push(...Object.keys(verbs).map((name) => `ml.adm.${name}`));
  expect(addresses.sort()).toEqual([null, ...expected].sort());
  expect(document.servers().all()[0]?.protocol()).toBe("nats");
  expect(operation?.action()).toBe("receive");
  expect(operation?.reply()?.channel()?.address()).toBeNull();
  expect(
    operation
      ?.reply()
      ?.messages()
      .all()
      .map((message) => message.name()),
  ).toEqual(["reply", "error"]);
  expect(operation?.messages().all()[0]?.payload()?.json()).toMatchObject({ additionalProperties: false });
  expect(sent?.action()).toBe("send");
  expect(
    sent
      ?.messages()
      .all()
      .map((message) => message.title()),
  ).toEqual(["ModelDeployed v1"]);
  expect(sent?.messages().all()[0]?.correlationId()?.location()).toBe("$message.header#/Retrace-Correlation-Id");
});

test("queries, verbs and many commands at once are operations with a body and a reply of their own", async () => {
  const document = await parse(asyncApi({ contracts: {}, versionsOf: () => new Map(), prefix: "retrace" }));
  const operations = ["query.state", "query.projection-diff", "admin.retry", "bulk"].map((name) => {
    const operation = document.operations().get(name);
    const [message] = operation?.messages().all() ?? [];
    const [reply, error] = operation?.reply()?.messages().all() ?? [];
    return {
      action: operation?.action(),
      request: Object.keys(message?.payload()?.properties() ?? {}),
      reply: Object.keys(reply?.payload()?.properties() ?? {}),
      error: error?.name(),
    };
  });

  expect(operations).toEqual([
    {
      action: "receive",
      request: ["category", "id", "atVersion", "atPosition", "atRecorded", "atOccurred"],
      reply: ["stream", "version", "position", "recordedAt", "state"],
      error: "error",
    },
    {
      action: "receive",
      request: ["a", "b", "limit", "cursor"],
      reply: ["a", "b", "compared", "differences", "next"],
      error: "error",
    },
    {
      action: "receive",
      request: ["saga", "id", "by", "reason"],
      reply: ["saga", "id", "status", "state", "version"],
      error: "error",
    },
    { action: "receive", request: ["commands"], reply: ["replies"], error: "error" },
  ]);
});

test("the events of all sagas are messages, too", async () => {
  const contracts = contractsOf(takeActors([order, stock, buying]));
  const versionsOf = (category: string, type: string) => {
    return new Map([[1, contracts[category]?.events[type]?.schema as JsonSchema]]);
  };
  const document = await parse(asyncApi({ contracts, versionsOf, prefix: "retrace" }));
  const stuck = document.operations().get("event.saga.SagaStuck");

  expect(stuck?.channels().all()[0]?.address()).toBe("retrace.evt.saga.{id}.SagaStuck");
  expect(Object.keys(stuck?.messages().all()[0]?.payload()?.properties() ?? {})).toEqual([
    "reason",
    "message",
    "at",
    "state",
  ]);
});

test("the parser would say what is wrong", async () => {
  const document = asyncApi({ contracts: {}, versionsOf: () => new Map(), prefix: "retrace" });
  const operations = { dangling: { action: "send", channel: { $ref: "#/channels/nowhere" } } };

  await parse(document);
  await expect(parse({ ...document, operations })).rejects.toThrow();
});

describe("of other actors", () => {
  const node: z.ZodType = z.looseObject({
    items: z.string(),
    get children() {
      return z.array(node).optional();
    },
  });
  const pair = z.looseObject({ at: z.tuple([z.number(), z.string()]), prefixItems: z.literal("$ref") });

  test("schemas that contain themselves, tuples, and fields named like keywords come through as draft 7", async () => {
    const schemas = { commands: { Grow: z.strictObject({ root: node }) }, events: { Grown: node, Paired: pair } };
    const contracts = contractsOf(actorsWith(schemas));
    const versionsOf = (_category: string, type: string) => {
      return new Map([[1, contracts.light?.events[type]?.schema as JsonSchema]]);
    };
    const document = asyncApi({ contracts, versionsOf, prefix: "retrace" });
    const written = (document.components as { schemas: Record<string, JsonSchema> }).schemas;
    const parsed = await parse(document);
    const payload = parsed.operations().get("event.light.Grown")?.messages().all()[0]?.payload();

    expect(written["event.light.Paired.v1"]?.properties).toMatchObject({
      at: { type: "array", items: [{ type: "number" }, { type: "string" }] },
      prefixItems: { const: "$ref" },
    });
    expect(JSON.stringify(written)).not.toMatch(/\$defs|"#"|\$schema/);
    expect(payload?.property("items")?.type()).toBe("string");
    expect(payload?.property("children")?.type()).toBe("array");
  });

  test("every version of an event is a message of its channel, told apart by its header", async () => {
    const second = { version: 2, schema: pair, upcasters: { 1: (data: Record<string, unknown>) => data } };
    const contracts = contractsOf(actorsWith({ commands: {}, events: { Paired: second } }));
    const versions = new Map<number, JsonSchema>([
      [2, contracts.light?.events.Paired?.schema as JsonSchema],
      [1, { type: "object", description: "Before." }],
    ]);
    const document = await parse(asyncApi({ contracts, versionsOf: () => versions, prefix: "retrace" }));
    const messages = document.channels().get("event.light.Paired")?.messages().all();

    expect(messages?.map((message) => message.title())).toEqual(["Paired v1", "Paired v2"]);
    expect(messages?.[0]?.headers()?.json()).toMatchObject({
      allOf: [{}, { properties: { "Retrace-Schema-Version": { const: "1" } } }],
    });
  });
});

describe("the headers it names", () => {
  test("are those of a message as it is relayed, which fits them", () => {
    const { headerLines } = eventMessage("retrace", "urn:retrace:store", {
      id: "01M7W4XQ93963VWAM8504SNTHT",
      position: 17,
      stream: "light-l1",
      category: "light",
      version: 2,
      type: "Dimmed",
      schemaVersion: 1,
      data: {},
      occurredAt: "2026-11-20T09:34:40.418Z",
      recordedAt: "2026-11-20T09:34:40.419Z",
      metadata: {
        correlationId: "a",
        causationId: "b",
        commandId: "c",
        actor: { id: "ada", verified: false },
        traceparent: `00-${"1".repeat(32)}-${"2".repeat(16)}-01`,
      },
    });
    const lines = headerLines
      .trimEnd()
      .split("\r\n")
      .map((line) => line.split(": ") as [string, string]);

    expect(lines.map(([name]) => name)).toEqual(Object.keys(eventHeaders.properties as object));
    expect(read(eventHeaders).safeParse(Object.fromEntries(lines)).error).toBeUndefined();
    expect(read(eventHeaders).safeParse({}).success).toBe(false);
  });

  test("are those of PROTOCOL.md, of commands", () => {
    const protocol = readFileSync(new URL("../../../PROTOCOL.md", import.meta.url), "utf8");
    const table = protocol.slice(protocol.indexOf("| Request header |")).split("\n\n")[0] as string;
    const named = [...table.matchAll(/^\| `([\w-]+)`/gm)].map((match) => match[1] as string);

    expect(named.length).toBeGreaterThan(5);
    expect(Object.keys(commandHeaders.properties as object).sort()).toEqual(["Content-Type", ...named].sort());
  });
});

function read(schema: JsonSchema): z.ZodType {
  return z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]);
}
