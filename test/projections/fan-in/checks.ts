/** What every projection must make of the files: its figures, counted without any of its code. */
import type { Check } from "./counting.ts";
import { reviewerQuality, reviewQueue } from "./crowds.ts";
import { documentPipelines, documentStatus } from "./documents.ts";
import { audit, lineage } from "./graph.ts";
import { modelCatalog, trainingSummaries } from "./runs.ts";
import { approvalsByProducer, cohorts, feedbackStats, retrievalStats } from "./signals.ts";

/** By the name of the projection; each throws where the rows are not what the files say. */
export const checks: Readonly<Record<string, Check>> = {
  "approvals-by-producer": approvalsByProducer,
  audit,
  cohorts,
  "document-pipelines": documentPipelines,
  "document-status": documentStatus,
  "feedback-stats": feedbackStats,
  lineage,
  "model-catalog": modelCatalog,
  "retrieval-stats": retrievalStats,
  "review-queue": reviewQueue,
  "reviewer-quality": reviewerQuality,
  "training-summaries": trainingSummaries,
};
