/** The agent session: working state and checkpoints, decisions, the ledger of tool calls, undoing, forks. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { EventOf } from "retrace";
import { type CommandOf, given } from "retrace/testing";
import { describe, expect, test } from "vitest";
import agentSession from "../../actors/aggregates/agent-session.ts";
import { acceptedIn } from "./accepted-in.ts";
import { arbitraryCommand, type RawCommand } from "./arbitrary-command.ts";
import { decideAll } from "./decide-all.ts";

type Event = EventOf<typeof agentSession.schemas>;
type Command = CommandOf<typeof agentSession.schemas>;

const started: Event = { type: "SessionStarted", data: { agent: "fixer", workingState: { file: null, tries: 0 } } };
const completed: Event = { type: "SessionCompleted", data: {} };
const failed: Event = { type: "SessionFailed", data: {} };
const about = { agent: "fixer" };

const made = (decisionId: string, thought?: string): Event => ({
  type: "DecisionMade",
  data: { decisionId, ...(thought !== undefined && { thought }) },
});
const rejected = (decisionId: string): Event => ({ type: "DecisionRejected", data: { decisionId } });
const changed = (patch: Record<string, unknown>): Event => ({ type: "AgentStateChanged", data: { patch } });
const called = (callId: string, compensation?: unknown): Event => ({
  type: "ToolCalled",
  data: { callId, tool: "write", ...(compensation !== undefined && { compensation }) },
});
const returned = (callId: string, data: object = { output: "ok" }): Event => ({
  type: "ToolReturned",
  data: { callId, ...data },
});
const marked = (name: string): Event => ({ type: "CheckpointMarked", data: { name } });
const rolledBack = (toCheckpoint: string, toVersion = 1): Event => ({
  type: "SessionRolledBack",
  data: { toCheckpoint, toVersion },
});
const requested = (callId: string, compensation: unknown = "delete"): Event => ({
  type: "CompensationRequested",
  data: { callId, compensation },
});
const compensated = (callId: string): Event => ({ type: "StepCompensated", data: { callId } });
const notCompensated = (callId: string, reason = "locked"): Event => ({
  type: "CompensationFailed",
  data: { callId, reason },
});

const change = (patch: Record<string, unknown>) => ({ type: "ChangeState", data: { patch } }) as const;
const callTool = (callId: string, data: object = {}) =>
  ({ type: "CallTool", data: { callId, tool: "write", ...data } }) as const;
const record = (callId: string, data: object = { output: "ok" }) =>
  ({ type: "RecordToolResult", data: { callId, ...data } }) as const;
const mark = (name: string) => ({ type: "MarkCheckpoint", data: { name } }) as const;
const rollBack = (toCheckpoint?: string) =>
  ({ type: "RollBack", data: { ...(toCheckpoint !== undefined && { toCheckpoint }), reason: "wrong file" } }) as const;
const request = (callId: string, data: object = {}) =>
  ({ type: "RequestCompensation", data: { callId, ...data } }) as const;
const compensate = (callId: string, reason?: string) =>
  ({ type: "RecordCompensation", data: { callId, ...(reason !== undefined && { reason }) } }) as const;
const fork = (newSession: string, fromVersion?: number) =>
  ({ type: "ForkSession", data: { newSession, ...(fromVersion !== undefined && { fromVersion }) } }) as const;

/** With a decision, a call that has not returned, and one that has and was to be undone. */
const busy: Event[] = [
  started,
  marked("start"),
  made("d1"),
  called("c1", "delete"),
  called("c2", "delete"),
  requested("c2"),
];

describe("the chart", () => {
  const commands: Command[] = [
    { type: "StartSession", data: { agent: "other" } },
    { type: "RecordDecision", data: { decisionId: "d9" } },
    { type: "RejectDecision", data: { decisionId: "d1" } },
    change({ tries: 9 }),
    callTool("c9"),
    record("c1"),
    mark("c9"),
    rollBack("start"),
    request("c1"),
    compensate("c2"),
    fork("f9"),
    { type: "CompleteSession", data: {} },
    { type: "FailSession", data: {} },
  ];
  const late = [
    "RejectDecision",
    "RecordToolResult",
    "RollBack",
    "RequestCompensation",
    "RecordCompensation",
    "ForkSession",
  ];
  const working = commands.slice(1).map(({ type }) => type);

  test.each<[string, Event[], string[]]>([
    ["empty", [], ["StartSession"]],
    ["running", busy, working],
    ["rolledBack", [...busy, rolledBack("start")], working],
    ["completed", [...busy, completed], late],
    ["failed", [...busy, failed], late],
    ["rolledBack", [...busy, completed, rolledBack("start")], working],
    ["rolledBack", [...busy, failed, rolledBack("start")], working],
  ])("%s accepts what its arrows say", (value, history, accepted) => {
    expect(given(agentSession, history).state.value).toBe(value);
    expect(acceptedIn(agentSession, history, commands)).toEqual(accepted);
  });

  test.each<[string, Event]>([
    ["a decision", made("d2")],
    ["a change", changed({ tries: 1 })],
    ["a call", called("c3")],
    ["a checkpoint", marked("again")],
  ])("after a roll-back, %s goes on", (_what, event) => {
    expect(given(agentSession, [...busy, rolledBack("start"), event]).state.value).toBe("running");
  });

  test.each<[string, Event]>([
    ["a late result", returned("c1")],
    ["a rejection", rejected("d1")],
    ["a request to undo", requested("c1")],
    ["what was undone", compensated("c2")],
    ["a fork", { type: "SessionForked", data: { newSession: "f1", fromVersion: 1 } }],
  ])("after a roll-back, %s does not", (_what, event) => {
    expect(given(agentSession, [...busy, rolledBack("start"), event]).state.value).toBe("rolledBack");
  });

  test("what is repeated after the end is refused like any other step", () => {
    for (const end of [completed, failed]) {
      const { when } = given(agentSession, [...busy, end]);
      when({ type: "RecordDecision", data: { decisionId: "d1" } }).thenNotAllowed({
        state: end === failed ? "failed" : "completed",
      });
      when(callTool("c1", { compensation: "delete" })).thenNotAllowed();
      when(change({})).thenNotAllowed();
      when(mark("start")).thenNotAllowed();
      when({ type: "CompleteSession", data: {} }).thenNotAllowed();
    }
  });
});

