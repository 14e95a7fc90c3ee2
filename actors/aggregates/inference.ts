/**
 * One query or prediction: what was asked, what was retrieved for it, which model answered what, and what people made
 * of the answer.
 */
import { isDeepStrictEqual } from "node:util";
import { type ChartEventOf, type CommandData, defineAggregate, type EventData, reject } from "retrace";
import { assertEvent, assign, setup } from "xstate";
import { inference } from "../../schemas/inference.ts";

/** By what readers group inferences; only what is known. */
type Grouping = Pick<
  EventData<typeof inference, "InferenceCompleted">,
  "modelId" | "modelVersion" | "userSegment" | "sessionId" | "sourceApplication"
>;

interface Inference {
  readonly grouping: Grouping;
  readonly confidence?: number;
  /** The label in the output, or the output itself where it is one. */
  readonly predicted?: unknown;
}

const machine = setup({
  types: { context: {} as Inference, events: {} as ChartEventOf<typeof inference> },
  actions: {
    group: assign(({ context, event }) => {
      assertEvent(event, ["QueryReceived", "InferenceRequested", "InferenceCompleted"]);
      return { grouping: { ...context.grouping, ...groupingIn(event.data) } };
    }),
    keepPrediction: assign(({ event }) => {
      assertEvent(event, "InferenceCompleted");
      const { confidence, output } = event.data;
      return {
        ...(confidence !== undefined && { confidence }),
        ...(output !== undefined && { predicted: labelIn(output) }),
      };
    }),
  },
}).createMachine({
  id: "inference",
  context: { grouping: {} },
  initial: "empty",
  states: {
    empty: {
      on: {
        QueryReceived: { target: "received", actions: "group" },
        InferenceRequested: { target: "requested", actions: "group" },
      },
    },
    received: {
      on: {
        ContextRetrieved: "contextRetrieved",
        InferenceRequested: { target: "requested", actions: "group" },
      },
    },
    contextRetrieved: {
      on: {
        ContextRetrieved: "contextRetrieved",
        InferenceRequested: { target: "requested", actions: "group" },
      },
    },
    requested: {
      on: {
        InferenceCompleted: { target: "completed", actions: ["group", "keepPrediction"] },
      },
    },
    completed: {
      on: {
        ModelPredictionLowConfidenceFlagged: "flagged",
        HumanLabelApplied: "labelled",
        PredictionSuperseded: "superseded",
        InferenceFeedback: "completed",
      },
    },
    flagged: {
      on: {
        HumanLabelApplied: "labelled",
        PredictionSuperseded: "superseded",
        InferenceFeedback: "flagged",
      },
    },
    labelled: {
      on: {
        ModelPredictionLowConfidenceFlagged: "flagged",
        HumanLabelApplied: "labelled",
        PredictionSuperseded: "superseded",
        InferenceFeedback: "labelled",
      },
    },
    /** What people say of it still tells about the model that made it. */
    superseded: {
      on: {
        HumanLabelApplied: "superseded",
        InferenceFeedback: "superseded",
      },
    },
  },
});

export default defineAggregate({
  category: "inference",
  schemas: inference,
  machine,
  decide: {
    ReceiveQuery: (_state, { data }) => ({ type: "QueryReceived", data }),

    RetrieveContext: (_state, { data }) => ({ type: "ContextRetrieved", data }),

    RequestInference: ({ context }, { data }) => ({
      type: "InferenceRequested",
      data: { ...context.grouping, ...data },
    }),

    CompleteInference: ({ context }, { data }) => ({
      type: "InferenceCompleted",
      data: { ...context.grouping, ...data },
    }),

    FlagLowConfidence: (state, { data }) => {
      if (state.matches("flagged")) return [];
      const { confidence, grouping } = state.context;
      return {
        type: "ModelPredictionLowConfidenceFlagged",
        data: { ...(confidence !== undefined && { confidence }), ...data, ...grouping },
      };
    },

    ApplyHumanLabel: ({ context }, { data }) => {
      const { grouping, predicted } = context;
      const comparison = predicted === undefined ? {} : { predicted, agreement: agrees(data.label, predicted) };
      return { type: "HumanLabelApplied", data: { ...data, ...comparison, ...grouping } };
    },

    SupersedePrediction: ({ context }, { data }) => ({
      type: "PredictionSuperseded",
      data: { ...data, ...context.grouping },
    }),

    RecordInferenceFeedback: ({ context }, { data }) => {
      const { value, scale } = data;
      if (typeof value === "number" && scale !== undefined && (value < scale.min || value > scale.max)) {
        const message = `${value} lies outside the scale from ${scale.min} to ${scale.max}`;
        return reject("RATING_OUTSIDE_SCALE", message, { value, scale });
      }
      const negative = data.negative ?? isNegative(data);
      return {
        type: "InferenceFeedback",
        data: { ...data, ...(negative !== undefined && { negative }), ...context.grouping },
      };
    },
  },
});

function groupingIn(data: Grouping): Grouping {
  const { modelId, modelVersion, userSegment, sessionId, sourceApplication } = data;
  return {
    ...(modelId !== undefined && { modelId }),
    ...(modelVersion !== undefined && { modelVersion }),
    ...(userSegment !== undefined && { userSegment }),
    ...(sessionId !== undefined && { sessionId }),
    ...(sourceApplication !== undefined && { sourceApplication }),
  };
}

/** A classifier's output may be its label, or an object that holds it beside other things. */
function labelIn(output: unknown): unknown {
  const holdsLabel = typeof output === "object" && output !== null && Object.hasOwn(output, "label");
  return holdsLabel ? (output as { readonly label: unknown }).label : output;
}

function agrees(label: unknown, predicted: unknown): boolean {
  return isDeepStrictEqual(labelIn(label), predicted);
}

type Feedback = CommandData<typeof inference, "RecordInferenceFeedback">;

/** Undefined where nothing tells: then it is counted, but neither for nor against the model. */
function isNegative({ kind, value, scale }: Feedback): boolean | undefined {
  const kindSays = soundsNegative(kind);
  if (kindSays !== undefined) return value === false ? !kindSays : kindSays;
  if (typeof value === "boolean") return !value;
  if (typeof value === "string") return soundsNegative(value);
  if (typeof value !== "number") return undefined;
  if (scale !== undefined) return value < (scale.min + scale.max) / 2;
  return value < 0 ? true : undefined;
}

const negativeWords = ["down", "thumbs-down", "dislike", "negative", "bad", "unhelpful", "not-helpful"];
const positiveWords = ["up", "thumbs-up", "like", "positive", "good", "helpful"];

/** Of a word in any of the usual spellings: `thumbs_down`, `thumbsDown`, `Thumbs down`. */
function soundsNegative(word: string): boolean | undefined {
  const hyphenated = word.replace(/([a-z])([A-Z])/g, "$1-$2").replace(/[\s_]+/g, "-");
  if (negativeWords.includes(hyphenated.toLowerCase())) return true;
  return positiveWords.includes(hyphenated.toLowerCase()) ? false : undefined;
}
