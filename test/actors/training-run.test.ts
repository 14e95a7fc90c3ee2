/** The training run: its chart, its laws about steps, and importing the same file again. */
import type { CommandInput, EventOf } from "retrace";
import { type CommandOf, given } from "retrace/testing";
import { describe, expect, test } from "vitest";
import trainingRun from "../../actors/aggregates/training-run.ts";
import { acceptedIn } from "./accepted-in.ts";

type Event = EventOf<typeof trainingRun.schemas>;
type Command = CommandOf<typeof trainingRun.schemas>;

const requested: Event = { type: "TrainingRequested", data: { userId: "ada" } };
const started: Event = { type: "TrainingStarted", data: { userId: "ada", config: { layers: 2 } } };
const imported: Event = { type: "TrainingStarted", data: { source: { name: "run.log", sha256: "abc" } } };
const failed: Event = { type: "TrainingFailed", data: { reason: "out of memory" } };
const completed: Event = { type: "TrainingCompleted", data: {} };
const cancelled: Event = { type: "TrainingCancelled", data: {} };

type Report = Partial<CommandInput<typeof trainingRun.schemas, "RecordProgress">>;

function progress(step: number, data: Report = {}): Event {
  return { type: "TrainingProgress", data: { ...data, step } };
}

function checkpoint(checkpointId: string, step: number): Event {
  return { type: "CheckpointSaved", data: { checkpointId, step } };
}

const record = (step: number, data: object = {}) => ({ type: "RecordProgress", data: { step, ...data } }) as const;
const batch = (...steps: { step: number; loss?: number; sourceLine?: number }[]) =>
  ({ type: "RecordBatch", data: { steps } }) as const;

describe("the chart", () => {
  const commands: Command[] = [
    { type: "RequestTraining", data: {} },
    { type: "StartTraining", data: {} },
    { type: "RecordProgress", data: { step: 1 } },
    { type: "RecordBatch", data: { steps: [{ step: 1 }] } },
    { type: "SaveCheckpoint", data: { checkpointId: "c1", step: 1 } },
    { type: "ResumeTraining", data: { step: 0 } },
    { type: "CompleteTraining", data: {} },
    { type: "FailTraining", data: {} },
    { type: "CancelTraining", data: {} },
  ];
  const whileRunning = commands.slice(2).map(({ type }) => type);

  test.each<[string, Event[], string[]]>([
    ["empty", [], ["RequestTraining", "StartTraining"]],
    ["requested", [requested], ["StartTraining", "CancelTraining"]],
    ["running", [started], whileRunning],
    ["failed", [started, failed], ["ResumeTraining"]],
    ["running", [started, failed, { type: "TrainingResumed", data: { step: 0 } }], whileRunning],
    ["completed", [started, completed], []],
    ["cancelled", [requested, cancelled], []],
    ["cancelled", [started, cancelled], []],
  ])("%s accepts what its arrows say", (value, history, accepted) => {
    expect(given(trainingRun, history).state.value).toBe(value);
    expect(acceptedIn(trainingRun, history, commands)).toEqual(accepted);
  });

  test("an ended run refuses a step that it already knows", () => {
    given(trainingRun, [started, progress(5, { loss: 1 }), completed])
      .when(record(5, { loss: 1 }))
      .thenNotAllowed();
    given(trainingRun, [started, progress(5), failed])
      .when(record(4))
      .thenNotAllowed({ state: "failed" });
  });
});

