/**
 * A review: one question that people answer. Reviewers claim it for a while and vote, each once, until k votes are cast;
 * the votes become a label, or a dispute that somebody else settles; a second line may have the last word.
 *
 * The state holds the votes, because closing needs them, and never the gold label: what reviewers are shown is made from
 * events by those who know what to leave out.
 */
import { type ChartEventOf, defineAggregate, type Rejection, reject } from "retrace";
import { assertEvent, assign, setup } from "xstate";
import { maxLeaseMs, review } from "../../schemas/review.ts";
import { afterImport, type Imported, onceImported } from "../imported.ts";
import { castElsewhere } from "./review/cast-elsewhere.ts";
import { type About, claim, expiries, type Places, placesTaken, whyNoPlaces } from "./review/claims.ts";
import { endLeases, foldLease, lease, leaseEnd, leasesExcluding, whyNotMore } from "./review/lease.ts";
import { resultOf, whyNotLabel } from "./review/result.ts";

interface Review extends Places, Imported {
  /** The only labels; empty is free text. */
  readonly options: readonly string[];
  readonly maxK: number;
  readonly dueAt?: string;
  /** 0 until it is escalated. */
  readonly level: number;
  readonly result: { readonly label?: string };
}

/** Claims and votes. Either moves the review on, wherever it was while it was open. */
const whileOpen = {
  ReviewAssigned: { guard: "leaseAccepts", actions: "foldLease" },
  ReviewClaimed: { target: "voting", guard: "findsPlace", actions: "foldLease" },
  ReviewReleased: { guard: "leaseAccepts", actions: "foldLease" },
  ReviewClaimExpired: { guard: "leaseAccepts", actions: "foldLease" },
  ReviewSkipped: { guard: "leaseAccepts", actions: "foldLease" },
  HumanLabelSubmitted: [
    { target: "voted", guard: "isLastVote", actions: "addVote" },
    { target: "voting", guard: "leaseAccepts", actions: "addVote" },
  ],
  ReviewExtended: { guard: "raisesK", actions: "extend" },
  ReviewEscalated: { target: "escalated", guard: "raisesLevel", actions: "escalate" },
} as const;

/** Ends without a label. */
const whileUndecided = {
  ReviewCancelled: [
    { target: "expired", guard: "isExpiry", actions: "endLeases" },
    { target: "cancelled", actions: "endLeases" },
  ],
} as const;

/** The second line. What it returns is disputed, not voted on again: no vote follows the close. */
const whenLabelled = {
  ReviewAccepted: { target: "closed", guard: "leaseAccepts", actions: "foldLease" },
  ReviewFixed: { target: "closed", guard: "leaseAccepts", actions: ["foldLease", "keepLabel"] },
  ReviewReturned: { target: "disputed", guard: "leaseAccepts", actions: ["foldLease", "dropLabel"] },
} as const;

