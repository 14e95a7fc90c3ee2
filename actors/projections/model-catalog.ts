/**
 * Every model in one row: its versions and how each is judged, what serves which environment now, where its aliases
 * point, and how all of that came to be. The key is the model's id.
 */
import { defineProjection, type EventData, type RecordedEvent } from "retrace";
import type { model } from "../../schemas/model.ts";
import { adjust, type Deployment, deploy, rollBack } from "../aggregates/model/deployments.ts";
import { fieldIn, given } from "../given-fields.ts";
import { idOf } from "../stream-id.ts";

type Schemas = typeof model;
type Data<Type extends keyof Schemas["events"]> = EventData<Schemas, Type>;
type Status = "candidate" | "approved" | "rejected" | "deployed" | "rolledBack";

/** When, by whom, why; where in the log. */
interface Entry {
  readonly at: string;
  readonly position: number;
  readonly actor?: string;
  readonly reason?: string;
}

interface Judged extends Entry {
  readonly status: Status;
  readonly reviewId?: string;
  readonly approvers?: readonly string[];
  readonly environment?: string;
}

interface Version {
  readonly status: Status;
  readonly versionedAt: string;
  readonly trainingRunId?: string;
  readonly artifactRef?: Data<"ModelVersioned">["artifactRef"];
  readonly metrics?: Data<"ModelVersioned">["metrics"];
  /** The newest last. */
  readonly history: readonly Judged[];
}

interface Served extends Entry {
  readonly change: "deployed" | "adjusted" | "rolledBack";
  readonly environment: string;
  readonly version: string;
  /** What a roll-back goes to. */
  readonly toVersion?: string;
  readonly trafficShare?: number;
}

interface Move extends Entry {
  readonly from: string | null;
  readonly to: string | null;
}

interface Model {
  readonly name?: string;
  readonly description?: string;
  readonly userId?: string;
  readonly tags?: readonly string[];
  readonly createdAt?: string;
  readonly retiredAt?: string;
  readonly versions: Readonly<Record<string, Version>>;
  /** By environment, the newest last. */
  readonly deployments: Readonly<Record<string, readonly Deployment[]>>;
  /** The newest last. */
  readonly deploymentHistory: readonly Served[];
  readonly aliases: Readonly<Record<string, string>>;
  /** By alias, the newest last. */
  readonly aliasHistory: Readonly<Record<string, readonly Move[]>>;
}

const empty: Model = { versions: {}, deployments: {}, deploymentHistory: [], aliases: {}, aliasHistory: {} };

/** Of each history the newest are in the row; the log has all. */
const maxEntries = 200;

export default defineProjection<Model, Schemas>({
  name: "model-catalog",
  version: 1,
  mode: "sync",
  description: "Models: versions, verdicts, deployments and aliases now, and the history of each",
  indexes: ["userId", "createdAt"],
  on: {
    ModelCreated: {
      key: idOf,
      apply: (row = empty, { data: { name, description, userId, tags }, occurredAt }) => {
        return { ...row, ...given({ name, description, userId, tags }), createdAt: occurredAt };
      },
    },
    ModelVersioned: {
      key: idOf,
      apply: (row = empty, event) => {
        const { version, trainingRunId, artifactRef, metrics } = event.data;
        const made: Version = {
          status: "candidate",
          versionedAt: event.occurredAt,
          ...given({ trainingRunId, artifactRef, metrics }),
          history: [],
        };
        return judged({ ...row, versions: { ...row.versions, [version]: made } }, version, event, {
          status: "candidate",
        });
      },
    },
    ModelVersionApproved: {
      key: idOf,
      apply: (row = empty, event) => {
        const { version, reviewId, approvers } = event.data;
        return judged(row, version, event, { status: "approved", ...given({ reviewId, approvers }) });
      },
    },
    ModelVersionRejected: {
      key: idOf,
      apply: (row = empty, event) => {
        const { version, reviewId } = event.data;
        return judged(row, version, event, { status: "rejected", ...given({ reviewId }) });
      },
    },
    ModelDeployed: {
      key: idOf,
      apply: (row = empty, event) => {
        const { version, environment, trafficShare } = event.data;
        const after = judged(row, version, event, { status: "deployed", environment });
        const change = { change: "deployed", environment, version, trafficShare } as const;
        return served(after, event, change, (serving) => deploy(serving, { version, trafficShare }));
      },
    },
    TrafficAdjusted: {
      key: idOf,
      apply: (row = empty, event) => {
        const { version, environment, trafficShare } = event.data;
        const change = { change: "adjusted", environment, version, trafficShare } as const;
        return served(row, event, change, (serving) => adjust(serving, { version, trafficShare }));
      },
    },
    DeploymentRolledBack: {
      key: idOf,
      apply: (row = empty, event) => {
        const { environment, fromVersion, toVersion } = event.data;
        // A version that was rejected meanwhile stays so.
        const isRejected = fieldIn(row.versions, fromVersion)?.status === "rejected";
        const back = isRejected ? row : judged(row, fromVersion, event, { status: "rolledBack", environment });
        const after =
          toVersion === undefined ? back : judged(back, toVersion, event, { status: "deployed", environment });
        const change = { change: "rolledBack", environment, version: fromVersion, ...given({ toVersion }) } as const;
        return served(after, event, change, (serving) => rollBack(serving, { fromVersion, toVersion }));
      },
    },
    AliasMoved: {
      key: idOf,
      apply: (row = empty, event) => {
        const { alias, fromVersion = null, toVersion } = event.data;
        const { [alias]: _before, ...others } = row.aliases;
        const move = { ...entryOf(event), from: fromVersion, to: toVersion };
        return {
          ...row,
          aliases: toVersion === null ? others : { ...others, [alias]: toVersion },
          aliasHistory: { ...row.aliasHistory, [alias]: withEntry(fieldIn(row.aliasHistory, alias) ?? [], move) },
        };
      },
    },
    ModelRetired: { key: idOf, apply: (row = empty, { occurredAt }) => ({ ...row, retiredAt: occurredAt }) },
  },
});

type Verdict = Omit<Judged, keyof Entry>;

function judged(row: Model, version: string, event: RecordedEvent, verdict: Verdict): Model {
  const before = fieldIn(row.versions, version);
  if (before === undefined) throw new Error(`version ${version} was never made`);
  const history = withEntry(before.history, { ...entryOf(event), ...verdict });
  return { ...row, versions: { ...row.versions, [version]: { ...before, status: verdict.status, history } } };
}

function served(
  row: Model,
  event: RecordedEvent,
  change: Omit<Served, keyof Entry>,
  serve: (serving: readonly Deployment[]) => readonly Deployment[],
): Model {
  const { environment } = change;
  return {
    ...row,
    deployments: { ...row.deployments, [environment]: serve(fieldIn(row.deployments, environment) ?? []) },
    deploymentHistory: withEntry(row.deploymentHistory, { ...entryOf(event), ...change }),
  };
}

function entryOf({ occurredAt, position, metadata, data }: RecordedEvent): Entry {
  const { reason } = data as { readonly reason?: string };
  return { at: occurredAt, position, ...given({ actor: metadata.actor?.id, reason }) };
}

function withEntry<E>(entries: readonly E[], entry: E): readonly E[] {
  return [...entries.slice(1 - maxEntries), entry];
}
