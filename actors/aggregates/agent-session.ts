/**
 * An agent session: what the agent decided, its working state with checkpoints to go back to, and a ledger of its tool
 * calls. A roll-back restores the working state and nothing else: the ledger stays whole, because the world was not
 * rolled back, and each call is undone by a compensation of its own.
 */
import { isDeepStrictEqual } from "node:util";
import { type ChartEventOf, defineAggregate, type Rejection, reject } from "retrace";
import { assertEvent, assign, type SnapshotFrom, setup } from "xstate";
import { agentSession } from "../../schemas/agent-session.ts";
import { digestOf } from "../digest.ts";
import { mergePatch } from "../merge-patch.ts";
import {
  type CallEntry,
  type Checkpoint,
  call,
  decision,
  digestOfCall,
  digestOfDecision,
  digestOfResult,
  findCall,
  findCheckpoint,
  findDecision,
  isError,
  type Ledger,
  type WorkingState,
  withCall,
  withDecision,
} from "./agent-session/ledger.ts";
import { giveUp, owedSince, targetOf, unknownCheckpoint, wayBack, whyNotBecause } from "./agent-session/way-back.ts";

/** Bounds of the state. What reaches one can go on in a fork. */
const maxDecisions = 2_000;
const maxCalls = 2_000;
const maxForks = 256;
const maxCheckpoints = 32;
/** Of the working state, and with it of each checkpoint: characters as JSON. */
const maxStateSize = 65_536;

type SessionEvent = ChartEventOf<typeof agentSession>;

interface Session extends Ledger {
  /** Of the stream. */
  readonly version: number;
  /** Copied into every event. */
  readonly about: { readonly agent?: string };
  /** Digest of how it was started. */
  readonly start?: number;
  /** Set when the session is imported: where from, and the last command that is here. */
  readonly source?: { readonly sha256: string };
  readonly sourceLine?: number;
  readonly workingState: WorkingState;
  /** The version from which each fork goes on. */
  readonly forks: Readonly<Record<string, number>>;
}

