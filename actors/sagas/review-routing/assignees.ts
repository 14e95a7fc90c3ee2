/** Who is asked to review: those who can and have the least to do. */
import type { Answer } from "retrace";
import type { ReviewerRow } from "../../projections/review-queue/reviewer-row.ts";
import { type Case, wanted } from "./case.ts";

/** Rows of the projection `review-queue` begin with this for reviewers. */
export const reviewerPrefix = "reviewer/";

/** The reviewers to ask, as many as are wanted and can be found. */
export function assignees(one: Case, { rows }: Answer): string[] {
  return rows
    .map(({ key, value }) => ({ name: key.slice(reviewerPrefix.length), row: value as ReviewerRow }))
    .filter(({ name, row }) => isFree(row) && !Object.hasOwn(one.involved, name) && hasSkills(row, one))
    .sort((a, b) => loadOf(a.row) - loadOf(b.row) || a.row.done - b.row.done || (a.name < b.name ? -1 : 1))
    .slice(0, wanted(one))
    .map(({ name }) => name);
}

function isFree(row: ReviewerRow): boolean {
  return row.isRegistered && (row.capacity === undefined || loadOf(row) < row.capacity);
}

function loadOf({ openLeases, assigned }: ReviewerRow): number {
  return openLeases + assigned;
}

function hasSkills({ skills }: ReviewerRow, { requiredSkills }: Case): boolean {
  return requiredSkills.every((skill) => skills.includes(skill));
}
