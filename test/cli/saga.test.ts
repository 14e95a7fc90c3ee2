/** Sagas from outside: a runtime with a user's own saga, its health, its state, and the verb `saga`. */
import { connect } from "retrace";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { startRuntime, type TestRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";
import { project } from "./project.ts";
import { runCli } from "./run-cli.ts";

const parcel = `
import { defineAggregate } from "retrace";
import { setup } from "xstate";
import { z } from "zod";

const schemas = {
  commands: { Post: z.strictObject({}), Stamp: z.strictObject({}), Deliver: z.strictObject({}) },
  events: { Posted: z.looseObject({}), Stamped: z.looseObject({}), Delivered: z.looseObject({}) },
};
const machine = setup({ types: { events: {} as { type: "Posted" | "Stamped" | "Delivered" } } }).createMachine({
  id: "parcel",
  initial: "empty",
  states: {
    empty: { on: { Posted: "posted" } },
    posted: { on: { Stamped: "stamped" } },
    stamped: { on: { Delivered: "delivered" } },
    delivered: {},
  },
});
export default defineAggregate({
  category: "parcel",
  schemas,
  machine,
  decide: {
    Post: () => ({ type: "Posted", data: {} }),
    Stamp: (_state, _command, { id }) => {
      if (id.startsWith("bug")) throw new Error("the stamp machine is broken");
      return { type: "Stamped", data: {} };
    },
    Deliver: () => ({ type: "Delivered", data: {} }),
  },
});
`;

const delivery = `
import { defineSaga, send, type SagaEvent } from "retrace";
import { setup } from "xstate";
import { z } from "zod";

const settings = z.object({ transitMs: z.number().default(50) });
type Settings = z.output<typeof settings>;

const machine = setup({
  types: {
    context: {} as { id: string },
    input: {} as { id: string },
    events: {} as SagaEvent<"Posted" | "Stamped" | "Delivered", unknown, Settings>,
  },
  delays: { transit: ({ event }) => event.settings.transitMs },
  actions: {
    stamp: send("parcel", ({ context }) => ({ id: context.id, type: "Stamp" })),
    deliver: send("parcel", ({ context }) => ({ id: context.id, type: "Deliver" })),
  },
}).createMachine({
  id: "delivery",
  context: ({ input }) => ({ id: input.id }),
  initial: "begun",
  states: {
    begun: { on: { Posted: { target: "stamping", actions: "stamp" } } },
    stamping: { on: { Stamped: "inTransit" } },
    inTransit: { after: { transit: "arriving" } },
    arriving: { entry: "deliver", on: { Delivered: "delivered" } },
    delivered: { type: "final" },
  },
});

const byParcel = ({ stream }: { stream: string }) => stream.slice("parcel-".length);

export default defineSaga({
  name: "delivery",
  settings,
  startedBy: ["Posted"],
  correlate: { Posted: byParcel, Stamped: byParcel, Delivered: byParcel },
  machine,
});
`;

let runtime: TestRuntime;

beforeAll(async () => {
  const actors = project({ "parcel.ts": parcel, "sagas/delivery.ts": delivery });
  runtime = await startRuntime({ dataDir: tempDir(), args: ["--actors", actors] });
});

async function post(id: string) {
  const client = await connect({ servers: runtime.url });
  onTestFinished(() => client.close());
  await client.send("parcel", id, { type: "Post", data: {} });
  return client;
}

function saga(...args: readonly string[]) {
  return runCli(["saga", ...args, "--nats", runtime.url]);
}

test("a saga goes its way over commands, events and a timer, and its story can be told", async () => {
  const client = await post("p1");
  const last = await eventually("the saga ends", async () => {
    const { events } = await client.history("saga", "delivery-p1");
    if (events.at(-1)?.type !== "SagaEnded") throw new Error(JSON.stringify(events.at(-1)));
    return events;
  });
  expect(last.map(({ type }) => type)).toEqual([
    "SagaStarted",
    "SagaAdvanced",
    "SagaAdvanced",
    "SagaTimerFired",
    "SagaAdvanced",
    "SagaEnded",
  ]);
  expect((await client.state("saga", "delivery-p1")).state).toMatchObject({ value: "delivered", status: "done" });
  expect((await client.state("saga", "delivery-p1", { atVersion: 2 })).state.value).toBe("stamping");
  const told = await saga("show", "delivery", "p1");
  expect(told.code).toBe(0);
  const lines = told.stdout.split("\n").map((line) => line.replace(/^\S+Z /, ""));
  expect(lines).toEqual([
    "began with Posted at parcel-p1@1, in begun",
    "Posted at parcel-p1@1: begun -> stamping",
    "    sent Stamp to parcel-p1: Stamped@2",
    "Stamped at parcel-p1@2: stamping -> inTransit",
    expect.stringContaining("    set the timer xstate.after.transit.delivery.inTransit for "),
    expect.stringMatching(
      /^the timer xstate.after.transit.delivery.inTransit, due at .*, fired: inTransit -> arriving$/,
    ),
    "    sent Deliver to parcel-p1: Delivered@3",
    expect.stringContaining("cancelled the timer"),
    "Delivered at parcel-p1@3: arriving -> delivered",
    "ended in delivered",
    "",
  ]);
});

test("a stuck saga is listed with its reason, and retry, skip and resolve help it", async () => {
  const client = await post("bug1");
  const listed = await eventually("a saga is listed as stuck", async () => {
    const { stdout } = await saga("list", "--stuck", "--json");
    return JSON.parse(stdout);
  });
  expect(listed).toMatchObject({
    saga: "delivery",
    id: "bug1",
    status: "stuck",
    state: "stamping",
    stuck: { reason: "INTERNAL", at: "the command Stamp to parcel-bug1", waiting: 0 },
  });
  expect(await client.query("health")).toMatchObject({
    sagas: expect.arrayContaining([expect.objectContaining({ name: "delivery", stuck: 1 })]),
  });
  const retried = await saga("retry", "delivery", "bug1", "--by", "ada", "--reason", "once more");
  expect(retried).toMatchObject({ code: 1, stdout: "delivery bug1 is stuck in stamping\n" });
  const skipped = await saga("skip", "delivery", "bug1", "--by", "ada");
  expect(skipped).toMatchObject({ code: 0, stdout: "delivery bug1 is running in stamping\n" });
  const again = await saga("retry", "delivery", "bug1");
  expect(again.code).toBe(1);
  expect(again.stderr).toContain("delivery bug1 is not stuck");
  const resolved = await saga("resolve", "delivery", "bug1", "--by", "ada", "--reason", "delivered by hand");
  expect(resolved).toMatchObject({ code: 0, stdout: "delivery bug1 is ended in stamping\n" });
  const { events } = await client.history("saga", "delivery-bug1");
  expect(events.map(({ type }) => type)).toEqual([
    "SagaStarted",
    "SagaAdvanced",
    "SagaStuck",
    "SagaResumed",
    "SagaStuck",
    "SagaResumed",
    "SagaEnded",
  ]);
  expect(events.at(-1)?.data).toMatchObject({ how: "resolved", by: "ada", reason: "delivered by hand" });
  expect((await saga("show", "delivery", "nobody")).stderr).toContain("there is no saga-delivery-nobody");
});

test("a policy changes the settings from then on, and one that does not fit is not followed", async () => {
  const client = await post("p2");
  await client.send("policy", "delivery", { type: "SetPolicy", data: { settings: { transitMs: 3_600_000 } } });
  await client.send("policy", "delivery", { type: "SetPolicy", data: { settings: { transitMs: "long" } } });
  await client.send("parcel", "p3", { type: "Post", data: {} });
  const waiting = await eventually("the saga waits", async () => {
    const { events } = await client.history("saga", "delivery-p3");
    expect(events).toHaveLength(3);
    return events;
  });
  expect(waiting.at(-1)?.data).toMatchObject({ to: "inTransit", policyVersion: 1 });
  const { stdout } = await runCli(["health", "--nats", runtime.url]);
  expect(stdout).toContain("its policy version 2 is not followed: transitMs:");
  expect((await client.query("health")) as object).toMatchObject({ timers: { pending: 1 } });
});

test("a chart that would do something else with what is under way is found by check, and refused at start", async () => {
  const dataDir = tempDir();
  const slow = delivery.replace("default(50)", "default(3_600_000)");
  const first = await startRuntime({
    dataDir,
    args: ["--actors", project({ "parcel.ts": parcel, "sagas/delivery.ts": slow })],
  });
  const client = await connect({ servers: first.url });
  onTestFinished(() => client.close());
  await client.send("parcel", "p1", { type: "Post", data: {} });
  await eventually("the saga waits", async () => (await client.history("saga", "delivery-p1")).events.length === 3);
  const renamed = project({ "parcel.ts": parcel, "sagas/delivery.ts": slow.replaceAll("inTransit", "onTheRoad") });
  const checked = await runCli(["check", "--nats", first.url, "--actors", renamed, "--json"]);
  expect(checked.code).toBe(1);
  expect(JSON.parse(checked.stdout.split("\n")[0] as string)).toMatchObject({
    stream: "saga-delivery-p1",
    version: 3,
    reason: "SAGA_DIFFERS",
  });
  await first.stop();
  expect((await runCli(["check", "--data", dataDir, "--actors", renamed])).stdout).toContain("saga-delivery-p1@3");
  const refused = startRuntime({ dataDir, args: ["--actors", renamed] });
  await expect(refused).rejects.toThrow(/1 instance.*saga-delivery-p1/s);

  const migrate = `  migrate: ({ context }) => ({ value: "onTheRoad", context }),\n`;
  const withMigration = slow
    .replaceAll("inTransit", "onTheRoad")
    .replace("  settings,\n", `  settings,\n  version: 2,\n${migrate}`);
  const moved = project({ "parcel.ts": parcel, "sagas/delivery.ts": withMigration });
  expect((await runCli(["check", "--data", dataDir, "--actors", moved])).code).toBe(0);
  const second = await startRuntime({ dataDir, args: ["--actors", moved] });
  const { stdout } = await runCli(["saga", "show", "delivery", "p1", "--nats", second.url]);
  expect(stdout).toContain("moved from version 1 to 2 of the saga, into onTheRoad");
});

test("commands to a saga are refused, and the catalog says what it listens to", async () => {
  const client = await post("p4");
  await expect(client.send("saga", "delivery-p1", { type: "SagaStarted", data: {} })).rejects.toMatchObject({
    code: "UNKNOWN_CATEGORY",
  });
  expect(await client.query("catalog")).toMatchObject({
    sagas: {
      delivery: {
        version: 1,
        listens: ["Delivered", "Posted", "Stamped"],
        startedBy: ["Posted"],
        defaults: { transitMs: 50 },
      },
    },
  });
});
