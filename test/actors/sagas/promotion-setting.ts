/** Promotions over a store with a clock of their own: what people and programs do, as one call each. */
import type { EventStore, Projection } from "retrace";
import { expect } from "vitest";
import model from "../../../actors/aggregates/model.ts";
import policy from "../../../actors/aggregates/policy.ts";
import review from "../../../actors/aggregates/review.ts";
import trainingRun from "../../../actors/aggregates/training-run.ts";
import modelPromotion from "../../../actors/sagas/model-promotion.ts";
import { openSagas, type SagaSetting, type SagaSettings } from "../../sagas/setting.ts";

/** What a completed run says. */
export interface Completion {
  readonly modelArtifact?: Readonly<Record<string, unknown>>;
  readonly finalMetrics?: Readonly<Record<string, number | string>>;
  readonly userId?: string;
}

/** Promotions of the model `m`. */
export interface PromotionSetting extends SagaSetting {
  /** Sends a command that must be accepted, and lets the saga react. */
  act(category: string, id: string, type: string, data?: unknown): Promise<void>;
  /** Starts and completes a run; its artifact is one of the model `m` unless told otherwise. */
  complete(run: string, completion?: Completion): Promise<void>;
  /** One vote, and the review is closed, as review-routing closes it. */
  vote(run: string, label: string, reviewer?: string): Promise<void>;
  /** What a stream holds, each event as its type with the fields asked for. */
  types(stream: string): string[];
  /** The data of the last event of a type. */
  last(stream: string, type: string): Record<string, unknown>;
  /** Of a promotion that has ended: in which state, and what it says. */
  end(run: string): { readonly state: string; readonly output: Record<string, unknown> };
  /** Of a promotion under way. */
  state(run: string): unknown;
}

export async function openPromotions(
  settings: Readonly<Record<string, unknown>> = {},
  given: SagaSettings & { readonly projections?: readonly Projection[] } = {},
): Promise<PromotionSetting> {
  const { projections = [], ...others } = given;
  const sagas = await openSagas([model, policy, review, trainingRun, modelPromotion, ...projections], others);
  const act: PromotionSetting["act"] = async (category, id, type, data = {}) => {
    const outcome = await sagas.send(category, id, type, data);
    expect(outcome, `${type} to ${category}-${id}`).not.toBeInstanceOf(Error);
    await sagas.settle();
  };
  if (Object.keys(settings).length > 0) await act("policy", "model-promotion", "SetPolicy", { settings });
  const events = (stream: string) => [...sagas.store.readStream(stream)];
  return {
    ...sagas,
    act,
    complete: async (run, { modelArtifact = { id: "m" }, finalMetrics = { accuracy: 0.9 }, userId = "ada" } = {}) => {
      await act("training-run", run, "StartTraining", { userId });
      await act("training-run", run, "CompleteTraining", { modelArtifact, finalMetrics });
    },
    vote: async (run, label, reviewer = "bob") => {
      const id = `promotion~${run}`;
      await act("review", id, "ClaimReview", { reviewer });
      await act("review", id, "SubmitLabel", { reviewer, label });
      await act("review", id, "CloseReview");
    },
    types: (stream) => events(stream).map(({ type }) => type),
    last: (stream, type) => {
      const event = events(stream).findLast((candidate) => candidate.type === type);
      return (event?.data ?? expect.fail(`${stream} has no ${type}`)) as Record<string, unknown>;
    },
    end: (run) => {
      const last = events(`saga-model-promotion-${run}`).at(-1);
      expect(last?.type).toBe("SagaEnded");
      return last?.data as ReturnType<PromotionSetting["end"]>;
    },
    state: (run) => stateOf(sagas.store, run),
  };
}

function stateOf(store: EventStore, run: string): unknown {
  const row = store.get("sagas", ["model-promotion", run]) as { value: unknown; stuck?: unknown } | undefined;
  expect(row?.stuck).toBeUndefined();
  return row?.value;
}
