/** The commands that undo what came from a retracted dataset version. */
import type { SagaCommand } from "retrace";
import { isInstanceId } from "../../instance-id.ts";
import { mayBeCut, type Thing } from "../../projections/lineage/graph.ts";
import { type Downstream, type Found, ofKind } from "./downstream.ts";

type Sent = Omit<SagaCommand, "category">;

/** Why, in every command. */
export interface Grounds {
  readonly reason: string;
  /** For events that take more than a sentence. */
  readonly evidence: Readonly<Record<string, unknown>>;
}

/** Runs that have led to no version: one that has ended is left as it is. */
export function cancelRuns(downstream: Downstream, { reason }: Grounds): Sent[] {
  const productive = new Set(ofKind(downstream, "model").map(({ from }) => from));
  const runs = ofKind(downstream, "training-run").filter(({ name }) => !productive.has(name));
  return runs.flatMap((run) => toThing(run, ({ id }) => ({ id, type: "CancelTraining", data: { reason } })));
}

/** The oldest first, so that none of them takes over from another. */
export function rollBackDeployments(downstream: Downstream, { reason, evidence }: Grounds): Sent[] {
  const byAge = [...ofKind(downstream, "deployment")].sort((a, b) => a.position - b.position);
  return byAge.flatMap((deployment) => {
    const { id, version } = thingIn({ kind: "model", name: deployment.from }) ?? {};
    if (id === undefined || version === undefined || mayBeCut(deployment.name)) return [];
    const environment = deployment.name.slice(`deployment-${id}~`.length, -`@${version}`.length);
    return [{ id, type: "RollBackDeployment", data: { environment, fromVersion: version, reason, evidence } }];
  });
}

/** What serves nowhere any more can be rejected. */
export function rejectVersions(downstream: Downstream, { reason }: Grounds): Sent[] {
  return ofKind(downstream, "model").flatMap((found) =>
    toThing(found, ({ id, version }) => ({ id, type: "RejectVersion", data: { version, reason } })),
  );
}

/** Each begins a retraction of its own. */
export function retractDatasets(downstream: Downstream, { reason }: Grounds): Sent[] {
  return ofKind(downstream, "dataset").flatMap((found) =>
    toThing(found, ({ id, version }) => ({ id, type: "RetractVersion", data: { version, reason } })),
  );
}

/** The predictions of one page. */
export function supersede(found: readonly Found[], { reason }: Grounds): Sent[] {
  const predictions = found.filter(({ kind }) => kind === "inference");
  return predictions.flatMap((one) =>
    toThing(one, ({ id }) => ({ id, type: "SupersedePrediction", data: { reason } })),
  );
}

/** Names of things for which no command can be made, because the lineage has cut them. */
export function unnamed({ found }: Downstream): string[] {
  return found.filter(({ name }) => mayBeCut(name)).map(({ name }) => name);
}

function toThing(found: Found, command: (thing: Thing) => Sent): Sent[] {
  const thing = thingIn(found);
  return thing === undefined ? [] : [command(thing)];
}

/** What a name says, when it says all of it. Ids have no `@`. */
function thingIn({ kind, name }: Pick<Found, "kind" | "name">): Thing | undefined {
  const [, id, version] = /^([^@]*)(?:@(.*))?$/s.exec(name.slice(kind.length + 1)) ?? [];
  if (mayBeCut(name) || !isInstanceId(id)) return undefined;
  return { category: kind, id, ...(version !== undefined && { version }) };
}
