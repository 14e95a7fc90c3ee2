/** From an inference to a review: whether one is wanted, and what it asks. */
import type { EventData } from "retrace";
import type { inference } from "../../../schemas/inference.ts";
import { type Evaluation, evaluate, thresholdIn } from "../../rules/evaluate.ts";
import { factsOf } from "../../rules/facts.ts";
import { fractionOf } from "../../rules/sampling.ts";
import { consensusFor, type Route, type Settings } from "./settings.ts";

type Completed = EventData<typeof inference, "InferenceCompleted">;

/** A route whose rule has matched, with what its terms saw. */
export interface Matched extends Evaluation {
  readonly route: Route;
}

/** The first route that wants this inference reviewed. */
export function routeFor(settings: Settings, id: string, completed: Completed): Matched | undefined {
  const facts = factsOf(id, completed);
  for (const route of settings.routes) {
    const evaluation = evaluate(route.rule, facts);
    if (evaluation.matched) return { route, ...evaluation };
  }
  return undefined;
}

/** What the flag says: the rule, what it saw, and the threshold that was crossed where it was one. */
export function flagData({ route, evaluated }: Matched, reviewId: string) {
  const threshold = thresholdIn(evaluated);
  return {
    reviewId,
    rule: { name: route.name, ...route.rule },
    evaluated,
    ...(threshold !== undefined && { threshold }),
  };
}

/** What a flag says of the review that it wants. */
export interface Flag {
  readonly inferenceId: string;
  readonly rule?: unknown;
  /** By label, where the inference has them so. */
  readonly labels: readonly string[];
  readonly now: string;
}

/** The body of RequestReview for a flagged inference. A flag that no route raised goes the way of the first route. */
export function requestData(settings: Settings, { inferenceId, rule, labels, now }: Flag) {
  const name = (rule as { readonly name?: unknown } | undefined)?.name;
  const route = settings.routes.find((one) => one.name === name) ?? settings.routes[0];
  const kind = route?.taskKind ?? "prediction-label";
  const consensus = consensusFor(settings, kind);
  const k = route?.k ?? consensus.k;
  const dueInMs = route?.dueInMs ?? dayMs;
  return {
    subject: { category: "inference", id: inferenceId },
    taskKind: kind,
    ...(route?.question !== undefined && { question: route.question }),
    options: [...(route?.options ?? labels)],
    k,
    maxK: Math.max(k, route?.maxK ?? consensus.maxK),
    priority: route?.priority ?? 0,
    requiredSkills: [...(route?.requiredSkills ?? [])],
    dueAt: new Date(Date.parse(now) + dueInMs).toISOString(),
    reason: name === undefined ? "flagged by a client" : `flagged by the rule ${String(name)}`,
  };
}

const dayMs = 24 * 60 * 60 * 1_000;
const maxOptions = 1_000;

/** The labels of scores by label; none where the scores are a list, or there are too many to choose from. */
export function labelsOf(scores: unknown): string[] {
  if (typeof scores !== "object" || scores === null || Array.isArray(scores)) return [];
  const labels = Object.keys(scores).filter((label) => label.length > 0 && label.length <= 256);
  return labels.length > maxOptions ? [] : labels;
}

/** A question whose answer is known, for a share of the reviews: the same ones every time. */
export function goldFor({ gold }: Settings, reviewId: string) {
  const { share, questions } = gold;
  if (fractionOf(reviewId, "gold") >= share) return undefined;
  return questions[Math.floor(fractionOf(reviewId, "gold question") * questions.length)];
}
