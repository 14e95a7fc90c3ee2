/**
 * How useful each chunk is for answers: how often it was retrieved, with what score, and what people said of the answers
 * that used it. The key is `documentId/chunkId`.
 */
import { defineProjection, digest, type EventData, type Rows } from "retrace";
import type { feedback } from "../../schemas/feedback.ts";
import type { inference } from "../../schemas/inference.ts";
import { given } from "../given-fields.ts";
import { idOf } from "../stream-id.ts";

type Schemas = typeof inference & typeof feedback;
type Retrieved = EventData<typeof inference, "ContextRetrieved">["chunks"][number];

/** Sums beside their numbers, so that any mean can be made of them. */
interface Usefulness {
  readonly documentId: string;
  /** Without one, the whole document was retrieved. */
  readonly chunkId?: string;
  readonly retrieved: number;
  readonly scored: number;
  readonly scoreSum: number;
  readonly meanScore: number | null;
  /** On answers that used it. */
  readonly feedback: Feedback & { readonly meanRating: number | null };
  readonly lastRetrievedAt: string;
}

/** Ratings on the scale from 0 to 1, corrections, and what was good or bad. */
interface Feedback {
  readonly signals: number;
  readonly negative: number;
  readonly positive: number;
  readonly corrections: number;
  readonly rated: number;
  readonly ratingSum: number;
}

/** What is remembered of an inference: either may come first, what was retrieved for it or what was said of it. */
interface Answer {
  /** The rows of the chunks it used, each once. */
  readonly used: readonly string[];
  readonly feedback: Feedback;
}

export default defineProjection<Usefulness, Schemas>({
  name: "retrieval-stats",
  version: 1,
  mode: "async",
  description: "Chunks: times retrieved, mean score, feedback on the answers that used them",
  indexes: ["documentId", "retrieved", "meanScore", "feedback.meanRating"],
  on: {
    ContextRetrieved: (event, rows) => {
      const { used, feedback } = answerOf(rows, idOf(event));
      const all = new Set(used);
      for (const chunk of event.data.chunks) {
        const key = keyOf(chunk);
        const row = retrieved(rows.get(key), chunk, event.occurredAt);
        rows.put(key, all.has(key) ? row : { ...row, feedback: sum(row.feedback, feedback) });
        all.add(key);
      }
      rows.notes.put(idOf(event), { used: [...all], feedback });
    },
    InferenceFeedback: (event, rows) => signal(rows, idOf(event), opinionIn(event.type, event.data), 1),
    UserRatedOutput: (event, rows) => signal(rows, requestOf(event.data), opinionIn(event.type, event.data), 1),
    CorrectionSubmitted: (event, rows) => signal(rows, requestOf(event.data), opinionIn(event.type, event.data), 1),
    OutputApproved: (event, rows) => signal(rows, requestOf(event.data), opinionIn(event.type, event.data), 1),
    OutputRejected: (event, rows) => signal(rows, requestOf(event.data), opinionIn(event.type, event.data), 1),
    FeedbackRetracted: (event, rows) => {
      const { type, data } = event.data.signal;
      signal(rows, requestOf(data), opinionIn(type, data), -1);
    },
  },
});

const maxKeyLength = 512;

/** A chunk's id has no slash in a key, so that the last slash parts the two. */
function keyOf({ documentId, chunkId }: Retrieved): string {
  const key = chunkId === undefined ? documentId : `${documentId}/${chunkId.replaceAll("/", "%2F")}`;
  return key.length <= maxKeyLength ? key : `${key.slice(0, 480)}~${digest(key)}`;
}

const none: Feedback = { signals: 0, negative: 0, positive: 0, corrections: 0, rated: 0, ratingSum: 0 };

function answerOf({ notes }: Rows<Usefulness>, requestId: string): Answer {
  return (notes.get(requestId) as Answer | undefined) ?? { used: [], feedback: none };
}

