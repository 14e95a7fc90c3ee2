/** What a policy `document-ingestion` may set: how long workers may take, how often they try, and what a cut-over needs. */
import { z } from "zod";

const durationMs = z.int().min(1_000);

const minuteMs = 60_000;

export const settings = z.strictObject({
  /** For an answer to each try. */
  validateWithinMs: durationMs.default(15 * minuteMs),
  chunkWithinMs: durationMs.default(15 * minuteMs),
  compareWithinMs: durationMs.default(60 * minuteMs),
  /** The longest time in which no chunk gets on. */
  progressWithinMs: durationMs.default(15 * minuteMs),
  /** How often a step is tried, the first time included. Of chunks each has its own tries. */
  attempts: z.int().min(1).max(100).default(5),
  /** Between a failure and the next try; doubled each time, up to the maximum. */
  backoffMs: durationMs.default(10_000),
  maxBackoffMs: durationMs.default(10 * minuteMs),
  /**
   * Who compares a pipeline with the one in service: `counts`, the saga, by how many chunks each has; `worker`, whoever acts
   * on the request for the step `compare`, with CutOverPipeline or FailDocumentStep.
   */
  comparedBy: z.enum(["counts", "worker"]).default("counts"),
  /** By counts: so many chunks a new pipeline has at least, as a share of those of the one in service. */
  minChunkShare: z.number().min(0).max(100).default(0.1),
  /** How many chunks are taken out of the indexes in one step. */
  removedAtOnce: z.int().min(1).max(500).default(100),
});

export type Settings = z.output<typeof settings>;
