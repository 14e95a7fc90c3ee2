/**
 * What one reviewer may do in a review, and for how long: the part of the review that is kept for each of them. A lease
 * keeps its place until its end is on record, so that leases and votes exceed k on nobody's clock.
 */
import { type ChartEventOf, definePart, type PartStates, type Rejection, reject, stateIn } from "retrace";
import { type StateValue, setup } from "xstate";
import type { review } from "../../../schemas/review.ts";

/** The events of a review, as its charts receive them. */
export type ReviewEvent = ChartEventOf<typeof review>;

/** What a review keeps of its reviewers. */
export interface Leases {
  /** By reviewer. Who has nothing to do with the review has no entry. */
  readonly leases: PartStates;
  /** When it ends, for each reviewer who is leased. */
  readonly leaseUntil: Readonly<Record<string, string>>;
}

/** How many reviewers may have to do with one review, the excluded ones among them: the state remembers each. */
const maxReviewers = 1000;

/**
 * Who voted or was excluded never speaks again, so the second line is always a second pair of eyes. Whoever settled a
 * dispute may settle it again, but not accept what they said themselves.
 */
const machine = setup({ types: { events: {} as ReviewEvent } }).createMachine({
  id: "lease",
  initial: "none",
  states: {
    none: {
      on: {
        ReviewAssigned: "assigned",
        ReviewClaimed: "leased",
        ReviewSkipped: "skipped",
        ReviewAdjudicated: "adjudicated",
        ReviewAccepted: "none",
        ReviewFixed: "none",
        ReviewReturned: "none",
      },
    },
    assigned: {
      on: {
        ReviewClaimed: "leased",
        ReviewReleased: "none",
        ReviewSkipped: "skipped",
        ReviewAdjudicated: "adjudicated",
        ReviewAccepted: "assigned",
        ReviewFixed: "assigned",
        ReviewReturned: "assigned",
      },
    },
    leased: {
      on: {
        HumanLabelSubmitted: "voted",
        ReviewReleased: "none",
        ReviewClaimExpired: "none",
        ReviewSkipped: "skipped",
      },
    },
    skipped: {
      on: {
        ReviewAdjudicated: "adjudicated",
        ReviewAccepted: "skipped",
        ReviewFixed: "skipped",
        ReviewReturned: "skipped",
      },
    },
    adjudicated: {
      on: { ReviewAdjudicated: "adjudicated" },
    },
    voted: {},
    excluded: {},
  },
});

/** The part: its key is the reviewer. */
export const lease = definePart<Leases, ReviewEvent>({
  name: "lease",
  machine,
  key: reviewerIn,
  state: ({ leases }, reviewer) => stateIn(leases, reviewer),
  keys: ({ leases }) => Object.keys(leases),
});

function reviewerIn({ data }: ReviewEvent): string {
  return (data as { readonly reviewer: string }).reviewer;
}

/** The leases of a new review. */
export function leasesExcluding(reviewers: readonly string[]): Leases {
  return { leases: Object.fromEntries(reviewers.map((reviewer) => [reviewer, "excluded"])), leaseUntil: {} };
}

/** The leases after an event. Who has given everything back is forgotten: claims that come to nothing do not add up. */
export function foldLease(context: Leases, event: ReviewEvent): Leases {
  const reviewer = reviewerIn(event);
  const { [reviewer]: _before, ...others } = context.leases;
  const { [reviewer]: _ended, ...leaseUntil } = context.leaseUntil;
  const state = stateAfter(context, event);
  return {
    leases: state === "none" ? others : { ...others, [reviewer]: state },
    leaseUntil: event.type === "ReviewClaimed" ? { ...leaseUntil, [reviewer]: event.data.leaseUntil } : leaseUntil,
  };
}

/** By state and type of event: the chart knows no more than these, and imports take each of its steps many times. */
const steps = new Map<string, StateValue>();

function stateAfter(context: Leases, event: ReviewEvent): StateValue {
  const reviewer = reviewerIn(event);
  const step = `${lease.stateOf(context, reviewer)} ${event.type}`;
  const known = steps.get(step) ?? lease.next(context, event);
  steps.set(step, known);
  return known;
}

/** The leases of a review that is over: nobody holds one. */
export function endLeases({ leases }: Leases): Leases {
  const others = Object.entries(leases).filter(([, state]) => state !== "leased");
  return { leases: Object.fromEntries(others), leaseUntil: {} };
}

/** When the lease that the reviewer holds ends or has ended; undefined where none is on record. */
export function leaseEnd({ leaseUntil }: Leases, reviewer: string): string | undefined {
  return Object.hasOwn(leaseUntil, reviewer) ? leaseUntil[reviewer] : undefined;
}

/** The leases whose time is over although no event says so yet. */
export function endedLeases({ leaseUntil }: Leases, now: string): { reviewer: string; leaseUntil: string }[] {
  return Object.entries(leaseUntil)
    .filter(([, until]) => until <= now)
    .map(([reviewer, until]) => ({ reviewer, leaseUntil: until }));
}

/** Refuses reviewers whom the state would have to remember besides too many others. */
export function whyNotMore({ leases }: Leases, ...reviewers: readonly string[]): Rejection | undefined {
  const unknown = new Set(reviewers.filter((reviewer) => !Object.hasOwn(leases, reviewer)));
  if (unknown.size === 0 || Object.keys(leases).length + unknown.size <= maxReviewers) return undefined;
  const message = `${maxReviewers} reviewers have to do with this review; cancel it and request a new one`;
  return reject("TOO_MANY_REVIEWERS", message, { limit: maxReviewers });
}
