/** What the saga keeps of one review: what it is about, who has to do with it, and where it stands. */
import type { SagaEventOf, SagaReplies, StepInfo } from "retrace";
import type { inference } from "../../../schemas/inference.ts";
import type { review } from "../../../schemas/review.ts";
import type { Step } from "../../consensus/next-step.ts";
import type { Parameters } from "../../consensus/parameters.ts";
import type { ItemVote } from "../../consensus/posterior.ts";
import { instanceId } from "../../instance-id.ts";
import type { Settings } from "./settings.ts";

/** What reviewers have to do with a review, as far as it keeps them from being asked. */
type Involvement = "assigned" | "leased" | "skipped" | "voted" | "excluded";

/** One review, from the inference that it is about where there is one. */
export interface Case {
  /** Of the review, and of the saga's instance. */
  readonly id: string;
  readonly subject?: { readonly category: string; readonly id: string };
  readonly taskKind?: string;
  readonly options: readonly string[];
  readonly requiredSkills: readonly string[];
  readonly dueAt?: string;
  readonly k: number;
  readonly maxK: number;
  readonly votes: readonly ItemVote[];
  readonly involved: Readonly<Record<string, Involvement>>;
  /** 0 until it is escalated. */
  readonly level: number;
  readonly judgement?: Judgement;
  /** What people said in the end. */
  readonly label?: string;
}

/** What is to be done next, and all that it was decided by. */
export interface Judgement {
  readonly step: Step;
  readonly parameters: Parameters;
  /** Of the log: what was known of the voters then. */
  readonly estimatedAt: number;
}

/** What reaches the chart. */
export type RoutingEvent =
  | SagaEventOf<
      typeof inference,
      "InferenceCompleted" | "ModelPredictionLowConfidenceFlagged" | "HumanLabelApplied",
      Settings
    >
  | SagaEventOf<typeof review, keyof (typeof review)["events"] & string, Settings>
  | SagaReplies<Settings>
  | Timer;

/** The saga's own timers. */
export type Timer = StepInfo<Settings> &
  ({ readonly type: "ReviewDue" } | { readonly type: "LeaseEnded"; readonly reviewer: string });

/** Before anything is known of it. */
export function newCase(id: string): Case {
  return { id, options: [], requiredSkills: [], k: 1, maxK: 1, votes: [], involved: {}, level: 0 };
}

/** The review of one event of an inference. */
export function reviewIdOf(inferenceId: string, version: number): string {
  return instanceId(inferenceId, version);
}

type ReviewEvent<Type extends keyof (typeof review)["events"] & string> = SagaEventOf<typeof review, Type, Settings>;

/** The case once its review is there. */
export function requestedCase(before: Case, { data }: ReviewEvent<"HumanReviewRequested">): Case {
  const { subject, taskKind, options = [], requiredSkills = [], excludedReviewers = [], dueAt, k, maxK } = data;
  return {
    ...before,
    ...(subject !== undefined && { subject: { category: subject.category, id: subject.id } }),
    ...(taskKind !== undefined && { taskKind }),
    ...(dueAt !== undefined && { dueAt }),
    options,
    requiredSkills,
    k,
    maxK,
    involved: Object.fromEntries(excludedReviewers.map((name) => [name, "excluded"])),
  };
}

/** The case after something a reviewer did or was asked to do. */
export function involve(before: Case, reviewer: string, how: Involvement | undefined): Case {
  const { [reviewer]: _, ...others } = before.involved;
  return { ...before, involved: how === undefined ? others : { ...others, [reviewer]: how } };
}

/** The case after a vote. */
export function voted(before: Case, { data: { reviewer, label } }: ReviewEvent<"HumanLabelSubmitted">): Case {
  const votes = [...before.votes, { voter: reviewer, label }];
  return { ...involve(before, reviewer, "voted"), votes };
}

/** How many more reviewers are wanted than have voted, hold a lease or have been asked. */
export function wanted({ k, involved }: Case): number {
  const taken = Object.values(involved).filter((how) => how === "assigned" || how === "leased" || how === "voted");
  return Math.max(0, k - taken.length);
}