describe("starting", () => {
  test("is recorded as it was sent, with what a fork comes from", () => {
    const data = {
      agent: "fixer",
      goal: "make the test pass",
      userId: "ada",
      forkedFrom: { session: "s1", version: 7 },
      workingState: { file: "a.py" },
    };
    const state = given(agentSession)
      .when({ type: "StartSession", data })
      .then([{ type: "SessionStarted", data }]);
    expect(state.context.workingState).toEqual({ file: "a.py" });
  });

  test("again is success without an event, otherwise refused", () => {
    const again = { type: "StartSession", data: { workingState: { tries: 0, file: null }, agent: "fixer" } } as const;
    given(agentSession, [started, made("d1")])
      .when(again)
      .thenNothing();
    given(agentSession, [started])
      .when({ type: "StartSession", data: { agent: "fixer" } })
      .thenNotAllowed({ state: "running" });
  });
});

describe("decisions", () => {
  const decide = (decisionId: string, data: object = {}) =>
    ({ type: "RecordDecision", data: { decisionId, ...data } }) as const;
  const reject = (decisionId: string, data: object = {}) =>
    ({ type: "RejectDecision", data: { decisionId, ...data } }) as const;

  test("are recorded with the agent that made them", () => {
    const data = { decisionId: "d1", thought: "First, reproduce it", action: { run: "pytest" } };
    given(agentSession, [started])
      .when({ type: "RecordDecision", data })
      .then([{ type: "DecisionMade", data: { ...data, ...about } }]);
  });

  test("again are success without an event, otherwise refused", () => {
    given(agentSession, [started, made("d1", "hm")])
      .when(decide("d1", { thought: "hm" }))
      .thenNothing();
    given(agentSession, [started, made("d1", "hm")])
      .when(decide("d1", { thought: "oh" }))
      .thenNotAllowed({ state: "made", part: { name: "decision", key: "d1" } });
    given(agentSession, [started, made("d1", "hm"), rejected("d1")])
      .when(decide("d1", { thought: "hm" }))
      .thenNotAllowed({ state: "rejected", part: { name: "decision", key: "d1" } });
  });

  test("are rejected by somebody, with the checkpoint to go back to", () => {
    const history = [started, marked("a"), made("d1"), marked("b"), made("d2")];
    given(agentSession, history)
      .when(reject("d1", { by: "bob", reason: "unsafe" }), { actor: "ada" })
      .then([
        {
          type: "DecisionRejected",
          data: { decisionId: "d1", by: "bob", reason: "unsafe", checkpoint: "a", ...about },
        },
      ]);
    given(agentSession, history)
      .when(reject("d2"), { actor: "ada" })
      .then([{ type: "DecisionRejected", data: { decisionId: "d2", by: "ada", checkpoint: "b" } }]);
    const state = given(agentSession, [started, made("d1")])
      .when(reject("d1"))
      .then([rejected("d1")]);
    expect(state.context.decisions).toMatchObject([{ decisionId: "d1", state: "rejected", version: 2 }]);
  });

  test("are rejected once, and only if they were made", () => {
    given(agentSession, [started, made("d1"), rejected("d1")])
      .when(reject("d1"))
      .thenNothing();
    given(agentSession, [started])
      .when(reject("constructor"))
      .thenNotAllowed({ state: "absent", part: { name: "decision", key: "constructor" } });
  });

  test("are at most 2,000", () => {
    const { when } = given(agentSession, [started, ...Array.from({ length: 2000 }, (_, i) => made(`d${i}`))]);
    when(decide("one-more")).thenRejected("SESSION_FULL");
    when(decide("d7")).thenNothing();
  });
});

describe("the working state", () => {
  test("changes by merge patches", () => {
    const state = given(agentSession, [started, changed({ file: "a.py", open: { line: 3 } })])
      .when(change({ tries: null, open: { column: 1 } }))
      .then([{ type: "AgentStateChanged", data: { patch: { tries: null, open: { column: 1 } }, ...about } }]);
    expect(state.context.workingState).toEqual({ file: "a.py", open: { line: 3, column: 1 } });
  });

  test("that stays the same is success without an event", () => {
    const history = [started, changed({ file: "a.py" })];
    given(agentSession, history)
      .when(change({ file: "a.py" }))
      .thenNothing();
    given(agentSession, history)
      .when(change({ gone: null }))
      .thenNothing();
    given(agentSession, history).when(change({})).thenNothing();
  });

  test("is bounded, whatever it grew by", () => {
    const half = "x".repeat(40_000);
    given(agentSession, [started, changed({ a: half })])
      .when(change({ b: half }))
      .thenRejected("STATE_TOO_LARGE");
    given(agentSession, [started, changed({ a: half })])
      .when(change({ a: null, b: half }))
      .then([changed({ a: null, b: half })]);
  });

  test("has no way to a prototype", () => {
    const patch = JSON.parse('{"__proto__": {"isAdmin": true}, "constructor": {"prototype": {"isAdmin": true}}}');
    const state = given(agentSession, [started])
      .whenRaw("ChangeState", { patch })
      .then([changed({})]);
    expect(Object.keys(state.context.workingState)).toEqual(["file", "tries", "constructor"]);
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
    given(agentSession, [started])
      .whenRaw("ChangeState", { patch: { inner: JSON.parse('{"__proto__": 1}') } })
      .thenInvalid("patch.inner");
  });
});

