/** The verb `check`: a log that one version of the code has written, under another. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { openLmdbStore } from "retrace";
import { beforeAll, describe, expect, test } from "vitest";
import { openEdge } from "../protocol/edge.ts";
import { ticketEvent } from "../runtime/tickets.ts";
import { startRuntime, type TestRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";
import { project } from "./project.ts";
import { root, runCli } from "./run-cli.ts";

/** What differs between the two versions of the aggregate. */
interface Parcel {
  readonly packed: string;
  readonly inPacked: string;
  readonly inSent: string;
  readonly lost: string;
}

const before: Parcel = {
  packed: "z.looseObject({ grams: z.number().optional() })",
  inPacked: 'ParcelSent: "sent"',
  inSent: 'ParcelReturned: "packed", ParcelLost: "lost"',
  lost: "ParcelLost: z.looseObject({}),",
};

/** No way back, nothing heavy, nothing lost, and a weight that has to be there. */
const after: Parcel = {
  packed: `{
    version: 2,
    schema: z.looseObject({ weight: z.looseObject({ grams: z.number() }) }),
    upcasters: { 1: ({ grams, ...rest }) => ({ ...rest, weight: { grams } }) },
  }`,
  inPacked: 'ParcelSent: { target: "sent", guard: ({ context }) => context.grams < 1000 }',
  inSent: 'ParcelStored: "packed"',
  lost: "ParcelStored: z.looseObject({}),",
};

function parcel({ packed, inPacked, inSent, lost }: Parcel): string {
  return `
import { defineAggregate } from "retrace";
import { assign, setup } from "xstate";
import { z } from "zod";
const commands = Object.fromEntries(["Pack", "Send", "Return", "Lose"].map((name) => [name, z.looseObject({})]));
const events = {
  ParcelPacked: ${packed},
  ParcelSent: z.looseObject({}),
  ParcelReturned: z.looseObject({}),
  ${lost}
};
const weigh = assign({ grams: ({ event }) => event.data.weight?.grams ?? event.data.grams ?? 0 });
const machine = setup({}).createMachine({
  id: "parcel",
  context: { grams: 0 },
  initial: "empty",
  states: {
    empty: { on: { ParcelPacked: { target: "packed", actions: weigh } } },
    packed: { on: { ${inPacked}, ParcelReturned: "packed" } },
    sent: { on: { ${inSent} } },
    lost: {},
  },
});
const decide = {
  Pack: (_, { data }) => ({ type: "ParcelPacked", data }),
  Send: () => ({ type: "ParcelSent", data: {} }),
  Return: () => ({ type: "ParcelReturned", data: {} }),
  Lose: () => ({ type: "ParcelLost", data: {} }),
};
export default defineAggregate({ category: "parcel", schemas: { commands, events }, machine, decide });
`;
}

const crate = `
import { defineAggregate } from "retrace";
import { setup } from "xstate";
import { z } from "zod";
const machine = setup({}).createMachine({ id: "crate", initial: "empty", states: { empty: { on: { Filled: "empty" } } } });
export default defineAggregate({
  category: "crate",
  schemas: { commands: { Fill: z.strictObject({}) }, events: { Filled: z.looseObject({}) } },
  machine,
  decide: { Fill: () => ({ type: "Filled", data: {} }) },
});
`;

const versionA = project({ "parcel.mjs": parcel(before), "crate.mjs": crate });
const versionB = project({ "parcel.mjs": parcel(after) });
const data = tempDir();
let runtime: TestRuntime;

/** What is in the log: each parcel has a history that something in version B no longer allows, but the last. */
const commands: readonly (readonly [address: string, body?: unknown])[] = [
  ["parcel.returned.Pack", { grams: 1 }],
  ["parcel.heavy.Pack", { grams: 5_000 }],
  ["parcel.returned.Send"],
  ["parcel.lost.Pack", { grams: 1 }],
  ["parcel.lost.Send"],
  ["parcel.unweighed.Pack"],
  ["parcel.returned.Return"],
  ["crate.c1.Fill"],
  ["parcel.heavy.Send"],
  ["parcel.lost.Lose"],
  ["dataset.d1.IngestData", { rowCount: 3 }],
  ["parcel.fine.Pack", { grams: 1 }],
  ["parcel.fine.Send"],
];

beforeAll(async () => {
  runtime = await startRuntime({ dataDir: data, args: ["--actors", versionA] });
  const edge = await openEdge(runtime.url);
  for (const [address, body] of commands) expect(await edge.command(address, body)).not.toHaveProperty("error");
});

