/** Which change of a contract breaks whom. */
import fc from "fast-check";
import type { EventSchema, Schemas } from "retrace";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { type ContractChange, compareContracts } from "../../../src/runtime/contracts/compatibility.ts";
import { contractsOf } from "../../../src/runtime/contracts/contracts.ts";
import type { JsonSchema } from "../../../src/runtime/contracts/json-schema.ts";
import { actorsWith } from "./actors.ts";
import { arbitraryObjectSchema, mutationsOf } from "./arbitrary-schema.ts";

function changes(before: Schemas, after: Schemas): ContractChange[] {
  return compareContracts(contractsOf(actorsWith(before)), contractsOf(actorsWith(after)));
}

function lines(found: readonly ContractChange[]): string[] {
  return found.map(({ path, what, verdict, whom }) => `${path}: ${what}: ${verdict} ${whom}`);
}

function command(before: z.ZodType, after: z.ZodType): string[] {
  return lines(changes({ commands: { Dim: before }, events: {} }, { commands: { Dim: after }, events: {} }));
}

function event(before: EventSchema, after: EventSchema): string[] {
  return lines(changes({ commands: {}, events: { Dimmed: before } }, { commands: {}, events: { Dimmed: after } }));
}

/** The schema as the second version of its event. */
function second(schema: z.ZodType): EventSchema {
  return { version: 2, schema, upcasters: { 1: (data) => data } };
}

const needsVersion =
  ": changed without a new version: make it version 2, with an upcaster from version 1: breaks readers";

describe("those who send a command", () => {
  const before = z.strictObject({ level: z.number().max(9), mode: z.enum(["a", "b"]), note: z.string().optional() });

  test.each<[string, z.ZodType, string]>([
    ["a new required field", before.extend({ id: z.string() }), "id: new required field: breaks writers"],
    ["a field that became required", before.required(), "note: became required: breaks writers"],
    ["a removed field", before.omit({ note: true }), "note: field removed: breaks writers"],
    [
      "a changed type",
      before.extend({ level: z.string() }),
      "level: type changed from number to string: breaks writers",
    ],
    [
      "a narrower range",
      before.extend({ level: z.number().max(5) }),
      "level: maximum changed from 9 to 5: breaks writers",
    ],
    ["fewer values", before.extend({ mode: z.enum(["a"]) }), 'mode: no longer allows "b": breaks writers'],
  ])("are broken by %s", (_, after, line) => {
    expect(command(before, after)).toEqual([line]);
  });

  test.each<[string, z.ZodType, string]>([
    [
      "a new optional field",
      before.extend({ id: z.string().optional() }),
      "id: new optional field: compatible writers",
    ],
    ["a field that became optional", before.partial({ level: true }), "level: became optional: compatible writers"],
    [
      "a wider range",
      before.extend({ level: z.number() }),
      "level: maximum changed from 9 to none: compatible writers",
    ],
    ["more values", before.extend({ mode: z.enum(["a", "b", "c"]) }), 'mode: now also allows "c": compatible writers'],
    [
      "another type beside",
      before.extend({ note: z.string().nullable().optional() }),
      "note: type changed from string to string or null: compatible writers",
    ],
  ])("are not broken by %s", (_, after, line) => {
    expect(command(before, after)).toEqual([line]);
  });

  test("should look at another default, and at a name that was free before", () => {
    const loose = z.object({ level: z.number().default(1) });

    expect(command(loose, z.object({ level: z.number().default(2) }))).toEqual([
      "level: default changed from 1 to 2: check writers",
    ]);
    expect(command(loose, loose.extend({ note: z.string().optional() }))).toEqual([
      "note: new optional field: check writers",
    ]);
  });

  test("are broken when the command is gone, and not by another one", () => {
    const [one, other] = [{ Dim: before }, { Light: before }];

    expect(changes({ commands: one, events: {} }, { commands: other, events: {} })).toEqual([
      {
        contract: "commands/light/Dim",
        path: "",
        kind: "command-removed",
        verdict: "breaks",
        whom: "writers",
        what: "command removed",
      },
      {
        contract: "commands/light/Light",
        path: "",
        kind: "command-added",
        verdict: "compatible",
        whom: "writers",
        what: "new command",
      },
    ]);
  });
});

