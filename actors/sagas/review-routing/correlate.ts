/** Which review an event is about. */
import type { Correlate, RecordedEvent } from "retrace";
import { reviewIdOf } from "./case.ts";
import { routeFor } from "./route.ts";
import type { Settings } from "./settings.ts";

type Event = RecordedEvent<string, never>;

function byReview({ stream }: Event): string {
  return stream.slice("review-".length);
}

function inferenceIn({ stream }: Event): string {
  return stream.slice("inference-".length);
}

/** By event type. */
export const correlate: Readonly<Record<string, Correlate<Settings>>> = {
  /** Only what a rule wants to be reviewed. */
  InferenceCompleted: (event, { settings }) => {
    const id = inferenceIn(event);
    return routeFor(settings, id, event.data) === undefined ? undefined : reviewIdOf(id, event.version);
  },
  ModelPredictionLowConfidenceFlagged: (event) => {
    const { reviewId } = event.data as { readonly reviewId?: string };
    return reviewId ?? reviewIdOf(inferenceIn(event), event.version);
  },
  HumanLabelApplied: (event) => (event.data as { readonly reviewId?: string }).reviewId,
  HumanReviewRequested: (event, { settings: { conduct } }) => {
    const { taskKind } = event.data as { readonly taskKind?: string };
    const { actor } = event.metadata;
    const isOfSaga = actor?.verified === true && actor.id.startsWith("saga:");
    const isNamed = conduct.includes("*") || (taskKind !== undefined && conduct.includes(taskKind));
    return isOfSaga || isNamed ? byReview(event) : undefined;
  },
  ReviewAssigned: byReview,
  ReviewClaimed: byReview,
  ReviewReleased: byReview,
  ReviewClaimExpired: byReview,
  ReviewSkipped: byReview,
  HumanLabelSubmitted: byReview,
  ReviewExtended: byReview,
  ReviewEscalated: byReview,
  ReviewConsensusReached: byReview,
  ReviewDisputed: byReview,
  ReviewAdjudicated: byReview,
  ReviewAccepted: byReview,
  ReviewFixed: byReview,
  ReviewReturned: byReview,
  ReviewCancelled: byReview,
};