const broken = [
  {
    ...{ stream: "parcel-returned", category: "parcel", version: 3, position: 7, state: "sent" },
    ...{ type: "ParcelReturned", schemaVersion: 1, reason: "CHART_REFUSES" },
    ...{ message: "the chart does not accept it; it accepts ParcelStored", details: { accepts: ["ParcelStored"] } },
  },
  {
    ...{ stream: "parcel-heavy", category: "parcel", version: 2, position: 9, state: "packed" },
    ...{ type: "ParcelSent", schemaVersion: 1, reason: "CHART_REFUSES" },
    ...{ message: "the chart has a guard that refuses it", details: { accepts: ["ParcelReturned", "ParcelSent"] } },
  },
  {
    ...{ stream: "parcel-lost", category: "parcel", version: 3, position: 10, state: "sent" },
    ...{ type: "ParcelLost", schemaVersion: 1, reason: "UNKNOWN_TYPE" },
    ...{ message: "parcel has no event of this type", details: {} },
  },
  {
    ...{ stream: "parcel-unweighed", category: "parcel", version: 1, position: 6, state: "empty" },
    ...{ type: "ParcelPacked", schemaVersion: 1, reason: "SCHEMA_REFUSES" },
    message: expect.stringMatching(/^its data does not fit schema version 2: weight\.grams: /),
    details: { issues: [{ path: "weight.grams", message: expect.any(String) }] },
  },
  {
    ...{ stream: "crate-c1", category: "crate", version: 1, position: 8, state: null },
    ...{ type: "Filled", schemaVersion: 1, reason: "UNKNOWN_CATEGORY", message: "there is no category crate" },
    details: {},
  },
];

const summary = { streams: 7, events: 13, broken: 5, unchecked: 0, isComplete: true };
const figures = { seconds: expect.any(Number), eventsPerSecond: expect.any(Number) };

async function check(...args: readonly string[]) {
  const { code, stdout, stderr } = await runCli(["check", "--json", ...args]);
  const lines = stdout.split("\n").filter((line) => line !== "");
  return { code, stderr, lines: lines.map((line) => JSON.parse(line) as unknown) };
}

describe("a log that is served", () => {
  test("is sound under the code that wrote it: status 0, and a summary", async () => {
    const found = await check("--nats", runtime.url, "--actors", versionA);

    const sound = { streams: 7, events: 13, broken: 0, unchecked: 0, isComplete: true };
    expect(found).toEqual({ code: 0, stderr: "", lines: [{ summary: { ...sound, ...figures } }] });
  });

  test.each([
    ["over NATS", () => ["--nats", runtime.url]],
    ["in its folder", () => ["--data", data]],
  ])("has each stream named that other code would break, %s: status 1", async (_, where) => {
    const found = await check(...where(), "--actors", versionB);

    expect(found).toEqual({ code: 1, stderr: "", lines: [...broken, { summary: { ...summary, ...figures } }] });
  });
});

