/** The verbs of the command line against a runtime that serves: what they print, where, and with which status they end. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { jetstreamManager, type StreamInfo } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { beforeAll, describe, expect, test } from "vitest";
import { type Edge, openEdge, type ReplyBody, type WireEvent } from "../protocol/edge.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { startRuntime, type TestRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";
import { type Ended, root, runCli, type Surroundings } from "./run-cli.ts";

let runtime: TestRuntime;
let edge: Edge;

beforeAll(async () => {
  runtime = await startRuntime({ dataDir: tempDir() });
  edge = await openEdge(runtime.url);
  await edge.command("training-run.long.StartTraining");
  await Promise.all(
    Array.from({ length: 1_100 }, (_, step) => edge.command("training-run.long.RecordProgress", { step })),
  );
});

/** Runs a client verb against the runtime. */
function cli(args: readonly string[], { input, env }: Surroundings = {}): Promise<Ended> {
  return runCli(args, { ...(input === undefined ? {} : { input }), env: { RETRACE_NATS: runtime.url, ...env } });
}

/** What a verb says for programs: a JSON object a line. @throws when it did not end well or said anything on stderr. */
async function lines<Line>(...args: readonly string[]): Promise<Line[]> {
  const { code, stdout, stderr } = await cli([...args, "--json"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Line);
}

const positions = (events: readonly WireEvent[]) => events.map(({ position }) => position);
const from = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

test("start logs what it serves, and commands to try, a line each", () => {
  const log = runtime
    .stderr()
    .split("\n")
    .filter((line) => line.startsWith("{"));
  const said = log.map((line) => JSON.parse(line) as { msg: string; categories?: string[] });

  expect(said).toContainEqual(
    expect.objectContaining({ msg: "serving", categories: expect.arrayContaining(["dataset", "training-run"]) }),
  );
  expect(said.map(({ msg }) => msg)).toContain("try: npx retrace state dataset d1");
});

describe("send", () => {
  test("prints the reply, for programs as on the wire and for people in a line", async () => {
    const [reply] = await lines<ReplyBody>(
      "send",
      "dataset",
      "d1",
      "IngestData",
      '{"rowCount":3}',
      "--command-id",
      "i1",
    );
    const again = await cli(["send", "dataset", "d1", "IngestData", '{"rowCount":3}', "--command-id", "i1"]);

    expect(reply).toMatchObject({ stream: "dataset-d1", version: 1, events: [{ type: "DataIngested" }] });
    expect(again).toMatchObject({ code: 0, stderr: "" });
    expect(again.stdout).toMatch(/^dataset-d1@1: DataIngested \(position \d+\); now "ingested" \[repeated .+\]\n$/);
  });

  test("reads its body from stdin, and takes every header as an option", async () => {
    const args = ["send", "training-run", "r1", "StartTraining", "-", "--expected-version", "no-stream"];
    const headers = ["--command-id", "c", "--correlation-id", "co", "--causation-id", "ca", "--actor", "ada"];
    const { code } = await cli([...args, ...headers, "--occurred-at", "2024-01-01T00:00:00Z"], { input: '{"seed":7}' });
    const { events } = await edge.query("history", { category: "training-run", id: "r1" });

    expect(code).toBe(0);
    expect(events).toMatchObject([
      {
        data: { seed: 7 },
        occurredAt: "2024-01-01T00:00:00.000Z",
        metadata: { commandId: "c", correlationId: "co", causationId: "ca", actor: { id: "ada", verified: false } },
      },
    ]);
  });

  test("ends with 1 and the error on stderr, for programs as on the wire, when the command is refused", async () => {
    const args = ["send", "training-run", "long", "StartTraining"];
    const [human, json] = await Promise.all([cli(args), cli([...args, "--json"])]);

    expect(human).toMatchObject({ code: 1, stdout: "" });
    expect(human.stderr).toMatch(/^retrace: NOT_ALLOWED_IN_STATE: .+\n$/);
    expect(json).toMatchObject({ code: 1, stdout: "" });
    expect(JSON.parse(json.stderr)).toMatchObject({
      error: { code: "NOT_ALLOWED_IN_STATE", retryable: false, details: { state: "running" } },
    });
  });

  test("tells people every issue once, a line each", async () => {
    const { code, stderr } = await cli(["send", "dataset", "x", "IngestData", '{"rowCount":-1,"rows":3}']);

    expect(code).toBe(1);
    expect(stderr).toMatch(/^retrace: INVALID_COMMAND: .+: rowCount: .+\n {2}rows: .+\n$/);
  });

  test("is done by the user of the process, whatever the shell says, or by RETRACE_ACTOR", async () => {
    await cli(["send", "dataset", "own", "IngestData"], { env: { USER: "" } });
    await cli(["send", "dataset", "named", "IngestData"], { env: { RETRACE_ACTOR: "grace" } });
    const actor = async (id: string) =>
      ((await edge.query("history", { category: "dataset", id })).events as WireEvent[])[0]?.metadata.actor;

    expect(await actor("own")).toMatchObject({ id: userInfo().username });
    expect(await actor("named")).toMatchObject({ id: "grace" });
  });
});

test("state prints an aggregate, now and as of a point", async () => {
  const [now] = await lines<ReplyBody>("state", "training-run", "long");
  const [past] = await lines<ReplyBody>("state", "training-run", "long", "--at-version", "3");
  const human = await cli(["state", "training-run", "long", "--at-position", "1"]);

  expect(now).toMatchObject({ version: 1_101, state: { value: "running", context: { step: 1_099 } } });
  expect(past).toMatchObject({ version: 3, state: { context: { step: 1 } } });
  expect(human.stdout).toMatch(/^training-run-long@1 \(position 1, recorded .+Z\): running\n\{/);
});

test("history prints a stream to its end, over all pages, or as much as is asked for", async () => {
  const all = await lines<WireEvent>("history", "training-run", "long");
  const some = await lines<WireEvent>("history", "training-run", "long", "--from-version", "1000", "--limit", "7");
  const human = await cli(["history", "training-run", "long", "--limit", "1"]);

  expect(all.map(({ version }) => version)).toEqual(from(1, 1_101));
  expect(some.map(({ version }) => version)).toEqual(from(1_000, 1_006));
  expect(human.stdout).toMatch(/^ +1 \S+Z training-run-long@1 TrainingStarted \{\}\n$/);
});

test("events prints the log to its end, over all pages, filtered, or as much as is asked for", async () => {
  const head = await edge.position();
  const all = await lines<WireEvent>("events");
  const some = await lines<WireEvent>("events", "--after-position", "1050", "--limit", "10");
  const typed = await lines<WireEvent>(
    "events",
    "--type",
    "TrainingStarted",
    "--category",
    "training-run",
    "--limit",
    "1",
  );
  const none = await lines<WireEvent>("events", "--limit", "0");

  expect(positions(all)).toEqual(from(1, head));
  expect(positions(some)).toEqual(from(1_051, 1_060));
  expect(positions(typed)).toEqual([1]);
  expect(none).toEqual([]);
});

test("lines tell when an event was recorded, and when it occurred if that was not then", async () => {
  await edge.command("dataset.backfilled.IngestData", {}, { "Retrace-Occurred-At": "2024-01-01T00:00:00Z" });
  const { stdout } = await cli(["history", "dataset", "backfilled"]);

  expect(stdout).toMatch(/^ *\d+ 20(?!24)\S+Z \(occurred 2024-01-01T00:00:00.000Z\) dataset-backfilled@1 /);
});

test.each<[readonly string[], string]>([
  [["events", "--category", "dataset", "--type", "AliasMoved"], "no events match\n"],
  [["history", "training-run", "long", "--from-version", "5000"], "no events from version 5000 on\n"],
])("%j has nothing on stdout, and says so to people only", async (args, stderr) => {
  expect(await cli(args)).toEqual({ code: 0, stdout: "", stderr });
  expect(await cli([...args, "--json"])).toEqual({ code: 0, stdout: "", stderr: "" });
});

describe("tail", () => {
  test("prints from the start, or from a position, as many events as it should, and ends", async () => {
    const { events } = await edge.query("events", { limit: 3 });
    const fromStart = await lines<WireEvent>("tail", "--from", "start", "--limit", "3");
    const fromSecond = await lines<WireEvent>("tail", "--from", "2", "--limit", "1", "--category", "training-run");

    expect(fromStart).toEqual(events);
    expect(positions(fromSecond)).toEqual([2]);
    expect(await lines("tail", "--from", "start", "--limit", "0")).toEqual([]);
  });

  test("follows what happens until it is interrupted, and ends well", async () => {
    const child = spawn(process.execPath, [`${root}/dist/src/main.js`, "tail", "--from", "1100", "--json"], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, RETRACE_NATS: runtime.url },
    });
    const ended = once(child, "close");
    const seen: WireEvent[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      seen.push(JSON.parse(line) as WireEvent);
      if (seen.length === 1) void edge.command("feedback.live.ScoreReward", { score: 1 });
      if (seen.at(-1)?.type === "RewardModelScored") child.kill("SIGINT");
    }

    expect(await ended).toEqual([0, null]);
    expect(positions(seen)).toEqual(from(1_100, seen.at(-1)?.position ?? 0));
  });
});

