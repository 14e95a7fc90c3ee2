/** `retrace projection` against a runtime that serves, with projections of a user's own. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { type Edge, errorOf, openEdge, read } from "../protocol/edge.ts";
import { eventually } from "../support/eventually.ts";
import { startRuntime, type TestRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";
import { project } from "./project.ts";
import { type Ended, runCli } from "./run-cli.ts";

/** Runs by id: how many steps; the next version counts twice, but not for every run. */
const steps = (version: number, step: string) => `
import { defineProjection } from "retrace";
const id = ({ stream }) => stream.slice("training-run-".length);
export default defineProjection({
  name: "steps", version: ${version}, mode: "sync", indexes: ["steps"],
  on: {
    TrainingStarted: { key: id, apply: () => ({ steps: 0, started: true }) },
    TrainingProgress: { key: id, apply: (row, { data, stream }) => {
      if (data.step === 13) throw new Error("thirteen");
      return { ...row, steps: row.steps + (${step}) };
    } },
  },
});`;

let runtime: TestRuntime;
let edge: Edge;

beforeAll(async () => {
  const folder = project({});
  mkdirSync(join(folder, "projections"));
  writeFileSync(join(folder, "projections", "steps.js"), steps(1, "1"));
  writeFileSync(join(folder, "projections", "steps.next.js"), steps(2, 'stream.endsWith("odd") ? 2 : 1'));
  writeFileSync(join(folder, "package.json"), '{"type": "module"}');
  runtime = await startRuntime({ dataDir: tempDir(), args: ["--actors", folder] });
  edge = await openEdge(runtime.url);
  for (const id of ["even", "odd"]) {
    await edge.command(`training-run.${id}.StartTraining`);
    for (const step of [1, 2, 13]) await edge.command(`training-run.${id}.RecordProgress`, { step });
  }
  await eventually("the next version stands by", async () => {
    const { projections } = (await edge.query("health")) as unknown as { projections: { standby?: unknown }[] };
    return projections.some(({ standby }) => standby !== undefined);
  });
});

const cli = (...args: readonly string[]): Promise<Ended> => {
  return runCli(["projection", ...args], { env: { RETRACE_NATS: runtime.url } });
};

async function lines(...args: readonly string[]): Promise<unknown[]> {
  const { code, stdout, stderr } = await cli(...args, "--json");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as unknown]));
}

test("list shows what there is and how it is", async () => {
  const listed = await lines("list");
  expect(listed).toContainEqual(
    expect.objectContaining({
      name: "steps",
      version: 1,
      mode: "sync",
      status: "live",
      parked: 2,
      standby: expect.objectContaining({ version: 2, parked: 2 }),
    }),
  );
  const { stdout } = await cli("list");
  expect(stdout).toMatch(/steps version 1, sync {2}live {2}at \d+ {2}2 parked {2}version 2 stands by/);
});

test("rows prints them, some of them, one of them, and those of the past", async () => {
  const row = (key: string, count: number) => ({ key, value: { steps: count, started: true } });
  expect(await lines("rows", "steps")).toEqual([row("even", 2), row("odd", 2)]);
  expect(await lines("rows", "steps", "--key-prefix", "o")).toEqual([row("odd", 2)]);
  expect(await lines("rows", "steps", "--limit", "1")).toEqual([row("even", 2)]);
  expect(await lines("rows", "steps", "--where", "steps=2", "started=true")).toEqual([row("even", 2), row("odd", 2)]);
  expect(await lines("rows", "steps", "--where", 'steps={"gt": 2}')).toEqual([]);
  expect(await cli("rows", "steps", "--where", "steps=3")).toEqual({ code: 0, stdout: "", stderr: "no rows match\n" });
  expect(await lines("rows", "steps", "even", "--at-position", "2")).toEqual([row("even", 1)]);
  expect((await cli("rows", "steps", "odd")).stdout).toBe('odd {"steps":2,"started":true}\n');
  expect(await cli("rows", "steps", "nobody")).toMatchObject({ code: 1, stderr: expect.stringContaining("NOT_FOUND") });
  expect(await cli("rows", "nothing")).toMatchObject({ code: 1, stderr: expect.stringContaining("UNKNOWN_QUERY") });
});

