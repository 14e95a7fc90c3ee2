/** The keys of the rows of `reviewer-quality`, for those who ask for some of them. */
import { digestOf } from "../../digest.ts";

/** Of a kind of task; reviews without one are a kind as well. */
export function kindKey(taskKind: string | undefined): string {
  return `kind/${segmentOf(taskKind)}`;
}

/** Of a reviewer in a kind of task. Those of a kind begin with `voterKey(taskKind, "")`. */
export function voterKey(taskKind: string | undefined, reviewer: string): string {
  return `voter/${segmentOf(taskKind)}/${reviewer}`;
}

/** Of a reviewer in all kinds. */
export function reviewerKey(reviewer: string): string {
  return `reviewer/${reviewer}`;
}

const maxSegment = 256;

/** A kind of task is any text: what would be taken for something else is escaped, and what gets too long is a digest. */
function segmentOf(taskKind = ""): string {
  const escaped = taskKind.replaceAll("%", "%25").replaceAll("/", "%2F");
  const isFit = escaped.length <= maxSegment && !/\p{Surrogate}/u.test(escaped);
  return isFit ? escaped : `%${digestOf(taskKind).toString(16)}`;
}
