/** Which review an event is about. */
import type { Correlate } from "retrace";
import { idOf } from "../../stream-id.ts";
import { reviewIdOf } from "./case.ts";
import { routeFor } from "./route.ts";
import type { Settings } from "./settings.ts";

/** By event type. */
export const correlate: Readonly<Record<string, Correlate<Settings>>> = {
  /** Only what a rule wants to be reviewed. */
  InferenceCompleted: (event, { settings }) => {
    const id = idOf(event);
    return routeFor(settings, id, event.data) === undefined ? undefined : reviewIdOf(id, event.version);
  },
  ModelPredictionLowConfidenceFlagged: (event) => {
    const { reviewId } = event.data as { readonly reviewId?: string };
    return reviewId ?? reviewIdOf(idOf(event), event.version);
  },
  HumanLabelApplied: (event) => (event.data as { readonly reviewId?: string }).reviewId,
  HumanReviewRequested: (event, { settings: { conduct } }) => {
    const { taskKind } = event.data as { readonly taskKind?: string };
    const { actor } = event.metadata;
    const isOfSaga = actor?.verified === true && actor.id.startsWith("saga:");
    const isNamed = conduct.includes("*") || (taskKind !== undefined && conduct.includes(taskKind));
    return isOfSaga || isNamed ? idOf(event) : undefined;
  },
  ReviewAssigned: idOf,
  ReviewClaimed: idOf,
  ReviewReleased: idOf,
  ReviewClaimExpired: idOf,
  ReviewSkipped: idOf,
  HumanLabelSubmitted: idOf,
  ReviewExtended: idOf,
  ReviewEscalated: idOf,
  ReviewConsensusReached: idOf,
  ReviewDisputed: idOf,
  ReviewAdjudicated: idOf,
  ReviewAccepted: idOf,
  ReviewFixed: idOf,
  ReviewReturned: idOf,
  ReviewCancelled: idOf,
};