describe("the ledger of tool calls", () => {
  const commands: Command[] = [
    callTool("c1", { input: "other" }),
    record("c1", { output: "other" }),
    request("c1", { compensation: "other" }),
    compensate("c1"),
    compensate("c1", "other"),
  ];
  const called1 = [started, called("c1", "delete")];
  const requested1 = [...called1, requested("c1")];
  const part = (key: string) => ({ name: "call", key });

  test.each<[string | undefined, Event[], string[]]>([
    [undefined, [started], ["CallTool"]],
    ["called", called1, ["RecordToolResult", "RequestCompensation"]],
    ["returned", [...called1, returned("c1")], ["RecordToolResult", "RequestCompensation"]],
    ["failed", [...called1, returned("c1", { error: "x" })], ["RecordToolResult", "RequestCompensation"]],
    ["compensationRequested", requested1, ["RecordToolResult", "RecordCompensation", "RecordCompensation"]],
    [
      "compensated",
      [...requested1, compensated("c1")],
      ["RecordToolResult", "RequestCompensation", "RecordCompensation"],
    ],
    [
      "compensationFailed",
      [...requested1, notCompensated("c1")],
      ["RecordToolResult", "RequestCompensation", "RecordCompensation", "RecordCompensation"],
    ],
    [
      "compensationRequested",
      [...requested1, notCompensated("c1"), requested("c1")],
      ["RecordToolResult", "RecordCompensation", "RecordCompensation"],
    ],
    [
      "compensated",
      [...requested1, notCompensated("c1"), compensated("c1")],
      ["RecordToolResult", "RequestCompensation", "RecordCompensation"],
    ],
    [
      "compensationRequested",
      [...requested1, returned("c1")],
      ["RecordToolResult", "RecordCompensation", "RecordCompensation"],
    ],
  ])("%s accepts what its arrows say, or has a reason of its own", (value, history, accepted) => {
    expect(callsIn(history)[0]?.state).toBe(value);
    expect(acceptedIn(agentSession, history, commands)).toEqual(accepted);
  });

  test("a call is recorded with how to undo it, and when it was made", () => {
    const compensation = { tool: "delete", path: "/a" };
    const data = {
      callId: "c1",
      tool: "write",
      input: { path: "/a" },
      inputRef: { ref: "s3://in" },
      compensation,
      decisionId: "d1",
    };
    const state = given(agentSession, [started, made("d1")])
      .when({ type: "CallTool", data })
      .then([{ type: "ToolCalled", data: { ...data, ...about } }]);
    expect(state.context.calls).toMatchObject([
      { callId: "c1", tool: "write", state: "called", version: 3, compensation },
    ]);
  });

  test("a call again is success without an event, another of the same id is refused", () => {
    const history = [started, called("c1", "delete"), returned("c1")];
    given(agentSession, history)
      .when(callTool("c1", { compensation: "delete" }))
      .thenNothing();
    given(agentSession, history)
      .when(callTool("c1", { compensation: "delete", input: 1 }))
      .thenNotAllowed({ state: "returned", part: part("c1") });
    given(agentSession, [...history, requested("c1")])
      .when(callTool("c1", { compensation: "delete" }))
      .thenNotAllowed({ state: "compensationRequested", part: part("c1") });
  });

  test("calls are at most 2,000", () => {
    const { when } = given(agentSession, [started, ...Array.from({ length: 2000 }, (_, i) => called(`c${i}`))]);
    when(callTool("one-more")).thenRejected("SESSION_FULL");
    when(callTool("c7")).thenNothing();
    when(record("c0")).then([returned("c0")]);
  });

  test("a result names the tool, and where to go back to when it failed", () => {
    const history = [started, marked("a"), called("c1"), marked("b")];
    const output = { lines: 3 };
    given(agentSession, history)
      .when(record("c1", { output, outputRef: { ref: "s3://out" } }))
      .then([
        {
          type: "ToolReturned",
          data: { callId: "c1", output, outputRef: { ref: "s3://out" }, tool: "write", ...about },
        },
      ]);
    given(agentSession, history)
      .when(record("c1", { error: { code: 1 }, output: "half" }))
      .then([
        {
          type: "ToolReturned",
          data: { callId: "c1", error: { code: 1 }, output: "half", tool: "write", checkpoint: "a" },
        },
      ]);
    expect(callsIn([...history, returned("c1", { error: null })])[0]?.state).toBe("returned");
    expect(callsIn([...history, returned("c1", {})])[0]?.state).toBe("returned");
    expect(callsIn([...history, returned("c1", { error: "" })])[0]?.state).toBe("failed");
  });

  test("a result again is success without an event, another one is refused", () => {
    for (const since of [[], [requested("c1")], [requested("c1"), compensated("c1")], [completed], [failed]]) {
      const { when } = given(agentSession, [started, called("c1", "delete"), returned("c1"), ...since]);
      when(record("c1")).thenNothing();
      when(record("c1", { output: "other" })).thenRejected("ALREADY_RETURNED");
      when(record("c1", { error: "x" })).thenRejected("ALREADY_RETURNED");
    }
  });

  test("a late result changes nothing about undoing", () => {
    const history = [started, called("c1", "delete"), requested("c1")];
    expect(callsIn([...history, returned("c1", { error: "x" })])[0]?.state).toBe("compensationRequested");
    expect(callsIn([...history, compensated("c1"), returned("c1")])[0]?.state).toBe("compensated");
    expect(callsIn([...history, notCompensated("c1"), returned("c1")])[0]?.state).toBe("compensationFailed");
  });

  test("what belongs to no call is refused", () => {
    for (const command of [
      record("constructor"),
      request("constructor"),
      compensate("constructor"),
      compensate("constructor", "x"),
    ]) {
      given(agentSession, [started])
        .when(command)
        .thenNotAllowed({ state: "absent", part: part("constructor") });
      given(agentSession)
        .when(command)
        .thenNotAllowed({ part: part("constructor") });
    }
  });
});

