/**
 * A model: its versions, each with a verdict and a history of deployments, which of them serve each environment, and
 * the aliases by which programs find them. Only an approved version is ever deployed.
 */
import {
  type ChartEventOf,
  type DomainEvent,
  defineAggregate,
  definePart,
  type EventData,
  type Part,
  type PartStates,
  reject,
  stateIn,
} from "retrace";
import { assertEvent, assign, setup } from "xstate";
import { model } from "../../schemas/model.ts";
import { adjust, type Deployment, deploy, rollBack } from "./model/deployments.ts";

/** A retirement names no more: each may have 256 characters. */
const maxRunsInEvent = 500;

type ModelEvent = ChartEventOf<typeof model>;
type RolledBack = EventData<typeof model, "DeploymentRolledBack">;

interface Model {
  readonly versions: PartStates;
  /** The training run of each version that named one: later events about the version carry it. */
  readonly runs: Readonly<Record<string, string>>;
  /** Where each alias points now. */
  readonly aliases: Readonly<Record<string, string>>;
  /** By environment, each version once, the newest last. */
  readonly deployments: Readonly<Record<string, readonly Deployment[]>>;
}

/**
 * The verdict on one version. A roll-back anywhere puts the verdict in doubt everywhere; until it is rolled back there
 * too, the version may still serve other environments, so traffic can be moved off it in every state that it can serve in.
 */
const versionChart = setup({ types: { events: {} as ModelEvent } }).createMachine({
  id: "version",
  initial: "absent",
  states: {
    absent: {
      on: { ModelVersioned: "candidate" },
    },
    candidate: {
      on: {
        ModelVersionApproved: "approved",
        ModelVersionRejected: "rejected",
        AliasMoved: "candidate",
      },
    },
    approved: {
      on: {
        ModelDeployed: "deployed",
        ModelVersionRejected: "rejected",
        TrafficAdjusted: "approved",
        DeploymentRolledBack: "rolledBack",
        AliasMoved: "approved",
      },
    },
    deployed: {
      on: {
        ModelDeployed: "deployed",
        TrafficAdjusted: "deployed",
        DeploymentRolledBack: "rolledBack",
        AliasMoved: "deployed",
      },
    },
    rolledBack: {
      on: {
        ModelVersionApproved: "approved",
        ModelVersionRejected: "rejected",
        TrafficAdjusted: "rolledBack",
        DeploymentRolledBack: "rolledBack",
        AliasMoved: "rolledBack",
      },
    },
    rejected: {
      on: {
        TrafficAdjusted: "rejected",
        DeploymentRolledBack: "rejected",
      },
    },
  },
});

const version = definePart<Model, ModelEvent>({
  name: "version",
  machine: versionChart,
  state: ({ versions }, key) => stateIn(versions, key),
  keys: ({ versions }) => Object.keys(versions),
  key: (event) => {
    if (event.type === "DeploymentRolledBack") return event.data.fromVersion;
    if (event.type === "AliasMoved") return event.data.toVersion ?? "";
    return (event.data as { readonly version: string }).version;
  },
});

function foldVersion(context: Model, event: DomainEvent): Pick<Model, "versions"> {
  return { versions: { ...context.versions, [version.keyOf(event)]: version.next(context, event) } };
}

/** The version that a roll-back goes to: it has to be one that could be deployed, and it is then. */
const successor: Part<Model> = {
  ...version,
  accepts: (context, event) => !namesSuccessor(event) || version.accepts(context, asDeployment(event.data)),
  refusal: (context, event) => {
    return namesSuccessor(event) ? version.refusal(context, asDeployment(event.data)) : undefined;
  },
};

function namesSuccessor(event: DomainEvent): event is DomainEvent<"DeploymentRolledBack", RolledBack> {
  return event.type === "DeploymentRolledBack" && (event.data as RolledBack).toVersion !== undefined;
}

function asDeployment({ toVersion }: RolledBack): DomainEvent {
  return { type: "ModelDeployed", data: { version: toVersion } };
}

const machine = setup({
  types: { context: {} as Model, events: {} as ModelEvent },
  guards: {
    versionAccepts: ({ context, event }) => version.accepts(context, event),
    bothAccept: ({ context, event }) => version.accepts(context, event) && successor.accepts(context, event),
    aliasCanMove: ({ context, event }) => {
      return event.type === "AliasMoved" && (event.data.toVersion === null || version.accepts(context, event));
    },
  },
  actions: {
    foldVersion: assign(({ context, event }) => foldVersion(context, event)),
    rememberRun: assign(({ context, event }) => {
      assertEvent(event, "ModelVersioned");
      const { version, trainingRunId } = event.data;
      return trainingRunId === undefined ? {} : { runs: { ...context.runs, [version]: trainingRunId } };
    }),
    foldSuccessor: assign(({ context, event }) => {
      return namesSuccessor(event) ? foldVersion(context, asDeployment(event.data)) : {};
    }),
    deploy: assign(({ context, event }) => {
      assertEvent(event, "ModelDeployed");
      return inEnvironment(context, event.data.environment, (serving) => deploy(serving, event.data));
    }),
    adjust: assign(({ context, event }) => {
      assertEvent(event, "TrafficAdjusted");
      return inEnvironment(context, event.data.environment, (serving) => adjust(serving, event.data));
    }),
    rollBack: assign(({ context, event }) => {
      assertEvent(event, "DeploymentRolledBack");
      return inEnvironment(context, event.data.environment, (serving) => rollBack(serving, event.data));
    }),
    moveAlias: assign(({ context, event }) => {
      assertEvent(event, "AliasMoved");
      const { [event.data.alias]: _before, ...others } = context.aliases;
      const { alias, toVersion } = event.data;
      return { aliases: toVersion === null ? others : { ...others, [alias]: toVersion } };
    }),
  },
}).createMachine({
  id: "model",
  context: { versions: {}, runs: {}, aliases: {}, deployments: {} },
  initial: "empty",
  states: {
    empty: {
      on: { ModelCreated: "created" },
    },
    created: {
      on: {
        ModelVersioned: { guard: "versionAccepts", actions: ["foldVersion", "rememberRun"] },
        ModelVersionApproved: { guard: "versionAccepts", actions: "foldVersion" },
        ModelVersionRejected: { guard: "versionAccepts", actions: "foldVersion" },
        ModelDeployed: { guard: "versionAccepts", actions: ["foldVersion", "deploy"] },
        TrafficAdjusted: { guard: "versionAccepts", actions: ["foldVersion", "adjust"] },
        DeploymentRolledBack: { guard: "bothAccept", actions: ["foldVersion", "foldSuccessor", "rollBack"] },
        AliasMoved: { guard: "aliasCanMove", actions: "moveAlias" },
        ModelRetired: "retired",
      },
    },
    retired: { type: "final" },
  },
});