describe("what a run is made of", () => {
  test("is recorded as it was sent, position 0 being the empty log", () => {
    const recipe = {
      config: { layers: 2 },
      hyperparameters: { lr: 0.1, schedule: { kind: "cosine" } },
      seed: 42,
      datasetId: "texts",
      datasetVersion: "v1",
      datasetPosition: 0,
      codeVersion: "3f2a",
      environment: { gpu: "A100" },
      userId: "ada",
    };
    given(trainingRun)
      .when({ type: "StartTraining", data: recipe })
      .then([{ type: "TrainingStarted", data: recipe }]);
  });

  test("the requester owns the run unless the start names another, and the ending says who", () => {
    given(trainingRun, [requested])
      .when({ type: "StartTraining", data: {} })
      .then([{ type: "TrainingStarted", data: { userId: "ada" } }]);
    given(trainingRun, [requested])
      .when({ type: "StartTraining", data: { userId: "bob" } })
      .then([{ type: "TrainingStarted", data: { userId: "bob" } }]);
    const modelArtifact = { id: "m1", ref: "s3://m1", sha256: "00", bytes: 3, mediaType: "application/x" };
    given(trainingRun, [started])
      .when({ type: "CompleteTraining", data: { modelArtifact, finalMetrics: { loss: "NaN" }, durationMs: 5 } })
      .then([{ type: "TrainingCompleted", data: { modelArtifact, userId: "ada", durationMs: 5 } }]);
    given(trainingRun, [started])
      .when({ type: "FailTraining", data: { reason: "diverged" } })
      .then([{ type: "TrainingFailed", data: { reason: "diverged", userId: "ada" } }]);
    given(trainingRun, [started])
      .when({ type: "CancelTraining", data: { reason: "too slow" } })
      .then([{ type: "TrainingCancelled", data: { reason: "too slow", userId: "ada" } }]);
  });

  test.each<[string, string, unknown, string]>([
    ["an unknown field", "StartTraining", { datasetid: "x" }, "datasetid"],
    ["a negative position", "StartTraining", { datasetPosition: -1 }, "datasetPosition"],
    ["a source without its hash", "StartTraining", { source: { name: "x" } }, "source.sha256"],
    ["an unknown field of progress", "RecordProgress", { step: 1, stp: 2 }, "stp"],
    ["a missing step", "RecordProgress", { loss: 1 }, "step"],
    ["a step that is no integer", "RecordProgress", { step: 1.5 }, "step"],
    ["a value that is no number", "RecordProgress", { step: 1, loss: Number.NaN }, "loss"],
    ["a metric that is text", "RecordProgress", { step: 1, metrics: { a: "high" } }, "metrics.a"],
    ["an empty batch", "RecordBatch", { steps: [] }, "steps"],
    ["a batch that is too large", "RecordBatch", { steps: Array.from({ length: 1001 }, () => ({ step: 1 })) }, "steps"],
    ["a time without its offset", "RecordBatch", { steps: [{ step: 1, at: "2026-01-01T00:00:00" }] }, "steps.0.at"],
    ["a time that is none", "RecordBatch", { steps: [{ step: 1, at: "yesterday" }] }, "steps.0.at"],
    ["a checkpoint no object can hold", "SaveCheckpoint", { checkpointId: "__proto__", step: 1 }, "checkpointId"],
    ["a resumption to nowhere", "ResumeTraining", { reason: "x" }, "step"],
    ["a model id that is no stream id", "CompleteTraining", { modelArtifact: { id: "a.b" } }, "modelArtifact.id"],
  ])("%s is invalid", (_what, type, data, path) => {
    given(trainingRun, [started]).whenRaw(type, data).thenInvalid(path);
  });

  test("nested objects keep fields that the schema does not name", () => {
    given(trainingRun, [started])
      .whenRaw("RecordBatch", { steps: [{ step: 1, epoch: 3 }] })
      .then([{ type: "TrainingProgressBatch", data: { steps: [{ step: 1, epoch: 3 }] } }]);
  });

  test("times come out in UTC with milliseconds", () => {
    given(trainingRun, [started])
      .whenRaw("RecordBatch", { steps: [{ step: 1, at: "2026-01-01T02:00:00+02:00" }] })
      .then([{ type: "TrainingProgressBatch", data: { steps: [{ step: 1, at: "2026-01-01T00:00:00.000Z" }] } }]);
  });
});

