/** Logs of signals and of the inferences they are about, in any order, for laws. */
import fc from "fast-check";
import type { RecordedEvent } from "retrace";
import type { DatasetSpec } from "../../schemas/dataset-spec.ts";
import { datasetFormats, datasetSpec } from "../../schemas/dataset-spec.ts";
import { type Entry, logOf, sampleTypes } from "./sample-log.ts";

const id = fc.constantFrom("a", "b", "c");
const said = fc.oneof(
  fc.string({ maxLength: 4 }),
  fc.constantFrom("yes", "no"),
  fc.array(fc.record({ role: fc.constantFrom("user", "assistant"), content: fc.string({ maxLength: 3 }) }), {
    minLength: 1,
    maxLength: 3,
  }),
  fc.record({ label: fc.constantFrom("x", "y") }),
);
const optional = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined });

const signal = fc
  .record({
    id,
    type: fc.constantFrom(...sampleTypes.verdicts),
    requestId: optional(id),
    first: said,
    second: optional(said),
    prompt: optional(said),
    negative: optional(fc.boolean()),
    tie: optional(fc.constant(true)),
  })
  .map(({ id: about, type, requestId, first, second, prompt, negative, tie }): Entry => {
    const stream =
      type === "HumanLabelApplied" || type === "InferenceFeedback" ? `inference-${about}` : `feedback-${about}`;
    const context = requestId === undefined ? {} : { context: { requestId } };
    const pair = {
      chosen: first,
      rejected: second,
      corrected: first,
      original: second,
      label: first,
      predicted: second,
    };
    const data = { ...pair, prompt, negative, tie, agreement: negative, ...context };
    return [stream, type, JSON.parse(JSON.stringify(data)), { schemaVersion: type === "UserRatedOutput" ? 2 : 1 }];
  });

const inference = fc
  .record({ id, type: fc.constantFrom("InferenceRequested", "InferenceCompleted"), output: said, text: said })
  .map(({ id: about, type, output, text }): Entry => {
    const data = type === "InferenceRequested" ? { inputFeatures: { text } } : { output, modelId: "m" };
    return [`inference-${about}`, type, data];
  });

const retraction = fc
  .nat({ max: 30 })
  .map((number): Entry => ["feedback-a", "FeedbackRetracted", { eventId: `e${number}`, signal: {} }]);

/** A log of up to so many events. */
export function arbitraryLog(maxLength: number): fc.Arbitrary<readonly RecordedEvent[]> {
  const entry = fc.oneof({ weight: 6, arbitrary: signal }, { weight: 3, arbitrary: inference }, retraction);
  return fc.array(entry, { maxLength }).map((entries) => logOf(...entries));
}

/** A spec of any format that takes all signals it can. */
export const arbitrarySpec: fc.Arbitrary<DatasetSpec> = fc
  .record({ format: fc.constantFrom(...datasetFormats), messages: optional(fc.boolean()) })
  .map(({ format, messages }) => {
    const types = format === "trl" || format === "openai" ? sampleTypes.pairs : sampleTypes.verdicts;
    return datasetSpec.parse({ format, types, ...(messages !== undefined && { messages }) });
  });
