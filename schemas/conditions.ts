/**
 * Conditions on the fields of events: which of them become rows. What they mean is in `actors/datasets/conditions.ts`.
 * The shapes are those of a projection's `where`, and `in`.
 */
import { z } from "zod";

const value = z.union([z.string().max(4096), z.number(), z.boolean(), z.null()]);

const bound = z.union([z.string().max(4096), z.number()]);

/** All of what is given holds together. */
const bounds = z
  .strictObject({
    eq: value.optional(),
    in: z.array(value).min(1).max(1000).optional(),
    gt: bound.optional(),
    gte: bound.optional(),
    lt: bound.optional(),
    lte: bound.optional(),
    prefix: z.string().min(1).max(4096).optional(),
  })
  .refine((given) => Object.keys(given).length > 0, "needs one of eq, in, gt, gte, lt, lte, prefix");

const fields = ["type", "category", "stream", "schemaVersion", "occurredAt", "recordedAt"];
const nestedFields = ["metadata.actor.id", "metadata.correlationId"];

/** Where a value stands in a recorded event: `data.context.modelId`. What a copy of the log may lack is not there. */
export const eventField = z
  .string()
  .max(256)
  .refine((name) => fields.includes(name) || nestedFields.includes(name) || /^data(\.[^.]+)+$/.test(name), {
    error: `no field of an event; there are ${[...fields, ...nestedFields].join(", ")}, and those of its data, like data.annotator`,
  });

/** By field, dotted where nested: a value that it equals, or bounds. At most 32; they come out sorted. */
export const conditions = z
  .record(eventField, z.union([value, bounds]))
  .refine((given) => Object.keys(given).length <= 32, "at most 32 fields")
  .overwrite((given) => Object.fromEntries(Object.entries(given).sort(([a], [b]) => (a < b ? -1 : 1))));

/** By field of the recorded event. */
export type Conditions = z.output<typeof conditions>;

/** What one field is to be. */
export type Wanted = Conditions[string];