describe("steps", () => {
  test("a diverged run is recordable", () => {
    given(trainingRun, [started])
      .when(record(1, { loss: "NaN", metrics: { norm: "Infinity" } }))
      .then([progress(1, { loss: "NaN", metrics: { norm: "Infinity" } })]);
  });

  test("the first step may be 0", () => {
    given(trainingRun, [started])
      .when(record(0, { loss: 2 }))
      .then([progress(0, { loss: 2 })]);
  });

  test("repeating the last step with equal values is success without an event", () => {
    const values = { loss: 0.5, learningRate: 0.1, metrics: { accuracy: 0.9 }, resources: { gpuMemory: 10 } };
    const history = [started, progress(10, values)];
    given(trainingRun, history).when(record(10, values)).thenNothing();
    given(trainingRun, history)
      .when(record(10, { loss: 0.5 }))
      .thenNothing();
    given(trainingRun, history).when(record(10)).thenNothing();
    given(trainingRun, [started, progress(1, { loss: "NaN" })])
      .when(record(1, { loss: "NaN" }))
      .thenNothing();
  });

  test("the same step with another value, or with another metric, is recorded", () => {
    const history = [started, progress(10, { loss: 0.5, metrics: { loss: 0.5 }, resources: { gpuMemory: 10 } })];
    const news: Report[] = [
      { loss: 0.4 },
      { metrics: { loss: 0.4 } },
      { metrics: { accuracy: 0.9 } },
      { learningRate: 0.1 },
      { resources: { gpuMemory: 11 } },
    ];
    for (const values of news) {
      given(trainingRun, history)
        .when(record(10, values))
        .then([progress(10, values)]);
    }
  });

  test("a value of an earlier step is news again at a later one", () => {
    given(trainingRun, [started, progress(10, { loss: 0.5 })])
      .when(record(11, { loss: 0.5 }))
      .then([progress(11, { loss: 0.5 })]);
  });

  test("a lower step is behind", () => {
    given(trainingRun, [started, progress(10)])
      .when(record(9))
      .thenRejected("STEP_BEHIND");
  });

  test("the state keeps the last value of each metric, however many steps", () => {
    const many = Array.from({ length: 500 }, (_, step) => progress(step, { loss: step, metrics: { acc: step } }));
    const { context } = given(trainingRun, [started, ...many]).state;
    expect(context).toEqual({
      owner: { userId: "ada" },
      step: 499,
      readings: { loss: { step: 499, value: 499 }, "metrics.acc": { step: 499, value: 499 } },
      checkpoints: {},
    });
  });

  test("metrics named after what every object has are metrics like others", () => {
    const metrics = { constructor: 1, toString: 2, hasOwnProperty: 3 };
    const state = given(trainingRun, [started])
      .whenRaw("RecordProgress", { step: 1, metrics })
      .then([progress(1)]);
    expect(Object.keys(state.context.readings)).toHaveLength(3);
  });

  test("a run cannot report metrics without end", () => {
    const metrics = (from: number) => Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`m${from + i}`, 1]));
    given(trainingRun, [started, progress(1, { metrics: metrics(0) })])
      .when(record(2, { metrics: metrics(600) }))
      .thenRejected("TOO_MANY_METRICS");
  });
});

describe("a batch", () => {
  test("is recorded as one event", () => {
    given(trainingRun, [started])
      .when(batch({ step: 1, loss: 3 }, { step: 2, loss: 2 }))
      .then([
        {
          type: "TrainingProgressBatch",
          data: {
            steps: [
              { step: 1, loss: 3 },
              { step: 2, loss: 2 },
            ],
          },
        },
      ]);
  });

  test("leaves out exact repeats of the last step, its own included", () => {
    given(trainingRun, [started, progress(1, { loss: 3 })])
      .when(batch({ step: 1, loss: 3 }, { step: 2, loss: 2 }, { step: 2, loss: 2 }, { step: 2, loss: 1 }))
      .then([
        {
          type: "TrainingProgressBatch",
          data: {
            steps: [
              { step: 2, loss: 2 },
              { step: 2, loss: 1 },
            ],
          },
        },
      ]);
    given(trainingRun, [started, progress(1, { loss: 3 })])
      .when(batch({ step: 1, loss: 3 }))
      .thenNothing();
  });

  test("is refused whole when one step is behind", () => {
    given(trainingRun, [started, progress(5)])
      .when(batch({ step: 6 }, { step: 4 }))
      .thenRejected("STEP_BEHIND");
    given(trainingRun, [started])
      .when(batch({ step: 6 }, { step: 5 }))
      .thenRejected("STEP_BEHIND");
  });

  test("of a thousand steps is allowed", () => {
    const steps = Array.from({ length: 1000 }, (_, step) => ({ step, loss: step }));
    const state = given(trainingRun, [started])
      .when(batch(...steps))
      .then([{ type: "TrainingProgressBatch", data: { steps } }]);
    expect(state.context.step).toBe(999);
  });
});