describe("undoing a call", () => {
  const compensation = { tool: "delete", path: "/a" };
  const history: Event[] = [started, called("c1", compensation), returned("c1")];

  test("goes by what the call said, unless the request says how", () => {
    given(agentSession, history)
      .when(request("c1"))
      .then([{ type: "CompensationRequested", data: { callId: "c1", compensation, tool: "write", ...about } }]);
    given(agentSession, history)
      .when(request("c1", { compensation: "by hand" }))
      .then([{ type: "CompensationRequested", data: { callId: "c1", compensation: "by hand" } }]);
    given(agentSession, [started, called("c1")])
      .when(request("c1", { compensation: "by hand" }))
      .then([requested("c1", "by hand")]);
  });

  test("needs to know how", () => {
    given(agentSession, [started, called("c1")])
      .when(request("c1"))
      .thenRejected("NO_COMPENSATION");
    given(agentSession, [started, called("c1", null)])
      .when(request("c1"))
      .thenRejected("NO_COMPENSATION");
    given(agentSession, history)
      .when(request("c1", { compensation: null }))
      .thenRejected("NO_COMPENSATION");
  });

  test("is requested once, however often it is asked for", () => {
    given(agentSession, [...history, requested("c1", compensation)])
      .when(request("c1"))
      .thenNothing();
    given(agentSession, [...history, requested("c1", compensation)])
      .when(request("c1", { compensation: { path: "/a", tool: "delete" } }))
      .thenNothing();
    given(agentSession, [...history, requested("c1", compensation)])
      .when(request("c1", { compensation: "by hand" }))
      .thenNotAllowed({ state: "compensationRequested", part: { name: "call", key: "c1" } });
    given(agentSession, [...history, requested("c1"), compensated("c1")])
      .when(request("c1"))
      .thenNothing();
  });

  test("done is recorded once, and how to do it is forgotten", () => {
    const state = given(agentSession, [...history, requested("c1")])
      .when(compensate("c1"))
      .then([{ type: "StepCompensated", data: { callId: "c1", tool: "write", ...about } }]);
    expect(state.context.calls[0]).not.toHaveProperty("compensation");
    const done = given(agentSession, [...history, requested("c1"), compensated("c1")]);
    done.when(compensate("c1")).thenNothing();
    done.when(compensate("c1", "too late")).thenNotAllowed({ state: "compensated" });
  });

  test("that failed can be tried again, as it was tried before", () => {
    const tried = [...history, requested("c1", "by hand")];
    given(agentSession, tried)
      .when(compensate("c1", "locked"))
      .then([{ type: "CompensationFailed", data: { callId: "c1", reason: "locked", tool: "write", ...about } }]);
    given(agentSession, [...tried, notCompensated("c1")])
      .when(compensate("c1", "locked"))
      .thenNothing();
    given(agentSession, [...tried, notCompensated("c1")])
      .when(compensate("c1", "gone"))
      .then([notCompensated("c1", "gone")]);
    given(agentSession, [...tried, notCompensated("c1")])
      .when(request("c1"))
      .then([requested("c1", "by hand")]);
    given(agentSession, [...tried, notCompensated("c1"), requested("c1", "by hand")])
      .when(compensate("c1", "locked"))
      .then([notCompensated("c1")]);
  });

  test.each<[string, Event]>([
    ["completed", completed],
    ["failed", failed],
  ])("is possible after the session has %s", (value, end) => {
    const ended = [...history, end];
    const state = given(agentSession, ended)
      .when(request("c1"))
      .then([requested("c1", compensation)]);
    expect(state.value).toBe(value);
    given(agentSession, [...ended, requested("c1")])
      .when(compensate("c1"))
      .then([compensated("c1")]);
    given(agentSession, [...ended, requested("c1")])
      .when(compensate("c1", "locked"))
      .then([notCompensated("c1")]);
  });
});

describe("checkpoints", () => {
  const history: Event[] = [started, marked("a"), changed({ file: "a.py" }), called("c1", "delete"), marked("b")];

  test("keep the working state and the version", () => {
    const state = given(agentSession, history)
      .when(mark("c"))
      .then([{ type: "CheckpointMarked", data: { name: "c", ...about } }]);
    expect(state.context.checkpoints).toEqual([
      { name: "a", version: 2, workingState: { file: null, tries: 0 } },
      { name: "b", version: 5, workingState: { file: "a.py", tries: 0 } },
      { name: "c", version: 6, workingState: { file: "a.py", tries: 0 } },
    ]);
  });

  test("marked again move to where the session is", () => {
    const state = given(agentSession, history)
      .when(mark("a"))
      .then([marked("a")]);
    expect(
      state.context.checkpoints.map(({ name, version }: { name: string; version: number }) => [name, version]),
    ).toEqual([
      ["b", 5],
      ["a", 6],
    ]);
    given(agentSession, history).when(mark("b")).thenNothing();
    given(agentSession, [...history, returned("c1")])
      .when(mark("b"))
      .then([marked("b")]);
  });

  test("are at most 32, and one of them can still be moved", () => {
    const full = [started, ...Array.from({ length: 32 }, (_, i) => marked(`m${i}`))];
    given(agentSession, full).when(mark("one-more")).thenRejected("TOO_MANY_CHECKPOINTS");
    given(agentSession, full)
      .when(mark("m0"))
      .then([marked("m0")]);
    given(agentSession, [...full, rolledBack("m5")])
      .when(mark("one-more"))
      .then([marked("one-more")]);
  });

  test("may bear the names of what every object has", () => {
    given(agentSession, [started]).when(rollBack("constructor")).thenRejected("UNKNOWN_CHECKPOINT");
    given(agentSession, [started, marked("constructor"), changed({ a: 1 })])
      .when(rollBack("constructor"))
      .then([rolledBack("constructor", 2)]);
  });
});

