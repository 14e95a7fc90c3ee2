/**
 * The way of an inference to people and back: a rule flags it, a review is requested, reviewers are asked and reminded,
 * votes are weighed until they say enough, and what they say becomes the inference's label.
 *
 * It also conducts the reviews that other sagas request, and those of clients whose kind of task the policy names. An
 * instance is one review; its id is the review's.
 */
import { ask, defineSaga, type SagaInput, send } from "retrace";
import { assertEvent, assign, enqueueActions, raise, setup } from "xstate";
import { assignees, reviewerPrefix } from "./review-routing/assignees.ts";
import {
  type Case,
  involve,
  newCase,
  type RoutingEvent,
  requestedCase,
  reviewIdOf,
  voted,
  wanted,
} from "./review-routing/case.ts";
import { correlate } from "./review-routing/correlate.ts";
import { closing, judge, mostVoted, qualityKeys } from "./review-routing/judgement.ts";
import { flagData, goldFor, labelsOf, requestData, routeFor } from "./review-routing/route.ts";
import { needsSecondLine, type Settings, settings } from "./review-routing/settings.ts";

const reviewEnds = ["ReviewConsensusReached", "ReviewAdjudicated", "ReviewFixed", "ReviewAccepted"] as const;

/** What reviewers do while a review is open, whatever the saga is about to do. */
const whileOpen = {
  ReviewAssigned: { actions: "noteAssigned" },
  ReviewClaimed: { actions: ["noteLeased", "startLease"] },
  ReviewReleased: { actions: ["noteFree", "endLease", "askWorkload"] },
  ReviewClaimExpired: { actions: ["noteFree", "endLease", "askWorkload"] },
  ReviewSkipped: { actions: ["noteSkipped", "endLease", "askWorkload"] },
  LeaseEnded: { actions: "expireClaim" },
  ReviewExtended: { actions: ["noteK", "askWorkload"] },
} as const;

/** Whoever ends a review, also a person past the saga, has ended it. */
const whenEnded = {
  ReviewConsensusReached: [
    { target: "#routing.secondLine", guard: "needsSecondLine", actions: "noteLabel" },
    { target: "#routing.applying", actions: "noteLabel" },
  ],
  ReviewAdjudicated: { target: "#routing.applying", actions: "noteLabel" },
  ReviewDisputed: "#routing.disputed",
  ReviewCancelled: "#routing.cancelled",
} as const;

const escalation = {
  ReviewDue: [{ guard: "hasLevelLeft", actions: "escalate" }, { target: "#routing.undecided" }],
  ReviewEscalated: { actions: ["noteLevel", "startDue"] },
} as const;

