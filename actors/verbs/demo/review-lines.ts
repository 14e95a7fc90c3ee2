/**
 * The way of uncertain lines to people: the saga `review-routing` flags them and requests their reviews, weighs the votes
 * and applies the labels. All there is to do is to say which lines are uncertain, and to vote.
 */
import { type CommandReply, Fault } from "retrace";
import { reviewIdOf } from "../../sagas/review-routing/case.ts";
import type { Labeller } from "./ask.ts";
import { type Conversation, inParallel } from "./conversation.ts";
import { eventually, found } from "./eventually.ts";
import type { PredictedLine } from "./predict-lines.ts";

/** What came of the labels. */
export interface Labelled {
  readonly corrected: number;
  /** Of the log: by then all labels were applied. */
  readonly position: number;
}

/** Below it a prediction goes to people. */
export const threshold = 0.7;

const policy = { category: "policy", id: "review-routing" };
const taskKind = "line-label";

type Settings = Readonly<Record<string, unknown>> & {
  readonly routes?: readonly unknown[];
  readonly taskKinds?: object;
};

/** Runs something while a policy sends the uncertain lines of one model to one person, and sets it back afterwards. */
export async function whileRouted<T>(conversation: Conversation, modelId: string, work: () => Promise<T>): Promise<T> {
  const { client } = conversation;
  const state = await found(client.state("policy", policy.id));
  const before = ((state?.state.context as { settings?: Settings })?.settings ?? {}) as Settings;
  const catalog = await client.query<{ sagas: Record<string, { defaults: Settings }> }>("catalog");
  const usual = before.routes ?? catalog.sagas[policy.id]?.defaults.routes ?? [];
  const route = {
    name: modelId,
    rule: { and: [{ model: { in: [modelId] } }, { confidence: { below: threshold } }] },
    taskKind,
    options: ["source", "prose"],
    k: 1,
    maxK: 1,
  };
  const taskKinds = {
    ...before.taskKinds,
    [taskKind]: { consensus: { method: "majority", acceptAt: 0.5, minAlpha: -1 } },
  };
  const settings = { ...before, routes: [route, ...usual], taskKinds };
  await conversation.send(policy, "SetPolicy", {
    settings,
    reason: "the demonstration asks one person about each line",
  });
  try {
    return await work();
  } finally {
    await conversation.send(policy, "SetPolicy", { settings: before, reason: "the demonstration is over" });
  }
}

/** The lines that were sent to people; the least certain first. */
export function uncertain(predicted: readonly PredictedLine[]): PredictedLine[] {
  return predicted.filter(({ confidence }) => confidence < threshold).sort((a, b) => a.confidence - b.confidence);
}

/** Has lines labelled through their reviews, and resolves when every label is where it belongs. */
export async function labelLines(
  conversation: Conversation,
  lines: readonly PredictedLine[],
  labeller: Labeller,
): Promise<Labelled> {
  let corrected = 0;
  for (const [index, predicted] of lines.entries()) {
    const { line, label, confidence } = predicted;
    const review = await reviewOf(conversation, predicted, labeller.actor);
    const question = { text: line.text, predicted: label, confidence, truth: line.label };
    const answer = await labeller.label(question, `${index + 1}/${lines.length}`);
    await conversation.send(review, "ClaimReview", { reviewer: labeller.actor });
    await conversation.send(review, "SubmitLabel", { reviewer: labeller.actor, label: answer });
    if (answer !== label) corrected += 1;
  }
  const ends = await inParallel(lines, (line) => routed(conversation, line));
  return { corrected, position: Math.max(...ends) };
}

/** Nobody is going to be asked about these lines. */
export async function withdraw(conversation: Conversation, lines: readonly PredictedLine[]): Promise<void> {
  await inParallel(lines, async (line): Promise<CommandReply> => {
    const review = await reviewOf(conversation, line, "demo");
    return conversation.send(review, "CancelReview", {
      reason: "the demonstration asks about the least certain lines only",
    });
  });
}

/** An inference that was completed at once has its completion at version 2. */
function reviewId({ id }: PredictedLine): string {
  return reviewIdOf(id, 2);
}

async function reviewOf({ client }: Conversation, line: PredictedLine, actor: string) {
  const id = reviewId(line);
  const otherwise = `no review of ${line.id} was requested; is the saga review-routing there?`;
  await eventually(otherwise, () => found(client.state("review", id)));
  return { category: "review", id, actor };
}

/** The position at which the saga has done all that follows from a vote. */
async function routed({ client }: Conversation, line: PredictedLine): Promise<number> {
  const saga = `review-routing-${reviewId(line)}`;
  return eventually(`${saga} did nothing about the vote`, async () => {
    const last = (await found(client.history("saga", saga)))?.events.at(-1);
    if (last?.type === "SagaStuck") throw new Fault("INTERNAL", `${saga} is stuck: see retrace saga list --stuck`);
    return last?.type === "SagaEnded" ? last.position : undefined;
  });
}