function retrieved(row: Usefulness | undefined, { documentId, chunkId, score }: Retrieved, at: string): Usefulness {
  const before = row ?? {
    retrieved: 0,
    scored: 0,
    scoreSum: 0,
    feedback: { ...none, meanRating: null },
    lastRetrievedAt: "",
  };
  const scored = before.scored + (score === undefined ? 0 : 1);
  const scoreSum = before.scoreSum + (score ?? 0);
  return {
    documentId,
    ...given({ chunkId }),
    retrieved: before.retrieved + 1,
    scored,
    scoreSum,
    meanScore: mean(scoreSum, scored),
    feedback: before.feedback,
    lastRetrievedAt: at > before.lastRetrievedAt ? at : before.lastRetrievedAt,
  };
}

/** What a signal says of an answer. */
interface Opinion {
  readonly isNegative?: boolean;
  readonly isCorrection?: boolean;
  /** On the scale from 0 to 1. */
  readonly rating?: number;
}

interface Said {
  readonly negative?: boolean;
  readonly gold?: boolean;
  readonly rating?: number;
  readonly value?: unknown;
  readonly scale?: { readonly min: number; readonly max: number };
}

/** Undefined for signals that say nothing about the answer as a whole. */
function opinionIn(type: string, data: object): Opinion | undefined {
  const said = data as Said;
  // The true answer of a data set is nobody's opinion.
  if (type === "CorrectionSubmitted") return said.gold === true ? undefined : { isCorrection: true };
  if (type === "OutputApproved") return { isNegative: false };
  if (type === "OutputRejected") return { isNegative: true };
  if (type === "UserRatedOutput") return { ...given({ isNegative: said.negative }), ...ratingIn(said, said.rating) };
  return type === "InferenceFeedback"
    ? { ...given({ isNegative: said.negative }), ...ratingIn(said, said.value) }
    : undefined;
}

function ratingIn({ scale }: Said, rating: unknown): Pick<Opinion, "rating"> {
  if (scale === undefined || typeof rating !== "number") return {};
  return { rating: (rating - scale.min) / (scale.max - scale.min) };
}

/** The request is the inference. */
function requestOf(data: object): string | undefined {
  return (data as { readonly context?: { readonly requestId?: string } }).context?.requestId;
}

/** Counts a signal for every chunk that the answer used; retracted, it counts no more. */
function signal(rows: Rows<Usefulness>, requestId: string | undefined, opinion: Opinion | undefined, by: 1 | -1): void {
  if (requestId === undefined || opinion === undefined) return;
  const said = feedbackOf(opinion, by);
  const { used, feedback } = answerOf(rows, requestId);
  rows.notes.put(requestId, { used, feedback: sum(feedback, said) });
  for (const key of used) {
    const row = rows.get(key);
    if (row !== undefined) rows.put(key, { ...row, feedback: sum(row.feedback, said) });
  }
}

function feedbackOf({ isNegative, isCorrection, rating }: Opinion, by: 1 | -1): Feedback {
  return {
    signals: by,
    negative: isNegative === true ? by : 0,
    positive: isNegative === false ? by : 0,
    corrections: isCorrection === true ? by : 0,
    rated: rating === undefined ? 0 : by,
    ratingSum: by * (rating ?? 0),
  };
}

function sum(a: Feedback, b: Feedback): Usefulness["feedback"] {
  const rated = a.rated + b.rated;
  // What is taken back leaves no rounding behind.
  const ratingSum = rated === 0 ? 0 : a.ratingSum + b.ratingSum;
  return {
    signals: a.signals + b.signals,
    negative: a.negative + b.negative,
    positive: a.positive + b.positive,
    corrections: a.corrections + b.corrections,
    rated,
    ratingSum,
    meanRating: mean(ratingSum, rated),
  };
}

function mean(sum: number, count: number): number | null {
  return count === 0 ? null : sum / count;
}
