/**
 * From a completed training run to a version that serves: the version is made, measured against the evaluation gate,
 * put before people, approved, deployed, and found under its alias. What fails or is refused on the way is taken back in
 * reverse order, each step once, and so is a version that is rolled back later.
 *
 * It requests the review and reacts to how that comes out; claims, votes and the closing are others' business.
 */
import { ask, defineSaga, type SagaInput, send } from "retrace";
import { and, assertEvent, assign, setup } from "xstate";
import { toModel, toReview } from "./model-promotion/commands.ts";
import { compareIn, comparesVersions, evaluateGate, type Verdict } from "./model-promotion/gate.ts";
import {
  approversIn,
  byCompletion,
  byReview,
  byRun,
  fromRun,
  isApproval,
  isOurs,
  newPromotion,
  type Promotion,
  type PromotionEvent,
  promotionOf,
  reasonIn,
  refusalText,
  reviewIdOf,
} from "./model-promotion/promotion.ts";
import { type Settings, settings } from "./model-promotion/settings.ts";

interface Args {
  readonly context: Promotion;
  readonly event: PromotionEvent;
}

/** Whether this command of ours was refused. */
function refused(...types: readonly string[]) {
  return ({ event }: Args): boolean => event.type === "SagaCommandRejected" && types.includes(event.data.command.type);
}

/** Whether somebody was faster, or what the command is about has come to its end. */
function isOutOfPlace({ event }: Args): boolean {
  return event.type === "SagaCommandRejected" && event.data.code === "NOT_ALLOWED_IN_STATE";
}

function verdictOn({ context, event }: Args): Verdict {
  assertEvent(event, ["ModelVersioned", "SagaAnswered"]);
  const compare = event.type === "SagaAnswered" ? compareIn(event.data) : () => undefined;
  return evaluateGate(event.settings.gate, context.metrics, compare);
}

/** The label of the review's first line. */
const firstLine = [
  { target: ".labelled", guard: "waitsForSecondLine", actions: "noteApprovers" },
  { target: "approving", guard: "isApproval", actions: ["noteApprovers", "approve"] },
  { target: "withdrawing", actions: ["giveReason", "reject"] },
] as const;

const secondLine = [
  { target: "#model-promotion.approving", guard: "isApproval", actions: ["noteApprovers", "approve"] },
  { target: "#model-promotion.withdrawing", actions: ["giveReason", "reject"] },
] as const;

/** A label that was good enough to go on with, and is changed behind us. */
function secondThoughts<const Actions extends readonly string[]>(...wayBack: Actions) {
  const withdrawal = { target: "withdrawing", guard: "isRejection", actions: ["giveReason", ...wayBack] } as const;
  return { ReviewFixed: withdrawal, ReviewAdjudicated: withdrawal } as const;
}

