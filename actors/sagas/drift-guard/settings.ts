/** What a policy `drift-guard` may set: which windows are watched, what is too much, and what is done then. */
import { z } from "zod";
import { identifier, key } from "../../../schemas/fields.ts";

const share = z.number().min(0).max(1);
const windows = z.array(z.enum(["5m", "1h", "1d"])).max(3);
/** Fewer say nothing. */
const minCount = z.int().min(1);

/** The share of negative feedback among what says whether somebody was content. `null` watches for nothing. */
const negativeRate = z.strictObject({
  windows: windows.default(["5m", "1h"]),
  minCount: minCount.default(50),
  adjustTrafficAbove: share.nullable().default(0.3),
  rollBackAbove: share.nullable().default(0.5),
});

/** The share of human labels that agree with the prediction. */
const accuracy = z.strictObject({
  windows: windows.default(["1h", "1d"]),
  minCount: minCount.default(50),
  adjustTrafficBelow: share.nullable().default(0.7),
  rollBackBelow: share.nullable().default(0.5),
});

const thresholds = { negativeRate: negativeRate.prefault({}), accuracy: accuracy.prefault({}) };

export const settings = z.strictObject({
  ...thresholds,
  /** Models with thresholds of their own, in place of those above. */
  models: z.record(identifier, z.strictObject(thresholds)).default({}),
  /** Whether what is tagged is watched for each tag, too. */
  perTag: z.boolean().default(true),
  /** Where it acts. Absent: in every environment. */
  environments: z.array(key).max(100).optional(),
  /** What is left to a version whose traffic is adjusted. */
  trafficShare: share.default(0.1),
  /** When no other version could take over: `keep` leaves it serving, `stop` leaves the environment without a version. */
  whenAlone: z.enum(["keep", "stop"]).default("keep"),
});

export type Settings = z.output<typeof settings>;
