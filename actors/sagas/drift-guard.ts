/**
 * Takes traffic from a version of a model that drifts. A signal brings a window of `feedback-stats` across a threshold:
 * too much negative feedback, or too few human labels that agree. Then the version's traffic is adjusted, or it is rolled
 * back, wherever it serves and another version can take over; each command carries the window, the threshold and the
 * policy's version as evidence.
 *
 * An instance is one crossing: a threshold of a version in a window. It acts once.
 */
import { ask, defineSaga, type SagaEventOf, type SagaInput, type SagaReplies, send } from "retrace";
import { assertEvent, assign, setup } from "xstate";
import type { feedback } from "../../schemas/feedback.ts";
import type { inference } from "../../schemas/inference.ts";
import type { model } from "../../schemas/model.ts";
import type { Told } from "../projections/feedback-stats/contribution.ts";
import type { WindowRow } from "../projections/feedback-stats/window-row.ts";
import { type Alarm, alarmsOf, type Crossing, crossingIn, reasonOf, watchedTypes } from "./drift-guard/alarm.ts";
import { correlate } from "./drift-guard/correlate.ts";
import { type CatalogRow, type Left, type Orders, ordersFor } from "./drift-guard/orders.ts";
import { type Settings, settings } from "./drift-guard/settings.ts";

type GuardEvent =
  | SagaEventOf<typeof feedback, "UserRatedOutput" | "OutputApproved" | "OutputRejected", Settings>
  | SagaEventOf<typeof inference, "InferenceFeedback" | "HumanLabelApplied", Settings>
  | SagaEventOf<typeof model, "TrafficAdjusted" | "DeploymentRolledBack", Settings>
  | SagaReplies<Settings>;

/** What was decided by. */
interface Evidence extends Crossing, Omit<Alarm, "id" | "key"> {
  /** The instance of this saga. */
  readonly guard: string;
  readonly row: WindowRow;
  readonly policyVersion?: number;
}

/** What became of a command. */
interface Outcome {
  readonly environment: string;
  readonly outcome: "adjusted" | "rolled back" | "refused";
  readonly toVersion?: string;
  readonly reason?: string;
}

interface Guard {
  readonly id: string;
  readonly alarm: Alarm | undefined;
  readonly evidence: Evidence | undefined;
  /** Commands sent. */
  readonly sent: number;
  readonly outcomes: readonly Outcome[];
  readonly left: readonly Left[];
}

interface Args {
  readonly context: Guard;
  readonly event: GuardEvent;
}

