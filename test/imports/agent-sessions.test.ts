/** `retrace import agent-sessions`: the reader, the commands, and a built runtime, with counts made independently. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { ObjectReference } from "retrace";
import { describe, expect, test } from "vitest";
import { sessionCommands, sessionStart } from "../../actors/verbs/import/agent-sessions-commands.ts";
import { readSession, type Session } from "../../actors/verbs/import/agent-sessions-read.ts";
import { cut, LargeText, withLargeTextsPut } from "../../actors/verbs/import/large-texts.ts";
import { ImportRefused } from "../../actors/verbs/import/refused.ts";
import { absentFile, ImportSetting, realFile } from "./import-setting.ts";

const setting = new ImportSetting("agent-sessions");

interface Told {
  readonly session: Session;
  readonly problems: readonly string[];
}

function read(root: unknown): Told {
  const problems: string[] = [];
  const text = typeof root === "string" ? root : JSON.stringify(root);
  return { session: readSession(text, (line, reason) => problems.push(`${line}: ${reason}`)), problems };
}

/** As SWE-agent up to 0.7 writes it: the state is a text, from before the action. */
const older = {
  environment: "swe_main",
  trajectory: [
    {
      action: "create a.py\n",
      observation: "[File: a.py]\n",
      thought: "Let's begin.",
      state: '{"open_file": "n/a"}\n',
    },
    { action: "ls\n", observation: "", thought: "", state: '{"open_file": "a.py", "dir": "/x"}\n' },
    { action: "submit\n", observation: "diff", thought: "Done.", state: '{"open_file": "a.py", "dir": "/x"}\n' },
  ],
  history: [
    { role: "system", content: "You are a programmer." },
    { role: "user", content: "Here is a demonstration.", is_demo: true },
    { role: "user", content: "ISSUE: it breaks" },
  ],
  info: { exit_status: "submitted", submission: "\ndiff\n", model_stats: { api_calls: 3 } },
};

/** As from 1.0 on: the state is an object, from after the action. */
const newer = {
  environment: "main",
  trajectory: [
    { action: "create a.py", observation: "[File: a.py]", thought: "Let's begin.", state: { open_file: "a.py" } },
    { action: "rm a.py", observation: "", thought: "Away.", state: { open_file: null } },
    { action: "", observation: "Exit due to cost limit", thought: "", state: {} },
  ],
  history: [
    { role: "system", content: "You are a programmer." },
    { role: "user", content: [{ type: "text", text: "ISSUE:" }, { type: "image" }, { type: "text", text: "slow" }] },
  ],
  info: { exit_status: "exit_cost", submission: null },
  replay_config: JSON.stringify({ agent: { model: { name: "gpt-4o" } } }),
};

describe("reading", () => {
  test("finds what the agent was told, its steps, and how it ended", () => {
    const { session, problems } = read(older);
    expect(problems).toEqual([]);
    expect(session).toEqual({
      environment: "swe_main",
      goal: "ISSUE: it breaks",
      steps: [
        {
          line: 1,
          number: 1,
          thought: "Let's begin.",
          action: "create a.py\n",
          observation: "[File: a.py]\n",
          stateBefore: { open_file: "n/a" },
        },
        { line: 1, number: 2, action: "ls\n", stateBefore: { open_file: "a.py", dir: "/x" } },
        {
          line: 1,
          number: 3,
          thought: "Done.",
          action: "submit\n",
          observation: "diff",
          stateBefore: { open_file: "a.py", dir: "/x" },
        },
      ],
      end: { exitStatus: "submitted", submission: "\ndiff\n", modelStats: { api_calls: 3 } },
      total: 3,
    });
  });

  test("takes a state that is an object as that after the action, and the model of the replay config", () => {
    const { session } = read(newer);
    expect(session).toMatchObject({ model: "gpt-4o", goal: "ISSUE:\nslow", end: { exitStatus: "exit_cost" } });
    expect(session.steps.map(({ stateBefore, stateAfter }) => [stateBefore, stateAfter])).toEqual([
      [undefined, { open_file: "a.py" }],
      [undefined, { open_file: null }],
      [undefined, {}],
    ]);
  });

  test("tells steps that cannot be read by line, and leaves them out", () => {
    const text = `{
      "trajectory": [
        {"action": "ls"},
        7,
        {"action": {"name": "ls"}},
        {"action": "ls", "state": "no"},
        {"action": "ls", "state": [1]}, {"action": "ls",
          "thought": ["?"]},
        {"action": "ls", "state": ""}
      ]
    }`;
    const { session, problems } = read(text);
    expect(session.total).toBe(7);
    expect(session.steps.map(({ number, line }) => [number, line])).toEqual([
      [1, 3],
      [7, 9],
    ]);
    expect(problems).toEqual([
      "4: step 2: not a JSON object",
      "5: step 3: action is not a text",
      "6: step 4: its state is no JSON object",
      "7: step 5: its state is no JSON object",
      "7: step 6: thought is not a text",
    ]);
  });

  test.each<[string, unknown, string]>([
    ["no JSON", "{", "it is not readable as JSON"],
    ["no object", [], "it is no JSON object"],
    ["no trajectory", { history: [] }, 'it has no list "trajectory"'],
  ])("refuses what is %s", (_, root, reason) => {
    expect(() => read(root)).toThrow(ImportRefused);
    expect(() => read(root)).toThrow(reason);
  });
});

