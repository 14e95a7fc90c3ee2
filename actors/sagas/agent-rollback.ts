/**
 * From a failed tool or a rejected decision back to the checkpoint before it: the session is rolled back, and each tool
 * call since then is undone, the newest first, one after another and once. Subscribers do the undoing; what they do not
 * manage, and what cannot be undone at all, is reported.
 *
 * It goes on after the session has ended: the world does not end with it. A session without a checkpoint before the
 * failure is left as it is.
 */
import { defineSaga, type SagaInput, send } from "retrace";
import { assertEvent, assign, setup } from "xstate";
import { type Settings, settings } from "./agent-rollback/settings.ts";
import {
  bounded,
  byCause,
  byFailure,
  fromFailure,
  fromRollback,
  newRollback,
  outputOf,
  type Rollback,
  type RollbackEvent,
} from "./agent-rollback/way-back.ts";

interface Args {
  readonly context: Rollback;
  readonly event: RollbackEvent;
}

/** Whether this command of ours was refused. */
function refused(type: string) {
  return ({ event }: Args): boolean => event.type === "SagaCommandRejected" && event.data.command.type === type;
}

function refusedBecause(reason: string) {
  return ({ event }: Args): boolean => event.type === "SagaCommandRejected" && event.data.reason === reason;
}

function callIn(event: RollbackEvent): string {
  assertEvent(event, ["StepCompensated", "CompensationFailed"]);
  return event.data.callId;
}

const machine = setup({
  types: {
    context: {} as Rollback,
    input: {} as SagaInput<Settings>,
    events: {} as RollbackEvent,
  },
  delays: {
    patience: ({ event }) => event.settings.patienceMs,
    pause: ({ event }) => event.settings.pauseMs,
  },
  guards: {
    isAlreadyRolledBack: refusedBecause("ALREADY_ROLLED_BACK"),
    hasNoCheckpoint: refusedBecause("UNKNOWN_CHECKPOINT"),
    isMore: ({ context }) => context.owed.length > 0,
    isAllUndone: ({ context }) => context.notUndone.length === 0,
    isCurrent: ({ context, event }) => callIn(event) === context.owed[0],
    isOwed: ({ context, event }) => context.owed.includes(callIn(event)),
    mayRetry: ({ context, event }) => {
      return callIn(event) === context.owed[0] && context.attempts <= event.settings.retries;
    },
    isRequestRefused: refused("RequestCompensation"),
    isRecordRefused: refused("RecordCompensation"),
  },
  actions: {
    remember: assign(({ event }) => {
      assertEvent(event, ["ToolReturned", "DecisionRejected"]);
      return fromFailure(event);
    }),
    noteOwed: assign(({ event }) => {
      assertEvent(event, "SessionRolledBack");
      return fromRollback(event);
    }),
    noteRefusal: assign(({ event }) => {
      assertEvent(event, "SagaCommandRejected");
      return { reason: bounded(event.data.message) };
    }),
    countAttempt: assign(({ context }) => ({ attempts: context.attempts + 1 })),
    noteCompensated: assign(({ context, event }) => {
      const callId = callIn(event);
      return {
        compensated: [...context.compensated, callId],
        owed: context.owed.filter((owed) => owed !== callId),
      };
    }),
    noteNotUndone: assign(({ context, event }) => {
      const [callId = "", ...owed] = context.owed;
      const isRefusal = event.type === "SagaCommandRejected";
      const reason = isRefusal
        ? event.data.message
        : event.type === "CompensationFailed"
          ? event.data.reason
          : undefined;
      return { owed, notUndone: [...context.notUndone, { callId, reason: bounded(reason ?? "it failed") }] };
    }),
    beginNext: assign({ attempts: 0 }),

    rollBack: send("agent-session", ({ context: { session, cause, reason } }) => {
      return { id: session, type: "RollBack", data: { cause, reason } };
    }),
    requestCompensation: send("agent-session", ({ context: { session, owed } }) => {
      return { id: session, type: "RequestCompensation", data: { callId: owed[0] } };
    }),
    recordTimeout: send("agent-session", ({ context: { session, owed, attempts }, event }) => {
      const reason = `attempt ${attempts}: nobody has said within ${event.settings.patienceMs} ms what became of it`;
      return { id: session, type: "RecordCompensation", data: { callId: owed[0], reason } };
    }),
  },
}).createMachine({
  id: "agent-rollback",
  context: newRollback,
  initial: "begun",
  states: {
    begun: {
      on: {
        ToolReturned: { target: "rollingBack", actions: ["remember", "rollBack"] },
        DecisionRejected: { target: "rollingBack", actions: ["remember", "rollBack"] },
      },
    },
    rollingBack: {
      on: {
        SessionRolledBack: { target: "undoing", actions: "noteOwed" },
        SagaCommandRejected: [
          { target: "overtaken", guard: "isAlreadyRolledBack", actions: "noteRefusal" },
          { target: "nowhere", guard: "hasNoCheckpoint", actions: "noteRefusal" },
        ],
      },
    },
    undoing: {
      initial: "next",
      states: {
        next: {
          entry: "beginNext",
          always: [
            { target: "requested", guard: "isMore" },
            { target: "#agent-rollback.undone", guard: "isAllUndone" },
            { target: "#agent-rollback.incomplete" },
          ],
        },
        requested: {
          entry: ["countAttempt", "requestCompensation"],
          on: {
            CompensationFailed: [
              { target: "pausing", guard: "mayRetry" },
              { target: "next", guard: "isCurrent", actions: "noteNotUndone" },
            ],
            SagaCommandRejected: [
              { target: "next", guard: "isRequestRefused", actions: "noteNotUndone" },
              // It was undone just in time: that comes next.
              { guard: "isRecordRefused", actions: assign({}) },
            ],
          },
          // A failure like any other: its event comes back.
          after: { patience: { actions: "recordTimeout" } },
        },
        pausing: {
          after: { pause: "requested" },
        },
      },
      on: {
        StepCompensated: [
          { target: ".next", guard: "isCurrent", actions: "noteCompensated" },
          // A person was faster.
          { guard: "isOwed", actions: "noteCompensated" },
        ],
      },
    },
    /** Every call. */
    undone: { type: "final" },
    /** All that could be; the rest is in the output. */
    incomplete: { type: "final" },
    /** Another roll-back had given up what failed. */
    overtaken: { type: "final" },
    /** There is no checkpoint before the failure. */
    nowhere: { type: "final" },
  },
  output: ({ context }) => outputOf(context),
});

export default defineSaga({
  name: "agent-rollback",
  description: "takes an agent session back to the checkpoint before a failure, and undoes its tool calls since",
  settings,
  startedBy: ["ToolReturned", "DecisionRejected"],
  correlate: {
    ToolReturned: byFailure,
    DecisionRejected: byFailure,
    SessionRolledBack: byCause,
    StepCompensated: byCause,
    CompensationFailed: byCause,
  },
  machine,
});