export default defineAggregate({
  category: "model",
  schemas: model,
  machine,
  parts: [version, successor],
  decide: {
    CreateModel: (_state, { data }) => ({ type: "ModelCreated", data }),

    VersionModel: (_state, { data }) => ({ type: "ModelVersioned", data }),

    ApproveVersion: ({ context }, { data }) => ({
      type: "ModelVersionApproved",
      data: { ...data, ...runOf(context, data.version) },
    }),

    RejectVersion: ({ context }, { data }) => ({
      type: "ModelVersionRejected",
      data: { ...data, ...runOf(context, data.version) },
    }),

    DeployModel: ({ context }, { data }) => ({
      type: "ModelDeployed",
      data: { trafficShare: 1, ...data, ...runOf(context, data.version) },
    }),

    AdjustTraffic: (state, { data }) => {
      const isServing = serving(state.context, data.environment).some(({ version }) => version === data.version);
      if (state.matches("created") && !isServing) return notDeployed(data.environment, data.version);
      return { type: "TrafficAdjusted", data: { ...data, ...runOf(state.context, data.version) } };
    },

    RollBackDeployment: (state, { data }) => {
      const { environment } = data;
      const versions = serving(state.context, environment).map(({ version }) => version);
      const fromVersion = data.fromVersion ?? versions.at(-1);
      if (fromVersion === undefined || !versions.includes(fromVersion)) return notDeployed(environment, fromVersion);
      if (fromVersion === data.toVersion) {
        return reject("SAME_VERSION", `${fromVersion} cannot be rolled back to itself`, { version: fromVersion });
      }
      const toVersion = data.toVersion ?? versionBefore(state.context, versions, fromVersion);
      return {
        type: "DeploymentRolledBack",
        data: {
          ...data,
          fromVersion,
          ...(toVersion !== undefined && { toVersion }),
          ...runOf(state.context, fromVersion),
        },
      };
    },

    MoveAlias: (state, { data }) => {
      const { aliases } = state.context;
      const { alias } = data;
      const current = Object.hasOwn(aliases, alias) ? aliases[alias] : undefined;
      if (data.fromVersion !== undefined && data.fromVersion !== current) {
        const message = `${alias} is at ${current ?? "no version"}, not at ${data.fromVersion}`;
        return reject("ALIAS_MOVED", message, { alias, current: current ?? null });
      }
      if (state.matches("created") && (current ?? null) === data.toVersion) return [];
      const from = current !== undefined && { fromVersion: current };
      return { type: "AliasMoved", data: { ...data, ...from, ...runOf(state.context, data.toVersion) } };
    },

    RetireModel: ({ context }, { data }) => ({ type: "ModelRetired", data: { ...data, ...openRuns(context) } }),
  },
});

/** The training run that a version came from, where it is known. */
function runOf({ runs }: Model, version: string | null): { readonly trainingRunId?: string } {
  const trainingRunId = version !== null && Object.hasOwn(runs, version) ? runs[version] : undefined;
  return trainingRunId === undefined ? {} : { trainingRunId };
}

/** The training runs of versions that are not rejected, as far as an event can hold them. */
function openRuns({ runs, versions }: Model): { readonly trainingRunIds?: string[] } {
  const open = Object.keys(runs).filter((version) => stateIn(versions, version) !== "rejected");
  const trainingRunIds = [...new Set(open.map((version) => runs[version] as string))].slice(-maxRunsInEvent);
  return trainingRunIds.length === 0 ? {} : { trainingRunIds };
}

function notDeployed(environment: string, version: string | undefined) {
  const what = version === undefined ? "nothing is" : `version ${version} is not`;
  return reject("NOT_DEPLOYED", `${what} deployed in ${environment}`, { environment, version: version ?? null });
}

/** The version to fall back on: the newest before `fromVersion` that may be deployed, else the oldest after it. */
function versionBefore(context: Model, versions: readonly string[], fromVersion: string): string | undefined {
  const mayServe = (candidate: string) =>
    version.accepts(context, { type: "ModelDeployed", data: { version: candidate } });
  const at = versions.indexOf(fromVersion);
  return versions.slice(0, at).findLast(mayServe) ?? versions.slice(at + 1).find(mayServe);
}

function serving(context: Model, environment: string): readonly Deployment[] {
  return Object.hasOwn(context.deployments, environment) ? (context.deployments[environment] as Deployment[]) : [];
}

type Change = (deployments: readonly Deployment[]) => readonly Deployment[];

function inEnvironment(context: Model, environment: string, change: Change): Pick<Model, "deployments"> {
  return { deployments: { ...context.deployments, [environment]: change(serving(context, environment)) } };
}