describe("those who read an event", () => {
  const before = z.looseObject({ level: z.number().max(9), mode: z.enum(["a", "b"]), note: z.string().optional() });

  test.each<[string, z.ZodType, string]>([
    ["a removed field", before.omit({ note: true }), "note: field removed: breaks readers"],
    [
      "a changed type",
      before.extend({ level: z.string() }),
      "level: type changed from number to string: breaks readers",
    ],
    [
      "another type beside",
      before.extend({ level: z.number().max(9).nullable() }),
      "level: type changed from number to number or null: breaks readers",
    ],
    ["a field that became optional", before.partial({ level: true }), "level: became optional: breaks readers"],
  ])("are broken by %s, with a new version or without", (_, after, line) => {
    expect(event(before, second(after))).toEqual([line]);
    expect(event(before, after)).toEqual([needsVersion, line]);
  });

  test.each<[string, z.ZodType, string]>([
    ["a new required field", before.extend({ id: z.string() }), "id: new required field"],
    ["a field that became required", before.required(), "note: became required"],
    ["a narrower range", before.extend({ level: z.number().max(5) }), "level: maximum changed from 9 to 5"],
    ["fewer values", before.extend({ mode: z.enum(["a"]) }), 'mode: no longer allows "b"'],
  ])("are broken by %s only without a new version: the log holds events without it", (_, after, line) => {
    expect(event(before, second(after))).toEqual([`${line}: compatible readers`]);
    expect(event(before, after)).toEqual([needsVersion, `${line}: breaks readers`]);
  });

  test.each<[string, z.ZodType, string]>([
    ["more values", before.extend({ mode: z.enum(["a", "b", "c"]) }), 'mode: now also allows "c": check readers'],
    ["a wider range", before.extend({ level: z.number() }), "level: maximum changed from 9 to none: check readers"],
  ])("should look at %s", (_, after, line) => {
    expect(event(before, second(after))).toEqual([line]);
    expect(event(before, after)).toEqual([line]);
  });

  test("are not broken by an optional field more, with a new version or without", () => {
    const after = before.extend({ id: z.string().optional() });

    expect(event(before, after)).toEqual(["id: new optional field: compatible readers"]);
    expect(event(before, second(after))).toEqual(["id: new optional field: compatible readers"]);
  });

  test("are not broken by a new version alone", () => {
    expect(event(before, second(before))).toEqual([]);
  });

  test("are broken when the event is gone, or its version", () => {
    const gone = changes({ commands: {}, events: { Dimmed: before } }, { commands: {}, events: {} });

    expect(gone).toMatchObject([{ contract: "events/light/Dimmed", kind: "event-removed", verdict: "breaks" }]);
    expect(event(second(before), before)).toEqual([
      ": version 2 is gone: stored events of it can no longer be read: breaks log",
    ]);
  });

  test("never notice another default: nothing of it is stored", () => {
    const [one, other] = [1, 2].map((level) => z.looseObject({ level: z.number().default(level) }));

    expect(event(one as z.ZodType, other as z.ZodType)).toEqual([
      "level: default changed from 1 to 2: compatible readers",
    ]);
  });
});

test("a category that is gone takes its commands and events along; names of any kind are safe", () => {
  const contracts = contractsOf(actorsWith({ commands: { Constructor: z.strictObject({}) }, events: {} }));

  expect(compareContracts(contracts, {})).toMatchObject([
    { contract: "commands/light/Constructor", verdict: "breaks" },
  ]);
  expect(compareContracts({ constructor: { commands: {}, events: {} } }, contracts)).toMatchObject([
    { kind: "command-added" },
  ]);
});

describe("for any event", () => {
  const contract = (schema: JsonSchema, version: number) => ({
    light: { commands: {}, events: { Dimmed: { version, schema } } },
  });
  const version = fc.integer({ min: 1, max: 2 });

  test("an optional field more is compatible", () => {
    fc.assert(
      fc.property(arbitraryObjectSchema, arbitraryObjectSchema, version, (schema, field, to) => {
        const before = { ...schema, additionalProperties: {} };
        const after = { ...before, properties: { ...(schema.properties as object), added: field } };

        expect(compareContracts(contract(before, 1), contract(after, to))).toMatchObject([
          { path: "added", kind: "field-added", verdict: "compatible" },
        ]);
      }),
    );
  });

  test("no change goes unnoticed, and none that breaks without the word that it needs a version", () => {
    fc.assert(
      fc.property(arbitraryObjectSchema, version, (schema, to) => {
        for (const { after, path } of mutationsOf(schema)) {
          const found = compareContracts(contract(schema, 1), contract(after, to));
          const isBreaking = found.some(({ verdict, kind }) => verdict === "breaks" && kind !== "unversioned");

          expect(found.map((change) => change.path)).toContain(path);
          expect(found.some(({ kind }) => kind === "unversioned")).toBe(isBreaking && to === 1);
        }
      }),
    );
  });
});
