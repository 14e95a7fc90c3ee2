/** What the commands and events of a model carry. */
import { z } from "zod";
import { identifier, json, jsonObject, key, metrics, reference, text } from "./fields.ts";

const creation = {
  name: text.optional(),
  description: text.optional(),
  userId: identifier.optional(),
  tags: z.array(identifier).max(64).optional(),
};

const versioning = {
  version: key,
  trainingRunId: identifier.optional(),
  artifactRef: reference.optional(),
  metrics: metrics.optional(),
};

const approval = {
  version: key,
  reviewId: identifier.optional(),
  approvers: z.array(identifier).max(100).optional(),
  reason: text.optional(),
};

const rejection = { version: key, reviewId: identifier.optional(), reason: text.optional() };

/** Of the environment's traffic, from 0 to 1. */
const trafficShare = z.number().min(0).max(1);

/** Why traffic moved: what was measured, and against what. */
const grounds = { reason: text.optional(), evidence: json.optional() };

const deployment = { version: key, environment: key, reason: text.optional(), config: jsonObject.optional() };

const adjustment = { version: key, environment: key, trafficShare, ...grounds };

/** Without `toVersion` in the event, the environment serves nothing of this model afterwards. */
const rollback = { environment: key, toVersion: key.optional(), ...grounds };

/** To no version at all: `null`. In a command, `fromVersion` is what the sender believes the alias to be at. */
const aliasMove = { alias: key, fromVersion: key.optional(), toVersion: key.nullable(), reason: text.optional() };

const retirement = { reason: text.optional() };

/** By what readers group: where the version came from, in every event about one that said so. */
const ofRun = { trainingRunId: identifier.optional() };

export const model = {
  commands: {
    CreateModel: z.strictObject(creation),
    VersionModel: z.strictObject(versioning),
    ApproveVersion: z.strictObject(approval),
    RejectVersion: z.strictObject(rejection),
    /** All the traffic, unless it says less. */
    DeployModel: z.strictObject({ ...deployment, trafficShare: trafficShare.optional() }),
    AdjustTraffic: z.strictObject(adjustment),
    /** Rolls back the newest version in the environment to the one before, unless it names them. */
    RollBackDeployment: z.strictObject({ ...rollback, fromVersion: key.optional() }),
    MoveAlias: z.strictObject(aliasMove),
    RetireModel: z.strictObject(retirement),
  },
  events: {
    ModelCreated: z.looseObject(creation),
    ModelVersioned: z.looseObject(versioning),
    ModelVersionApproved: z.looseObject({ ...approval, ...ofRun }),
    ModelVersionRejected: z.looseObject({ ...rejection, ...ofRun }),
    ModelDeployed: z.looseObject({ ...deployment, trafficShare, ...ofRun }),
    TrafficAdjusted: z.looseObject({ ...adjustment, ...ofRun }),
    /** The run of `fromVersion`. */
    DeploymentRolledBack: z.looseObject({ ...rollback, fromVersion: key, ...ofRun }),
    /** The run of `toVersion`. */
    AliasMoved: z.looseObject({ ...aliasMove, ...ofRun }),
    /** The runs of the versions that were not rejected, 500 at most. */
    ModelRetired: z.looseObject({ ...retirement, trainingRunIds: z.array(identifier).optional() }),
  },
};
