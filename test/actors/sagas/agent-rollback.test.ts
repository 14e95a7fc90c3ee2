/** From a failure back to the checkpoint before it, call by call. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import agentSession from "../../../actors/aggregates/agent-session.ts";
import policy from "../../../actors/aggregates/policy.ts";
import agentRollback from "../../../actors/sagas/agent-rollback.ts";
import { openSagas } from "../../sagas/setting.ts";
import { assertSagaLaws } from "./laws.ts";

type Data = Record<string, unknown>;

const minute = 60_000;

/** One session, `s`, of the agent `fixer`. */
async function openSession(settings: Data = {}, id = "s") {
  const sagas = await openSagas([agentSession, policy, agentRollback]);
  const act = async (type: string, data: Data = {}): Promise<void> => {
    const outcome = await sagas.send("agent-session", id, type, data);
    expect(outcome, type).not.toBeInstanceOf(Error);
    await sagas.settle();
  };
  if (Object.keys(settings).length > 0) await sagas.send("policy", "agent-rollback", "SetPolicy", { settings });
  await sagas.settle();
  await act("StartSession", { agent: "fixer", workingState: { file: "a" } });
  const events = () => [...sagas.store.readStream(`agent-session-${id}`)];
  return {
    ...sagas,
    act,
    call: (callId: string, compensation: unknown = { undo: callId }) => {
      return act("CallTool", { callId, tool: "write", compensation });
    },
    fail: (callId: string) => act("RecordToolResult", { callId, error: "disk full" }),
    /** What a subscriber says. */
    done: (callId: string) => act("RecordCompensation", { callId }),
    notDone: (callId: string, reason: string) => act("RecordCompensation", { callId, reason }),
    /** The types behind a version, those of calls with their ids. */
    since: (version: number) =>
      events()
        .slice(version)
        .map(({ type, data }) => [type, (data as { callId?: string }).callId].filter(Boolean).join(" ")),
    version: () => events().length,
    last: () => events().at(-1)?.data as Data,
    end: (cause: number) => {
      const last = [...sagas.store.readStream(`saga-agent-rollback-${id}~${cause}`)].at(-1);
      expect(last?.type).toBe("SagaEnded");
      return last?.data as { readonly state: string; readonly output: Data };
    },
  };
}

/** With a checkpoint and three calls behind it; the last one fails, at version 6. */
async function openFailed(settings: Data = {}) {
  const session = await openSession(settings);
  await session.call("c0");
  await session.act("MarkCheckpoint", { name: "a" });
  await session.call("c1");
  await session.call("c2");
  await session.fail("c2");
  return session;
}