describe("a log that is not served", () => {
  beforeAll(() => runtime.stop());

  test("is sound under the code that wrote it", async () => {
    const { code, stdout, stderr } = await runCli(["check", "--data", data, "--actors", versionA]);

    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^no stream breaks: 13 events of 7 streams in \S+ s, \d+ events\/s\n$/);
  });

  test("has each stream named that other code would break, for people in a line", async () => {
    const { code, stdout, stderr } = await runCli(["check", "--data", data, "--actors", versionB]);

    expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
    expect(stdout.split("\n")).toEqual([
      "parcel-returned@3 in sent: ParcelReturned: CHART_REFUSES: the chart does not accept it; it accepts ParcelStored",
      "parcel-heavy@2 in packed: ParcelSent: CHART_REFUSES: the chart has a guard that refuses it",
      "parcel-lost@3 in sent: ParcelLost: UNKNOWN_TYPE: parcel has no event of this type",
      expect.stringMatching(/^parcel-unweighed@1 in empty: ParcelPacked: SCHEMA_REFUSES: its data does not fit .+$/),
      "crate-c1@1: Filled: UNKNOWN_CATEGORY: there is no category crate",
      expect.stringMatching(/^5 streams would break: 13 events of 7 streams in \S+ s, \d+ events\/s$/),
      "",
    ]);
  });

  test("may be checked in part: a category, or up to so many broken streams", async () => {
    const args = ["--data", data, "--actors", versionB];
    const crates = await check(...args, "--category", "crate", "--category", "dataset");
    const first = await check(...args, "--limit", "2");

    expect(crates).toMatchObject({ code: 1, lines: [broken[4], { summary: { streams: 2, broken: 1 } }] });
    expect(first).toMatchObject({ code: 1, lines: [broken[0], broken[1], { summary: { isComplete: false } }] });
  });

  test("is not called sound for the sake of a typing error", async () => {
    const { code, stdout, stderr } = await runCli(["check", "--data", data, "--category", "datasett"]);

    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(
      /^retrace: UNKNOWN_CATEGORY: neither the log nor the actors have a category datasett; .+\n$/,
    );
  });

  test("is left alone where the code has problems of its own: all of them are told", async () => {
    const gap = { ...before, packed: "{ version: 3, schema: z.looseObject({}), upcasters: {} }" };
    const folder = project({ "parcel.mjs": parcel(gap), "crate.mjs": "export default 1;" });
    const { code, stdout, stderr } = await runCli(["check", "--data", data, "--actors", folder]);

    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^retrace: the actors have 3 problems:\n/);
    expect(stderr).toContain("parcel.mjs: event ParcelPacked: no upcaster from version 1 to 2");
    expect(stderr).toContain("parcel.mjs: event ParcelPacked: no upcaster from version 2 to 3");
    expect(stderr).toContain("crate.mjs: the default export is not an aggregate");
  });
});

describe("where there is no log", () => {
  test("it says so and makes none", async () => {
    const empty = tempDir();
    const file = join(empty, "file");
    writeFileSync(file, "");
    mkdirSync(join(empty, "emptied", "log"), { recursive: true });
    for (const folder of [empty, file, join(empty, "emptied"), join(empty, "nowhere"), join(data, "log")]) {
      const { code, stdout, stderr } = await runCli(["check", "--data", folder]);

      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toBe(
        `retrace: NOT_FOUND: there is no log in ${folder}: name the folder that \`retrace start\` is given with --data\n`,
      );
    }
    expect(readdirSync(empty).sort()).toEqual(["emptied", "file"]);
    expect(readdirSync(join(empty, "emptied", "log"))).toEqual([]);
    expect(existsSync(join(data, "log", "log"))).toBe(false);
  });

  test("it says so about a runtime, too", async () => {
    const { code, stderr } = await runCli(["check", "--nats", "nats://127.0.0.1:1"]);

    expect(code).toBe(1);
    expect(stderr).toMatch(/^retrace: BUS_UNAVAILABLE: .+\n$/);
  });
});

test("wrong usage ends with 2: two places at once; a place from the environment is only a default", async () => {
  const both = await runCli(["check", "--data", data, "--nats", "nats://127.0.0.1:1"]);
  const env = { RETRACE_NATS: "nats://127.0.0.1:1", RETRACE_ACTORS: versionA };
  const fromEnvironment = await runCli(["check", "--data", data], { env });

  expect(both).toMatchObject({ code: 2, stdout: "" });
  expect(both.stderr).toMatch(/--data.*--nats/);
  expect(fromEnvironment).toMatchObject({ code: 0, stderr: "" });
});

test("has an example", async () => {
  const { code, stdout } = await runCli(["check", "--help"]);

  expect(code).toBe(0);
  expect(stdout).toMatch(/Example:\n +\$ retrace check --data/);
});

test("interrupted, it ends with what it has found, and says that there may be more", async () => {
  const folder = tempDir();
  const store = openLmdbStore({ path: join(folder, "log"), newId: () => "s" });
  // Nobody reads what this prints, so it cannot come to its end before it is interrupted.
  await store.append(Array.from({ length: 6_000 }, (_, i) => ticketEvent(String(i), "TicketOpened")));
  await store.close();
  const args = [`${root}/dist/src/main.js`, "check", "--json", "--data", folder];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  const ended = once(child, "close");
  const complaints = text(child.stderr);
  await once(child.stdout, "readable");
  child.kill("SIGINT");
  const lines = (await text(child.stdout)).trimEnd().split("\n");
  const last = JSON.parse(lines.at(-1) as string) as { summary: { broken: number; isComplete: boolean } };

  expect(await ended).toEqual([1, null]);
  expect(await complaints).toBe("");
  expect(last.summary).toMatchObject({ broken: lines.length - 1, isComplete: false });
  expect(last.summary.broken).toBeLessThan(6_000);
});
