/**
 * Field schemas that several aggregates share. Everything here bounds what it lets in, because a field that has no
 * bound becomes a state or a snapshot that has none.
 */
import { z } from "zod";

/** A finite number, or one of the spellings by which a diverged run is recorded. */
export const metric = z.union([z.number(), z.literal(["NaN", "Infinity", "-Infinity"])]);

/** Metrics by name, at most 1,000. */
export const metrics = z
  .record(z.string().min(1).max(256), metric)
  .refine((values) => Object.keys(values).length <= 1000, "at most 1,000 metrics");

/** A short text that people read: a reason, a name, a description. Up to 4,096 characters. */
export const text = z.string().max(4096);

/** An identifier of any origin: a user, a session, a code version, something recorded elsewhere. */
export const identifier = z.string().min(1).max(256);

/**
 * A name that users choose and that states are keyed by: an artifact's version, an alias, an environment. Without
 * control characters, and not the one name that JavaScript objects cannot hold.
 */
export const key = z
  .string()
  .min(1)
  .max(128)
  .regex(/^(?!__proto__$)\P{Cc}+$/u, "a name without control characters");

/** The id of an aggregate of this runtime, as in subjects and stream names. */
export const streamId = z.string().regex(/^[A-Za-z0-9_~-]{1,128}$/, "1 to 128 of A-Z a-z 0-9 _ - ~");

/** A count or an index. */
export const count = z.int().min(0);

/** ISO 8601 with an offset; comes out in UTC with milliseconds, so that times compare as strings. */
export const time = z.iso
  .datetime({ offset: true, abort: true, error: "an ISO 8601 time with its offset" })
  .overwrite((written) => new Date(written).toISOString());

const maxDepth = 64;

function isJson(value: unknown, depth = 0): boolean {
  if (value === null || typeof value === "string" || typeof value === "boolean") return true;
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || depth >= maxDepth) return false;
  if (Array.isArray(value)) return value.every((item) => isJson(item, depth + 1));
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  return !Object.hasOwn(value, "__proto__") && Object.values(value).every((item) => isJson(item, depth + 1));
}

/** Any JSON value, at most 64 levels deep. */
export const json = z
  .unknown()
  .refine((value) => isJson(value), "a JSON value with finite numbers, at most 64 levels deep");

/** A JSON object whose fields are the user's own: a config, hyperparameters. */
export const jsonObject = z.record(z.string().max(256), json);

/** A nested object: the named fields are checked, all others are kept. */
export function nested<Shape extends z.core.$ZodShape>(shape: Shape) {
  return z.object(shape).catchall(json);
}

const referenceFields = {
  ref: z.string().min(1).max(2048),
  sha256: z.string().min(1).max(128).optional(),
  bytes: count.optional(),
  mediaType: z.string().max(256).optional(),
};

/** Where a large thing lies, and what proves that it is still the same. */
export const reference = nested(referenceFields);

/** The file from which a history was imported; its hash recognises a second import. */
export const importSource = nested({ name: text.optional(), sha256: z.string().min(1).max(128) });

/** The line of that file, from 1. */
export const sourceLine = z.int().min(1);

/** What commands and events say that were imported row by row. */
export const imported = {
  /** Of events, only those that follow on another file: the others are of the same as the one before. */
  source: importSource.optional(),
  sourceLine: sourceLine.optional(),
  /** Which of the commands that the line was made into; the first where absent. */
  sourcePart: z.int().min(1).optional(),
};

/** The ends of a rating scale; below its midpoint is negative. */
export const ratingScale = nested({ min: z.number(), max: z.number() }).refine(
  (scale) => scale.min < scale.max,
  "min is less than max",
);
