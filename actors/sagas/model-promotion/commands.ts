/** The commands of a promotion. */
import type { SagaCommand } from "retrace";
import { key } from "../../../schemas/fields.ts";
import { bounded, type Promotion, reviewIdOf } from "./promotion.ts";
import type { Settings } from "./settings.ts";

type Sent = Omit<SagaCommand, "category">;

/** The only labels of an approval. */
const options = ["approve", "reject"] as const;

/** To the model. */
export const toModel = {
  create: ({ model, run, owner }: Promotion): Sent => ({
    id: model,
    type: "CreateModel",
    data: { description: `made by the promotion of run ${run}`, ...(owner !== undefined && { userId: owner }) },
  }),

  version: ({ model, version, run, artifactRef, metrics }: Promotion): Sent => ({
    id: model,
    type: "VersionModel",
    data: { version, trainingRunId: run, ...(artifactRef !== undefined && { artifactRef }), metrics },
  }),

  approve: ({ model, version, reviewId, approvers, gate }: Promotion): Sent => ({
    id: model,
    type: "ApproveVersion",
    data: {
      version,
      ...(reviewId !== undefined && { reviewId }),
      approvers,
      reason: bounded(`review ${reviewId} says approve; ${gate}`),
    },
  }),

  reject: ({ model, version, reviewId, reason }: Promotion): Sent => ({
    id: model,
    type: "RejectVersion",
    data: { version, ...(reviewId !== undefined && { reviewId }), reason },
  }),

  deploy: ({ model, version, run, environment }: Promotion, { trafficShare }: Settings): Sent => ({
    id: model,
    type: "DeployModel",
    data: { version, environment, trafficShare, reason: `run ${run} was approved` },
  }),

  rollBack: ({ model, version, environment, reason }: Promotion): Sent => ({
    id: model,
    type: "RollBackDeployment",
    data: { environment, fromVersion: version, reason },
  }),

  moveAlias: ({ model, version, alias, environment }: Promotion): Sent => ({
    id: model,
    type: "MoveAlias",
    data: { alias, toVersion: version, reason: `deployed in ${environment}` },
  }),

  /** Only if nobody has moved it since. To no version: null. */
  moveAliasTo: ({ model, version, alias, reason }: Promotion, toVersion: string | null): Sent => ({
    id: model,
    type: "MoveAlias",
    data: { alias, fromVersion: version, toVersion, reason },
  }),
};

/** To the review. */
export const toReview = {
  request: (promotion: Promotion, now: string, settings: Settings): Sent => {
    const { model, version, run, owner, metrics, gate } = promotion;
    const { k, maxK, priority, requiredSkills, dueMs } = settings;
    return {
      id: reviewIdOf(run),
      type: "RequestReview",
      data: {
        subject: { category: "model", id: model, version },
        taskKind: "model-approval",
        question: { question: `Shall version ${version} of ${model} be deployed?`, trainingRunId: run, metrics, gate },
        options,
        k,
        maxK,
        priority,
        requiredSkills,
        // Who is called what no reviewer can be called need not be kept away.
        excludedReviewers: key.safeParse(owner).success ? [owner] : [],
        dueAt: new Date(Date.parse(now) + dueMs).toISOString(),
        reason: bounded(`run ${run} is completed; ${gate}`),
      },
    };
  },

  cancel: ({ run, reason }: Promotion): Sent => ({ id: reviewIdOf(run), type: "CancelReview", data: { reason } }),
};