describe("rolling back", () => {
  const history: Event[] = [
    started,
    called("c0", "delete"),
    marked("a"),
    changed({ file: "a.py" }),
    called("c1", "delete"),
    marked("b"),
    called("c2", "delete"),
    changed({ file: "b.py", tries: null }),
  ];

  test("restores the working state, and says what is still to be undone, the newest first", () => {
    const state = given(agentSession, history)
      .when(rollBack("a"))
      .then([
        {
          type: "SessionRolledBack",
          data: {
            toCheckpoint: "a",
            toVersion: 3,
            reason: "wrong file",
            toCompensate: ["c2", "c1"],
            notCompensable: [],
            ...about,
          },
        },
      ]);
    expect(state.context.workingState).toEqual({ file: null, tries: 0 });
    expect(state.value).toBe("rolledBack");
  });

  test("goes to the newest checkpoint unless it names one", () => {
    given(agentSession, history)
      .when(rollBack())
      .then([{ type: "SessionRolledBack", data: { toCheckpoint: "b", toVersion: 6, toCompensate: ["c2"] } }]);
  });

  test("leaves decisions, calls and forks as they are, and notes which of them it gave up", () => {
    const before = given(agentSession, [...history, made("d1"), fork1]).state.context;
    const after = given(agentSession, [...history, made("d1"), fork1, rolledBack("a")]).state.context;
    for (const field of ["calls", "decisions", "forks"]) expect(after[field]).toMatchObject(before[field]);
    const givenUp = [...after.calls, ...after.decisions].filter(({ rolledBack }) => rolledBack === true);
    expect(givenUp.map(({ callId, decisionId }) => callId ?? decisionId)).toEqual(["c1", "c2", "d1"]);
  });

  test("names no call that is undone, or being undone, or has nothing to undo", () => {
    const since: Event[] = [
      called("asked", "delete"),
      requested("asked"),
      called("done", "delete"),
      requested("done"),
      compensated("done"),
      called("read", null),
      called("mail"),
      called("stuck", "delete"),
      requested("stuck"),
      notCompensated("stuck"),
      called("broken", "delete"),
      returned("broken", { error: "x" }),
    ];
    given(agentSession, [...history, ...since])
      .when(rollBack("b"))
      .then([
        {
          type: "SessionRolledBack",
          data: { toCheckpoint: "b", toVersion: 6, toCompensate: ["broken", "stuck", "c2"], notCompensable: ["mail"] },
        },
      ]);
  });

  test("drops the checkpoints marked later, and keeps its own", () => {
    const after = [...history, rolledBack("a")];
    expect(given(agentSession, after).state.context.checkpoints.map(({ name }: { name: string }) => name)).toEqual([
      "a",
    ]);
    given(agentSession, after).when(rollBack("b")).thenRejected("UNKNOWN_CHECKPOINT");
    given(agentSession, [...after, called("c3", "delete")])
      .when(rollBack())
      .then([
        { type: "SessionRolledBack", data: { toCheckpoint: "a", toVersion: 3, toCompensate: ["c3", "c2", "c1"] } },
      ]);
  });

  test("again is success without an event until the agent goes on", () => {
    given(agentSession, [...history, rolledBack("b")])
      .when(rollBack("b"))
      .thenNothing();
    given(agentSession, [...history, rolledBack("b"), requested("c2"), returned("c2")])
      .when(rollBack())
      .thenNothing();
    given(agentSession, [...history, rolledBack("b")])
      .when(rollBack("a"))
      .then([rolledBack("a", 3)]);
    given(agentSession, [...history, rolledBack("b"), changed({ tries: 1 })])
      .when(rollBack("b"))
      .then([rolledBack("b", 6)]);
  });

  test("to what was never marked says what was", () => {
    expect(rejectionOf(history, rollBack("z"))).toEqual({ toCheckpoint: "z", known: ["a", "b"] });
    expect(rejectionOf([started], rollBack())).toEqual({ toCheckpoint: null, known: [] });
    given(agentSession, history).when(rollBack("z")).thenRejected("UNKNOWN_CHECKPOINT");
    given(agentSession, [started]).when(rollBack()).thenRejected("UNKNOWN_CHECKPOINT");
    given(agentSession, [started, failed]).when(rollBack()).thenRejected("UNKNOWN_CHECKPOINT");
    given(agentSession).when(rollBack("a")).thenNotAllowed({ state: "empty" });
  });
});