describe("tail --from now", () => {
  test.each<[string, readonly string[]]>([
    ["everything", []],
    ["several kinds", ["--category", "feedback", "--category", "dataset"]],
  ])("of %s prints nothing of the past, even when the runtime restarts before anything happens", async (_, filter) => {
    const options = { dataDir: tempDir(), port: await freePort() };
    const first = await startRuntime(options);
    const before = await openEdge(first.url);
    await before.command("dataset.old.IngestData");
    await before.command("feedback.old.ScoreReward", { score: 1 });
    await eventually("the past is relayed", async () => (await relayed(first.url)) === 2);
    const [child, interrupted] = [tail(first.url, filter), tail(first.url, filter)];
    const [printed, said, ended] = [text(child.stdout), text(child.stderr), once(interrupted, "close")];
    await eventually("the tails follow", async () => (await consumers(first.url)) === 2);
    await first.stop();
    const [line] = await once(createInterface({ input: interrupted.stderr }), "line");
    expect(line).toBe(lost);
    interrupted.kill("SIGTERM");
    expect(await ended).toEqual([0, null]);
    const second = await startRuntime(options);
    await (await openEdge(second.url)).command("feedback.new.ScoreReward", { score: 1 });

    expect(JSON.parse(await printed)).toMatchObject({ position: 3, stream: "feedback-new" });
    expect(await said).toBe(`${lost}\nretrace: connected to the broker again\n`);
  });

  const lost = "retrace: the connection to the broker is lost; waiting for it";

  const tail = (url: string, filter: readonly string[]) =>
    spawn(process.execPath, [`${root}/dist/src/main.js`, "tail", "--json", "--limit", "1", ...filter], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, RETRACE_NATS: url },
    });

  async function eventStream(url: string): Promise<StreamInfo> {
    const nats = await connect({ servers: url });
    try {
      return await (await jetstreamManager(nats)).streams.info("RETRACE_EVENTS");
    } finally {
      await nats.close();
    }
  }

  const relayed = async (url: string) => (await eventStream(url)).state.last_seq;
  const consumers = async (url: string) => (await eventStream(url)).state.consumer_count;
});