describe("commands", () => {
  const made = (root: unknown) => sessionCommands(read(root).session).map(({ type, data }) => ({ type, data }));

  test("start with the state that the agent found, and change it before the decision that saw it", () => {
    expect(sessionStart(read(older).session)).toEqual({
      agent: "SWE-agent",
      goal: "ISSUE: it breaks",
      workingState: { open_file: "n/a" },
    });
    expect(made(older)).toEqual([
      { type: "RecordDecision", data: { decisionId: "step-1", thought: "Let's begin.", action: "create a.py\n" } },
      { type: "CallTool", data: { callId: "step-1", tool: "create", input: "a.py", decisionId: "step-1" } },
      { type: "RecordToolResult", data: { callId: "step-1", output: "[File: a.py]\n" } },
      { type: "ChangeState", data: { patch: { open_file: "a.py", dir: "/x" } } },
      { type: "RecordDecision", data: { decisionId: "step-2", action: "ls\n" } },
      { type: "CallTool", data: { callId: "step-2", tool: "ls", input: "", decisionId: "step-2" } },
      { type: "RecordToolResult", data: { callId: "step-2", output: "" } },
      { type: "RecordDecision", data: { decisionId: "step-3", thought: "Done.", action: "submit\n" } },
      { type: "CallTool", data: { callId: "step-3", tool: "submit", input: "", decisionId: "step-3" } },
      { type: "RecordToolResult", data: { callId: "step-3", output: "diff" } },
      {
        type: "CompleteSession",
        data: { result: { exitStatus: "submitted", submission: "\ndiff\n", modelStats: { api_calls: 3 } } },
      },
    ]);
  });

  test("change the state after the result where the state is that, and fail where nothing was submitted", () => {
    expect(sessionStart(read(newer).session)).toEqual({ agent: "SWE-agent/gpt-4o", goal: "ISSUE:\nslow" });
    expect(made(newer)).toEqual([
      { type: "RecordDecision", data: { decisionId: "step-1", thought: "Let's begin.", action: "create a.py" } },
      { type: "CallTool", data: { callId: "step-1", tool: "create", input: "a.py", decisionId: "step-1" } },
      { type: "RecordToolResult", data: { callId: "step-1", output: "[File: a.py]" } },
      { type: "ChangeState", data: { patch: { open_file: "a.py" } } },
      { type: "RecordDecision", data: { decisionId: "step-2", thought: "Away.", action: "rm a.py" } },
      { type: "CallTool", data: { callId: "step-2", tool: "rm", input: "a.py", decisionId: "step-2" } },
      { type: "RecordToolResult", data: { callId: "step-2", output: "" } },
      { type: "ChangeState", data: { patch: { open_file: null } } },
      { type: "RecordDecision", data: { decisionId: "step-3", action: "" } },
      { type: "CallTool", data: { callId: "step-3", tool: "environment", input: "", decisionId: "step-3" } },
      { type: "RecordToolResult", data: { callId: "step-3", output: "Exit due to cost limit" } },
      { type: "FailSession", data: { reason: "exit_cost" } },
    ]);
  });

  test.each<[object | undefined, string]>([
    [undefined, "CompleteSession"],
    [{ exit_status: null }, "CompleteSession"],
    [{ exit_status: "submitted (exit_cost)" }, "CompleteSession"],
    [{ exit_status: "exit_format" }, "FailSession"],
    [{ exit_status: "exit_format", submission: "diff" }, "CompleteSession"],
  ])("end a session whose info is %j with %s", (info, type) => {
    expect(made({ trajectory: [{ action: "ls" }], ...(info && { info }) }).at(-1)?.type).toBe(type);
  });

  test("keep whole texts beside their beginning", async () => {
    const long = "y".repeat(40_000);
    const [decision, call, result, change, end] = made({
      trajectory: [
        {
          action: `edit ${long}`,
          thought: long,
          observation: long,
          state: { short: "x", diff: long, n: { deep: [long] } },
        },
      ],
      info: { exit_status: "submitted", submission: long },
    }).map(({ data }) => data as Record<string, unknown>);
    const sha256 = createHash("sha256").update(long).digest("hex");
    const mark = `\n[cut: the whole has 40000 characters and the SHA-256 ${sha256}]`;
    expect(decision?.thought).toBe(long.slice(0, 32_768 - mark.length) + mark);
    expect(decision?.action).toHaveLength(32_768);
    expect(call).toMatchObject({ tool: "edit", input: cut(long, 8_192), inputRef: new LargeText(long) });
    expect(result).toMatchObject({ output: cut(long, 8_192), outputRef: new LargeText(long) });
    expect(change?.patch).toEqual({ short: "x", diff: new LargeText(long), n: { deep: [new LargeText(long)] } });
    expect(end).toMatchObject({ result: { submission: cut(long, 32_768) }, resultRef: new LargeText(long) });

    const put: string[] = [];
    const reference: ObjectReference = { ref: "nats-object:X/y", sha256, bytes: long.length };
    const sent = await withLargeTextsPut(change, async (text) => {
      put.push(text);
      return reference;
    });
    expect(sent).toEqual({ patch: { short: "x", diff: reference, n: { deep: [reference] } } });
    expect(put).toEqual([long, long]);
  });

  test("name tools as far as they can be named", () => {
    const tools = [`${"t".repeat(200)} x`, "__proto__ x", "\u0001", "  \n python  -c 'x'"];
    const calls = made({ trajectory: tools.map((action) => ({ action })) }).filter(({ type }) => type === "CallTool");
    expect(calls.map(({ data }) => [data.tool, data.input])).toEqual([
      ["t".repeat(128), "x"],
      ["environment", "x"],
      ["environment", ""],
      ["python", "-c 'x'"],
    ]);
  });

  test("cut between characters, not within one", () => {
    expect(cut("short", 5)).toBe("short");
    for (const length of [200, 201]) {
      const text = cut("\u{1F600}".repeat(300), length);
      expect(text.length).toBeLessThanOrEqual(length);
      expect(text).not.toMatch(/\p{Cs}/u);
    }
  });
});

