/**
 * What an agent session remembers: its checkpoints, its decisions, and the ledger of its tool calls with what is known
 * of undoing each. Nothing is changed in place; entries of the ledger are never taken out.
 */
import { type ChartEventOf, definePart, type EventData } from "retrace";
import { type StateValue, setup } from "xstate";
import type { agentSession } from "../../../schemas/agent-session.ts";
import { digestOf } from "../../digest.ts";

type SessionEvent = ChartEventOf<typeof agentSession>;
type Called = EventData<typeof agentSession, "ToolCalled">;
type Returned = EventData<typeof agentSession, "ToolReturned">;
type Made = EventData<typeof agentSession, "DecisionMade">;

/** A JSON object; the agent's own. */
export type WorkingState = EventData<typeof agentSession, "AgentStateChanged">["patch"];

/** A point to go back to. */
export interface Checkpoint {
  readonly name: string;
  /** Of the stream, when it was marked. */
  readonly version: number;
  readonly workingState: WorkingState;
}

/** What every step keeps: a decision, a call. */
export interface Step {
  readonly state: StateValue;
  /** Of the stream, when it was made: after a checkpoint, or not. */
  readonly version: number;
  /** Of the stream, when it failed or was rejected. */
  readonly failedAt?: number;
  /** Set when a roll-back has given it up. */
  readonly rolledBack?: true;
}

/** One decision, as a part of the session. */
export interface DecisionEntry extends Step {
  readonly decisionId: string;
  /** Of thought and action. */
  readonly digest: number;
}

/** One tool call, as a part of the session. */
export interface CallEntry extends Step {
  readonly callId: string;
  readonly tool: string;
  /** Of what was called. */
  readonly digest: number;
  /** Digest of what it returned. */
  readonly result?: number;
  /** How to undo it, until that has been done; null where there is nothing to undo. */
  readonly compensation?: Called["compensation"];
  /** Digest of why undoing it failed. */
  readonly failure?: number;
  /** The failure because of which it is to be undone: it is then the task of whoever rolled back. */
  readonly cause?: number;
}

/** What the functions here look at. */
export interface Ledger {
  /** The oldest first, as are the others. */
  readonly checkpoints: readonly Checkpoint[];
  readonly decisions: readonly DecisionEntry[];
  readonly calls: readonly CallEntry[];
}

/** A decision: made, perhaps rejected. */
export const decision = definePart<Ledger, SessionEvent>({
  name: "decision",
  machine: setup({ types: { events: {} as SessionEvent } }).createMachine({
    id: "decision",
    initial: "absent",
    states: {
      absent: {
        on: { DecisionMade: "made" },
      },
      made: {
        on: { DecisionRejected: "rejected" },
      },
      rejected: {},
    },
  }),
  key: decisionIdIn,
  state: (context, decisionId) => findDecision(context, decisionId)?.state,
});

/** A result may come late, whatever has become of the call: decide sees to it that there is only one. */
const callChart = setup({
  types: { events: {} as SessionEvent },
  guards: {
    hasFailed: ({ event }) => event.type === "ToolReturned" && isError(event.data),
  },
}).createMachine({
  id: "call",
  initial: "absent",
  states: {
    absent: {
      on: { ToolCalled: "called" },
    },
    called: {
      on: {
        ToolReturned: [{ guard: "hasFailed", target: "failed" }, { target: "returned" }],
        CompensationRequested: "compensationRequested",
      },
    },
    returned: {
      on: { CompensationRequested: "compensationRequested" },
    },
    failed: {
      on: { CompensationRequested: "compensationRequested" },
    },
    compensationRequested: {
      on: {
        ToolReturned: "compensationRequested",
        StepCompensated: "compensated",
        CompensationFailed: "compensationFailed",
      },
    },
    compensationFailed: {
      on: {
        ToolReturned: "compensationFailed",
        CompensationRequested: "compensationRequested",
        StepCompensated: "compensated",
        CompensationFailed: "compensationFailed",
      },
    },
    compensated: {
      on: { ToolReturned: "compensated" },
    },
  },
});

/** A tool call: what became of it, and of undoing it. */
export const call = definePart<Ledger, SessionEvent>({
  name: "call",
  machine: callChart,
  key: callIdIn,
  state: (context, callId) => findCall(context, callId)?.state,
});

/** The checkpoint of that name. */
export function findCheckpoint({ checkpoints }: Ledger, name: string): Checkpoint | undefined {
  return checkpoints.find((checkpoint) => checkpoint.name === name);
}

/** The decision of that id; looked for from the newest, which is mostly meant. */
export function findDecision({ decisions }: Ledger, id: string): DecisionEntry | undefined {
  return decisions.findLast(({ decisionId }) => decisionId === id);
}

/** The call of that id; looked for from the newest, which is mostly meant. */
export function findCall({ calls }: Ledger, id: string): CallEntry | undefined {
  return calls.findLast(({ callId }) => callId === id);
}

/** The step that failed in the event of that version. */
export function findFailure({ calls, decisions }: Ledger, version: number): CallEntry | DecisionEntry | undefined {
  const failedThen = ({ failedAt }: Step): boolean => failedAt === version;
  return calls.findLast(failedThen) ?? decisions.findLast(failedThen);
}

/** The decisions after the rejection of one of them. */
export function withDecision(ledger: Ledger, event: SessionEvent): readonly DecisionEntry[] {
  const index = ledger.decisions.findLastIndex(({ decisionId }) => decisionId === decisionIdIn(event));
  const state = decision.next(ledger, event);
  const before = ledger.decisions[index] as DecisionEntry;
  return ledger.decisions.with(index, { ...before, state, failedAt: event.version });
}

/** The calls after an event about one of them, which may change more than its state. */
export function withCall(
  ledger: Ledger,
  event: SessionEvent,
  change: (entry: CallEntry) => CallEntry,
): readonly CallEntry[] {
  const index = ledger.calls.findLastIndex(({ callId }) => callId === callIdIn(event));
  const state = call.next(ledger, event);
  return ledger.calls.with(index, { ...change(ledger.calls[index] as CallEntry), state });
}

/** Whether a tool says that it failed. Programs that always name the field send null. */
export function isError({ error }: Pick<Returned, "error">): boolean {
  return error !== undefined && error !== null;
}

/** By what a decision is recognised when it is sent again. */
export function digestOfDecision({ thought, action }: Pick<Made, "thought" | "action">): number {
  return digestOf([thought, action]);
}

/** By what a call is recognised when it is sent again. */
export function digestOfCall(called: Omit<Called, "callId">): number {
  const { tool, input, inputRef, compensation, decisionId } = called;
  return digestOf({ tool, input, inputRef, compensation, decisionId });
}

/** By what a result is recognised when it is sent again. */
export function digestOfResult({ output, outputRef, error }: Omit<Returned, "callId">): number {
  return digestOf({ output, outputRef, error });
}

function decisionIdIn(event: SessionEvent): string {
  return (event.data as { readonly decisionId: string }).decisionId;
}

function callIdIn(event: SessionEvent): string {
  return (event.data as { readonly callId: string }).callId;
}
