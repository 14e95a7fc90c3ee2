/** What a reviewer is told when a review refuses: what it means for them, and what they can do. */
import { Fault } from "retrace";

/** The same fault with a sentence for reviewers; others stay as they are. */
export function explained(fault: Fault): Fault {
  const sentence = sentenceFor(fault);
  return sentence === undefined ? fault : new Fault(fault.code, sentence, fault.details, fault);
}

function sentenceFor({ code, details, message }: Fault): string | undefined {
  if (code === "NOT_ALLOWED_IN_STATE") return details.part === undefined ? byReview(details) : byLease(details);
  if (code === "REJECTED") return byReason(details, message);
  return undefined;
}

type Details = Fault["details"];

/** The review itself has come too far, or not far enough. */
function byReview({ state, event }: Details): string | undefined {
  switch (state) {
    case "empty":
      return "there is no such review; list those that wait with: retrace review list";
    case "closed":
    case "expired":
    case "cancelled":
      return `the review is ${state}: nothing more is said in it`;
    case "consensus":
    case "adjudicated":
      return `the review has its label already (${state}); accept it, fix it or return it`;
    case "disputed":
      return "the review is in dispute; settle it with: retrace review adjudicate ID LABEL";
    case "voted":
      return "all votes are cast and wait to be counted; no more are taken unless the review is extended";
    default:
      return waitsForVotes.has(String(event))
        ? `the review has no label yet (${state}): it waits for votes`
        : undefined;
  }
}

const waitsForVotes: ReadonlySet<string> = new Set([
  "ReviewAccepted",
  "ReviewFixed",
  "ReviewReturned",
  "ReviewAdjudicated",
]);

/** The reviewer may not, or not yet. */
function byLease({ state, part, event }: Details): string | undefined {
  const who = (part as { readonly key: string }).key;
  switch (state) {
    case "excluded":
      return `${who} is excluded from this review; claim another`;
    case "voted":
      return `${who} has voted in this review, and speaks once; claim another`;
    case "skipped":
      return `${who} has skipped this review; claim another`;
    case "adjudicated":
      return `${who} has settled this review; somebody else accepts, fixes or returns it`;
    case "leased":
      return `${who} holds this review; submit it, skip it or release it first`;
    case "none":
    case "assigned":
      return event === "HumanLabelSubmitted"
        ? `${who} does not hold this review; claim it first`
        : `${who} has nothing to give back in this review`;
    default:
      return undefined;
  }
}

/** The sentences of the aggregate, with the verb that helps. */
function byReason(details: Details, message: string): string | undefined {
  switch (details.reason) {
    case "PLACES_TAKEN":
      return `${message}; or take another with: retrace review claim`;
    case "LEASE_ENDED":
      return `${message} with: retrace review claim ID`;
    case "LABEL_NOT_AN_OPTION":
      return `${message}: ${optionsIn(details)}`;
    case "SAME_LABEL":
      return `${message} with: retrace review accept ID`;
    default:
      return undefined;
  }
}

function optionsIn({ options }: Details): string {
  return Array.isArray(options) ? options.join(", ") : "";
}