test("diff shows what the next version would change, switch makes it so, and takes it back", async () => {
  const { code, stdout } = await cli("diff", "steps", "--json");
  const [difference, summary] = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);
  expect(code).toBe(1);
  expect(difference).toEqual({ key: "odd", a: { steps: 2, started: true }, b: { steps: 4, started: true } });
  expect(summary).toMatchObject({ compared: 2, different: 1, a: { name: "steps", version: 1 }, b: { version: 2 } });
  expect((await cli("diff", "steps@2", "steps@1")).stdout).toContain('- {"steps":4,"started":true}\n  + {"steps":2,');
  expect(await lines("diff", "steps", "steps@live")).toMatchObject([{ compared: 2, different: 0 }]);

  expect(await lines("switch", "steps")).toEqual([{ name: "steps", from: 1, to: 2 }]);
  expect(await lines("rows", "steps", "odd")).toMatchObject([{ value: { steps: 4 } }]);
  expect(await lines("switch", "steps")).toEqual([{ name: "steps", from: 2, to: 1 }]);
  expect(await lines("rows", "steps", "odd")).toMatchObject([{ value: { steps: 2 } }]);
});

test("parked shows what could not be taken, retry tries it again, skip leaves it out", async () => {
  const parked = (await lines("parked", "steps")) as { position: number }[];
  expect(parked).toMatchObject([
    { type: "TrainingProgress", stream: "training-run-even", reason: "thirteen" },
    { type: "TrainingProgress", stream: "training-run-odd", reason: "thirteen" },
  ]);
  const positions = parked.map(({ position }) => String(position));
  const again = await cli("retry", "steps", ...positions);
  expect(again).toMatchObject({ code: 1, stdout: expect.stringContaining("stays parked: thirteen") });
  expect(await lines("skip", "steps", "--all")).toEqual(parked.map(({ position }) => ({ position })));
  expect(await lines("parked", "steps")).toEqual([]);
  expect(await cli("parked", "steps")).toEqual({ code: 0, stdout: "", stderr: "no event is parked\n" });
  expect(await cli("skip", "steps", positions[0] as string)).toMatchObject({ code: 1 });
  const none = { code: 2, stderr: expect.stringContaining("error: name positions, or give --all\n") };
  expect(await cli("retry", "steps")).toMatchObject(none);
  expect(await cli("retry", "steps", "0")).toMatchObject({ code: 2 });
});

test("rebuild makes the rows anew and waits for them", async () => {
  const [outcome] = await lines("rebuild", "steps");
  expect(outcome).toMatchObject({ outcome: "live", name: "steps", version: 1, status: "live", parked: 2 });
  expect(await lines("rows", "steps", "odd")).toMatchObject([{ value: { steps: 2 } }]);
  expect(await lines("rebuild", "steps", "--hold")).toMatchObject([{ outcome: "standby" }]);
  expect(await lines("drop", "steps")).toEqual([{ name: "steps", version: 2 }]);
  expect(await lines("rebuild", "steps", "--no-wait")).toMatchObject([{ name: "steps", version: 1 }]);
  expect(await cli("rebuild", "nothing")).toMatchObject({ code: 1, stderr: expect.stringContaining("NOT_FOUND") });
});

describe("as requests", () => {
  test.each([
    ["rebuild", { name: "steps", hold: 1 }, "INVALID_COMMAND"],
    ["rebuild", { name: "nothing" }, "NOT_FOUND"],
    ["switch", {}, "INVALID_COMMAND"],
    ["retry-parked", { name: "steps", positions: [0] }, "INVALID_COMMAND"],
    ["retry-parked", { name: "steps", positions: [9_999] }, "NOT_FOUND"],
  ])("%s refuses %j", async (verb, body, code) => {
    errorOf(await edge.request(`adm.${verb}`, body), code);
  });

  test("projection-diff goes on where it ended", async () => {
    const ask = async (body: object) => read(await edge.request("qry.projection-diff", body)) as unknown as Diff;
    const first = await ask({ a: "steps", b: "training-summaries", limit: 1 });
    expect(first).toMatchObject({ compared: 1, differences: [{ key: "even" }], next: "even" });
    const second = await ask({ a: "steps", b: "training-summaries", limit: 1, cursor: "even" });
    expect(second).toMatchObject({ compared: 1, differences: [{ key: "odd" }], next: null });
    errorOf(await edge.request("qry.projection-diff", { a: "steps@77", b: "steps" }), "NOT_FOUND");
    errorOf(await edge.request("qry.projection-diff", { a: "Steps", b: "steps" }), "INVALID_QUERY");
  });
});

interface Diff {
  readonly compared: number;
  readonly differences: readonly unknown[];
  readonly next: string | null;
}