const machine = setup({
  types: { context: {} as Review, events: {} as ChartEventOf<typeof review>, tags: {} as "open" | "labelled" },
  guards: {
    leaseAccepts: ({ context, event }) => lease.accepts(context, event),
    findsPlace: ({ context, event }) => placesTaken(context) < context.k && lease.accepts(context, event),
    isLastVote: ({ context, event }) => context.votes.length + 1 === context.k && lease.accepts(context, event),
    raisesK: ({ context, event }) => {
      return event.type === "ReviewExtended" && event.data.k > context.k && event.data.k <= context.maxK;
    },
    raisesLevel: ({ context, event }) => event.type === "ReviewEscalated" && event.data.level > context.level,
    isExpiry: ({ event }) => event.type === "ReviewCancelled" && event.data.expired === true,
  },
  actions: {
    begin: assign(({ context, event }) => {
      assertEvent(event, "HumanReviewRequested");
      const { options = [], excludedReviewers = [], k, maxK, dueAt } = event.data;
      return {
        about: aboutIn(event.data),
        options,
        k,
        maxK,
        ...(dueAt !== undefined && { dueAt }),
        ...leasesExcluding(excludedReviewers),
        ...afterImport(context, event.data),
      };
    }),
    foldLease: assign(({ context, event }) => foldLease(context, event)),
    endLeases: assign(({ context }) => endLeases(context)),
    addVote: assign(({ context, event }) => {
      assertEvent(event, "HumanLabelSubmitted");
      const { reviewer, label } = event.data;
      const votes = [...context.votes, { reviewer, label }];
      return { votes, ...foldLease(context, event), ...afterImport(context, event.data) };
    }),
    extend: assign(({ event }) => {
      assertEvent(event, "ReviewExtended");
      return { k: event.data.k };
    }),
    escalate: assign(({ event }) => {
      assertEvent(event, "ReviewEscalated");
      const { level, dueAt } = event.data;
      return { level, ...(dueAt !== undefined && { dueAt }) };
    }),
    keepLabel: assign(({ event }) => {
      assertEvent(event, ["ReviewConsensusReached", "ReviewAdjudicated", "ReviewFixed"]);
      return { result: { label: event.data.label } };
    }),
    dropLabel: assign({ result: {} }),
  },
}).createMachine({
  id: "review",
  context: { about: {}, options: [], k: 1, maxK: 1, level: 0, leases: {}, leaseUntil: {}, votes: [], result: {} },
  initial: "empty",
  states: {
    empty: {
      on: { HumanReviewRequested: { target: "requested", actions: "begin" } },
    },
    requested: { tags: "open", on: { ...whileOpen, ...whileUndecided } },
    voting: { tags: "open", on: { ...whileOpen, ...whileUndecided } },
    /** Until somebody claims it or votes. */
    escalated: { tags: "open", on: { ...whileOpen, ...whileUndecided } },
    /** All k votes are cast. */
    voted: {
      on: {
        ReviewExtended: { target: "voting", guard: "raisesK", actions: "extend" },
        ReviewEscalated: { guard: "raisesLevel", actions: "escalate" },
        ReviewConsensusReached: { target: "consensus", actions: "keepLabel" },
        ReviewDisputed: "disputed",
        ...whileUndecided,
      },
    },
    disputed: {
      on: {
        ReviewEscalated: { guard: "raisesLevel", actions: "escalate" },
        ReviewAdjudicated: { target: "adjudicated", guard: "leaseAccepts", actions: ["foldLease", "keepLabel"] },
        ...whileUndecided,
      },
    },
    consensus: { tags: "labelled", on: whenLabelled },
    adjudicated: { tags: "labelled", on: whenLabelled },
    closed: { type: "final" },
    expired: { type: "final" },
    cancelled: { type: "final" },
  },
});

