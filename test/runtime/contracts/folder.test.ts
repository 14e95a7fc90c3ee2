/** A folder of contracts: what is written, what is left alone, and what is read back. */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { builtInActors, type EventSchema, loadActors, type Schemas } from "retrace";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { type Contracts, compareContracts } from "../../../src/runtime/contracts/compatibility.ts";
import { contractsOf } from "../../../src/runtime/contracts/contracts.ts";
import { readContracts, type WrittenContracts, writeContracts } from "../../../src/runtime/contracts/folder.ts";
import { type JsonSchema, sorted } from "../../../src/runtime/contracts/json-schema.ts";
import { arbitraryData } from "../../actors/arbitrary-command.ts";
import { tempDir } from "../../support/temp.ts";
import { actorsWith } from "./actors.ts";

const dim = z.strictObject({ level: z.number() });
const dimmed = z.looseObject({ level: z.number() });

function write(
  folder: string,
  commands: Schemas["commands"],
  events: Schemas["events"] = {},
): WrittenContracts | string {
  return writeContracts(folder, { contracts: contractsOf(actorsWith({ commands, events })), prefix: "retrace" });
}

function second(schema: z.ZodType): EventSchema {
  return { version: 2, schema, upcasters: { 1: (data) => data } };
}

function filesIn(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
  const files = names.filter((name) => statSync(join(folder, name)).isFile());
  return Object.fromEntries(files.map((name) => [name, readFileSync(join(folder, name), "utf8")]));
}

function json(folder: string, name: string): JsonSchema {
  return JSON.parse(readFileSync(join(folder, name), "utf8")) as JsonSchema;
}

