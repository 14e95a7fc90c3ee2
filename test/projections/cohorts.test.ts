import { expect, test } from "vitest";
import cohorts from "../../actors/projections/cohorts.ts";
import { at, type Happened, project } from "./project.ts";

const model = { modelId: "m1", modelVersion: "2" };

const inference = (id: string, type: string, data: object = {}, userSegment: string | undefined = "free"): Happened => {
  return { stream: `inference-${id}`, type, data: { ...model, ...(userSegment && { userSegment }), ...data } };
};
const feedback = (requestId: string, type: string, data: object = {}, userSegment = "free"): Happened => {
  return { stream: `feedback-${requestId}`, type, data: { context: { requestId, ...model }, userSegment, ...data } };
};
const none = {
  inferences: 0,
  lowConfidence: 0,
  corrected: 0,
  corrections: 0,
  compared: 0,
  agreed: 0,
  judged: 0,
  negative: 0,
};

test("counts for each segment, and for each model in it, what its rates are made of", async () => {
  const rows = await project(cohorts, [
    ...["1", "2", "3", "4"].map((id) => inference(id, "InferenceCompleted")),
    inference("5", "InferenceCompleted", { modelVersion: "3" }),
    inference("6", "InferenceCompleted", {}, "paid"),
    inference("1", "ModelPredictionLowConfidenceFlagged"),
    inference("1", "ModelPredictionLowConfidenceFlagged"),
    inference("1", "HumanLabelApplied", { label: "a", predicted: "a", agreement: true }),
    inference("2", "HumanLabelApplied", { label: "a", predicted: "b", agreement: false }),
    inference("3", "HumanLabelApplied", { label: "a" }),
    feedback("1", "CorrectionSubmitted", { corrected: "x" }),
    feedback("1", "CorrectionSubmitted", { corrected: "y" }),
    feedback("3", "CorrectionSubmitted", { corrected: "z", gold: true }),
    feedback("5", "CorrectionSubmitted", {
      corrected: "x",
      context: { requestId: "5", modelId: "m1", modelVersion: "3" },
    }),
    feedback("1", "UserRatedOutput", { rating: 1, scale: { min: 1, max: 5 }, negative: true }),
    inference("2", "InferenceFeedback", { kind: "thumbs-up", negative: false }),
    inference("2", "InferenceFeedback", { kind: "noted" }),
  ]);

  const free = {
    inferences: 5,
    lowConfidence: 1,
    corrected: 2,
    corrections: 3,
    compared: 2,
    agreed: 1,
    judged: 2,
    negative: 1,
  };
  const rates = { lowConfidenceRate: 0.2, correctionRate: 0.4, agreementRate: 0.5, negativeRate: 0.5 };
  expect(rows.free).toEqual({
    ...free,
    ...rates,
    models: {
      "m1/2": { ...free, inferences: 4, corrected: 1, corrections: 2 },
      "m1/3": { ...none, inferences: 1, corrected: 1, corrections: 1 },
    },
  });
  expect(rows.paid).toMatchObject({ inferences: 1, correctionRate: 0, agreementRate: null, negativeRate: null });
});

test("takes back what was retracted: a correction counts as long as one of its inference is left", async () => {
  const retract = (id: string, type: string, data: object = {}) => {
    const signal = {
      type,
      occurredAt: at(1),
      data: { context: { requestId: id, ...model }, userSegment: "free", ...data },
    };
    return feedback(id, "FeedbackRetracted", { eventId: "e", signal });
  };
  const history = [
    inference("1", "InferenceCompleted"),
    feedback("1", "CorrectionSubmitted", { corrected: "x" }),
    feedback("1", "CorrectionSubmitted", { corrected: "y" }),
    feedback("1", "OutputRejected"),
    retract("1", "CorrectionSubmitted"),
    retract("1", "OutputRejected"),
  ];
  const once = await project(cohorts, history);
  expect(once.free).toMatchObject({ corrections: 1, corrected: 1, judged: 0, negative: 0, negativeRate: null });
  const twice = await project(cohorts, [...history, retract("1", "CorrectionSubmitted")]);
  expect(twice.free).toMatchObject({ corrections: 0, corrected: 0, correctionRate: 0 });
});

test("those whose segment nobody said are a segment, too", async () => {
  const rows = await project(cohorts, [{ stream: "inference-1", type: "InferenceCompleted", data: {} }]);
  expect(rows["(none)"]).toMatchObject({ inferences: 1, models: {} });
});