test("health tells how the runtime is, and ends with 0 when it is well", async () => {
  const [health] = await lines<{ status: string; process: { pid: number } }>("health");
  const human = await cli(["health"]);

  expect(health).toMatchObject({ status: "ok", process: { pid: runtime.pid } });
  expect(human).toMatchObject({ code: 0, stderr: "" });
  expect(human.stdout).toMatch(/^status {4}ok\nlog {7}position \d+/);
});

test("catalog lists what can be sent, for programs with schemas", async () => {
  const [catalog] = await lines<{ categories: Record<string, { commands: Record<string, { type: string }> }> }>(
    "catalog",
  );
  const human = await cli(["catalog"]);

  expect(catalog?.categories.dataset?.commands.IngestData).toMatchObject({ type: "object" });
  expect(human.stdout).toMatch(/^dataset\n {2}commands {2}IngestData, /m);
  expect(human.stdout).toMatch(/^saga review-routing: .+\n {2}settings {2}.*routes/m);
  expect(human.stdout).toMatch(/^projection training-summaries/m);
});

test("catalog shows one category, the fields of a command, and the settings of a saga", async () => {
  const [category, command, saga, none, noType] = await Promise.all([
    cli(["catalog", "training-run"]),
    cli(["catalog", "training-run", "RecordProgress"]),
    cli(["catalog", "review-routing"]),
    cli(["catalog", "trainingrun"]),
    cli(["catalog", "training-run", "Nope"]),
  ]);
  const [event] = await lines("catalog", "training-run", "TrainingProgress");

  expect(category?.stdout).toMatch(/^training-run, commands:\n(.*\n)* {2}RecordProgress \{step, .*\?.*\}\n/);
  expect(command?.stdout).toMatch(
    /^RecordProgress \(command of training-run\)\n(.*\n)* {2}step +required {2}integer from 0\n/,
  );
  expect(saga?.stdout).toMatch(/^saga review-routing, version \d+: .+\n(.*\n)* {2}routes {2}.+ {2}default \[/);
  expect(event).toMatchObject({ version: expect.any(Number), schema: { type: "object" } });
  expect(none).toMatchObject({ code: 1, stderr: expect.stringMatching(/no category, .+ trainingrun; .+training-run/) });
  expect(noType).toMatchObject({ code: 1, stderr: expect.stringMatching(/training-run has no .+ Nope; .+RecordP/) });
});

describe("what cannot be done ends with 1 and one line on stderr:", () => {
  test.each<[string, readonly string[], RegExp]>([
    ["a stream that does not exist", ["state", "dataset", "none"], /^retrace: NOT_FOUND: .+\n$/],
    ["a category that does not exist", ["history", "none", "x"], /^retrace: UNKNOWN_CATEGORY: .+\n$/],
    ["a command that does not exist", ["send", "dataset", "x", "Do"], /^retrace: UNKNOWN_COMMAND: .+\n$/],
    ["a stream that is not there", ["state", "dataset", "none"], /^retrace: NOT_FOUND: there is no dataset-none\n$/],
    [
      "a point before the first event",
      ["state", "training-run", "long", "--at-position", "0"],
      /^retrace: NOT_FOUND: training-run-long has no events at that point\n$/,
    ],
    [
      "a category nobody knows",
      ["events", "--category", "datasets"],
      /^retrace: UNKNOWN_CATEGORY: there is no category datasets; there are .*dataset, .*saga.*\n$/,
    ],
    [
      "an event type nobody knows",
      ["events", "--category", "dataset", "--type", "DataIngest"],
      /^retrace: INVALID_QUERY: there is no event type DataIngest; there are .*DataIngested.*\n$/,
    ],
    ["a file that is not there", ["import", "events", "nope"], /^retrace: there is no file nope\n$/],
    ["a folder that is not there", ["export", "events", "--out", "/nope/x"], /^retrace: there is no folder \/nope\n$/],
    [
      "a file for a folder",
      ["contracts", "--out", "package.json"],
      /^retrace: package.json is a file: name a folder\n$/,
    ],
    [
      "a file for a folder of parts",
      ["export", "events", "--partition", "day", "--out", "package.json"],
      /^retrace: package.json is a file: name a folder\n$/,
    ],
    ["a folder for a file", ["import", "events", "src"], /^retrace: .*a folder: name a file\n$/],
    ["a prefix nobody serves", ["tail", "--prefix", "other"], /^retrace: BUS_UNAVAILABLE: .+\n$/],
    ["a broker that is not there", ["health", "--nats", "nats://127.0.0.1:1"], /^retrace: BUS_UNAVAILABLE: .+\n$/],
    ["a broker without a port", ["health", "--nats", "::"], /^retrace: BUS_UNAVAILABLE: .+\n$/],
  ])("%s", async (_, args, says) => {
    const { code, stdout, stderr } = await cli(args);

    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(says);
  });
});

describe("wrong usage ends with 2 and says on stderr what is right:", () => {
  test.each<[string, readonly string[], RegExp]>([
    ["no verb", [], /Usage: retrace/],
    ["an unknown verb", ["sned"], /unknown command 'sned'.*send/s],
    ["an argument missing", ["send", "dataset", "x"], /missing required argument 'type'/],
    ["an argument too many", ["health", "now"], /too many arguments/],
    ["an unknown option", ["health", "--jsn"], /--json/],
    ["a body that is not JSON", ["send", "dataset", "x", "IngestData", "{rows: 3}"], /not JSON: \{rows: 3\}/],
    [
      "an expected version that is none",
      ["send", "dataset", "x", "IngestData", "--expected-version", "-1"],
      /no-stream/,
    ],
    ["a limit that is none", ["events", "--limit", "many"], /--limit.*integer/],
    ["two points at once", ["state", "dataset", "x", "--at-version", "1", "--at-position", "1"], /--at-position/],
    ["a place to begin that is none", ["tail", "--from", "0"], /a position from 1/],
    ["a prefix that is none", ["health", "--prefix", "a.b"], /--prefix/],
    ["a clock that is none", ["events", "--by", "sundial"], /recorded.*occurred/],
    ["a time that is none", ["events", "--since", "noon"], /--since.*noon.*expected a time.+2026-01-31T12:00:00Z/],
    ["a date without a time", ["state", "dataset", "x", "--at-recorded", "2026-11-20"], /--at-recorded.*2026-01-31T12/],
    ["a version before the first", ["history", "dataset", "x", "--from-version", "0"], /--from-version.*from 1/],
    [
      "an id that is none",
      ["send", "dataset", "a b", "IngestData"],
      /'a b' is invalid for argument 'id': expected 1 to/,
    ],
    ["an id with a dot", ["send", "dataset", "a.b", "IngestData"], /argument 'id'/],
    ["a type that is empty", ["send", "dataset", "a", ""], /argument 'type'.*StartTraining/],
    ["a line break in a header", ["send", "dataset", "a", "IngestData", "--actor", "a\nb"], /--actor/],
    ["an empty command id", ["send", "dataset", "a", "IngestData", "--command-id", ""], /--command-id.*1 to 256/],
    [
      "a day for a time",
      ["send", "dataset", "a", "IngestData", "--occurred-at", "yesterday"],
      /--occurred-at.*2026-01/,
    ],
    ["help on an unknown verb", ["help", "nope"], /^error: retrace has no verb nope; there are start, .+/],
    [
      "help on an unknown part",
      ["export", "parquet", "--help"],
      /^error: export has no verb parquet; there are events\n/,
    ],
  ])("%s", async (_, args, says) => {
    const { code, stdout, stderr } = await cli(args);

    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(says);
    expect(stderr).not.toMatch(/\n\s+at /);
  });
});

test.each<[string, readonly string[]]>([
  ["INVALID_OPTION", ["events", "--limit", "many"]],
  ["INVALID_OPTION", ["health", "--jsn"]],
  ["WRONG_USAGE", ["send", "dataset", "x"]],
  ["WRONG_USAGE", ["saga", "retry", "review-routing"]],
  ["WRONG_USAGE", ["run", "compare", "long"]],
  ["WRONG_USAGE", ["import", "training-log", "x.txt", "--batch", "0"]],
])("programs get %s for %j", async (code, args) => {
  const ended = await cli([...args, "--json"]);

  expect(ended).toMatchObject({ code: 2, stdout: "" });
  const { error } = JSON.parse(ended.stderr) as { error: { message: string } };
  expect(error).toMatchObject({ code, retryable: false, details: {} });
  expect(error.message).toMatch(/^(?!error:).{10,}/);
});

describe("--help", () => {
  const verbs = [
    ...["start", "send", "state", "history", "diff", "why", "events", "tail", "health", "catalog", "import", "demo"],
    ...["export", "chart", "check", "contracts", "dead", "new", "run", "sql", "lineage", "dataset", "sample"],
  ];

  test("names every verb, and --version the version", async () => {
    const [help, version] = await Promise.all([cli(["--help"]), cli(["--version"])]);
    expect(help).toMatchObject({ code: 0, stderr: "" });
    for (const verb of verbs) expect(help.stdout).toMatch(new RegExp(`\n  ${verb} .+`));
    expect(version).toMatchObject({ code: 0, stderr: "" });
    expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test.each([
    ...verbs,
    "import training-log",
    "import events",
    "export events",
    "run compare",
    "run plot",
  ])("has an example for %s", async (path) => {
    const { code, stdout, stderr } = await cli([...path.split(" "), "--help"]);

    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(new RegExp(`Examples?:\\n( +\\$ .+\\n)*? +\\$ (npx )?retrace ${path}`));
  });
});

test("a variable that is set to nothing is as good as none", async () => {
  const { code, stderr } = await cli(["health", "--nats", runtime.url], {
    env: { RETRACE_NATS: "", RETRACE_PREFIX: "" },
  });

  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});

test("a folder that RETRACE_ACTORS names relative to where one is adds its verbs, in TypeScript too", async () => {
  const cwd = tempDir();
  mkdirSync(join(cwd, "actors", "verbs"), { recursive: true });
  const verb = `export default {
    kind: "verb" as const,
    name: "greet",
    register: (program: any) => program.command("greet").action(() => console.log("hello")),
  };`;
  writeFileSync(join(cwd, "actors", "verbs", "greet.ts"), verb);

  expect(await runCli(["greet"], { cwd, env: { RETRACE_ACTORS: "./actors" } })).toEqual({
    code: 0,
    stdout: "hello\n",
    stderr: "",
  });
});

test("output that nobody reads to the end is no failure", async () => {
  const child = spawn(process.execPath, [`${root}/dist/src/main.js`, "events", "--json", "--nats", runtime.url], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = once(child, "close");
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  await once(child.stdout, "readable");
  child.stdout.destroy();

  expect(await ended).toEqual([0, null]);
  expect(stderr).toBe("");
});