describe("writing", () => {
  test("makes a file for each command and each event version, the document, and an index", () => {
    const folder = join(tempDir(), "new", "contracts");
    const written = write(folder, { Dim: dim }, { Dimmed: second(dimmed) });

    expect(written).toEqual({
      added: ["asyncapi.json", "commands/light/Dim.json", "events/light/Dimmed.v2.json", "index.json"],
      changed: [],
      removed: [],
      unchanged: 0,
    });
    expect(json(folder, "commands/light/Dim.json")).toEqual({
      $id: "urn:retrace:command:light:Dim",
      $schema: "https://json-schema.org/draft/2020-12/schema",
      title: "Dim",
      description: "What the command Dim of light carries.",
      type: "object",
      properties: { level: { type: "number" } },
      required: ["level"],
      additionalProperties: false,
    });
    expect(json(folder, "events/light/Dimmed.v2.json")).toMatchObject({
      $id: "urn:retrace:event:light:Dimmed:2",
      title: "Dimmed",
      description: "What the event Dimmed of light carries, in version 2 of its schema.",
    });
    expect(json(folder, "index.json")).toEqual({
      format: 1,
      categories: { light: { commands: ["Dim"], events: { Dimmed: 2 } } },
    });
  });

  test("again changes nothing, also when fields are declared in another order", () => {
    const folder = tempDir();
    const fields = { a: z.string(), b: z.int().optional(), c: z.string() };
    write(folder, { Dim: z.strictObject(fields), Light: dim });
    const first = filesIn(folder);
    const reversed = Object.fromEntries(Object.entries(fields).reverse());

    expect(write(folder, { Light: dim, Dim: z.strictObject(reversed) })).toEqual({
      added: [],
      changed: [],
      removed: [],
      unchanged: 4,
    });
    expect(filesIn(folder)).toEqual(first);
  });

  test("leaves the files of other versions alone, and gives them to readers of the document", () => {
    const folder = tempDir();
    write(folder, {}, { Dimmed: dimmed });
    const first = readFileSync(join(folder, "events/light/Dimmed.v1.json"), "utf8");

    expect(write(folder, {}, { Dimmed: second(z.looseObject({ level: z.string() })) })).toMatchObject({
      added: ["events/light/Dimmed.v2.json"],
      changed: ["asyncapi.json", "index.json"],
      removed: [],
    });
    expect(readFileSync(join(folder, "events/light/Dimmed.v1.json"), "utf8")).toBe(first);
    const { channels } = json(folder, "asyncapi.json") as { channels: Record<string, { messages: object }> };
    expect(Object.keys(channels["event.light.Dimmed"]?.messages ?? {})).toEqual(["Dimmed.v1", "Dimmed.v2"]);
  });

  test("says when the same version has another schema", () => {
    const folder = tempDir();
    write(folder, {}, { Dimmed: dimmed });

    expect(write(folder, {}, { Dimmed: z.looseObject({}) })).toMatchObject({
      changed: ["asyncapi.json", "events/light/Dimmed.v1.json"],
    });
  });

  test("removes what it wrote for a command that is gone; what it wrote for an event stays", () => {
    const folder = tempDir();
    write(folder, { Dim: dim, Light: dim }, { Dimmed: dimmed });
    writeFileSync(join(folder, "commands", "light", "Other.json"), "{}");

    expect(write(folder, { Light: dim })).toMatchObject({ removed: ["commands/light/Dim.json"] });
    expect(Object.keys(filesIn(folder))).toEqual([
      "asyncapi.json",
      "commands/light/Light.json",
      "commands/light/Other.json",
      "events/light/Dimmed.v1.json",
      "index.json",
    ]);
    expect(readContracts(folder)).toMatchObject({ light: { events: {} } });
  });

  test.each<[string, Readonly<Record<string, string>>, RegExp]>([
    ["an index of something else", { "index.json": '{"pages":[]}' }, /index\.json is no index of contracts/],
    ["an index that leads elsewhere", { "index.json": '{"format":1,"categories":{"../..":{}}}' }, /is no index/],
    ["a document of somebody's own", { "asyncapi.json": "{}" }, /asyncapi\.json is not from retrace contracts/],
    ["an older version that is no JSON", { "events/light/Dimmed.v1.json": "<<<<" }, /Dimmed\.v1\.json is not JSON/],
    ["an older version that is no schema", { "events/light/Dimmed.v1.json": "[]" }, /is no JSON Schema/],
  ])("refuses a folder with %s, and leaves it as it is", (_, files, sentence) => {
    const folder = tempDir();
    mkdirSync(join(folder, "events", "light"), { recursive: true });
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);

    expect(write(folder, {}, { Dimmed: second(dimmed) })).toMatch(sentence);
    expect(filesIn(folder)).toEqual(files);
  });
});

describe("reading", () => {
  test("gives back what was written, of all the actors that ship", async () => {
    const folder = tempDir();
    const contracts = contractsOf(await loadActors([builtInActors]));
    writeContracts(folder, { contracts, prefix: "retrace" });

    expect(readContracts(folder)).toEqual(sorted(contracts));
    expect(compareContracts(readContracts(folder) as Contracts, contracts)).toEqual([]);
  });

  test("says what is missing", () => {
    const folder = tempDir();
    expect(readContracts(folder)).toBe(
      `${folder} holds no contracts: write them with retrace contracts --out ${folder}`,
    );

    writeFileSync(
      join(folder, "index.json"),
      JSON.stringify({ format: 1, categories: { light: { commands: ["Dim"], events: {} } } }),
    );
    expect(readContracts(folder)).toBe(`${join(folder, "commands/light/Dim.json")} is missing`);
  });
});

test("a command that a schema takes is taken by its contract", async () => {
  const loaded = await loadActors([builtInActors]);
  const contracts = contractsOf(loaded);
  for (const [category, { aggregate }] of loaded.aggregates) {
    for (const [type, schema] of Object.entries(aggregate.schemas.commands)) {
      const contract = z.fromJSONSchema(contracts[category]?.commands[type] as Parameters<typeof z.fromJSONSchema>[0]);
      const takes = fc.property(arbitraryData(schema), (data) => {
        if (schema.safeParse(data).success) expect(contract.safeParse(data).error).toBeUndefined();
      });
      fc.assert(takes, { numRuns: 20 });
    }
  }
});