describe("rolling back because of a failure", () => {
  const because = (cause: number, data: object = {}) => ({ type: "RollBack", data: { cause, ...data } }) as const;
  /** Fails at version 7, behind a checkpoint that was marked after the call. */
  const history: Event[] = [
    started,
    marked("a"),
    called("c1", "delete"),
    made("d1"),
    marked("b"),
    called("c2", "delete"),
    returned("c1", { error: "x" }),
  ];
  const undone: Event = { type: "SessionRolledBack", data: { toCheckpoint: "a", toVersion: 2, cause: 7 } };

  test("goes to the newest checkpoint before the step that failed", () => {
    given(agentSession, history)
      .when(because(7))
      .then([
        {
          type: "SessionRolledBack",
          data: { toCheckpoint: "a", toVersion: 2, cause: 7, toCompensate: ["c2", "c1"], notCompensable: [] },
        },
      ]);
    given(agentSession, [...history, rejected("d1")])
      .when(because(8))
      .then([{ type: "SessionRolledBack", data: { toCheckpoint: "a", toVersion: 2, cause: 8 } }]);
    given(agentSession, history)
      .when(because(7, { toCheckpoint: "b" }))
      .then([{ type: "SessionRolledBack", data: { toCheckpoint: "b", toVersion: 5, cause: 7 } }]);
  });

  test("is refused when nothing failed there, when it is done, and when there is nowhere to go", () => {
    given(agentSession, history).when(because(6)).thenRejected("UNKNOWN_CAUSE");
    given(agentSession, [...history, undone])
      .when(because(7))
      .thenRejected("ALREADY_ROLLED_BACK");
    given(agentSession, [...history, rolledBack("a", 2), made("d2")])
      .when(because(7))
      .thenRejected("ALREADY_ROLLED_BACK");
    given(agentSession, [started, called("c1"), returned("c1", { error: "x" }), marked("late")])
      .when(because(3))
      .thenRejected("UNKNOWN_CHECKPOINT");
    given(agentSession).when(because(1)).thenNotAllowed({ state: "empty" });
  });

  test("all that is undone says because of what", () => {
    const { when } = given(agentSession, [...history, undone]);
    when(request("c2")).then([requested("c2", "delete")]);
    const asked = given(agentSession, [...history, undone, requested("c2")]);
    for (const [command, type] of [
      [request("c1"), "CompensationRequested"],
      [compensate("c2"), "StepCompensated"],
      [compensate("c2", "locked"), "CompensationFailed"],
    ] as const) {
      asked.when(command).then([{ type, data: { callId: command.data.callId, cause: 7 } } as Event]);
    }
  });

  test("leaves to an earlier roll-back what that has taken on", () => {
    const more = [...history, undone, called("c3", "delete"), returned("c3", { error: "y" })];
    given(agentSession, more)
      .when(because(10))
      .then([
        { type: "SessionRolledBack", data: { toCheckpoint: "a", toVersion: 2, cause: 10, toCompensate: ["c3"] } },
      ]);
    given(agentSession, more)
      .when(rollBack("a"))
      .then([{ type: "SessionRolledBack", data: { toCheckpoint: "a", toVersion: 2, toCompensate: ["c3"] } }]);
  });

  test("what fails after it was given up says so", () => {
    const late = given(agentSession, [...history, undone]);
    late
      .when(record("c2", { error: "x" }))
      .then([{ type: "ToolReturned", data: { callId: "c2", error: "x", checkpoint: "a", rolledBack: true } }]);
    late
      .when({ type: "RejectDecision", data: { decisionId: "d1" } })
      .then([{ type: "DecisionRejected", data: { decisionId: "d1", checkpoint: "a", rolledBack: true } }]);
    const state = late.when(record("c2")).then([returned("c2")]);
    expect(state.context.calls[1]).not.toHaveProperty("failedAt");
  });
});

const fork1: Event = { type: "SessionForked", data: { newSession: "f1", fromVersion: 1 } };

describe("forking", () => {
  test("goes on from the present version unless it names an earlier one", () => {
    given(agentSession, [started, changed({ a: 1 })])
      .when(fork("f1"))
      .then([{ type: "SessionForked", data: { newSession: "f1", fromVersion: 2, ...about } }]);
    given(agentSession, [started, changed({ a: 1 })])
      .when({ type: "ForkSession", data: { newSession: "f1", fromVersion: 1, reason: "try both" } })
      .then([{ type: "SessionForked", data: { newSession: "f1", fromVersion: 1, reason: "try both" } }]);
  });

  test("again is success without an event, from elsewhere it is refused", () => {
    given(agentSession, [started, fork1]).when(fork("f1")).thenNothing();
    given(agentSession, [started, fork1]).when(fork("f1", 1)).thenNothing();
    given(agentSession, [started, fork1]).when(fork("f1", 2)).thenRejected("FORK_EXISTS");
    given(agentSession, [started])
      .when(fork("constructor"))
      .then([{ type: "SessionForked", data: { newSession: "constructor", fromVersion: 1 } }]);
  });

  test("begins at a version that there is, in another session", () => {
    given(agentSession, [started]).when(fork("f1", 2)).thenRejected("VERSION_AHEAD");
    given(agentSession, [started]).when(fork("x1")).thenRejected("SAME_SESSION");
    given(agentSession).when(fork("f1")).thenNotAllowed({ state: "empty" });
  });

  test("is possible 256 times", () => {
    const forks = Array.from(
      { length: 256 },
      (_, i): Event => ({ type: "SessionForked", data: { newSession: `f${i}`, fromVersion: 1 } }),
    );
    given(agentSession, [started, ...forks])
      .when(fork("one-more"))
      .thenRejected("TOO_MANY_FORKS");
    given(agentSession, [started, ...forks])
      .when(fork("f7"))
      .thenNothing();
  });
});

