/** A row of the queue: what one reviewer can do, holds and has done. */
import type { EventOf, RecordedEvent } from "retrace";
import type { reviewer } from "../../../schemas/reviewer.ts";
import { isOpen } from "./eligible.ts";
import type { ReviewRow } from "./review-row.ts";

/** An event of a reviewer, as a projection gets it. */
export type ReviewerEvent = RecordedEvent & EventOf<typeof reviewer>;

/** Anybody who ever had to do with a review, or has registered. */
export interface ReviewerRow {
  readonly isRegistered: boolean;
  readonly skills: readonly string[];
  /** How many reviews at once; 0 is a pause, absent is no limit. */
  readonly capacity?: number;
  /** Without a record of their end. */
  readonly openLeases: number;
  /** Reviews that still want votes, and theirs among them. */
  readonly assigned: number;
  /** Votes cast. */
  readonly done: number;
}

const newcomer: ReviewerRow = { isRegistered: false, skills: [], openLeases: 0, assigned: 0, done: 0 };

/** The row after an event of the reviewer. */
export function reviewerAfter(row: ReviewerRow = newcomer, event: ReviewerEvent): ReviewerRow {
  const { capacity: _, ...rest } = row;
  if (event.type === "ReviewerRetired") return { ...rest, isRegistered: false, skills: [] };
  const { skills, capacity } = event.data;
  return { ...rest, isRegistered: true, skills, ...(capacity !== undefined && { capacity }) };
}

/** By how much the counts of a reviewer change. */
export type Change = Pick<ReviewerRow, "openLeases" | "assigned" | "done">;

/** The row with its counts changed. */
export function changed(row: ReviewerRow = newcomer, change: Change): ReviewerRow {
  return {
    ...row,
    openLeases: row.openLeases + change.openLeases,
    assigned: row.assigned + change.assigned,
    done: row.done + change.done,
  };
}

/** What the change of a review means for its reviewers, by their names: only for those for whom it means something. */
export function changesBetween(before: ReviewRow | undefined, after: ReviewRow | undefined): Map<string, Change> {
  const [had, has] = [loadsIn(before), loadsIn(after)];
  const none: Change = { openLeases: 0, assigned: 0, done: 0 };
  const changes = new Map<string, Change>();
  for (const name of new Set([...had.keys(), ...has.keys()])) {
    const [old, now] = [had.get(name) ?? none, has.get(name) ?? none];
    const change: Change = {
      openLeases: now.openLeases - old.openLeases,
      assigned: now.assigned - old.assigned,
      // A vote stays cast when its review is over.
      done: after === undefined ? 0 : now.done - old.done,
    };
    if (Object.values(change).some((by) => by !== 0)) changes.set(name, change);
  }
  return changes;
}

function loadsIn(row: ReviewRow | undefined): Map<string, Change> {
  if (row === undefined) return new Map();
  const { leases, votedBy } = row;
  const assigned = isOpen(row) ? row.assigned : [];
  const holders = leases.map(({ reviewer }) => reviewer);
  const names = new Set([...holders, ...assigned, ...votedBy]);
  const count = (isOne: boolean): number => (isOne ? 1 : 0);
  return new Map(
    [...names].map((name) => [
      name,
      {
        openLeases: count(holders.includes(name)),
        assigned: count(assigned.includes(name)),
        done: count(votedBy.includes(name)),
      },
    ]),
  );
}
