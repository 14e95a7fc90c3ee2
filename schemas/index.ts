/** The domain that ships with Retrace: its schemas, and the type that clients are typed by. */
import type { agentSession } from "./agent-session.ts";
import type { dataset } from "./dataset.ts";
import type { document } from "./document.ts";
import type { featureSet } from "./feature-set.ts";
import type { feedback } from "./feedback.ts";
import type { inference } from "./inference.ts";
import type { model } from "./model.ts";
import type { policy } from "./policy.ts";
import type { review } from "./review.ts";
import type { reviewer } from "./reviewer.ts";
import type { trainingRun } from "./training-run.ts";

export { agentSession } from "./agent-session.ts";
export { dataset } from "./dataset.ts";
export { document } from "./document.ts";
export { featureSet } from "./feature-set.ts";
export { feedback } from "./feedback.ts";
export { inference } from "./inference.ts";
export { model } from "./model.ts";
export { policy } from "./policy.ts";
export { review } from "./review.ts";
export { reviewer } from "./reviewer.ts";
export { trainingRun } from "./training-run.ts";

/** What `connect<RetraceDomain>()` knows. */
export type RetraceDomain = {
  "agent-session": typeof agentSession;
  dataset: typeof dataset;
  document: typeof document;
  "feature-set": typeof featureSet;
  feedback: typeof feedback;
  inference: typeof inference;
  model: typeof model;
  policy: typeof policy;
  review: typeof review;
  reviewer: typeof reviewer;
  "training-run": typeof trainingRun;
};
