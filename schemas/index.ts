/** The domain that ships with Retrace: its schemas, and the type that clients are typed by. */
import type { dataset } from "./dataset.ts";
import type { feedback } from "./feedback.ts";
import type { inference } from "./inference.ts";
import type { model } from "./model.ts";
import type { trainingRun } from "./training-run.ts";

export { dataset } from "./dataset.ts";
export { feedback } from "./feedback.ts";
export { inference } from "./inference.ts";
export { model } from "./model.ts";
export { trainingRun } from "./training-run.ts";

/** What `connect<RetraceDomain>()` knows. */
export type RetraceDomain = {
  dataset: typeof dataset;
  feedback: typeof feedback;
  inference: typeof inference;
  model: typeof model;
  "training-run": typeof trainingRun;
};
