/**
 * One query or prediction: what was asked, what was retrieved for it, which model answered what, and what people made
 * of the answer.
 */
import { isDeepStrictEqual } from "node:util";
import { type ChartEventOf, type CommandData, defineAggregate, type EventData, type EventOf, reject } from "retrace";
import { assertEvent, assign, setup } from "xstate";
import { inference } from "../../schemas/inference.ts";
import { afterImport, type FromFile, type Imported, onceImported } from "../imported.ts";

/** By what readers group inferences; only what is known. */
type Grouping = Pick<
  EventData<typeof inference, "InferenceCompleted">,
  "modelId" | "modelVersion" | "userSegment" | "sessionId" | "sourceApplication"
>;

interface Inference extends Imported {
  readonly grouping: Grouping;
  /** Until it is completed. */
  readonly inputFeatures?: Readonly<Record<string, unknown>> | undefined;
  readonly confidence?: number;
  /** The label in the output, or the output itself where it is one. */
  readonly predicted?: unknown;
}

const machine = setup({
  types: { context: {} as Inference, events: {} as ChartEventOf<typeof inference> },
  actions: {
    group: assign(({ context, event }) => {
      assertEvent(event, ["QueryReceived", "InferenceRequested"]);
      const grouping = { ...context.grouping, ...groupingIn(event.data) };
      const inputFeatures = event.type === "InferenceRequested" ? event.data.inputFeatures : undefined;
      return { grouping, inputFeatures, ...afterImport(context, event.data as FromFile) };
    }),
    complete: assign(({ context, event }) => {
      assertEvent(event, "InferenceCompleted");
      const { confidence, output } = event.data;
      return {
        grouping: { ...context.grouping, ...groupingIn(event.data) },
        inputFeatures: undefined,
        ...(confidence !== undefined && { confidence }),
        ...(output !== undefined && { predicted: labelIn(output) }),
        ...afterImport(context, event.data),
      };
    }),
    rememberLine: assign(({ context, event }) => {
      assertEvent(event, "HumanLabelApplied");
      return afterImport(context, event.data);
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
        InferenceCompleted: { target: "completed", actions: "complete" },
      },
    },
    completed: {
      on: {
        ModelPredictionLowConfidenceFlagged: "flagged",
        HumanLabelApplied: { target: "labelled", actions: "rememberLine" },
        PredictionSuperseded: "superseded",
        InferenceFeedback: "completed",
      },
    },
    flagged: {
      on: {
        HumanLabelApplied: { target: "labelled", actions: "rememberLine" },
        PredictionSuperseded: "superseded",
        InferenceFeedback: "flagged",
      },
    },
    labelled: {
      on: {
        ModelPredictionLowConfidenceFlagged: "flagged",
        HumanLabelApplied: { target: "labelled", actions: "rememberLine" },
        PredictionSuperseded: "superseded",
        InferenceFeedback: "labelled",
      },
    },
    /** What people say of it still tells about the model that made it. */
    superseded: {
      on: {
        HumanLabelApplied: { target: "superseded", actions: "rememberLine" },
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

    RequestInference: onceImported(({ context }, { data }) => ({
      type: "InferenceRequested",
      data: { ...context.grouping, ...data },
    })),

    CompleteInference: onceImported(({ context: { grouping, inputFeatures } }, { data }) => ({
      type: "InferenceCompleted",
      data: { ...(inputFeatures !== undefined && { inputFeatures }), ...grouping, ...data },
    })),

    RecordInference: onceImported(({ context }, { data }) => {
      const { label, ...made } = data;
      const { request, completion, line } = split(made);
      const grouping = { ...context.grouping, ...groupingIn(request) };
      const predicted = completion.output === undefined ? undefined : labelIn(completion.output);
      return [
        { type: "InferenceRequested", data: { ...context.grouping, ...request } },
        { type: "InferenceCompleted", data: { ...grouping, ...completion, ...line } },
        ...(label === undefined ? [] : [labelApplied({ label, ...line }, { grouping, predicted })]),
      ];
    }),

    FlagLowConfidence: (state, { data }) => {
      if (state.matches("flagged")) return [];
      const { confidence, grouping } = state.context;
      return {
        type: "ModelPredictionLowConfidenceFlagged",
        data: { ...(confidence !== undefined && { confidence }), ...data, ...grouping },
      };
    },

    ApplyHumanLabel: onceImported(({ context }, { data }) => labelApplied(data, context)),

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

type Recorded = Omit<CommandData<typeof inference, "RecordInference">, "label">;
type Completion = Pick<Recorded, "inputFeatures" | "output" | "confidence" | "scores" | "tokensUsed" | "latencyMs">;
type Line = Pick<Recorded, "sourceLine" | "sourcePart">;

/** What of an inference belongs to its request, and what to its completion. Each names the line it comes from. */
function split(made: Recorded): { readonly request: Recorded; readonly completion: Completion; readonly line: Line } {
  const { output, confidence, scores, tokensUsed, latencyMs, ...request } = made;
  const { sourceLine, sourcePart, inputFeatures } = request;
  return {
    request,
    completion: {
      ...(inputFeatures !== undefined && { inputFeatures }),
      ...(output !== undefined && { output }),
      ...(confidence !== undefined && { confidence }),
      ...(scores !== undefined && { scores }),
      ...(tokensUsed !== undefined && { tokensUsed }),
      ...(latencyMs !== undefined && { latencyMs }),
    },
    line: { ...(sourceLine !== undefined && { sourceLine }), ...(sourcePart !== undefined && { sourcePart }) },
  };
}

function labelApplied(
  label: CommandData<typeof inference, "ApplyHumanLabel">,
  { grouping, predicted }: Pick<Inference, "grouping" | "predicted">,
): EventOf<typeof inference> {
  const comparison = predicted === undefined ? {} : { predicted, agreement: agrees(label.label, predicted) };
  return { type: "HumanLabelApplied", data: { ...label, ...comparison, ...grouping } };
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
