/** Claims on the places of a review: k less the votes cast less the leases on record. */
import { type EventData, type Rejection, reject } from "retrace";
import type { review } from "../../../schemas/review.ts";
import { endedLeases, type Leases } from "./lease.ts";
import type { Vote } from "./result.ts";

/** What the events of a review repeat of its request. */
export type About = Pick<EventData<typeof review, "HumanReviewRequested">, "subject" | "taskKind">;

/** What a claim has to fit. */
export interface Places extends Leases {
  readonly about: About;
  readonly k: number;
  readonly votes: readonly Vote[];
}

const defaultLeaseMs = 30 * 60 * 1000;

/** The claim of a reviewer who may have a place. */
export function claim({ about }: Places, reviewer: string, { now, leaseMs = defaultLeaseMs }: LeaseTime) {
  const leaseUntil = new Date(Date.parse(now) + leaseMs).toISOString();
  return { type: "ReviewClaimed", data: { reviewer, leaseUntil, ...about } } as const;
}

/** From when and for how long. */
interface LeaseTime {
  readonly now: string;
  readonly leaseMs?: number | undefined;
}

/** The ends of the leases that are over and not on record yet: what comes before a new claim. */
export function expiries(places: Places, now: string) {
  return endedLeases(places, now).map(
    (ended) => ({ type: "ReviewClaimExpired", data: { ...ended, ...places.about } }) as const,
  );
}

/** How many places are nobody else's to claim. */
export function placesTaken({ leaseUntil, votes }: Places): number {
  return Object.keys(leaseUntil).length + votes.length;
}

/** Refuses so many claims when there are not as many places, those of leases that are over counted as free. */
export function whyNoPlaces(places: Places, wanted: number, now: string): Rejection | undefined {
  const { k, votes, leaseUntil } = places;
  const taken = placesTaken(places) - endedLeases(places, now).length;
  if (taken + wanted <= k) return undefined;
  const [nextEnd = null] = Object.values(leaseUntil).sort();
  const details = { k, votes: votes.length, nextEnd };
  if (taken < k) {
    const message = `${k - taken} of ${k} places are free, and ${wanted} votes want one; record fewer, or raise k first`;
    return reject("PLACES_TAKEN", message, details);
  }
  const message = `${votes.length} of ${k} votes are cast and all other places are claimed; try again after ${nextEnd}`;
  return reject("PLACES_TAKEN", message, details);
}