describe("resuming", () => {
  const history = [started, progress(100, { loss: 1 }), checkpoint("c80", 80), progress(120, { loss: 0.5 })];

  test("moves the run back, and the steps after it are news again", () => {
    given(trainingRun, history)
      .when({ type: "ResumeTraining", data: { step: 80, checkpointId: "c80", reason: "preempted" } })
      .then([{ type: "TrainingResumed", data: { step: 80, checkpointId: "c80", reason: "preempted" } }]);
    const resumed = [...history, { type: "TrainingResumed", data: { step: 80 } } as const];
    given(trainingRun, resumed).when(record(79)).thenRejected("STEP_BEHIND");
    given(trainingRun, resumed)
      .when(record(120, { loss: 0.5 }))
      .then([progress(120, { loss: 0.5 })]);
    given(trainingRun, [...resumed, progress(120)])
      .when(record(120, { loss: 0.5 }))
      .then([progress(120, { loss: 0.5 })]);
  });

  test("takes the step from the checkpoint", () => {
    given(trainingRun, history)
      .when({ type: "ResumeTraining", data: { checkpointId: "c80" } })
      .then([{ type: "TrainingResumed", data: { checkpointId: "c80", step: 80 } }]);
  });

  test("goes no further than the run has come", () => {
    given(trainingRun, history)
      .when({ type: "ResumeTraining", data: { step: 121 } })
      .thenRejected("STEP_AHEAD");
    given(trainingRun, [started, failed])
      .when({ type: "ResumeTraining", data: { step: 1 } })
      .thenRejected("STEP_AHEAD");
    given(trainingRun, [started, checkpoint("c80", 80)])
      .when({ type: "ResumeTraining", data: { step: 80 } })
      .then([{ type: "TrainingResumed", data: { step: 80 } }]);
  });

  test("needs a checkpoint that was saved", () => {
    for (const checkpointId of ["c81", "constructor"]) {
      given(trainingRun, history)
        .when({ type: "ResumeTraining", data: { step: 80, checkpointId } })
        .thenRejected("UNKNOWN_CHECKPOINT");
    }
  });

  test("a checkpoint saved again under its name is where it was saved last", () => {
    given(trainingRun, [...history, checkpoint("c80", 120)])
      .when({ type: "ResumeTraining", data: { checkpointId: "c80" } })
      .then([{ type: "TrainingResumed", data: { step: 120 } }]);
  });

  test("after the end is the chart's to refuse, whatever the checkpoint", () => {
    given(trainingRun, [...history, completed])
      .when({ type: "ResumeTraining", data: { checkpointId: "c99" } })
      .thenNotAllowed({ state: "completed" });
  });
});

describe("an import", () => {
  const history = [imported, progress(1, { loss: 3, sourceLine: 10 }), progress(2, { loss: 2, sourceLine: 11 })];

  test("starting again from the same file is success without an event, in every state", () => {
    const again = { type: "StartTraining", data: { source: { name: "elsewhere", sha256: "abc" } } } as const;
    given(trainingRun, history).when(again).thenNothing();
    given(trainingRun, [...history, completed])
      .when(again)
      .thenNothing();
  });

  test("starting from another file is refused", () => {
    given(trainingRun, history)
      .when({ type: "StartTraining", data: { source: { sha256: "def" } } })
      .thenNotAllowed({ state: "running" });
  });

  test("leaves out the lines it has brought, and goes on after them", () => {
    given(trainingRun, history)
      .when(record(1, { loss: 3, sourceLine: 10 }))
      .thenNothing();
    given(trainingRun, history)
      .when(batch({ step: 1, loss: 3, sourceLine: 10 }, { step: 2, loss: 9, sourceLine: 11 }))
      .thenNothing();
    given(trainingRun, history)
      .when(batch({ step: 2, loss: 2, sourceLine: 11 }, { step: 3, loss: 1, sourceLine: 12 }))
      .then([{ type: "TrainingProgressBatch", data: { steps: [{ step: 3, loss: 1, sourceLine: 12 }] } }]);
  });

  test("adds nothing after it was completed", () => {
    const all = [...history, { type: "TrainingCompleted", data: { sourceLine: 12 } } as const];
    given(trainingRun, all)
      .when(record(1, { sourceLine: 10 }))
      .thenNothing();
    given(trainingRun, all)
      .when({ type: "CompleteTraining", data: { sourceLine: 12 } })
      .thenNothing();
    given(trainingRun, all)
      .when(record(3, { sourceLine: 13 }))
      .thenNotAllowed({ state: "completed" });
  });

  test("holds for every kind of line", () => {
    const known = { sourceLine: 11 };
    for (const command of [
      { type: "SaveCheckpoint", data: { checkpointId: "c", step: 1, ...known } },
      { type: "ResumeTraining", data: { step: 1, ...known } },
      { type: "FailTraining", data: known },
      { type: "CancelTraining", data: known },
    ] as const) {
      given(trainingRun, history).when(command).thenNothing();
    }
  });

  test("lines mean nothing in a run that was not imported", () => {
    given(trainingRun, [started, progress(1, { sourceLine: 10 })])
      .when(record(2, { sourceLine: 9 }))
      .then([progress(2, { sourceLine: 9 })]);
  });
});