const machine = setup({
  types: {
    context: {} as Promotion,
    input: {} as SagaInput<Settings>,
    events: {} as PromotionEvent,
  },
  guards: {
    isOurs: ({ context, event }) => isOurs(context, event),
    isOurModel: ({ context, event }) => event.type === "ModelRetired" && event.streamId === context.model,
    isOurEnvironment: ({ context, event }) => {
      const isDeployment = event.type === "ModelDeployed" || event.type === "DeploymentRolledBack";
      return isDeployment && isOurs(context, event) && event.data.environment === context.environment;
    },
    isOurAlias: ({ context, event }) => {
      return event.type === "AliasMoved" && isOurs(context, event) && event.data.alias === context.alias;
    },
    isThere: (args) => refused("CreateModel")(args) && isOutOfPlace(args),
    isNameTaken: (args) => {
      const { run, version } = args.context;
      return refused("VersionModel")(args) && isOutOfPlace(args) && version !== run;
    },
    comparesVersions: ({ event }) => comparesVersions(event.settings.gate),
    passes: (args) => verdictOn(args).passed,
    waitsForSecondLine: ({ event }) => event.settings.secondLine,
    isApproval: ({ event }) => isApproval(event) === true,
    isRejection: ({ event }) => isApproval(event) === false,
    isVersionRefused: refused("VersionModel"),
    isReviewRefused: refused("RequestReview"),
    isCancelRefused: refused("CancelReview"),
    isApprovalOvertaken: (args) => refused("ApproveVersion")(args) && isOutOfPlace(args),
    isDeploymentRefused: refused("DeployModel"),
    isAliasRefused: refused("MoveAlias"),
    isRejectionRefused: refused("RejectVersion"),
    isWayBackRefused: refused("MoveAlias", "RollBackDeployment"),
    isFormerVersionGone: (args) => {
      const { event } = args;
      if (event.type !== "SagaCommandRejected" || !refused("MoveAlias")(args) || !isOutOfPlace(args)) return false;
      return (event.data.command.data as { readonly toVersion: string | null }).toVersion !== null;
    },
  },
  actions: {
    remember: assign(({ event }) => {
      assertEvent(event, "TrainingCompleted");
      return fromRun(event);
    }),
    takeRunAsName: assign(({ context }) => ({ version: context.run })),
    noteGate: assign((args) => ({ gate: verdictOn(args).text })),
    noteReview: assign(({ context }) => ({ reviewId: reviewIdOf(context.run) })),
    noteApprovers: assign(({ context, event }) => ({ approvers: approversIn(context.approvers, event) })),
    notePlace: assign(({ event: { settings } }) => ({ environment: settings.environment, alias: settings.alias })),
    noteFormerVersion: assign(({ context, event }) => {
      assertEvent(event, "AliasMoved");
      const { fromVersion = null } = event.data;
      // An alias that comes back to the version comes from a later one.
      return context.previous === undefined ? { previous: fromVersion } : {};
    }),
    noteNotUndone: assign(({ context, event }) => {
      assertEvent(event, "SagaCommandRejected");
      return { notUndone: [...context.notUndone, refusalText(event.data)] };
    }),
    forgetMetrics: assign({ metrics: {} }),
    giveReason: assign(({ context, event }) => ({ reason: reasonIn(context, event) })),
    giveApprovalByHand: assign({ reason: "the version was approved by hand" }),

    createModel: send("model", ({ context }) => toModel.create(context)),
    versionModel: send("model", ({ context }) => toModel.version(context)),
    askCatalog: ask("model-catalog", ({ context }) => ({ key: context.model })),
    requestReview: send("review", ({ context, event }) => toReview.request(context, event.now, event.settings)),
    cancelReview: send("review", ({ context }) => toReview.cancel(context)),
    approve: send("model", ({ context }) => toModel.approve(context)),
    deploy: send("model", ({ context, event }) => toModel.deploy(context, event.settings)),
    moveAlias: send("model", ({ context }) => toModel.moveAlias(context)),

    moveAliasBack: send("model", ({ context, event }) => {
      const served = event.type === "DeploymentRolledBack" ? event.data.toVersion : undefined;
      return toModel.moveAliasTo(context, served ?? context.previous ?? null);
    }),
    removeAlias: send("model", ({ context }) => toModel.moveAliasTo(context, null)),
    rollBack: send("model", ({ context }) => toModel.rollBack(context)),
    reject: send("model", ({ context }) => toModel.reject(context)),
  },
}).createMachine({
  id: "model-promotion",
  context: newPromotion,
  initial: "begun",
  states: {
    begun: {
      on: {
        TrainingCompleted: { target: "versioning", actions: ["remember", "createModel", "versionModel"] },
      },
    },
    versioning: {
      on: {
        ModelVersioned: [
          { target: "comparing", guard: and(["isOurs", "comparesVersions"]), actions: "askCatalog" },
          {
            target: "reviewing",
            guard: and(["isOurs", "passes"]),
            actions: ["noteGate", "noteReview", "requestReview"],
          },
          { target: "withdrawing", guard: "isOurs", actions: ["noteGate", "giveReason", "reject"] },
        ],
        SagaCommandRejected: [
          // Another run has made the model, or a person: it only has to be there.
          { guard: "isThere", actions: assign({}) },
          { guard: "isNameTaken", actions: ["takeRunAsName", "versionModel"] },
          { target: "notVersioned", guard: "isVersionRefused", actions: "giveReason" },
        ],
      },
    },
    comparing: {
      on: {
        SagaAnswered: [
          { target: "reviewing", guard: "passes", actions: ["noteGate", "noteReview", "requestReview"] },
          { target: "withdrawing", actions: ["noteGate", "giveReason", "reject"] },
        ],
      },
    },
    /** Until people have said what they think, or one of them has done something else. */
    reviewing: {
      initial: "open",
      states: {
        open: { on: { ReviewDisputed: "disputed" } },
        disputed: {},
        labelled: {
          on: {
            ReviewReturned: "disputed",
            ReviewAccepted: secondLine,
            ReviewFixed: secondLine,
          },
        },
      },
      on: {
        ReviewConsensusReached: firstLine,
        ReviewAdjudicated: firstLine,
        ReviewCancelled: { target: "withdrawing", actions: ["giveReason", "reject"] },
        ModelVersionApproved: {
          target: "deploying",
          guard: "isOurs",
          actions: ["giveApprovalByHand", "cancelReview", "notePlace", "deploy"],
        },
        ModelVersionRejected: { target: "leaving", guard: "isOurs", actions: ["giveReason", "cancelReview"] },
        ModelRetired: { target: "leaving", guard: "isOurModel", actions: ["giveReason", "cancelReview"] },
        SagaCommandRejected: { target: "withdrawing", guard: "isReviewRefused", actions: ["giveReason", "reject"] },
      },
    },
    approving: {
      on: {
        ModelVersionApproved: { target: "deploying", guard: "isOurs", actions: ["notePlace", "deploy"] },
        ModelVersionRejected: { target: "overtaken", guard: "isOurs", actions: "giveReason" },
        ModelRetired: { target: "overtaken", guard: "isOurModel", actions: "giveReason" },
        // What somebody else has done to the version is in the log, and comes next.
        SagaCommandRejected: { guard: "isApprovalOvertaken", actions: assign({}) },
        ...secondThoughts("reject"),
      },
    },
    deploying: {
      on: {
        ModelDeployed: { target: "serving", guard: "isOurEnvironment", actions: ["forgetMetrics", "moveAlias"] },
        ...secondThoughts("rollBack", "reject"),
        SagaCommandRejected: [
          { guard: "isCancelRefused", actions: assign({}) },
          { target: "withdrawing", guard: "isDeploymentRefused", actions: ["giveReason", "reject"] },
        ],
      },
    },
    /** For as long as the version serves. */
    serving: {
      on: {
        AliasMoved: { guard: "isOurAlias", actions: "noteFormerVersion" },
        DeploymentRolledBack: {
          target: "withdrawing",
          guard: "isOurEnvironment",
          actions: ["giveReason", "moveAliasBack", "reject"],
        },
        ...secondThoughts("moveAliasBack", "rollBack", "reject"),
        ModelRetired: { target: "overtaken", guard: "isOurModel", actions: "giveReason" },
        SagaCommandRejected: {
          target: "withdrawing",
          guard: "isAliasRefused",
          actions: ["giveReason", "rollBack", "reject"],
        },
      },
    },
    /** The rejection of the version is the last step back, so what becomes of it ends the promotion. */
    withdrawing: {
      on: {
        ModelVersionRejected: { target: "withdrawn", guard: "isOurs" },
        SagaCommandRejected: [
          { target: "withdrawn", guard: "isRejectionRefused", actions: "noteNotUndone" },
          { guard: "isFormerVersionGone", actions: "removeAlias" },
          { guard: "isWayBackRefused", actions: "noteNotUndone" },
        ],
      },
    },
    /** Somebody else has decided: only the review is left to be called off. */
    leaving: {
      on: {
        ReviewCancelled: "overtaken",
        SagaCommandRejected: { target: "overtaken", guard: "isCancelRefused" },
      },
    },
    withdrawn: { type: "final" },
    overtaken: { type: "final" },
    notVersioned: { type: "final" },
  },
  output: ({ context: { model, version, run, reason, notUndone } }) => ({ model, version, run, reason, notUndone }),
});

export default defineSaga({
  name: "model-promotion",
  description: "brings the model of a completed training run past a gate and past people into an environment",
  settings,
  startedBy: ["TrainingCompleted"],
  correlate: {
    TrainingCompleted: byCompletion,
    ModelVersioned: byRun,
    ModelVersionApproved: byRun,
    ModelVersionRejected: byRun,
    ModelDeployed: byRun,
    AliasMoved: byRun,
    DeploymentRolledBack: byRun,
    ModelRetired: ({ data }) => {
      const { trainingRunIds = [] } = data as { readonly trainingRunIds?: readonly string[] };
      return trainingRunIds.flatMap((run) => promotionOf(run) ?? []);
    },
    ReviewConsensusReached: byReview,
    ReviewDisputed: byReview,
    ReviewAdjudicated: byReview,
    ReviewAccepted: byReview,
    ReviewFixed: byReview,
    ReviewReturned: byReview,
    ReviewCancelled: byReview,
  },
  machine,
});
