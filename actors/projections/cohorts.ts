/**
 * How the models do for each segment of users: numerators and denominators, so that segments of different sizes can be
 * compared. The key is the segment.
 */
import { defineProjection, type Rows } from "retrace";
import type { feedback } from "../../schemas/feedback.ts";
import type { inference } from "../../schemas/inference.ts";
import { fieldIn } from "../given-fields.ts";
import { idOf } from "../stream-id.ts";

type Schemas = typeof inference & typeof feedback;

/** What is counted. The inferences are the denominator of what is counted of each at most once. */
interface Counts {
  /** Completed. */
  readonly inferences: number;
  /** Inferences that were flagged, once at least. */
  readonly lowConfidence: number;
  /** Inferences whose output was corrected, once at least, and not taken back. */
  readonly corrected: number;
  /** All corrections. */
  readonly corrections: number;
  /** Human labels that were compared with the prediction, and those that agree with it. */
  readonly compared: number;
  readonly agreed: number;
  /** Signals that say whether the answer was good, and those that say it was not. */
  readonly judged: number;
  readonly negative: number;
}

/** Counts, and what share they are; null where nothing is counted. */
interface Rates {
  readonly lowConfidenceRate: number | null;
  readonly correctionRate: number | null;
  readonly agreementRate: number | null;
  readonly negativeRate: number | null;
}

interface Cohort extends Counts, Rates {
  /** The same by `modelId/version`. */
  readonly models: Readonly<Record<string, Counts>>;
}

/** Whose segment nobody said. */
const unnamed = "(none)";

export default defineProjection<Cohort, Schemas>({
  name: "cohorts",
  version: 1,
  mode: "async",
  description: "Segments: inferences, corrections, low confidence and agreement, with numerators and denominators",
  indexes: ["inferences", "correctionRate", "lowConfidenceRate", "agreementRate", "negativeRate"],
  on: {
    InferenceCompleted: ({ data }, rows) => count(rows, data, { inferences: 1 }),
    ModelPredictionLowConfidenceFlagged: (event, rows) => {
      if (noted(rows, `flagged/${idOf(event)}`, 1) === 1) count(rows, event.data, { lowConfidence: 1 });
    },
    HumanLabelApplied: ({ data }, rows) => {
      if (data.agreement !== undefined) count(rows, data, { compared: 1, agreed: data.agreement ? 1 : 0 });
    },
    InferenceFeedback: ({ data }, rows) => judge(rows, data, data.negative, 1),
    UserRatedOutput: ({ data }, rows) => judge(rows, groupingOf(data), data.negative, 1),
    OutputApproved: ({ data }, rows) => judge(rows, groupingOf(data), false, 1),
    OutputRejected: ({ data }, rows) => judge(rows, groupingOf(data), true, 1),
    CorrectionSubmitted: ({ data, stream }, rows) => {
      correct(rows, { ...groupingOf(data), stream, gold: data.gold }, 1);
    },
    FeedbackRetracted: ({ data: { signal }, stream }, rows) => {
      const grouping = groupingOf(signal.data);
      const { negative, gold } = signal.data as { readonly negative?: boolean; readonly gold?: boolean };
      if (signal.type === "CorrectionSubmitted") correct(rows, { ...grouping, stream, gold }, -1);
      if (signal.type === "UserRatedOutput") judge(rows, grouping, negative, -1);
      if (signal.type === "OutputApproved") judge(rows, grouping, false, -1);
      if (signal.type === "OutputRejected") judge(rows, grouping, true, -1);
    },
  },
});

/** By what is counted. */
interface Grouping {
  readonly userSegment?: string | undefined;
  readonly modelId?: string | undefined;
  readonly modelVersion?: string | undefined;
}

interface Signal {
  readonly userSegment?: string | undefined;
  readonly context?:
    | { readonly requestId?: string; readonly modelId?: string; readonly modelVersion?: string }
    | undefined;
}

/** Signals name the model, and the inference, in their context. */
function groupingOf(data: object): Grouping & { readonly requestId?: string | undefined } {
  const { userSegment, context = {} } = data as Signal;
  const { requestId, modelId, modelVersion } = context;
  return { userSegment, requestId, modelId, modelVersion };
}

/** What a correction says besides. */
interface Corrected {
  readonly requestId?: string | undefined;
  readonly stream: string;
  /** The true answer of a data set: nobody corrected anything. */
  readonly gold?: boolean | undefined;
}

/** A correction counts for its inference; where it names none, the thread it stands in is about one. */
function correct(rows: Rows<Cohort>, { requestId, stream, gold, ...grouping }: Grouping & Corrected, by: 1 | -1): void {
  if (gold === true) return;
  const left = noted(rows, `corrected/${requestId ?? stream}`, by);
  const isFirstOrLast = left === (by === 1 ? 1 : 0);
  count(rows, grouping, { corrections: by, corrected: isFirstOrLast ? by : 0 });
}

function judge(rows: Rows<Cohort>, grouping: Grouping, isNegative: boolean | undefined, by: 1 | -1): void {
  if (isNegative !== undefined) count(rows, grouping, { judged: by, negative: isNegative ? by : 0 });
}

/** How many there are now. */
function noted({ notes }: Rows<Cohort>, key: string, by: 1 | -1): number {
  const now = Number(notes.get(key) ?? 0) + by;
  if (now === 0) notes.delete(key);
  else notes.put(key, now);
  return now;
}

const nothing: Counts = {
  inferences: 0,
  lowConfidence: 0,
  corrected: 0,
  corrections: 0,
  compared: 0,
  agreed: 0,
  judged: 0,
  negative: 0,
};

function count(rows: Rows<Cohort>, { userSegment, modelId, modelVersion }: Grouping, changes: Partial<Counts>): void {
  const key = userSegment ?? unnamed;
  const row = rows.get(key);
  const models = row?.models ?? {};
  const model = modelId === undefined ? undefined : `${modelId}/${modelVersion ?? unnamed}`;
  const after = added(row ?? nothing, changes);
  rows.put(key, {
    ...after,
    ...ratesOf(after),
    models: model === undefined ? models : { ...models, [model]: added(fieldIn(models, model) ?? nothing, changes) },
  });
}

function added(before: Counts, changes: Partial<Counts>): Counts {
  const sums = Object.keys(nothing).map((name) => {
    return [name, before[name as keyof Counts] + (changes[name as keyof Counts] ?? 0)];
  });
  return Object.fromEntries(sums) as unknown as Counts;
}

function ratesOf({ inferences, lowConfidence, corrected, compared, agreed, judged, negative }: Counts): Rates {
  return {
    lowConfidenceRate: share(lowConfidence, inferences),
    correctionRate: share(corrected, inferences),
    agreementRate: share(agreed, compared),
    negativeRate: share(negative, judged),
  };
}

function share(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}
