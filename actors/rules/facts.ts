/** What a rule may look at: what is known of one inference when it is completed. */
import type { EventData } from "retrace";
import type { inference } from "../../schemas/inference.ts";

/** As old logs have it: everything but the id may be absent. */
export interface Facts {
  /** Of the inference. */
  readonly id: string;
  readonly output?: unknown;
  readonly confidence?: unknown;
  /** Numbers by label, or a list of them. */
  readonly scores?: unknown;
  readonly userSegment?: unknown;
  readonly modelId?: unknown;
  readonly modelVersion?: unknown;
  readonly inputFeatures?: unknown;
}

/** The facts of an inference, from its completion. Completions of old logs are without the features of their request. */
export function factsOf(
  id: string,
  completed: EventData<typeof inference, "InferenceCompleted">,
  requested: Pick<EventData<typeof inference, "InferenceRequested">, "inputFeatures"> = {},
): Facts {
  const { output, confidence, scores, userSegment, modelId, modelVersion } = completed;
  const { inputFeatures = requested.inputFeatures } = completed;
  return { id, output, confidence, scores, userSegment, modelId, modelVersion, inputFeatures };
}

/** The value at a path with dots, like `scores.spam`; undefined where there is none, and for null. */
export function valueAt(facts: Facts, path: string): unknown {
  let value: unknown = facts;
  for (const name of path.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[name];
  }
  return value ?? undefined;
}
