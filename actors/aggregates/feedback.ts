/**
 * A feedback thread about one artifact: the signals that people and reward models gave, none of them ever edited. A
 * retraction is an event of its own and carries what readers have to subtract.
 */
import { type ChartEventOf, defineAggregate, type EventData, reject } from "retrace";
import { assertEvent, assign, setup } from "xstate";
import { feedback } from "../../schemas/feedback.ts";
import { afterImport, type FromFile, type Imported, onceImported } from "../imported.ts";

/** How many of its newest signals a thread can still retract: more would make its state grow with its use. */
const maxRetractable = 1000;

type FeedbackEvent = ChartEventOf<typeof feedback>;
type SignalEvent = Exclude<FeedbackEvent, { readonly type: "FeedbackRetracted" | "FeedbackClosed" }>;

interface Signal {
  readonly eventId: string;
  readonly isRetracted: boolean;
  readonly signal: EventData<typeof feedback, "FeedbackRetracted">["signal"];
}

interface Thread extends Imported {
  /** The newest last. */
  readonly recent: readonly Signal[];
}

const machine = setup({
  types: { context: {} as Thread, events: {} as FeedbackEvent },
  guards: {
    isRetractable: ({ context, event }) => {
      return event.type === "FeedbackRetracted" && findSignal(context, event.data.eventId)?.isRetracted === false;
    },
  },
  actions: {
    remember: assign(({ context, event }) => {
      const signal = { eventId: event.id, isRetracted: false, signal: essence(event as SignalEvent) };
      return {
        recent: [...context.recent.slice(1 - maxRetractable), signal],
        ...afterImport(context, event.data as FromFile),
      };
    }),
    retract: assign(({ context, event }) => {
      assertEvent(event, "FeedbackRetracted");
      const { eventId } = event.data;
      return {
        recent: context.recent.map((signal) =>
          signal.eventId === eventId ? { ...signal, isRetracted: true } : signal,
        ),
      };
    }),
  },
}).createMachine({
  id: "feedback",
  context: { recent: [] },
  initial: "open",
  states: {
    open: {
      on: {
        UserRatedOutput: { actions: "remember" },
        CorrectionSubmitted: { actions: "remember" },
        PreferenceLogged: { actions: "remember" },
        ImplicitEngagementLogged: { actions: "remember" },
        RewardModelScored: { actions: "remember" },
        OutputApproved: { actions: "remember" },
        OutputRejected: { actions: "remember" },
        TransitionRecorded: { actions: "remember" },
        FeedbackRetracted: { guard: "isRetractable", actions: "retract" },
        FeedbackClosed: "closed",
      },
    },
    /** Closing ends a discussion, not the right to take back what was said in it. */
    closed: {
      on: {
        FeedbackRetracted: { guard: "isRetractable", actions: "retract" },
      },
    },
  },
});

export default defineAggregate({
  category: "feedback",
  schemas: feedback,
  machine,
  decide: {
    RateOutput: onceImported((_state, { data }) => {
      const { rating, scale = { min: 1, max: 5 } } = data;
      if (rating < scale.min || rating > scale.max) {
        const message = `${rating} lies outside the scale from ${scale.min} to ${scale.max}`;
        return reject("RATING_OUTSIDE_SCALE", message, { rating, scale });
      }
      const negative = rating < (scale.min + scale.max) / 2;
      return { type: "UserRatedOutput", data: { ...data, scale, negative } };
    }),

    SubmitCorrection: onceImported((_state, { data }) => ({ type: "CorrectionSubmitted", data })),

    LogPreference: onceImported((_state, { data }) => ({ type: "PreferenceLogged", data })),

    LogEngagement: (_state, { data }) => ({ type: "ImplicitEngagementLogged", data }),

    ScoreReward: (_state, { data }) => ({ type: "RewardModelScored", data }),

    ApproveOutput: (_state, { data }) => ({ type: "OutputApproved", data }),

    RejectOutput: (_state, { data }) => ({ type: "OutputRejected", data }),

    RecordTransition: (_state, { data }) => ({ type: "TransitionRecorded", data }),

    RetractFeedback: ({ context }, { data }) => {
      const { eventId } = data;
      const found = findSignal(context, eventId);
      if (found === undefined) {
        const message = `${eventId} is none of the newest ${maxRetractable} signals of this thread`;
        return reject("UNKNOWN_SIGNAL", message, { eventId });
      }
      if (found.isRetracted) return reject("ALREADY_RETRACTED", `${eventId} has been retracted`, { eventId });
      return { type: "FeedbackRetracted", data: { ...data, signal: found.signal } };
    },

    CloseFeedback: (_state, { data }) => ({ type: "FeedbackClosed", data }),
  },
});

function findSignal(context: Thread, eventId: string): Signal | undefined {
  return context.recent.find((signal) => signal.eventId === eventId);
}

/** The small fields of signals: what is counted, and by what it is grouped. Texts, states and features stay in the log. */
const countedFields = [
  ...["rating", "scale", "negative", "kind", "dwellTimeMs", "score", "rewardModel", "producer", "annotator", "reward"],
  ...["tie", "gold", "reviewId", "sessionId", "sourceApplication", "userSegment", "tags"],
];

function essence({ type, occurredAt, data }: SignalEvent): Signal["signal"] {
  const counted: Record<string, unknown> = {};
  for (const field of countedFields) if (data[field] !== undefined) counted[field] = data[field];
  const { requestId, modelId, modelVersion } = data.context ?? {};
  return {
    type,
    occurredAt,
    data: {
      ...counted,
      ...(data.context && {
        context: {
          ...(requestId !== undefined && { requestId }),
          ...(modelId !== undefined && { modelId }),
          ...(modelVersion !== undefined && { modelVersion }),
        },
      }),
    },
  };
}
