/** What the commands and events of a feature set carry. */
import { z } from "zod";
import { identifier, key, nested, reference, text } from "./fields.ts";

/** From what the features came, by which definition and code, and where they lie. */
const computation = {
  datasetId: identifier.optional(),
  datasetVersion: key.optional(),
  definitionHash: identifier.optional(),
  codeVersion: identifier.optional(),
  outputRef: reference.optional(),
};

/** A check by its name alone, or with what it found. */
const check = z.union([text, nested({ name: text.optional(), passed: z.boolean().optional() })]);

const checks = z.array(check).max(1000);

const versioning = { version: key };

export const featureSet = {
  commands: {
    ComputeFeatures: z.strictObject(computation),
    /** A check that says `passed: false` keeps the features from becoming a version. */
    ValidateFeatures: z.strictObject({ checks: checks.optional() }),
    VersionFeatures: z.strictObject(versioning),
  },
  events: {
    FeatureComputed: z.looseObject(computation),
    FeatureValidated: z.looseObject({ checks: checks.optional() }),
    /** Says of its round what it was computed from, so that a version can be traced without the event before it. */
    FeatureVersioned: z.looseObject({ ...versioning, ...computation }),
  },
};