describe("a failed tool", () => {
  test("sends the agent back, and each call since is undone, the newest first, one after another", async () => {
    const session = await openFailed();
    expect(session.since(6)).toEqual(["SessionRolledBack", "CompensationRequested c2"]);
    expect([...session.store.readStream("agent-session-s")][6]).toMatchObject({
      data: { toCheckpoint: "a", cause: 6, reason: "write failed in call c2: disk full", toCompensate: ["c2", "c1"] },
      metadata: { actor: { id: "saga:agent-rollback", verified: true } },
    });
    await session.done("c2");
    expect(session.since(8)).toEqual(["StepCompensated c2", "CompensationRequested c1"]);
    await session.done("c1");
    expect(session.since(10)).toEqual(["StepCompensated c1"]);
    expect(session.end(6)).toEqual({
      how: "done",
      state: "undone",
      output: {
        session: "s",
        cause: 6,
        reason: "write failed in call c2: disk full",
        toCheckpoint: "a",
        compensated: 2,
        notUndone: [],
        notUndoneCount: 0,
      },
    });
    expect(session.reactor.nextDueMs()).toBeUndefined();
    assertSagaLaws(session);
  });

  test("names an error that is no text, and cuts what is long", async () => {
    const session = await openSession();
    await session.act("MarkCheckpoint", { name: "a" });
    await session.call("c1");
    await session.act("RecordToolResult", { callId: "c1", error: { code: 28, trace: "x".repeat(5000) } });
    const rolledBack = [...session.store.readStream("agent-session-s")][4]?.data as { reason: string };
    expect(rolledBack.reason).toMatch(/^write failed in call c1: \{"code":28,"trace":"x+…$/);
    expect(rolledBack.reason).toHaveLength(500);
  });

  test("with nothing to undo is the end of it", async () => {
    const session = await openSession();
    await session.act("MarkCheckpoint", { name: "a" });
    await session.call("read", null);
    await session.fail("read");
    expect(session.since(4)).toEqual(["SessionRolledBack"]);
    expect(session.end(4)).toMatchObject({ state: "undone", output: { compensated: 0, notUndoneCount: 0 } });
  });

  test("in a session with a very long id is dealt with, too", async () => {
    const session = await openSession({}, "s".repeat(128));
    await session.act("MarkCheckpoint", { name: "a" });
    await session.call("c1");
    await session.fail("c1");
    await session.done("c1");
    const [ended] = [...session.store.readAll({})].filter(({ type }) => type === "SagaEnded");
    expect(ended?.stream).toHaveLength("saga-agent-rollback-".length + 128);
    expect(ended?.data).toMatchObject({ state: "undone" });
  });

  test("without a checkpoint before it leaves the session as it is, and says so", async () => {
    const session = await openSession();
    await session.call("c1");
    await session.act("MarkCheckpoint", { name: "late" });
    await session.fail("c1");
    expect(session.since(4)).toEqual([]);
    expect(session.end(4)).toMatchObject({
      state: "nowhere",
      output: { reason: expect.stringContaining("no checkpoint before what failed at version 4") },
    });
  });

  test("the same one twice is one failure", async () => {
    const session = await openFailed();
    const version = session.version();
    await session.fail("c2");
    expect(session.version()).toBe(version);
    expect(
      await session.send("agent-session", "s", "RecordToolResult", { callId: "c2", error: "other" }),
    ).toMatchObject({ code: "REJECTED" });
    expect([...session.store.scan("sagas", {})]).toHaveLength(1);
  });

  test("is nobody's business where it is switched off, ignored, imported, or no failure", async () => {
    for (const settings of [{ onToolFailure: false }, { ignoredTools: ["write"] }]) {
      const session = await openFailed(settings);
      expect(session.since(6)).toEqual([]);
    }
    const session = await openSession();
    await session.act("MarkCheckpoint", { name: "a" });
    await session.call("c1");
    await session.act("RecordToolResult", { callId: "c1", error: null, output: "ok" });
    await session.call("c2");
    await session.act("RecordToolResult", { callId: "c2", error: "x", sourceLine: 7 });
    expect(session.since(6)).toEqual([]);
  });
});

describe("a rejected decision", () => {
  test("sends the agent back to before it", async () => {
    const session = await openSession();
    await session.act("MarkCheckpoint", { name: "a" });
    await session.act("RecordDecision", { decisionId: "d1" });
    await session.call("c1");
    await session.act("MarkCheckpoint", { name: "b" });
    await session.call("c2");
    await session.act("RejectDecision", { decisionId: "d1", by: "bob", reason: "unsafe" });
    const rolledBack = [...session.store.readStream("agent-session-s")][7];
    expect(rolledBack?.data).toMatchObject({
      toCheckpoint: "a",
      cause: 7,
      reason: "decision d1 was rejected by bob: unsafe",
      toCompensate: ["c2", "c1"],
    });
    const state = await session.send("agent-session", "s", "RollBack");
    expect(state).toMatchObject({ events: [] });
  });

  test("is nobody's business where that is switched off", async () => {
    const session = await openSession({ onRejection: false });
    await session.act("MarkCheckpoint", { name: "a" });
    await session.act("RecordDecision", { decisionId: "d1" });
    await session.act("RejectDecision", { decisionId: "d1" });
    expect(session.since(4)).toEqual([]);
  });
});

describe("what cannot be undone", () => {
  test("is in the report from the start, where nobody knows how", async () => {
    const session = await openSession();
    await session.act("MarkCheckpoint", { name: "a" });
    await session.act("CallTool", { callId: "post", tool: "http" });
    await session.call("c1");
    await session.fail("c1");
    await session.done("c1");
    expect(session.end(5)).toMatchObject({
      state: "incomplete",
      output: { compensated: 1, notUndone: [{ callId: "post", reason: "nobody has said how to undo it" }] },
    });
  });

  test("is tried again after a pause, and then given up; the others go on", async () => {
    const session = await openFailed({ retries: 2, pauseMs: minute });
    for (const attempt of [1, 2]) {
      await session.notDone("c2", `locked ${attempt}`);
      expect(session.since(session.version() - 1)).toEqual(["CompensationFailed c2"]);
      await session.pass(minute - 1);
      expect(session.since(session.version() - 1)).toEqual(["CompensationFailed c2"]);
      await session.pass(1);
      expect(session.since(session.version() - 1)).toEqual(["CompensationRequested c2"]);
    }
    await session.notDone("c2", "locked 3");
    expect(session.since(session.version() - 2)).toEqual(["CompensationFailed c2", "CompensationRequested c1"]);
    // The next call has as many attempts.
    for (const attempt of [1, 2]) {
      await session.notDone("c1", `busy ${attempt}`);
      await session.pass(minute);
    }
    await session.done("c1");
    expect(session.end(6)).toMatchObject({
      state: "incomplete",
      output: { compensated: 1, notUndone: [{ callId: "c2", reason: "locked 3" }], notUndoneCount: 1 },
    });
  });

  test("is what nobody answers for, too; it is on record in the session", async () => {
    const session = await openFailed({ retries: 1, pauseMs: minute, patienceMs: 5 * minute });
    await session.pass(5 * minute - 1);
    expect(session.since(8)).toEqual([]);
    await session.pass(1);
    expect(session.last()).toMatchObject({
      callId: "c2",
      cause: 6,
      reason: "attempt 1: nobody has said within 300000 ms what became of it",
    });
    await session.pass(6 * minute);
    expect(session.since(8)).toEqual([
      "CompensationFailed c2",
      "CompensationRequested c2",
      "CompensationFailed c2",
      "CompensationRequested c1",
    ]);
    await session.pass(60 * minute);
    expect(session.end(6)).toMatchObject({ state: "incomplete", output: { compensated: 0, notUndoneCount: 2 } });
    expect(session.reactor.nextDueMs()).toBeUndefined();
    assertSagaLaws(session);
  });

  test("can still be undone during the pause, or just in time", async () => {
    const session = await openFailed();
    await session.notDone("c2", "locked");
    await session.done("c2");
    expect(session.since(session.version() - 2)).toEqual(["StepCompensated c2", "CompensationRequested c1"]);
    // Recorded, but the saga has not seen it when the timer fires.
    session.clock.advance(5 * minute);
    await session.send("agent-session", "s", "RecordCompensation", { callId: "c1" });
    await session.reactor.fireDue();
    await session.settle();
    expect(session.end(6)).toMatchObject({ state: "undone", output: { compensated: 2 } });
    expect(session.story("agent-rollback", "s~6").map(({ type }) => type)).toContain("SagaCommandRejected");
  });

  test("is named up to a hundred calls, and counted", async () => {
    const session = await openSession();
    await session.act("MarkCheckpoint", { name: "a" });
    for (let i = 0; i < 150; i++) await session.send("agent-session", "s", "CallTool", { callId: `c${i}`, tool: "t" });
    await session.fail("c149");
    const { output } = session.end(153);
    expect(output).toMatchObject({ compensated: 0, notUndoneCount: 150 });
    expect(output.notUndone).toHaveLength(100);
  });
});

describe("what happens meanwhile", () => {
  test("a person who undoes a later call saves its turn", async () => {
    const session = await openFailed();
    await session.act("RequestCompensation", { callId: "c1" });
    await session.done("c1");
    await session.done("c2");
    expect(session.since(8)).toEqual(["CompensationRequested c1", "StepCompensated c1", "StepCompensated c2"]);
    expect(session.end(6)).toMatchObject({ state: "undone", output: { compensated: 2 } });
  });

  test("a call that a person is having undone when its turn comes is waited for", async () => {
    const session = await openFailed();
    await session.act("RequestCompensation", { callId: "c1" });
    await session.done("c2");
    expect(session.since(9)).toEqual(["StepCompensated c2"]);
    await session.done("c1");
    expect(session.end(6)).toMatchObject({ state: "undone" });
  });

  test("a session that is completed in the meantime is undone all the same", async () => {
    const session = await openFailed();
    await session.act("CompleteSession");
    await session.done("c2");
    await session.done("c1");
    expect(session.end(6)).toMatchObject({ state: "undone" });

    const late = await openSession();
    await late.act("MarkCheckpoint", { name: "a" });
    await late.call("c1");
    await late.send("agent-session", "s", "RecordToolResult", { callId: "c1", error: "x" });
    await late.send("agent-session", "s", "CompleteSession");
    await late.settle();
    expect(late.since(4)).toEqual(["SessionCompleted", "SessionRolledBack", "CompensationRequested c1"]);
  });

  test("a second failure of what was given up anyway changes nothing", async () => {
    const session = await openFailed();
    await session.fail("c1");
    expect(session.since(8)).toEqual(["ToolReturned c1"]);
    expect([...session.store.scan("sagas", {})]).toHaveLength(1);
  });

  test("two failures at once are one roll-back, and the other says so", async () => {
    const session = await openSession();
    await session.act("MarkCheckpoint", { name: "a" });
    await session.call("c1");
    await session.call("c2");
    for (const callId of ["c1", "c2"]) {
      await session.send("agent-session", "s", "RecordToolResult", { callId, error: "x" });
    }
    await session.settle();
    expect(session.since(6)).toEqual(["SessionRolledBack", "CompensationRequested c2"]);
    expect(session.end(6)).toMatchObject({
      state: "overtaken",
      output: { reason: expect.stringContaining("given up by another roll-back") },
    });
    await session.done("c2");
    await session.done("c1");
    expect(session.end(5)).toMatchObject({ state: "undone" });
  });

  test("a failure after the agent has gone on is a roll-back of its own, and each call is undone once", async () => {
    const session = await openFailed();
    await session.call("c3");
    await session.fail("c3");
    const version = session.version();
    expect(session.since(version - 2)).toEqual(["SessionRolledBack", "CompensationRequested c3"]);
    for (const callId of ["c2", "c3", "c1"]) await session.done(callId);
    expect([session.end(6), session.end(version - 2)]).toMatchObject([
      { state: "undone", output: { compensated: 2 } },
      { state: "undone", output: { compensated: 1 } },
    ]);
    const requested = [...session.store.readStream("agent-session-s")]
      .filter(({ type }) => type === "CompensationRequested")
      .map(({ data }) => (data as { callId: string }).callId);
    expect(requested).toEqual(["c2", "c3", "c1"]);
  });

  test("a late failure from before the checkpoint goes further back", async () => {
    const session = await openSession();
    await session.act("MarkCheckpoint", { name: "a" });
    await session.call("old");
    await session.act("MarkCheckpoint", { name: "b" });
    await session.call("c1");
    await session.fail("c1");
    await session.fail("old");
    const back = [...session.store.readStream("agent-session-s")]
      .filter(({ type }) => type === "SessionRolledBack")
      .map(({ data }) => data);
    expect(back).toMatchObject([
      { toCheckpoint: "b", toCompensate: ["c1"] },
      { toCheckpoint: "a", toCompensate: ["old"] },
    ]);
  });

  test("a person who rolled back first has it done, and is not interfered with", async () => {
    const session = await openSession();
    await session.act("MarkCheckpoint", { name: "a" });
    await session.call("c1");
    await session.send("agent-session", "s", "RecordToolResult", { callId: "c1", error: "x" });
    await session.send("agent-session", "s", "RollBack");
    await session.settle();
    expect(session.since(4)).toEqual(["SessionRolledBack"]);
    expect(session.end(4)).toMatchObject({ state: "overtaken" });
  });
});

test("whatever the agent, its subscribers and people do, nothing is stuck, and with time everything ends", async () => {
  const callId = fc.constantFrom("c1", "c2", "c3", "c4");
  const step = fc.oneof(
    fc.record({
      type: fc.constant("CallTool"),
      data: fc.record({ callId, tool: fc.constant("t"), compensation: fc.constantFrom("undo", null) }),
    }),
    fc.record({ type: fc.constant("CallTool"), data: fc.record({ callId, tool: fc.constant("t") }) }),
    fc.record({
      type: fc.constant("RecordToolResult"),
      data: fc.record({ callId, error: fc.constantFrom("x", null) }),
    }),
    fc.record({ type: fc.constant("MarkCheckpoint"), data: fc.record({ name: fc.constantFrom("a", "b") }) }),
    fc.record({ type: fc.constant("RecordDecision"), data: fc.record({ decisionId: callId }) }),
    fc.record({ type: fc.constant("RejectDecision"), data: fc.record({ decisionId: callId }) }),
    fc.record({ type: fc.constant("RecordCompensation"), data: fc.record({ callId }) }),
    fc.record({
      type: fc.constant("RecordCompensation"),
      data: fc.record({ callId, reason: fc.constantFrom("x", "y") }),
    }),
    fc.record({ type: fc.constant("RequestCompensation"), data: fc.record({ callId }) }),
    fc.record({ type: fc.constantFrom("RollBack", "CompleteSession"), data: fc.constant({}) }),
    fc.record({ type: fc.constant("pass"), data: fc.constant({}) }),
  );
  const ends = new Set<string>();
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(step, fc.constantFrom("not yet", "one pass", "to the end")), {
        minLength: 5,
        maxLength: 50,
        size: "max",
      }),
      async (steps) => {
        const session = await openSession({ retries: 1 });
        for (const [{ type, data }, reacts] of steps) {
          const { reactor, store } = session;
          if (type === "pass") await session.pass(2 * minute);
          else await session.send("agent-session", "s", type, data);
          if (reacts === "one pass") await reactor.react([...store.readAll({ afterPosition: reactor.position })]);
          if (reacts === "to the end") await session.settle();
        }
        await session.settle();
        assertSagaLaws(session);
        await session.pass(10 * 60 * minute);
        assertSagaLaws(session);
        expect([...session.store.scan("sagas", {})], "with time, everything ends").toEqual([]);
        for (const { type, data } of session.store.readAll({})) {
          if (type === "SagaEnded") ends.add((data as { readonly state: string }).state);
        }
      },
    ),
    { seed: 20_260_101, numRuns: 80 },
  );
  expect([...ends].sort()).toEqual(["incomplete", "nowhere", "overtaken", "undone"]);
});
