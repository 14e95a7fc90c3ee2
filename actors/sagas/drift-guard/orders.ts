/** What is to be done where: the commands that take traffic from a version, as far as another one can take it. */
import type { Deployment } from "../../aggregates/model/deployments.ts";
import { fieldIn } from "../../given-fields.ts";
import type { Alarm } from "./alarm.ts";
import type { Settings } from "./settings.ts";

/** What the guard reads of a model's row in `model-catalog`. */
export interface CatalogRow {
  readonly versions: Readonly<Record<string, { readonly status: string }>>;
  /** By environment, the newest last. */
  readonly deployments: Readonly<Record<string, readonly Deployment[]>>;
  readonly retiredAt?: string;
}

/** A command, less what all of them have in common. */
export interface Order {
  readonly type: "AdjustTraffic" | "RollBackDeployment";
  readonly environment: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** An environment in which nothing is done, and why. */
export interface Left {
  readonly environment: string;
  readonly why: "no other version could take over" | "it has no more traffic than it would be left";
}

/** What is done, and where nothing is. Both empty: it does not serve. */
export interface Orders {
  readonly orders: readonly Order[];
  readonly left: readonly Left[];
}

/** What follows from an alarm for each environment in which the version serves. */
export function ordersFor(alarm: Alarm, row: CatalogRow | undefined, settings: Settings): Orders {
  const { modelVersion, remedy } = alarm;
  if (row === undefined || row.retiredAt !== undefined) return { orders: [], left: [] };
  const decided = Object.entries(row.deployments)
    .filter(([environment]) => settings.environments?.includes(environment) ?? true)
    .filter(([, serving]) => serving.some(({ version }) => version === modelVersion))
    .map(([environment, serving]) => {
      const toVersion = successorOf(modelVersion, serving, row.versions);
      const where = { environment, serving, toVersion };
      return remedy === "roll-back" ? rollBack(alarm, where, settings) : adjust(alarm, where, settings);
    });
  return {
    orders: decided.filter((one) => "type" in one),
    left: decided.filter((one) => "why" in one),
  };
}

interface Where {
  readonly environment: string;
  readonly serving: readonly Deployment[];
  readonly toVersion: string | undefined;
}

/** The newest before it that could be deployed, else the oldest after it: where the model itself would go back to. */
function successorOf(
  version: string,
  serving: readonly Deployment[],
  versions: CatalogRow["versions"],
): string | undefined {
  const at = serving.findIndex((one) => one.version === version);
  const isReady = (one: Deployment) => ["approved", "deployed"].includes(fieldIn(versions, one.version)?.status ?? "");
  return (serving.slice(0, at).findLast(isReady) ?? serving.slice(at + 1).find(isReady))?.version;
}

function rollBack({ modelVersion }: Alarm, { environment, toVersion }: Where, { whenAlone }: Settings): Order | Left {
  if (toVersion === undefined && whenAlone === "keep") return { environment, why: "no other version could take over" };
  const data = { environment, fromVersion: modelVersion, ...(toVersion !== undefined && { toVersion }) };
  return { type: "RollBackDeployment", environment, data };
}

function adjust(
  { modelVersion }: Alarm,
  { environment, serving, toVersion }: Where,
  { trafficShare, whenAlone }: Settings,
): Order | Left {
  const share = serving.find(({ version }) => version === modelVersion)?.trafficShare ?? 0;
  if (share <= trafficShare) return { environment, why: "it has no more traffic than it would be left" };
  if (toVersion === undefined && whenAlone === "keep") return { environment, why: "no other version could take over" };
  return { type: "AdjustTraffic", environment, data: { environment, version: modelVersion, trafficShare } };
}