describe("ending", () => {
  test("says with what, or why", () => {
    const data = { result: { exitStatus: "submitted" }, resultRef: { ref: "s3://patch.diff" } };
    given(agentSession, [started])
      .when({ type: "CompleteSession", data })
      .then([{ type: "SessionCompleted", data: { ...data, ...about } }]);
    given(agentSession, [started])
      .when({ type: "FailSession", data: { reason: "out of budget" } })
      .then([{ type: "SessionFailed", data: { reason: "out of budget", ...about } }]);
  });
});

describe("importing", () => {
  const source = { name: "session.traj", sha256: "abc" };
  const line = (sourceLine: number) => ({ sourceLine });
  const history: RawCommand[] = [
    { type: "StartSession", data: { source } },
    { type: "RecordDecision", data: { decisionId: "s1", thought: "look", action: "ls", ...line(1) } },
    { type: "CallTool", data: { callId: "s1", tool: "ls", input: "ls", compensation: null, ...line(2) } },
    { type: "RecordToolResult", data: { callId: "s1", output: "README", ...line(3) } },
    { type: "ChangeState", data: { patch: { workingDir: "/" }, ...line(4) } },
    { type: "MarkCheckpoint", data: { name: "s1", ...line(5) } },
    { type: "ChangeState", data: { patch: { workingDir: "/src" }, ...line(6) } },
    { type: "RejectDecision", data: { decisionId: "s1", ...line(7) } },
    { type: "RollBack", data: { ...line(8) } },
    { type: "RequestCompensation", data: { callId: "s1", compensation: "x", ...line(9) } },
    { type: "RecordCompensation", data: { callId: "s1", reason: "x", ...line(10) } },
    { type: "ForkSession", data: { newSession: "f1", ...line(11) } },
    { type: "FailSession", data: { ...line(12) } },
    { type: "RollBack", data: { ...line(13) } },
    { type: "ChangeState", data: { patch: { workingDir: "/src" }, ...line(14) } },
    { type: "CompleteSession", data: { result: "submitted", ...line(15) } },
  ];

  test("the same file again adds nothing", () => {
    const decided = decideAll(agentSession, [...history, ...history]);
    const counts = decided.map(({ events }) => events.length);
    expect(counts).toEqual([...history.map(() => 1), ...history.map(() => 0)]);
    const { when } = given(agentSession, eventsOf(decided));
    for (const command of history) when(command as Command).thenNothing();
  });

  test("goes on where the first ended", () => {
    const decided = decideAll(agentSession, [...history.slice(0, 6), ...history]);
    expect(decided.flatMap(({ events }) => events)).toHaveLength(history.length);
  });

  test("is not confused by line numbers where nothing was imported", () => {
    const own = history.map((command, index) => (index === 0 ? { ...command, data: {} } : command));
    const decided = decideAll(agentSession, [
      ...own.slice(0, 5),
      { type: "ChangeState", data: { patch: { a: 1 }, sourceLine: 1 } },
    ]);
    expect(decided.at(-1)?.events).toHaveLength(1);
  });
});

describe("laws", () => {
  const start = { type: "StartSession", data: {} };
  const anyCommand = arbitraryCommand(agentSession.schemas);
  const anyCommands = fc.array(anyCommand, { maxLength: 40, size: "max" });

  test("a roll-back restores exactly the checkpoint's working state, whatever happened between", () => {
    // Rolling back to an earlier one would drop the checkpoint, which is the other law.
    const between = fc.array(
      anyCommand.filter(
        ({ type, data }) => type !== "RollBack" || (data as { toCheckpoint?: string }).toCheckpoint === undefined,
      ),
      { maxLength: 40, size: "max" },
    );
    fc.assert(
      fc.property(anyCommands, between, (before, since) => {
        const reopen = { type: "RollBack", data: {} };
        const seen = decideAll(agentSession, [
          start,
          ...before,
          reopen,
          change({ n: 1 }),
          mark("here"),
          ...since,
          rollBack("here"),
        ]);
        const at = seen[before.length + 3];
        const last = seen.at(-1);
        if (at?.events.length !== 1 || last === undefined) return;
        assert.deepEqual(last.state.context.workingState, at.state.context.workingState);
        // A name marked again has moved to the way that was given up.
        const moved = seen
          .slice(before.length + 4)
          .flatMap(({ command, events }) =>
            command.type === "MarkCheckpoint" && events.length > 0 ? [(command.data as { name: string }).name] : [],
          );
        const kept = (at.state.context.checkpoints as { name: string }[]).filter(({ name }) => !moved.includes(name));
        assert.deepEqual(last.state.context.checkpoints, kept);
        assert(["rolledBack", "completed", "failed"].includes(last.state.value) || last.events.length === 0);
      }),
      { numRuns: 300 },
    );
  });

  test("the ledger never shrinks, and a call keeps its tool and its version", () => {
    fc.assert(
      fc.property(anyCommands, (commands) => {
        let before: readonly CallInState[] = [];
        for (const { state } of decideAll(agentSession, [start, ...commands])) {
          const { calls } = state.context as { calls: readonly CallInState[] };
          const fixed = ({ callId, tool, version }: CallInState) => ({ callId, tool, version });
          assert.deepEqual(calls.slice(0, before.length).map(fixed), before.map(fixed));
          before = calls;
        }
      }),
      { numRuns: 300 },
    );
  });

  test("no call is undone twice, nor asked for while it is being undone", () => {
    fc.assert(
      fc.property(anyCommands, (commands) => {
        const state = new Map<string, string>();
        for (const { type, data } of eventsOf(decideAll(agentSession, [start, ...commands]))) {
          const { callId } = data as { callId: string };
          if (type === "CompensationRequested") assert([undefined, "failed"].includes(state.get(callId)));
          if (type === "CompensationRequested") state.set(callId, "requested");
          if (type === "CompensationFailed") state.set(callId, "failed");
          if (type === "StepCompensated") assert.notEqual(state.get(callId), "done");
          if (type === "StepCompensated") state.set(callId, "done");
        }
      }),
      { numRuns: 300 },
    );
  });

  test("what a roll-back names can be asked for, one after another, and then nothing is left", () => {
    fc.assert(
      fc.property(anyCommands, (commands) => {
        const first = [start, mark("first"), ...commands, rollBack("first")];
        const seen = decideAll(agentSession, first);
        const event = seen.flatMap(({ events }) => events).findLast(({ type }) => type === "SessionRolledBack");
        const { toCompensate = [] } = (event?.data ?? {}) as { toCompensate?: string[] };
        if (seen.at(-1)?.events.length !== 1) return;
        const requests = decideAll(agentSession, [...first, ...toCompensate.map((callId) => request(callId))]);
        assert(requests.slice(first.length).every(({ events }) => events.length === 1));
        const again = decideAll(agentSession, [
          ...first,
          ...toCompensate.map((callId) => request(callId)),
          change({ n: "new" }),
          rollBack("first"),
        ]);
        const data = again.at(-1)?.events[0]?.data as { toCompensate: string[] };
        assert.deepEqual(data.toCompensate, []);
      }),
      { numRuns: 300 },
    );
  });
});

