/** Which crossings an event is about. What crosses nothing leaves no trace. */
import type { Correlate, RecordedEvent } from "retrace";
import { isInstanceId } from "../../instance-id.ts";
import type { WindowRow } from "../../projections/feedback-stats/window-row.ts";
import { alarmsOf, crossingIn, watchedTypes } from "./alarm.ts";
import type { CatalogRow } from "./orders.ts";
import type { Settings } from "./settings.ts";

type Event = RecordedEvent<string, never>;

/** Of models that were deployed here at some time: nothing can be done about others. */
const byCrossing: Correlate<Settings> = (event, { settings, read }) => {
  const alarms = alarmsOf(event, settings);
  const rows = new Map(alarms.map(({ key }) => [key, read("feedback-stats", key) as WindowRow | undefined]));
  const crossed = alarms.filter((alarm) => crossingIn(rows.get(alarm.key), alarm, settings));
  const [first] = crossed;
  const model = first && (read("model-catalog", first.modelId) as CatalogRow | undefined);
  const isKnown = model !== undefined && Object.keys(model.deployments).length > 0;
  return isKnown ? crossed.map(({ id }) => id) : undefined;
};

/** What the guard itself has brought about names the instance in its evidence. */
function byEvidence({ data }: Event): string | undefined {
  const { evidence } = data as { readonly evidence?: { readonly guard?: unknown } | null };
  return isInstanceId(evidence?.guard) ? evidence.guard : undefined;
}

/** By event type. */
export const correlate: Readonly<Record<string, Correlate<Settings>>> = {
  ...Object.fromEntries(watchedTypes.map((type) => [type, byCrossing])),
  TrafficAdjusted: byEvidence,
  DeploymentRolledBack: byEvidence,
};