const machine = setup({
  types: { context: {} as Guard, input: {} as SagaInput<Settings>, events: {} as GuardEvent },
  guards: {
    isCrossed: ({ context, event }) => crossed({ context, event }) !== undefined,
    hasOrders: ({ context, event }) => ordered({ context, event }).orders.length > 0,
    isLeft: ({ context, event }) => ordered({ context, event }).left.length > 0,
    /** Somebody was faster, or the model is retired: that is what the outcome says then. */
    isRefusal: ({ event }) => {
      return event.type === "SagaCommandRejected" && ["REJECTED", "NOT_ALLOWED_IN_STATE"].includes(event.data.code);
    },
    isOver: ({ context }) => context.outcomes.length === context.sent,
    isRefusedEverywhere: ({ context }) => {
      return context.outcomes.length === context.sent && context.outcomes.every(({ outcome }) => outcome === "refused");
    },
  },
  actions: {
    noteAlarm: assign(({ context, event }) => {
      assertEvent(event, watchedTypes);
      return { alarm: alarmsOf(event as Told, event.settings).find(({ id }) => id === context.id) };
    }),
    askWindow: ask("feedback-stats", ({ context }) => ({ keys: [context.alarm?.key ?? ""] })),
    noteEvidence: assign(({ context, event }) => ({ evidence: crossed({ context, event }) })),
    askCatalog: ask("model-catalog", ({ context }) => ({ keys: [context.alarm?.modelId ?? ""] })),
    noteOrders: assign(({ context, event }) => {
      const { orders, left } = ordered({ context, event });
      return { sent: orders.length, left };
    }),
    order: send("model", ({ context, event }) => {
      const { id, alarm, evidence } = context;
      if (alarm === undefined || evidence === undefined) return undefined;
      const why = { reason: `drift: ${reasonOf(alarm, evidence)}`, evidence: { ...evidence, guard: id } };
      return ordered({ context, event }).orders.map(({ type, data }) => {
        return { id: alarm.modelId, type, data: { ...data, ...why } };
      });
    }),
    noteAdjusted: assign(({ context, event }) => {
      assertEvent(event, "TrafficAdjusted");
      const outcome: Outcome = { environment: event.data.environment, outcome: "adjusted" };
      return { outcomes: [...context.outcomes, outcome] };
    }),
    noteRolledBack: assign(({ context, event }) => {
      assertEvent(event, "DeploymentRolledBack");
      const { environment, toVersion } = event.data;
      const outcome: Outcome = { environment, outcome: "rolled back", ...(toVersion !== undefined && { toVersion }) };
      return { outcomes: [...context.outcomes, outcome] };
    }),
    noteRefused: assign(({ context, event }) => {
      assertEvent(event, "SagaCommandRejected");
      const { command, message } = event.data;
      const { environment } = command.data as { readonly environment: string };
      const outcome: Outcome = { environment, outcome: "refused", reason: message };
      return { outcomes: [...context.outcomes, outcome] };
    }),
  },
}).createMachine({
  id: "drift-guard",
  context: ({ input }) => ({
    id: input.id,
    alarm: undefined,
    evidence: undefined,
    sent: 0,
    outcomes: [],
    left: [],
  }),
  initial: "begun",
  states: {
    begun: {
      on: {
        UserRatedOutput: { target: "weighing", actions: ["noteAlarm", "askWindow"] },
        OutputApproved: { target: "weighing", actions: ["noteAlarm", "askWindow"] },
        OutputRejected: { target: "weighing", actions: ["noteAlarm", "askWindow"] },
        InferenceFeedback: { target: "weighing", actions: ["noteAlarm", "askWindow"] },
        HumanLabelApplied: { target: "weighing", actions: ["noteAlarm", "askWindow"] },
      },
    },
    /** The window is asked for, so that what it held is on record. */
    weighing: {
      on: {
        SagaAnswered: [
          { target: "locating", guard: "isCrossed", actions: ["noteEvidence", "askCatalog"] },
          { target: "receded" },
        ],
      },
    },
    locating: {
      on: {
        SagaAnswered: [
          { target: "acting", guard: "hasOrders", actions: ["noteOrders", "order"] },
          { target: "kept", guard: "isLeft", actions: "noteOrders" },
          { target: "notServing" },
        ],
      },
    },
    acting: {
      always: [
        { target: "refused", guard: "isRefusedEverywhere" },
        { target: "acted", guard: "isOver" },
      ],
      on: {
        TrafficAdjusted: { actions: "noteAdjusted" },
        DeploymentRolledBack: { actions: "noteRolledBack" },
        SagaCommandRejected: { guard: "isRefusal", actions: "noteRefused" },
      },
    },
    acted: { type: "final" },
    refused: { type: "final" },
    kept: { type: "final" },
    notServing: { type: "final" },
    receded: { type: "final" },
  },
  output: ({ context: { evidence, outcomes, left } }) => ({ ...(evidence && { evidence }), outcomes, left }),
});

/** What the answer says of the alarm's window. */
function crossed({ context: { id, alarm }, event }: Args): Evidence | undefined {
  if (event.type !== "SagaAnswered" || alarm === undefined) return undefined;
  const row = event.data.rows[0]?.value as WindowRow | undefined;
  const crossing = crossingIn(row, alarm, event.settings);
  if (row === undefined || crossing === undefined) return undefined;
  const { id: _, key: __, ...of } = alarm;
  const { policyVersion } = event;
  return { guard: id, ...of, ...crossing, row, ...(policyVersion !== undefined && { policyVersion }) };
}

/** What follows from where the version serves. */
function ordered({ context: { alarm }, event }: Args): Orders {
  if (event.type !== "SagaAnswered" || alarm === undefined) return { orders: [], left: [] };
  return ordersFor(alarm, event.data.rows[0]?.value as CatalogRow | undefined, event.settings);
}

export default defineSaga({
  name: "drift-guard",
  description: "takes traffic from versions of models whose feedback or accuracy crosses a threshold",
  settings,
  startedBy: [...watchedTypes],
  correlate,
  machine,
});
