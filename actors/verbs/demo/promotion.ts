/**
 * The way of a version past people: the sagas `model-promotion` and `review-routing` do it all, so there is nothing to send
 * but the vote. What the former did is read from its own history.
 */
import type { RecordedEvent } from "retrace";
import { promotionOf, reviewIdOf } from "../../sagas/model-promotion/promotion.ts";
import type { Verdict } from "./ask.ts";
import type { Conversation } from "./conversation.ts";
import { eventually, found } from "./eventually.ts";
import type { TrainedVersion } from "./train.ts";

/** What came of a version. */
export interface Promotion {
  readonly version: string;
  /** The review's id. */
  readonly review: string;
  readonly verdict: Verdict;
  /** Each step of the saga as a line: what happened, where it led, what was done about it. */
  readonly steps: readonly string[];
}

/** Who answers the review. */
export interface Approver {
  readonly actor: string;
  readonly verdict: () => Promise<Verdict>;
}

/** Has the version's review answered, and resolves when the version serves or is rejected. */
export async function promoted(
  conversation: Conversation,
  { run, version }: TrainedVersion,
  { actor, verdict }: Approver,
): Promise<Promotion> {
  const review = { category: "review", id: reviewIdOf(run), actor };
  await eventually(`no review of ${run} was requested; is the saga model-promotion switched off there?`, () =>
    found(conversation.client.state("review", review.id)),
  );
  const label = await verdict();
  await conversation.send(review, "ClaimReview", { reviewer: actor });
  await conversation.send(review, "SubmitLabel", { reviewer: actor, label });
  const saga = `model-promotion-${promotionOf(run)}`;
  const history = await eventually(`${saga} did nothing about the vote`, async () => {
    const events = (await found(conversation.client.history("saga", saga)))?.events ?? [];
    return events.some(isSettled) ? events : undefined;
  });
  return { version, review: review.id, verdict: label, steps: history.flatMap(stepOf) };
}

/** What the events of a saga's steps say. */
interface StepData {
  readonly to?: unknown;
  readonly consumed?: { readonly type: string };
  readonly commands?: readonly { readonly type: string }[];
  readonly command?: { readonly type: string };
  readonly code?: string;
}

/** The version serves under its alias, or the promotion has come to its end. */
function isSettled({ type, data }: RecordedEvent): boolean {
  return type === "SagaEnded" || (data as StepData).consumed?.type === "AliasMoved";
}

function stepOf({ type, data }: RecordedEvent): string[] {
  const { to, consumed, commands = [], command, code } = data as StepData;
  const cause = type === "SagaCommandRejected" ? `${command?.type} was refused, ${code}` : consumed?.type;
  if (cause === undefined) return [];
  const state = typeof to === "string" ? to : Object.keys(to ?? {}).join();
  const sent = commands.map((one) => one.type).join(", ");
  return [`${cause} -> ${state}${sent === "" ? "" : `: ${sent}`}`];
}
