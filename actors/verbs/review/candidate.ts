/** Who wants to take a review, and what they may take. */
import type { Client } from "retrace";
import type { Candidate } from "../../projections/review-queue/eligible.ts";
import { NotPossible } from "../print/wrong-usage.ts";
import { readReviewers } from "./queue.ts";

/** Somebody with room for so many reviews more. */
export interface Taker extends Candidate {
  readonly room: number;
}

/**
 * The reviewer as registered. Where no reviewer is, anyone may take what needs no skill.
 * @throws NotPossible when others are registered and this one is not.
 */
export async function candidateIn(client: Client, name: string): Promise<Taker> {
  const reviewers = await readReviewers(client);
  const own = reviewers.find((one) => one.name === name);
  if (own?.isRegistered === true) {
    const { skills, capacity = Number.POSITIVE_INFINITY, openLeases } = own;
    return { name, skills, room: Math.max(0, capacity - openLeases) };
  }
  if (!reviewers.some(({ isRegistered }) => isRegistered)) return { name, skills: [], room: Number.POSITIVE_INFINITY };
  throw new NotPossible(
    `${name} is not registered, and others are; register with: retrace send reviewer ${name} RegisterReviewer '{"skills": []}'`,
  );
}
