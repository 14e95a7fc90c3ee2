/** What the commands and events of a dataset carry. */
import { z } from "zod";
import { count, identifier, json, jsonObject, key, nested, reference, text } from "./fields.ts";

const ingestion = {
  source: json.optional(),
  contentRef: reference.optional(),
  rowCount: count.optional(),
  schema: json.optional(),
  contentHash: identifier.optional(),
};

const preprocessing = {
  steps: z.array(json).max(1000).optional(),
  codeVersion: identifier.optional(),
  outputRef: reference.optional(),
};

/** A check by its name alone, or with what it found. */
const check = z.union([text, nested({ name: text.optional(), passed: z.boolean().optional() })]);

const checks = z.array(check).max(1000);

const parents = z.array(nested({ datasetId: identifier, version: key })).max(1000);

const versioning = {
  version: key,
  parents: parents.optional(),
  contentHash: identifier.optional(),
  contentRef: reference.optional(),
  /** Set when the version was built from this runtime's own log up to `position`. */
  builtFrom: nested({
    position: count,
    spec: jsonObject.optional(),
    rowCount: count.optional(),
    sha256: identifier.optional(),
  }).optional(),
};

const retraction = { version: key, reason: text.optional() };

const retirement = { reason: text.optional() };

export const dataset = {
  commands: {
    IngestData: z.strictObject(ingestion),
    PreprocessData: z.strictObject(preprocessing),
    /** Valid unless `failures` names something or a check says `passed: false`. */
    ValidateData: z.strictObject({ checks: checks.optional(), failures: checks.optional() }),
    VersionDataset: z.strictObject(versioning),
    RetractVersion: z.strictObject(retraction),
    RetireDataset: z.strictObject(retirement),
  },
  events: {
    DataIngested: z.looseObject(ingestion),
    DataPreprocessed: z.looseObject(preprocessing),
    DataValidated: z.looseObject({ checks: checks.optional() }),
    DataRejected: z.looseObject({ failures: checks, checks: checks.optional() }),
    DatasetVersioned: z.looseObject(versioning),
    DatasetVersionRetracted: z.looseObject(retraction),
    DatasetRetired: z.looseObject(retirement),
  },
};