const machine = setup({
  types: { context: {} as Session, events: {} as SessionEvent },
  guards: {
    decisionAccepts: ({ context, event }) => decision.accepts(context, event),
    callAccepts: ({ context, event }) => call.accepts(context, event),
    isMarked: ({ context, event }) => {
      return event.type === "SessionRolledBack" && findCheckpoint(context, event.data.toCheckpoint) !== undefined;
    },
  },
  actions: {
    see: assign(({ context, event }) => {
      const { sourceLine = 0 } = event.data as Line;
      const last = Math.max(sourceLine, context.sourceLine ?? 0);
      return { version: event.version, ...(last > 0 && { sourceLine: last }) };
    }),
    begin: assign(({ event }) => {
      assertEvent(event, "SessionStarted");
      const { agent, source, workingState = {} } = event.data;
      return {
        start: digestOf(event.data),
        about: agent === undefined ? {} : { agent },
        workingState,
        ...(source !== undefined && { source: { sha256: source.sha256 } }),
      };
    }),
    decide: assign(({ context, event }) => {
      assertEvent(event, "DecisionMade");
      const { decisionId } = event.data;
      const state = decision.next(context, event);
      const made = { decisionId, state, version: event.version, digest: digestOfDecision(event.data) };
      return { decisions: [...context.decisions, made] };
    }),
    reject: assign(({ context, event }) => {
      assertEvent(event, "DecisionRejected");
      return { decisions: withDecision(context, event) };
    }),
    change: assign(({ context, event }) => {
      assertEvent(event, "AgentStateChanged");
      return { workingState: mergePatch(context.workingState, event.data.patch) as WorkingState };
    }),
    call: assign(({ context, event }) => {
      assertEvent(event, "ToolCalled");
      const { callId, tool, compensation } = event.data;
      const state = call.next(context, event);
      const made = { callId, tool, state, version: event.version, digest: digestOfCall(event.data) };
      return { calls: [...context.calls, { ...made, ...(compensation !== undefined && { compensation }) }] };
    }),
    return: assign(({ context, event }) => {
      assertEvent(event, "ToolReturned");
      const result = digestOfResult(event.data);
      const failure = isError(event.data) ? { failedAt: event.version } : {};
      return { calls: withCall(context, event, (entry) => ({ ...entry, result, ...failure })) };
    }),
    request: assign(({ context, event }) => {
      assertEvent(event, "CompensationRequested");
      const { compensation } = event.data;
      return { calls: withCall(context, event, ({ failure: _before, ...entry }) => ({ ...entry, compensation })) };
    }),
    compensate: assign(({ context, event }) => {
      return { calls: withCall(context, event, ({ compensation: _done, failure: _before, ...entry }) => entry) };
    }),
    fail: assign(({ context, event }) => {
      assertEvent(event, "CompensationFailed");
      return { calls: withCall(context, event, (entry) => ({ ...entry, failure: digestOf(event.data.reason) })) };
    }),
    mark: assign(({ context, event }) => {
      assertEvent(event, "CheckpointMarked");
      const { name } = event.data;
      const others = context.checkpoints.filter((checkpoint) => checkpoint.name !== name);
      return { checkpoints: [...others, { name, version: event.version, workingState: context.workingState }] };
    }),
    rollBack: assign(({ context, event }) => {
      assertEvent(event, "SessionRolledBack");
      const target = findCheckpoint(context, event.data.toCheckpoint) as Checkpoint;
      // Those marked later belong to the way that was given up.
      const checkpoints = context.checkpoints.filter(({ version }) => version <= target.version);
      return { checkpoints, workingState: target.workingState, ...giveUp(context, target.version, event.data) };
    }),
    fork: assign(({ context, event }) => {
      assertEvent(event, "SessionForked");
      return { forks: { ...context.forks, [event.data.newSession]: event.data.fromVersion } };
    }),
  },
}).createMachine({
  id: "agent-session",
  context: { version: 0, about: {}, workingState: {}, checkpoints: [], decisions: [], calls: [], forks: {} },
  initial: "empty",
  states: {
    empty: {
      on: {
        SessionStarted: { target: "running", actions: ["begin", "see"] },
      },
    },
    running: {
      on: {
        DecisionMade: { guard: "decisionAccepts", actions: ["decide", "see"] },
        AgentStateChanged: { actions: ["change", "see"] },
        ToolCalled: { guard: "callAccepts", actions: ["call", "see"] },
        CheckpointMarked: { actions: ["mark", "see"] },
        SessionRolledBack: { guard: "isMarked", target: "rolledBack", actions: ["rollBack", "see"] },
        SessionForked: { actions: ["fork", "see"] },
        SessionCompleted: { target: "completed", actions: "see" },
        SessionFailed: { target: "failed", actions: "see" },
      },
    },
    /** Until the agent goes on. */
    rolledBack: {
      on: {
        DecisionMade: { guard: "decisionAccepts", target: "running", actions: ["decide", "see"] },
        AgentStateChanged: { target: "running", actions: ["change", "see"] },
        ToolCalled: { guard: "callAccepts", target: "running", actions: ["call", "see"] },
        CheckpointMarked: { target: "running", actions: ["mark", "see"] },
        SessionRolledBack: { guard: "isMarked", actions: ["rollBack", "see"] },
        SessionForked: { actions: ["fork", "see"] },
        SessionCompleted: { target: "completed", actions: "see" },
        SessionFailed: { target: "failed", actions: "see" },
      },
    },
    /** A person who reads the result may still send the agent back. */
    completed: {
      on: {
        SessionRolledBack: { guard: "isMarked", target: "rolledBack", actions: ["rollBack", "see"] },
        SessionForked: { actions: ["fork", "see"] },
      },
    },
    failed: {
      on: {
        SessionRolledBack: { guard: "isMarked", target: "rolledBack", actions: ["rollBack", "see"] },
        SessionForked: { actions: ["fork", "see"] },
      },
    },
  },
  /** What others do about its steps comes when it comes, also after the end. */
  on: {
    DecisionRejected: { guard: "decisionAccepts", actions: ["reject", "see"] },
    ToolReturned: { guard: "callAccepts", actions: ["return", "see"] },
    CompensationRequested: { guard: "callAccepts", actions: ["request", "see"] },
    StepCompensated: { guard: "callAccepts", actions: ["compensate", "see"] },
    CompensationFailed: { guard: "callAccepts", actions: ["fail", "see"] },
  },
});

type State = SnapshotFrom<typeof machine>;

