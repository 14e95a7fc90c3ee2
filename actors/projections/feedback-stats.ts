/**
 * What was said about each version of a model, in windows of five minutes, an hour and a day: ratings, rewards,
 * corrections, agreement with human labels, and what happened to its deployments meanwhile. An event counts in the
 * windows of the time at which it happened, however late it comes; what is retracted does not count. Row keys:
 * `modelId/version/window/start`, and with `/tag` behind it for what is so tagged.
 */
import { defineProjection, type EventData, type RecordedEvent, type Rows } from "retrace";
import type { feedback } from "../../schemas/feedback.ts";
import type { inference } from "../../schemas/inference.ts";
import type { model } from "../../schemas/model.ts";
import { idOf } from "../stream-id.ts";
import { type Contribution, type DeploymentChange, ofInference, ofSignal } from "./feedback-stats/contribution.ts";
import { counted, emptyWindow, type Sign, type WindowRow } from "./feedback-stats/window-row.ts";
import { startOf, windowKey, windowSizes } from "./feedback-stats/windows.ts";

type Model<Type extends keyof (typeof model)["events"]> = RecordedEvent<Type, EventData<typeof model, Type>>;

export default defineProjection<WindowRow, typeof feedback & typeof inference & typeof model>({
  name: "feedback-stats",
  version: 1,
  mode: "sync",
  description: "feedback on versions of models in windows of event time: counts, means, rates, accuracy, deployments",
  on: {
    UserRatedOutput: (event, rows) => count(rows, ofSignal(event)),
    CorrectionSubmitted: (event, rows) => count(rows, ofSignal(event)),
    PreferenceLogged: (event, rows) => count(rows, ofSignal(event)),
    ImplicitEngagementLogged: (event, rows) => count(rows, ofSignal(event)),
    RewardModelScored: (event, rows) => count(rows, ofSignal(event)),
    OutputApproved: (event, rows) => count(rows, ofSignal(event)),
    OutputRejected: (event, rows) => count(rows, ofSignal(event)),
    TransitionRecorded: (event, rows) => count(rows, ofSignal(event)),
    FeedbackRetracted: ({ data }, rows) => count(rows, ofSignal(data.signal), -1),
    InferenceCompleted: (event, rows) => count(rows, ofInference(event)),
    HumanLabelApplied: (event, rows) => count(rows, ofInference(event)),
    InferenceFeedback: (event, rows) => count(rows, ofInference(event)),
    ModelDeployed: (event, rows) => count(rows, ofDeployment(event, event.data.version, "deployed")),
    TrafficAdjusted: (event, rows) => count(rows, ofDeployment(event, event.data.version, "adjusted")),
    DeploymentRolledBack: (event, rows) => {
      const { fromVersion, toVersion } = event.data;
      count(rows, ofDeployment(event, fromVersion, "rolledBack"));
      if (toVersion !== undefined) count(rows, ofDeployment(event, toVersion, "restored"));
    },
  },
});

function count(rows: Rows<WindowRow>, one: Contribution | undefined, sign: Sign = 1): void {
  if (one === undefined) return;
  const { modelId, modelVersion, at, tags } = one;
  for (const size of windowSizes) {
    const start = startOf(size, at);
    for (const tag of [undefined, ...tags]) {
      const of = { modelId, modelVersion, size, start, tag };
      const key = windowKey(of);
      const next = counted(rows.get(key) ?? emptyWindow(of), one, sign);
      if (next === undefined) rows.delete(key);
      else rows.put(key, next);
    }
  }
}

function ofDeployment(
  event: Model<"ModelDeployed" | "TrafficAdjusted" | "DeploymentRolledBack">,
  modelVersion: string,
  change: DeploymentChange,
): Contribution {
  const { type, occurredAt, data } = event;
  const deployment = { environment: data.environment, change };
  return { modelId: idOf(event), modelVersion, at: occurredAt, tags: [], type, deployment };
}