describe("against a runtime", () => {
  test.each([
    ["older", older, 11, "completed", { open_file: "a.py", dir: "/x" }],
    ["newer", newer, 12, "failed", {}],
  ])("a session of the %s format comes in whole, and a second time adds nothing", async (...args) => {
    const [name, root, commands, status, workingState] = args;
    const file = setting.write(`${name}.traj.json`, JSON.stringify(root));
    const counts = (events: number, there: number) =>
      `${name}.traj.json: ${name}: 3 steps: ${events} new events, ${there} already there, 0 bad steps (${status})\n`;
    expect(await setting.import(file)).toEqual({ code: 0, stdout: counts(commands + 1, 0), stderr: "" });
    const events = await setting.content("agent-session", name);
    const sha256 = createHash("sha256").update(readFileSync(file)).digest("hex");
    const session = read(root).session;
    const agent = sessionStart(session).agent;
    expect(events).toEqual([
      {
        type: "SessionStarted",
        data: {
          ...sessionStart(session),
          source: { name: `${name}.traj.json`, sha256, environment: root.environment },
        },
      },
      ...sessionCommands(session).map(({ data }, index) => ({
        type: expect.any(String),
        data: {
          ...data,
          sourceLine: index + 1,
          agent,
          ...(events[index + 1]?.type === "ToolReturned" && { tool: expect.any(String) }),
        },
      })),
    ]);
    const { state } = await setting.client.state("agent-session", name);
    expect(state).toMatchObject({ value: status, context: { sourceLine: commands } });
    expect(state.context.workingState).toEqual(workingState);

    const position = await setting.head();
    expect(await setting.import(file)).toEqual({ code: 0, stdout: counts(0, commands), stderr: "" });
    expect(await setting.head()).toBe(position);
  });

  test("a result that is too long for an event lies in the object store", async () => {
    const observation = "0123456789".repeat(50_000);
    const file = setting.write("large.traj", JSON.stringify({ trajectory: [{ action: "cat x", observation }] }));
    expect((await setting.import("--id-prefix", "p", file)).code).toBe(0);
    const returned = (await setting.content("agent-session", "p~large")).find(({ type }) => type === "ToolReturned");
    const { output, outputRef } = returned?.data as { output: string; outputRef: ObjectReference };
    expect(output).toBe(cut(observation, 8_192));
    expect(Buffer.from(await setting.client.getObject(outputRef)).toString()).toBe(observation);
  });

  test("bad steps are told with file and line, the others come in, and the exit code says so", async () => {
    const file = setting.write("bad.traj", [
      '{"trajectory": [',
      '{"action": "ls", "observation": "a"},',
      '{"action": 5, "thought": {}},',
      '{"action": "pwd", "observation": "/"}',
      "]}",
    ]);
    for (const there of [0, 7]) {
      const { code, stdout, stderr } = await setting.import(file);
      expect(code).toBe(1);
      expect(stderr).toBe(`${file}:3: step 2: thought is not a text\n`);
      const events = there === 0 ? 8 : 0;
      expect(stdout).toBe(
        `bad.traj: bad: 3 steps: ${events} new events, ${there} already there, 1 bad step (completed)\n`,
      );
    }
    const decided = (await setting.content("agent-session", "bad")).filter(({ type }) => type === "DecisionMade");
    expect(decided).toMatchObject([{ data: { decisionId: "step-1" } }, { data: { decisionId: "step-3" } }]);
  });

  test("a step that the session cannot take ends the import there, and it is told again each time", async () => {
    const state = (name: string) => ({ [name]: Array.from({ length: 12 }, () => "z".repeat(4_000)) });
    const trajectory = [
      { action: "a", state: state("a") },
      { action: "b", state: { ...state("a"), ...state("b") } },
      { action: "c", state: {} },
    ];
    const file = setting.write("full.traj", JSON.stringify({ trajectory }));
    for (const newEvents of [8, 0]) {
      const { code, stdout, stderr } = await setting.import("--json", file);
      expect(code).toBe(1);
      expect(JSON.parse(stdout)).toMatchObject({ newEvents, status: "running", stopped: { line: 1 } });
      expect(stderr).toMatch(/^\S+full\.traj:1: stopped here: the working state would have \d+ characters/);
    }
  });

  test("other content never goes into a session that is there", async () => {
    const file = setting.write("changed.traj", JSON.stringify(older));
    await setting.import(file);
    await setting.client.send("agent-session", "own", { type: "StartSession", data: { goal: "mine" } });
    const own = setting.write("own.traj", JSON.stringify(older));
    setting.write("changed.traj", JSON.stringify({ ...older, environment: "other" }));
    const position = await setting.head();
    const { code, stderr } = await setting.import(file, own);
    expect(code).toBe(1);
    expect(stderr).toContain(`${file}: the session changed is there and was imported from a file with other content`);
    expect(stderr).toContain(`${own}: the session own is there and was not imported`);
    expect(await setting.head()).toBe(position);
    expect((await setting.import("--id-prefix", "v2", file, own)).code).toBe(0);
  });

  test("steps tell no time: they happened when the command line says", async () => {
    const file = setting.write("times.traj", JSON.stringify(older));
    await setting.import("--occurred-at", "2024-02-03T04:05:06.000Z", file);
    const times = new Set((await setting.history("agent-session", "times")).map(({ occurredAt }) => occurredAt));
    expect([...times]).toEqual(["2024-02-03T04:05:06.000Z"]);
  });

  /** Every step is a decision, a call, a result and a change of the state. */
  const long = (steps: number) =>
    JSON.stringify({
      trajectory: Array.from({ length: steps }, (_, i) => ({
        thought: `step ${i}`,
        action: `run ${i}`,
        observation: "ok",
        state: { at: i },
      })),
    });

  test("an import that is killed again and again ends like one that was left alone", async () => {
    const file = setting.write("long.traj", long(1_900));
    const events = 1 + 4 * 1_900 + 1;
    expect(await setting.json("--id-prefix", "alone", file)).toMatchObject([
      { newEvents: events, status: "completed" },
    ]);
    const start = await setting.head();
    await setting.killAt([100, 1_000, 2_500], "--id-prefix", "killed", file);
    const before = (await setting.head()) - start;
    expect(before).toBeLessThanOrEqual(events);
    expect(await setting.json("--id-prefix", "killed", file)).toMatchObject([
      { newEvents: events - before, alreadyThere: before - 1, status: "completed" },
    ]);
    expect(await setting.content("agent-session", "killed~long")).toEqual(
      await setting.content("agent-session", "alone~long"),
    );
    const [killed, alone] = await Promise.all(
      ["killed~long", "alone~long"].map((id) => setting.client.state("agent-session", id)),
    );
    expect(killed?.state).toEqual(alone?.state);
  });

  test("two imports of one file at once bring every step once", async () => {
    const file = setting.write("race.traj", long(300));
    const ends = await Promise.all([setting.import(file), setting.import(file)]);
    for (const { code, stderr } of ends) {
      if (code !== 0) expect(stderr).toMatch(/race.*: .*(being written by someone else|race is at version)/);
    }
    expect((await setting.import(file)).code).toBe(0);
    const decided = (await setting.content("agent-session", "race")).map(({ data }) => (data as Numbered).sourceLine);
    expect(decided).toEqual([undefined, ...Array.from({ length: 1_201 }, (_, i) => i + 1)]);
  });
});