describe("fields", () => {
  const deep = JSON.parse(`${"[".repeat(50_000)}${"]".repeat(50_000)}`);

  test.each<[string, string, unknown, string]>([
    ["an unknown field", "StartSession", { model: "x" }, "model"],
    ["a fork of nothing", "StartSession", { forkedFrom: { version: 3 } }, "forkedFrom.session"],
    ["a fork of what is no stream", "StartSession", { forkedFrom: { session: "a.b" } }, "forkedFrom.session"],
    ["a source without its hash", "StartSession", { source: { name: "x" } }, "source.sha256"],
    ["a working state that is a list", "StartSession", { workingState: [1] }, "workingState"],
    ["a large working state", "StartSession", { workingState: { a: "x".repeat(65_536) } }, "workingState"],
    ["a decision without its id", "RecordDecision", { thought: "x" }, "decisionId"],
    ["an id that no object can hold", "RecordDecision", { decisionId: "__proto__" }, "decisionId"],
    ["an id that is not printable", "CallTool", { callId: "c\n1", tool: "x" }, "callId"],
    ["an id with a quote", "CallTool", { callId: 'c"1', tool: "x" }, "callId"],
    ["an id with a backslash", "CallTool", { callId: "c\\1", tool: "x" }, "callId"],
    ["a long id", "CallTool", { callId: "c".repeat(129), tool: "x" }, "callId"],
    ["a call of no tool", "CallTool", { callId: "c1" }, "tool"],
    ["a large compensation", "CallTool", { callId: "c1", tool: "x", compensation: "x".repeat(2048) }, "compensation"],
    ["a deep compensation", "RequestCompensation", { callId: "c1", compensation: deep }, "compensation"],
    ["a patch that is no object", "ChangeState", { patch: null }, "patch"],
    ["a patch that is a list", "ChangeState", { patch: [1] }, "patch"],
    ["a deep patch", "ChangeState", { patch: { a: deep } }, "patch.a"],
    ["a large patch", "ChangeState", { patch: { a: "x".repeat(65_536) } }, "patch"],
    ["no patch", "ChangeState", {}, "patch"],
    ["a result of no call", "RecordToolResult", { output: 1 }, "callId"],
    ["a checkpoint no object can hold", "MarkCheckpoint", { name: "__proto__" }, "name"],
    ["what decide computes", "RollBack", { toCheckpoint: "a", toVersion: 1 }, "toVersion"],
    ["a failure for no reason", "RecordCompensation", { callId: "c1", reason: "" }, "reason"],
    ["a fork without a name", "ForkSession", { fromVersion: 1 }, "newSession"],
    ["a fork from before the beginning", "ForkSession", { newSession: "f1", fromVersion: 0 }, "fromVersion"],
    ["a line before the first", "CompleteSession", { sourceLine: 0 }, "sourceLine"],
  ])("%s is invalid", (_what, type, data, path) => {
    given(agentSession, [started]).whenRaw(type, data).thenInvalid(path);
  });

  test("the event of a roll-back fits into a message, however long the ids", () => {
    const names = Array.from({ length: 2000 }, (_, i) => `${i}`.padStart(128, "~"));
    const state = given(agentSession, [started, marked("a"), ...names.map((name) => called(name, "x"))]);
    const { decide } = agentSession;
    const decision = (decide.RollBack as (typeof decide)[string])(
      state.state,
      { ...rollBack("a"), ...envelope },
      context,
    );
    expect(JSON.stringify(decision).length).toBeLessThan(300_000);
  });
});

interface CallInState {
  readonly callId: string;
  readonly tool: string;
  readonly version: number;
  readonly state: string;
}

function callsIn(history: Event[]): readonly CallInState[] {
  return given(agentSession, history).state.context.calls;
}

function eventsOf(decided: ReturnType<typeof decideAll>): Event[] {
  return decided.flatMap(({ events }) => events.map(({ type, data }) => ({ type, data }) as Event));
}

const now = "2026-01-01T00:00:00.000Z";
const context = { id: "x1", now };
const envelope = { occurredAt: now, metadata: { correlationId: "c", causationId: "c", commandId: "c" } };

function rejectionOf(history: Event[], command: Command): unknown {
  const decide = agentSession.decide[command.type] as (typeof agentSession.decide)[string];
  const decision = decide(given(agentSession, history).state, { ...command, ...envelope }, context);
  assert("outcome" in decision);
  return decision.details;
}
