/** What a dataset is built of: which events of the log, and what becomes of them. Part of a version's `builtFrom`. */
import { z } from "zod";
import { conditions } from "./conditions.ts";
import { time } from "./fields.ts";

const eventType = z.string().regex(/^[A-Z][A-Za-z0-9]{0,127}$/, "an event type, like PreferenceLogged");

const category = z.string().regex(/^[a-z][a-z0-9-]{0,63}$/, "a category, like feedback");

/** Signals that say of two answers which is better. */
export const pairTypes = ["PreferenceLogged", "CorrectionSubmitted", "HumanLabelApplied"];

/** Signals that say of an answer whether it is good. */
export const verdictTypes = [...pairTypes, "OutputApproved", "OutputRejected", "UserRatedOutput", "InferenceFeedback"];

const typesOf = { trl: pairTypes, openai: pairTypes, kto: verdictTypes, jsonl: undefined };

/** How rows are written. */
export const datasetFormats = ["trl", "kto", "openai", "jsonl"] as const;

/** Which events, as every spec says it. Times are against `occurredAt`; `since` is inclusive, `until` exclusive. */
export const selection = {
  categories: z.array(category).min(1).max(64).optional(),
  where: conditions.optional(),
  since: time.optional(),
  until: time.optional(),
};

/** A field within what the model was given. */
export const inputField = z
  .string()
  .max(256)
  .regex(/^inputFeatures(\.[^.]+)*$/, "begins with inputFeatures, like inputFeatures.question");

/** A field within what the model answered. */
export const outputField = z
  .string()
  .max(256)
  .regex(/^output(\.[^.]+)*$/, "begins with output, like output.text");

/** A spec. Its fields come out in this order, whatever order they came in. */
export const datasetSpec = z
  .strictObject({
    format: z.enum(datasetFormats),
    types: z.array(eventType).min(1).max(64),
    ...selection,
    /**
     * Of trl and kto: whether rows are lists of messages (true) or texts (false). Absent: each row as it was logged, texts
     * where all parts of it are texts.
     */
    messages: z.boolean().optional(),
    /** Where the prompt is, for signals without one; absent: the usual places. */
    promptFrom: inputField.optional(),
    /** Where the answer is in the output of an inference; absent: its `label`, or all of it. */
    outputFrom: outputField.optional(),
  })
  .superRefine(({ format, types }, context) => {
    const known = typesOf[format];
    if (known === undefined) return;
    for (const [i, type] of types.entries()) {
      if (known.includes(type)) continue;
      const message = `${type} never becomes a row of ${format}; ${known.join(", ")} do`;
      context.addIssue({ code: "custom", path: ["types", i], message });
    }
  });

/** A checked spec. */
export type DatasetSpec = z.output<typeof datasetSpec>;
