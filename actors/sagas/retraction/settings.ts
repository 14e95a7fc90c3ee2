/** What can be set about retractions: the policy `retraction`. */
import { z } from "zod";

/** What can be undone of what came from a dataset. */
const undoable = z.enum(["runs", "versions", "deployments", "predictions", "datasets"]);

/** The settings, each with its default. */
export const settings = z.object({
  undo: z
    .array(undoable)
    .max(5)
    .default([])
    .describe(
      "what is undone: runs that have led to nothing are cancelled, versions rejected, deployments rolled back, " +
        "predictions superseded, datasets made from it retracted; empty: it is only listed",
    ),
  maxThings: z
    .int()
    .min(1)
    .max(10_000)
    .default(2_000)
    .describe("how many datasets, feature sets, runs, versions and deployments are followed; predictions are counted"),
});

/** As a step of the saga has them. */
export type Settings = z.output<typeof settings>;
/** One kind of thing that can be undone. */
export type Undoable = z.output<typeof undoable>;