const machine = setup({
  types: { context: {} as Case, input: {} as SagaInput<Settings>, events: {} as RoutingEvent },
  guards: {
    isLastVote: ({ context, event }) => event.type === "HumanLabelSubmitted" && context.votes.length + 1 >= context.k,
    isWorkload: ({ event }) => event.type === "SagaAnswered" && event.data.question.projection === "review-queue",
    wantsMore: ({ context }) => context.judgement?.step.step === "ask-one-more",
    needsSecondLine: ({ context, event }) => needsSecondLine(event.settings, context.taskKind),
    hasLevelLeft: ({ context, event }) => context.level < event.settings.levels.length,
    isOfInference: ({ context }) => context.subject?.category === "inference" && context.label !== undefined,
    hasMajority: ({ context, event }) =>
      event.settings.fallback === "majority" &&
      context.subject?.category === "inference" &&
      mostVoted(context) !== undefined,
    disagrees: ({ event }) => event.type === "HumanLabelApplied" && event.data.agreement === false,
    /** Somebody was faster, or the reviewer has gone meanwhile: the event that says so comes by itself. */
    isOvertaken: ({ event }) =>
      event.type === "SagaCommandRejected" &&
      (event.data.code === "NOT_ALLOWED_IN_STATE" || overtakenReasons.has(event.data.reason ?? "")),
  },
  actions: {
    noteInference: assign(({ context, event }) => {
      assertEvent(event, "InferenceCompleted");
      const subject = { category: "inference", id: event.streamId };
      return { ...context, subject, options: labelsOf(event.data.scores) };
    }),
    flag: send("inference", ({ context, event }) => {
      assertEvent(event, "InferenceCompleted");
      const matched = routeFor(event.settings, event.streamId, event.data);
      if (matched === undefined) return undefined;
      return { id: event.streamId, type: "FlagLowConfidence", data: flagData(matched, context.id) };
    }),
    request: send("review", ({ context, event }) => {
      assertEvent(event, "ModelPredictionLowConfidenceFlagged");
      const { rule } = event.data;
      const flag = { inferenceId: event.streamId, rule, labels: context.options, now: event.now };
      return { id: context.id, type: "RequestReview", data: requestData(event.settings, flag) };
    }),
    mixInGold: send("review", ({ context, event }) => {
      assertEvent(event, "ModelPredictionLowConfidenceFlagged");
      const question = goldFor(event.settings, context.id);
      if (question === undefined) return undefined;
      const { subject: _, ...like } = requestData(event.settings, {
        inferenceId: event.streamId,
        rule: event.data.rule,
        labels: context.options,
        now: event.now,
      });
      const id = reviewIdOf(`gold~${context.id}`.slice(0, 120), 0);
      return { id, type: "RequestReview", data: { ...like, ...question } };
    }),
    noteRequest: assign(({ context, event }) => {
      assertEvent(event, "HumanReviewRequested");
      return requestedCase(context, event);
    }),
    noteAssigned: assign(({ context, event }) => {
      assertEvent(event, "ReviewAssigned");
      return involve(context, event.data.reviewer, "assigned");
    }),
    noteLeased: assign(({ context, event }) => {
      assertEvent(event, "ReviewClaimed");
      return involve(context, event.data.reviewer, "leased");
    }),
    noteFree: assign(({ context, event }) => {
      assertEvent(event, ["ReviewReleased", "ReviewClaimExpired"]);
      return involve(context, event.data.reviewer, undefined);
    }),
    noteSkipped: assign(({ context, event }) => {
      assertEvent(event, "ReviewSkipped");
      return involve(context, event.data.reviewer, "skipped");
    }),
    noteVote: assign(({ context, event }) => {
      assertEvent(event, "HumanLabelSubmitted");
      return voted(context, event);
    }),
    noteK: assign(({ event }) => {
      assertEvent(event, "ReviewExtended");
      return { k: event.data.k };
    }),
    noteLevel: assign(({ event }) => {
      assertEvent(event, "ReviewEscalated");
      return { level: event.data.level, ...(event.data.dueAt !== undefined && { dueAt: event.data.dueAt }) };
    }),
    noteLabel: assign(({ event }) => {
      assertEvent(event, reviewEnds);
      return { label: event.data.label };
    }),
    noteMajority: assign(({ context }) => ({ label: mostVoted(context) as string })),
    noteJudgement: assign(({ context, event }) => {
      assertEvent(event, "SagaAnswered");
      return { judgement: judge(context, event.data, event.settings) };
    }),
    /** Who has how much to do; nobody is asked about where nobody is wanted. */
    askWorkload: ask("review-queue", ({ context, event }) => {
      return event.settings.assign && wanted(context) > 0 ? { prefix: reviewerPrefix, limit: 1_000 } : undefined;
    }),
    assignReviewers: send("review", ({ context, event }) => {
      assertEvent(event, "SagaAnswered");
      const names = assignees(context, event.data);
      return names.map((reviewer) => ({ id: context.id, type: "AssignReview", data: { reviewer } }));
    }),
    askQuality: ask("reviewer-quality", ({ context }) => ({ keys: qualityKeys(context) })),
    extend: send("review", ({ context }) => {
      const { judgement } = context;
      const k = judgement?.step.step === "ask-one-more" ? judgement.step.k : context.k;
      return { id: context.id, type: "ExtendReview", data: { k, reason: "the votes do not say enough" } };
    }),
    close: send("review", ({ context }) => ({ id: context.id, type: "CloseReview", data: closing(context) })),
    expireClaim: send("review", ({ context, event }) => {
      assertEvent(event, "LeaseEnded");
      return { id: context.id, type: "ExpireClaim", data: { reviewer: event.reviewer } };
    }),
    escalate: send("review", ({ context, event }) => {
      const next = event.settings.levels[context.level];
      if (next === undefined) return undefined;
      const isOverdue = event.type === "ReviewDue";
      const {
        dueInMs,
        priority,
        reason = isOverdue ? "nobody has decided in time" : "the votes do not decide it",
      } = next;
      const dueAt = new Date(Date.parse(event.now) + dueInMs).toISOString();
      const data = { level: context.level + 1, reason, dueAt, ...(priority !== undefined && { priority }) };
      return { id: context.id, type: "EscalateReview", data };
    }),
    giveUp: send("review", ({ context }) => {
      const data = { expired: true, reason: "nobody has decided, at no level" };
      return { id: context.id, type: "CancelReview", data };
    }),
    applyLabel: send("inference", ({ context }) => {
      const data = { label: context.label, reviewId: context.id };
      return { id: context.subject?.id ?? "", type: "ApplyHumanLabel", data };
    }),
    submitCorrection: send("feedback", ({ context, event }) => {
      assertEvent(event, "HumanLabelApplied");
      const { predicted, label, modelId, modelVersion, sessionId, sourceApplication, userSegment } = event.data;
      const about = {
        requestId: event.streamId,
        ...(modelId !== undefined && { modelId }),
        ...(modelVersion !== undefined && { modelVersion }),
      };
      return {
        id: event.streamId,
        type: "SubmitCorrection",
        data: {
          ...(predicted !== undefined && { original: predicted }),
          corrected: label,
          reviewId: context.id,
          context: about,
          ...(sessionId !== undefined && { sessionId }),
          ...(sourceApplication !== undefined && { sourceApplication }),
          ...(userSegment !== undefined && { userSegment }),
        },
      };
    }),
    startDue: raise(({ event }) => ({ type: "ReviewDue", now: event.now, settings: event.settings }), {
      id: "due",
      delay: ({ context, event }) => untilMs(context.dueAt, event.now),
    }),
    startLease: enqueueActions(({ event, enqueue }) => {
      assertEvent(event, "ReviewClaimed");
      const { reviewer, leaseUntil } = event.data;
      const { now, settings: current } = event;
      const delay = untilMs(leaseUntil, now);
      enqueue.raise({ type: "LeaseEnded", reviewer, now, settings: current }, { id: leaseId(reviewer), delay });
    }),
    endLease: enqueueActions(({ event, enqueue }) => {
      assertEvent(event, ["ReviewReleased", "ReviewClaimExpired", "ReviewSkipped", "HumanLabelSubmitted"]);
      enqueue.cancel(leaseId(event.data.reviewer));
    }),
  },
}).createMachine({
  id: "routing",
  context: ({ input }) => newCase(input.id),
  initial: "begun",
  states: {
    begun: {
      on: {
        InferenceCompleted: { target: "flagging", actions: ["noteInference", "flag"] },
        ModelPredictionLowConfidenceFlagged: { target: "requesting", actions: ["request", "mixInGold"] },
        HumanReviewRequested: { target: "reviewing", actions: ["noteRequest", "startDue", "askWorkload"] },
      },
    },
    flagging: {
      on: {
        ModelPredictionLowConfidenceFlagged: { target: "requesting", actions: ["request", "mixInGold"] },
        SagaCommandRejected: { target: "notFlagged", guard: "isOvertaken" },
      },
      /** Where a flag was open already, that one goes its own way, and no other comes. */
      after: { 60000: "notFlagged" },
    },
    requesting: {
      on: {
        HumanReviewRequested: { target: "reviewing", actions: ["noteRequest", "startDue", "askWorkload"] },
        SagaCommandRejected: { target: "notRequested", guard: "isOvertaken" },
      },
    },
    reviewing: {
      on: {
        ...whileOpen,
        ...escalation,
        ...whenEnded,
        SagaAnswered: { guard: "isWorkload", actions: "assignReviewers" },
        SagaCommandRejected: { guard: "isOvertaken", actions: assign({}) },
      },
      initial: "collecting",
      states: {
        collecting: {
          on: {
            HumanLabelSubmitted: [
              { target: "weighing", guard: "isLastVote", actions: ["noteVote", "endLease"] },
              { actions: ["noteVote", "endLease"] },
            ],
          },
        },
        weighing: {
          entry: "askQuality",
          on: {
            SagaAnswered: [
              { guard: "isWorkload", actions: "assignReviewers" },
              { target: "judged", actions: "noteJudgement" },
            ],
          },
        },
        judged: {
          always: [{ target: "extending", guard: "wantsMore" }, { target: "closing" }],
        },
        extending: {
          entry: "extend",
          on: { ReviewExtended: { target: "collecting", actions: ["noteK", "askWorkload"] } },
        },
        closing: { entry: "close" },
      },
    },
    /** The votes did not decide: somebody has to, and the level says how urgently. */
    disputed: {
      entry: "escalate",
      on: {
        ...escalation,
        ReviewAdjudicated: { target: "applying", actions: "noteLabel" },
        ReviewCancelled: "cancelled",
        SagaCommandRejected: { guard: "isOvertaken", actions: assign({}) },
      },
    },
    /** A result that counts when somebody else has accepted it. */
    secondLine: {
      on: {
        ReviewAccepted: { target: "applying", actions: "noteLabel" },
        ReviewFixed: { target: "applying", actions: "noteLabel" },
        ReviewReturned: "disputed",
        ReviewDue: { target: "applying" },
      },
    },
    /** Nobody decided, at no level. */
    undecided: {
      entry: "giveUp",
      on: {
        ReviewCancelled: [{ target: "applying", guard: "hasMajority", actions: "noteMajority" }, { target: "expired" }],
        ReviewConsensusReached: { target: "applying", actions: "noteLabel" },
        ReviewAdjudicated: { target: "applying", actions: "noteLabel" },
        SagaCommandRejected: { target: "expired", guard: "isOvertaken" },
      },
    },
    applying: {
      always: [{ target: "labelling", guard: "isOfInference" }, { target: "decided" }],
    },
    labelling: {
      entry: "applyLabel",
      on: {
        HumanLabelApplied: [
          { target: "corrected", guard: "disagrees", actions: "submitCorrection" },
          { target: "confirmed" },
        ],
      },
    },
    confirmed: { type: "final" },
    corrected: { type: "final" },
    decided: { type: "final" },
    cancelled: { type: "final" },
    expired: { type: "final" },
    notFlagged: { type: "final" },
    notRequested: { type: "final" },
  },
});

/** Of commands that lost a race against a person. */
const overtakenReasons: ReadonlySet<string> = new Set([
  "K_LOWERED",
  "LEVEL_NOT_RAISED",
  "LEASE_LIVE",
  "ALREADY_INVOLVED",
  "VOTES_DIFFER",
]);

function leaseId(reviewer: string): string {
  return `lease ${reviewer}`;
}

/** A time that is over is due at once; no time, in a day. */
function untilMs(time: string | undefined, now: string): number {
  return time === undefined ? 24 * 60 * 60 * 1_000 : Math.max(0, Date.parse(time) - Date.parse(now));
}

export default defineSaga({
  name: "review-routing",
  version: 1,
  description: "sends uncertain inferences to people, conducts their review, and applies what they say",
  settings,
  startedBy: ["InferenceCompleted", "ModelPredictionLowConfidenceFlagged", "HumanReviewRequested"],
  correlate,
  machine,
});
