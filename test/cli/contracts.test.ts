/** The verb contracts: what it writes, what it says of a change, and with which status it ends. It needs no broker. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { tempDir } from "../support/temp.ts";
import { project } from "./project.ts";
import { type Ended, runCli } from "./run-cli.ts";

const nobody = { RETRACE_NATS: "nats://127.0.0.1:1" };

function contracts(...args: readonly string[]): Promise<Ended> {
  return runCli(["contracts", ...args], { env: nobody });
}

/** An aggregate with these schemas, written as a user would. */
function light(commands: string, events: string): string {
  return `
import { defineAggregate } from "retrace";
import { setup } from "xstate";
import { z } from "zod";
const machine = setup({}).createMachine({ id: "x", initial: "open", states: { open: { on: { Dimmed: "open" } } } });
export default defineAggregate({
  category: "light",
  schemas: { commands: { ${commands} }, events: { ${events} } },
  machine,
  decide: { Dim: () => ({ type: "Dimmed", data: {} }) } as never,
});`;
}

const before = light(
  "Dim: z.strictObject({ level: z.number(), note: z.string().optional() })",
  "Dimmed: z.looseObject({ level: z.number() })",
);

let actors: string;

beforeAll(() => {
  actors = project({ "light.ts": before });
});

/** Puts another aggregate in the place of the first. */
function rewrite(text: string): void {
  writeFileSync(join(actors, "aggregates", "light.ts"), text);
}

describe("contracts --out", () => {
  test("writes the contracts of all actors, and says what changed since", async () => {
    rewrite(before);
    const out = join(tempDir(), "contracts");
    const first = await contracts("--out", out, "--actors", actors, "--prefix", "ml");
    const document = JSON.parse(readFileSync(join(out, "asyncapi.json"), "utf8"));
    rewrite(light("Dim: z.strictObject({ level: z.number() })", "Dimmed: z.looseObject({ level: z.string() })"));
    const second = await contracts("--out", out, "--actors", actors, "--prefix", "ml");
    const third = await contracts("--out", out, "--actors", actors, "--prefix", "ml", "--json");

    expect(first).toMatchObject({
      code: 0,
      stderr: "",
      stdout: expect.stringMatching(/^\S+: (\d+) files, \1 written\n$/),
    });
    expect(document.channels["command.light.Dim"].address).toBe("ml.cmd.light.{id}.Dim");
    expect(document.channels["command.model.DeployModel"]).toBeDefined();
    expect(second).toMatchObject({ code: 0, stderr: "" });
    expect(second.stdout.split("\n").slice(0, 3)).toEqual([
      "changed asyncapi.json",
      "changed commands/light/Dim.json",
      "changed events/light/Dimmed.v1.json: another schema under the same version",
    ]);
    expect(JSON.parse(third.stdout)).toEqual({
      out,
      added: [],
      changed: [],
      removed: [],
      unchanged: expect.any(Number),
    });
  });
});

describe("contracts --against", () => {
  let out: string;

  beforeAll(async () => {
    rewrite(before);
    out = tempDir();
    await contracts("--out", out, "--actors", actors);
  });

  test("ends with 0 when nothing changed, and when what changed breaks nobody", async () => {
    rewrite(before);
    const same = await contracts("--against", out, "--actors", actors);
    rewrite(
      light(
        "Dim: z.strictObject({ level: z.number(), note: z.string().optional() })",
        "Dimmed: z.looseObject({ level: z.number(), by: z.string().optional() })",
      ),
    );
    const compatible = await contracts("--against", out, "--actors", actors);

    expect(same).toEqual({ code: 0, stdout: "nothing changed\n", stderr: "" });
    expect(compatible).toMatchObject({ code: 0, stderr: "" });
    expect(compatible.stdout).toBe(
      "events/light/Dimmed: by: new optional field (compatible)\n0 breaking, 0 to check, 1 compatible\n",
    );
  });

  test("ends with 1 and names, in order, what breaks whom", async () => {
    rewrite(
      light(
        "Dim: z.strictObject({ level: z.number(), zone: z.string() })",
        "Dimmed: z.looseObject({ level: z.string() })",
      ),
    );
    const [human, json] = await Promise.all([
      contracts("--against", out, "--actors", actors),
      contracts("--against", out, "--actors", actors, "--json"),
    ]);

    expect(human).toMatchObject({ code: 1, stderr: "" });
    expect(human.stdout.trimEnd().split("\n")).toEqual([
      "commands/light/Dim: note: field removed (breaks writers)",
      "commands/light/Dim: zone: new required field (breaks writers)",
      "events/light/Dimmed: changed without a new version: make it version 2, with an upcaster from version 1 (breaks readers)",
      "events/light/Dimmed: level: type changed from number to string (breaks readers)",
      "4 breaking, 0 to check, 0 compatible",
    ]);
    expect(json).toMatchObject({ code: 1, stderr: "" });
    expect(JSON.parse(json.stdout)).toMatchObject({
      compatible: false,
      changes: [
        {
          contract: "commands/light/Dim",
          path: "note",
          kind: "field-removed",
          verdict: "breaks",
          whom: "writers",
          what: "field removed",
        },
        { path: "zone" },
        { kind: "unversioned" },
        { path: "level", kind: "type" },
      ],
    });
  });

  test("counts an aggregate that is gone as broken", async () => {
    const { code, stdout } = await contracts("--against", out);

    expect(code).toBe(1);
    expect(stdout.split("\n").slice(0, 2)).toEqual([
      "commands/light/Dim: command removed (breaks writers)",
      "events/light/Dimmed: event removed (breaks readers)",
    ]);
  });
});

describe("wrong usage ends with 2 and a sentence:", () => {
  test.each<[string, readonly string[], RegExp]>([
    ["neither --out nor --against", [], /^error: give --out DIR or --against DIR\n/],
    ["both", ["--out", "a", "--against", "b"], /--against.+cannot be used with.+--out/],
    ["a folder without contracts", ["--against", "/nowhere"], /^error: \/nowhere holds no contracts: write them with /],
  ])("%s", async (_, args, sentence) => {
    expect(await contracts(...args)).toMatchObject({ code: 2, stdout: "", stderr: expect.stringMatching(sentence) });
  });
});