export default defineAggregate({
  category: "review",
  schemas: review,
  machine,
  parts: [lease],
  decide: {
    RequestReview: onceImported((_state, { data }) => {
      const { k = 1, maxK = k } = data;
      return { type: "HumanReviewRequested", data: { ...data, k, maxK } };
    }),

    AssignReview: (state, { data }) => {
      const { context } = state;
      if (state.hasTag("open") && lease.stateOf(context, data.reviewer) === "assigned") return [];
      return whyNotMore(context, data.reviewer) ?? { type: "ReviewAssigned", data: { ...data, ...context.about } };
    },

    ClaimReview: (state, { data }, { now }) => {
      const { context } = state;
      const { reviewer, leaseUntil, leaseMs = leaseMsUntil(leaseUntil, now) } = data;
      const claimed = claim(context, reviewer, { now, leaseMs });
      const own = leaseEnd(context, reviewer);
      if (own !== undefined && own > now) return [];
      const mayClaim = own !== undefined || lease.accepts(context, claimed);
      if (!state.hasTag("open") || !mayClaim) return claimed;
      if (leaseMs !== undefined && (leaseMs <= 0 || leaseMs > maxLeaseMs)) return leaseOutOfRange(leaseUntil, now);
      return whyNoPlaces(context, 1, now) ?? whyNotMore(context, reviewer) ?? [...expiries(context, now), claimed];
    },

    SubmitLabel: onceImported(({ context }, { data }, { now }) => {
      const { reviewer } = data;
      const leaseUntil = leaseEnd(context, reviewer);
      if (leaseUntil !== undefined && leaseUntil <= now) {
        const message = `the lease of ${reviewer} ended at ${leaseUntil}; claim the review again`;
        return reject("LEASE_ENDED", message, { reviewer, leaseUntil });
      }
      return whyNotLabel(context, data) ?? { type: "HumanLabelSubmitted", data: { ...data, ...context.about } };
    }),

    RecordLabels: castElsewhere,

    SkipReview: ({ context }, { data }) => {
      return whyNotMore(context, data.reviewer) ?? { type: "ReviewSkipped", data: { ...data, ...context.about } };
    },

    ReleaseReview: ({ context }, { data }) => ({ type: "ReviewReleased", data: { ...data, ...context.about } }),

    ExpireClaim: ({ context }, { data: { reviewer } }, { now }) => {
      const leaseUntil = leaseEnd(context, reviewer) ?? now;
      if (leaseUntil > now) {
        const message = `the lease of ${reviewer} lasts until ${leaseUntil}; to end it now, release it`;
        return reject("LEASE_LIVE", message, { reviewer, leaseUntil });
      }
      return { type: "ReviewClaimExpired", data: { reviewer, leaseUntil, ...context.about } };
    },

    ExtendReview: (state, { data }) => {
      const { k, maxK, about } = state.context;
      if (state.hasTag("open") || state.matches("voted")) {
        if (data.k === k) return [];
        if (data.k < k) return reject("K_LOWERED", `k is ${k} and is never lowered`, { k, maxK });
        if (data.k > maxK) return reject("K_ABOVE_MAX", `k is at most ${maxK} in this review`, { k, maxK });
      }
      return { type: "ReviewExtended", data: { ...data, ...about } };
    },

    CloseReview: (state, { data }) => {
      const { context } = state;
      const { parameters, reason } = data;
      const result = state.matches("voted") ? resultOf(context, data) : { method: "majority" };
      if ("outcome" in result) return result;
      const { method, label, posterior } = result;
      const found = {
        method,
        ...(parameters !== undefined && { parameters }),
        ...(posterior !== undefined && { posterior }),
        ...(reason !== undefined && { reason }),
        votes: [...context.votes],
        ...context.about,
      };
      return label === undefined
        ? { type: "ReviewDisputed", data: found }
        : { type: "ReviewConsensusReached", data: { ...found, label } };
    },

    AdjudicateReview: ({ context }, { data }) => {
      const rejection = whyNotLabel(context, data) ?? whyNotMore(context, data.reviewer);
      return rejection ?? { type: "ReviewAdjudicated", data: { ...data, ...context.about } };
    },

    AcceptLabel: ({ context }, { data }) => ({
      type: "ReviewAccepted",
      data: { ...data, label: labelOf(context), ...context.about },
    }),

    FixLabel: (state, { data }) => {
      const { context } = state;
      const original = labelOf(context);
      if (state.hasTag("labelled") && data.label === original)
        return reject("SAME_LABEL", "this is the label already; accept it", { label: original });
      return whyNotLabel(context, data) ?? { type: "ReviewFixed", data: { ...data, original, ...context.about } };
    },

    ReturnLabel: ({ context }, { data }) => ({
      type: "ReviewReturned",
      data: { ...data, label: labelOf(context), ...context.about },
    }),

    EscalateReview: ({ context }, { data }) => {
      const { level, about } = context;
      if (data.level > level) return { type: "ReviewEscalated", data: { ...data, ...about } };
      return reject("LEVEL_NOT_RAISED", `the review is at level ${level}; escalate it to a higher one`, { level });
    },

    CancelReview: ({ context }, { data }, { now }) => {
      const { dueAt, about } = context;
      if (data.expired === true && (dueAt === undefined || dueAt > now)) {
        const due = dueAt === undefined ? "has no due time" : `is due at ${dueAt}`;
        const message = `the review ${due}; to end it now, cancel it without "expired"`;
        return reject("NOT_DUE", message, { dueAt: dueAt ?? null });
      }
      return { type: "ReviewCancelled", data: { ...data, ...about } };
    },
  },
});

/** What names the subject; what else a request says of it would be repeated in every event. */
function aboutIn({ subject, taskKind }: About): About {
  if (subject === undefined) return { ...(taskKind !== undefined && { taskKind }) };
  const { category, id, version } = subject;
  const named = { category, id, ...(version !== undefined && { version }) };
  return { subject: named, ...(taskKind !== undefined && { taskKind }) };
}

function leaseMsUntil(leaseUntil: string | undefined, now: string): number | undefined {
  return leaseUntil === undefined ? undefined : Date.parse(leaseUntil) - Date.parse(now);
}

function leaseOutOfRange(leaseUntil: string | undefined, now: string): Rejection {
  const message = `a lease ends after now, ${now}, and within seven days; claim without leaseUntil for half an hour`;
  return reject("LEASE_OUT_OF_RANGE", message, { leaseUntil, now });
}

/** Empty where there is none: then the chart accepts no event that carries it. */
function labelOf({ result }: Review): string {
  return result.label ?? "";
}
