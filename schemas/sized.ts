/** A bound on the size of a whole value, for what states keep or events copy. */
import type { z } from "zod";

/** `schema`, for values of at most so many characters when they are written as JSON. */
export function sized<Schema extends z.ZodType>(characters: number, schema: Schema): Schema {
  return schema.refine((value) => value === undefined || JSON.stringify(value).length <= characters, {
    error: `at most ${characters} characters as JSON`,
    // What is no JSON, or deeper than its schema allows, may not be written at all.
    when: ({ issues }) => issues.length === 0,
  });
}
