/** What the commands and events of a training run carry. */
import { z } from "zod";
import {
  count,
  identifier,
  importSource,
  json,
  jsonObject,
  key,
  metric,
  metrics,
  nested,
  reference,
  sourceLine,
  streamId,
  text,
  time,
} from "./fields.ts";

/** What a run is made of: together with the log up to `datasetPosition`, enough to run it again. */
const recipe = {
  config: json.optional(),
  hyperparameters: jsonObject.optional(),
  seed: json.optional(),
  datasetId: identifier.optional(),
  datasetVersion: key.optional(),
  /** The position of the log up to which the dataset was built; 0 is the empty log. */
  datasetPosition: count.optional(),
  featureSetId: identifier.optional(),
  featureVersion: key.optional(),
  codeVersion: identifier.optional(),
  environment: json.optional(),
  userId: identifier.optional(),
};

const started = { ...recipe, source: importSource.optional() };

/** What one step reports. */
const stepReport = {
  step: count,
  metrics: metrics.optional(),
  loss: metric.optional(),
  learningRate: metric.optional(),
};

const line = { sourceLine: sourceLine.optional() };

const progress = {
  ...stepReport,
  resources: nested({ gpuMemory: z.number().optional(), cpuUsage: z.number().optional() }).optional(),
  ...line,
};

const batch = {
  steps: z
    .array(nested({ ...stepReport, at: time.optional(), ...line }))
    .min(1)
    .max(1000),
};

const checkpoint = { checkpointId: key, step: count, ref: reference.optional(), ...line };

const resumption = { checkpointId: key.optional(), reason: text.optional(), ...line };

const completion = {
  /** Its id is the model's stream id, its version what the model's new version is to be called. */
  modelArtifact: nested({ ...reference.partial().shape, id: streamId.optional(), version: key.optional() }).optional(),
  finalMetrics: metrics.optional(),
  durationMs: z.number().min(0).optional(),
  ...line,
};

const ending = { reason: text.optional(), ...line };

/** Of whom a reader of the ending needs to know: the person who trains does not approve the model. */
const owner = { userId: identifier.optional() };

export const trainingRun = {
  commands: {
    RequestTraining: z.strictObject(recipe),
    StartTraining: z.strictObject(started),
    RecordProgress: z.strictObject(progress),
    RecordBatch: z.strictObject(batch),
    SaveCheckpoint: z.strictObject(checkpoint),
    /** The step may be left to the checkpoint. */
    ResumeTraining: z
      .strictObject({ ...resumption, step: count.optional() })
      .refine((resume) => resume.step !== undefined || resume.checkpointId !== undefined, {
        path: ["step"],
        error: "a step, or a checkpoint that names one",
      }),
    CompleteTraining: z.strictObject(completion),
    FailTraining: z.strictObject(ending),
    CancelTraining: z.strictObject(ending),
  },
  events: {
    TrainingRequested: z.looseObject(recipe),
    TrainingStarted: z.looseObject(started),
    TrainingProgress: z.looseObject(progress),
    TrainingProgressBatch: z.looseObject(batch),
    CheckpointSaved: z.looseObject(checkpoint),
    TrainingResumed: z.looseObject({ ...resumption, step: count }),
    TrainingCompleted: z.looseObject({ ...completion, ...owner }),
    TrainingFailed: z.looseObject({ ...ending, ...owner }),
    TrainingCancelled: z.looseObject({ ...ending, ...owner }),
  },
};