interface Numbered {
  readonly sourceLine?: number;
}

test("has help with an example", async () => {
  const { code, stdout } = await setting.import("--help");
  expect(code).toBe(0);
  expect(stdout).toContain("Example:\n  $ retrace import agent-sessions ");
});

const sessions = ["01_pydicom__pydicom-1458", "02_marshmallow-code__marshmallow-1867"];
const absent = absentFile(sessions.map((name) => `agent-sessions/${name}.traj.json`));

describe.skipIf(absent !== undefined)("real sessions", () => {
  interface RealStep {
    readonly thought: string;
    readonly action: string;
    readonly observation: string;
    readonly state: string | object;
  }

  test.each(sessions)("%s comes in with every step, and a second time adds nothing", async (name) => {
    const file = realFile(`agent-sessions/${name}.traj.json`);
    const { trajectory, info } = JSON.parse(readFileSync(file, "utf8")) as {
      trajectory: RealStep[];
      info: { exit_status: string; submission: string };
    };
    let changes = 0;
    let last: string | undefined;
    for (const { state } of trajectory) {
      const now = JSON.stringify(typeof state === "string" ? JSON.parse(state) : state);
      // The older format tells the state that a session starts with.
      if (now !== last && !(last === undefined && typeof state === "string")) changes += 1;
      last = now;
    }
    const [first] = await setting.json(file);
    const expected = { session: name, status: "completed", steps: trajectory.length, badSteps: 0 };
    const newEvents = 1 + 3 * trajectory.length + changes + 1;
    expect(first).toMatchObject({ ...expected, newEvents, alreadyThere: 0 });

    const events = await setting.content("agent-session", name);
    const data = (type: string) => events.filter((event) => event.type === type).map((event) => event.data);
    expect(events).toHaveLength(newEvents);
    expect(data("DecisionMade")).toMatchObject(trajectory.map(({ thought, action }) => ({ thought, action })));
    expect(data("ToolReturned")).toMatchObject(trajectory.map(({ observation }) => ({ output: observation })));
    expect(data("ToolCalled")).toMatchObject(trajectory.map(({ action }) => ({ tool: action.trim().split(/\s/)[0] })));
    expect(data("AgentStateChanged")).toHaveLength(changes);
    expect(data("SessionStarted")).toMatchObject([{ goal: expect.stringContaining("ISSUE") }]);
    const { exit_status: exitStatus, submission } = info;
    expect(data("SessionCompleted")).toMatchObject([{ result: { exitStatus, submission } }]);
    const { state } = await setting.client.state("agent-session", name);
    expect(JSON.stringify(state.context.workingState)).toBe(last);

    const position = await setting.head();
    expect(await setting.json(file)).toMatchObject([{ ...expected, newEvents: 0, alreadyThere: newEvents - 1 }]);
    expect(await setting.head()).toBe(position);
  });
});