export default defineAggregate({
  category: "agent-session",
  schemas: agentSession,
  machine,
  parts: [decision, call],
  decide: {
    StartSession: ({ context }, { data }) => {
      const isSameImport = data.source !== undefined && data.source.sha256 === context.source?.sha256;
      return isSameImport || context.start === digestOf(data) ? [] : { type: "SessionStarted", data };
    },

    RecordDecision: (state, { data }) => {
      const { context } = state;
      const before = findDecision(context, data.decisionId);
      const isKnown = before?.state === "made" && before.digest === digestOfDecision(data);
      if (isImported(context, data) || (isAtWork(state) && isKnown)) return [];
      const isFull = isAtWork(state) && before === undefined && context.decisions.length >= maxDecisions;
      return isFull
        ? tooMany("decisions", maxDecisions)
        : { type: "DecisionMade", data: { ...data, ...context.about } };
    },

    ChangeState: (state, { data }) => {
      const { context } = state;
      if (isImported(context, data)) return [];
      const changed = { type: "AgentStateChanged", data: { ...data, ...context.about } } as const;
      if (!isAtWork(state)) return changed;
      const workingState = mergePatch(context.workingState, data.patch);
      if (isDeepStrictEqual(workingState, context.workingState)) return [];
      return whyTooLarge(workingState) ?? changed;
    },

    CallTool: (state, { data }) => {
      const { context } = state;
      const before = findCall(context, data.callId);
      const isKnown = before !== undefined && !isUndone(before) && before.digest === digestOfCall(data);
      if (isImported(context, data) || (isAtWork(state) && isKnown)) return [];
      const isFull = isAtWork(state) && before === undefined && context.calls.length >= maxCalls;
      return isFull ? tooMany("tool calls", maxCalls) : { type: "ToolCalled", data: { ...data, ...context.about } };
    },

    RecordToolResult: ({ context }, { data }) => {
      const entry = findCall(context, data.callId);
      if (isImported(context, data) || (entry !== undefined && entry.result === digestOfResult(data))) return [];
      if (entry?.result !== undefined) {
        const message = `call ${data.callId} has returned something else; a result is never replaced`;
        return reject("ALREADY_RETURNED", message, { callId: data.callId });
      }
      const back = entry !== undefined && isError(data) ? wayBack(context, entry) : {};
      return { type: "ToolReturned", data: { ...data, ...back, ...ofTool(context, entry) } };
    },

    MarkCheckpoint: (state, { data }) => {
      const { context } = state;
      const marked = { type: "CheckpointMarked", data: { ...data, ...context.about } } as const;
      const before = findCheckpoint(context, data.name);
      if (isImported(context, data) || (isAtWork(state) && before?.version === context.version)) return [];
      const isFull = isAtWork(state) && before === undefined && context.checkpoints.length >= maxCheckpoints;
      return isFull ? tooManyCheckpoints(context) : marked;
    },

    RejectDecision: ({ context }, { data, metadata }) => {
      const before = findDecision(context, data.decisionId);
      if (isImported(context, data) || before?.state === "rejected") return [];
      const by = data.by ?? metadata.actor?.id;
      const back = before === undefined ? {} : wayBack(context, before);
      const rejected = { ...data, ...(by !== undefined && { by }), ...back, ...context.about };
      return { type: "DecisionRejected", data: rejected };
    },

    RollBack: (state, { data }) => {
      const { context } = state;
      if (isImported(context, data)) return [];
      const { cause } = data;
      const whyNot = cause === undefined || state.matches("empty") ? undefined : whyNotBecause(context, cause);
      if (whyNot !== undefined) return whyNot;
      const target = targetOf(context, data);
      if (target === undefined && !state.matches("empty")) return unknownCheckpoint(context, data);
      if (state.matches("rolledBack") && target === context.checkpoints.at(-1)) return [];
      const { version: toVersion = 0, name: toCheckpoint = "" } = target ?? {};
      const rolledBack = { ...data, toCheckpoint, toVersion, ...owedSince(context, toVersion), ...context.about };
      return { type: "SessionRolledBack", data: rolledBack };
    },

    RequestCompensation: ({ context }, { data }) => {
      const entry = findCall(context, data.callId);
      const { compensation = entry?.compensation ?? null } = data;
      const isRequested = entry?.state === "compensationRequested";
      const isSame = isRequested && isDeepStrictEqual(compensation, entry.compensation);
      if (isImported(context, data) || isSame || entry?.state === "compensated") return [];
      if (entry !== undefined && compensation === null) {
        const message = `nothing says how to undo call ${data.callId}; name a compensation`;
        return reject("NO_COMPENSATION", message, { callId: data.callId });
      }
      return { type: "CompensationRequested", data: { ...data, compensation, ...undoing(context, entry) } };
    },

    RecordCompensation: ({ context }, { data }) => {
      const { reason, ...compensated } = data;
      const entry = findCall(context, data.callId);
      if (isImported(context, data)) return [];
      if (reason === undefined) {
        if (entry?.state === "compensated") return [];
        return { type: "StepCompensated", data: { ...compensated, ...undoing(context, entry) } };
      }
      if (entry?.failure === digestOf(reason)) return [];
      return { type: "CompensationFailed", data: { ...compensated, reason, ...undoing(context, entry) } };
    },

    ForkSession: ({ context }, { data }, { id }) => {
      const { newSession, fromVersion = context.version } = data;
      const before = Object.hasOwn(context.forks, newSession) ? context.forks[newSession] : undefined;
      const isKnown = before !== undefined && (data.fromVersion ?? before) === before;
      if (isImported(context, data) || isKnown) return [];
      const forked = { type: "SessionForked", data: { ...data, fromVersion, ...context.about } } as const;
      return context.version === 0 ? forked : (whyNotFork(context, { newSession, fromVersion }, id) ?? forked);
    },

    FailSession: ({ context }, { data }) => {
      return isImported(context, data) ? [] : { type: "SessionFailed", data: { ...data, ...context.about } };
    },

    CompleteSession: ({ context }, { data }) => {
      return isImported(context, data) ? [] : { type: "SessionCompleted", data: { ...data, ...context.about } };
    },
  },
});

