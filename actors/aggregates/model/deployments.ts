/** Which versions serve an environment, and what share of its traffic each has: one arithmetic for all who follow it. */

/** One version in an environment. Share 0 stands by. */
export interface Deployment {
  readonly version: string;
  readonly trafficShare: number;
}

/** A roll-back; without `toVersion` nobody takes over. */
interface Successor {
  readonly fromVersion: string;
  readonly toVersion?: string | undefined;
}

/** The version moves to the newest place. */
export function deploy(
  deployments: readonly Deployment[],
  { version, trafficShare }: Deployment,
): readonly Deployment[] {
  const others = deployments.filter((deployment) => deployment.version !== version);
  return adjust([...others, { version, trafficShare }], { version, trafficShare });
}

/** What a version does not take, the others take in the proportions they had; if they had nothing, the newest does. */
export function adjust(
  deployments: readonly Deployment[],
  { version, trafficShare }: Deployment,
): readonly Deployment[] {
  const others = deployments.filter((deployment) => deployment.version !== version);
  const held = others.reduce((sum, other) => sum + other.trafficShare, 0);
  const rest = 1 - trafficShare;
  return deployments.map((deployment) => {
    if (deployment.version === version) return { version, trafficShare };
    if (held > 0) return withShare(deployment, (deployment.trafficShare * rest) / held);
    return deployment === others.at(-1) ? withShare(deployment, rest) : deployment;
  });
}

/** The successor takes over the share of the version rolled back. */
export function rollBack(
  deployments: readonly Deployment[],
  { fromVersion, toVersion }: Successor,
): readonly Deployment[] {
  const share = deployments.find(({ version }) => version === fromVersion)?.trafficShare ?? 0;
  const others = deployments.filter(({ version }) => version !== fromVersion);
  if (toVersion === undefined) return others;
  const successor = others.find(({ version }) => version === toVersion);
  if (successor === undefined) return [...others, { version: toVersion, trafficShare: share }];
  return others.map((other) => (other === successor ? withShare(other, other.trafficShare + share) : other));
}

/** Rounded, because people read shares. */
function withShare(deployment: Deployment, trafficShare: number): Deployment {
  return { ...deployment, trafficShare: Math.round(trafficShare * 1e6) / 1e6 };
}