/** Elsewhere the chart refuses, whatever else could be said against a command. */
function isAtWork(state: State): boolean {
  return state.matches("running") || state.matches("rolledBack");
}

function isUndone({ state }: CallEntry): boolean {
  return state !== "called" && state !== "returned" && state !== "failed";
}

interface Line {
  readonly sourceLine?: number;
}

/** Whether an earlier import of the same file has brought this command. */
function isImported(context: Session, { sourceLine }: Line): boolean {
  if (context.source === undefined || sourceLine === undefined) return false;
  return context.sourceLine !== undefined && sourceLine <= context.sourceLine;
}

function ofTool({ about }: Session, entry: CallEntry | undefined) {
  return { ...(entry !== undefined && { tool: entry.tool }), ...about };
}

/** What undoing a call says of it. */
function undoing(context: Session, entry: CallEntry | undefined) {
  return { ...(entry?.cause !== undefined && { cause: entry.cause }), ...ofTool(context, entry) };
}

function whyTooLarge(workingState: unknown): Rejection | undefined {
  const { length } = JSON.stringify(workingState);
  if (length <= maxStateSize) return undefined;
  const message = `the working state would have ${length} characters as JSON, ${maxStateSize} are allowed; keep large things elsewhere and references to them in it`;
  return reject("STATE_TOO_LARGE", message, { length, limit: maxStateSize });
}

function tooMany(what: string, limit: number): Rejection {
  return reject("SESSION_FULL", `a session has at most ${limit} ${what}; go on in a fork, with ForkSession`, { limit });
}

function tooManyCheckpoints({ checkpoints }: Session): Rejection {
  const message = `a session has at most ${maxCheckpoints} checkpoints; mark one of them again, which moves it here`;
  return reject("TOO_MANY_CHECKPOINTS", message, {
    limit: maxCheckpoints,
    known: checkpoints.map(({ name }) => name),
  });
}

interface Fork {
  readonly newSession: string;
  readonly fromVersion: number;
}

function whyNotFork(context: Session, { newSession, fromVersion }: Fork, id: string): Rejection | undefined {
  const { forks, version } = context;
  if (newSession === id) {
    return reject("SAME_SESSION", `${id} cannot be its own fork; choose another name`, { newSession });
  }
  if (Object.hasOwn(forks, newSession)) {
    const message = `${newSession} goes on from version ${forks[newSession]}; choose another name`;
    return reject("FORK_EXISTS", message, { newSession, fromVersion: forks[newSession] });
  }
  if (fromVersion > version) {
    const message = `the session is at version ${version}; a fork begins there or earlier`;
    return reject("VERSION_AHEAD", message, { fromVersion, version });
  }
  if (Object.keys(forks).length < maxForks) return undefined;
  return reject("TOO_MANY_FORKS", `a session has at most ${maxForks} forks; fork one of them`, { limit: maxForks });
}
