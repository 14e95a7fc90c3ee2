/**
 * What a reviewer is shown of a review: the question and what it is about. Never the gold label, and what others said
 * only when no votes are taken any more, so that everybody judges for themselves.
 */
import { type Client, type EventData, Fault } from "retrace";
import type { inference } from "../../../schemas/inference.ts";
import type { review } from "../../../schemas/review.ts";

type Requested = EventData<typeof review, "HumanReviewRequested">;

/** What is known of the inference that is reviewed. */
export type Subject = Partial<
  Pick<EventData<typeof inference, "InferenceRequested">, "inputFeatures" | "promptRef"> &
    Pick<EventData<typeof inference, "InferenceCompleted">, "output" | "modelId" | "modelVersion">
>;

/** For people and programs. */
export interface Sheet
  extends Pick<Requested, "subject" | "taskKind" | "question" | "options" | "rubric" | "requiredSkills" | "reason"> {
  readonly id: string;
  /** As in the review's chart. */
  readonly status: string;
  readonly k: number;
  /** How many are cast. */
  readonly votes: number;
  readonly level: number;
  readonly dueAt?: string;
  readonly leases: readonly { readonly reviewer: string; readonly leaseUntil: string }[];
  readonly inference?: Subject;
  /** Once the votes are counted: what each said. */
  readonly ballots?: readonly { readonly reviewer: string; readonly label: string }[];
  /** The result, where there is one. */
  readonly label?: string;
}

/** What the state of a review says, as far as it is shown. */
interface Context {
  readonly k: number;
  readonly level: number;
  readonly dueAt?: string;
  readonly leaseUntil: Readonly<Record<string, string>>;
  readonly votes: readonly { readonly reviewer: string; readonly label: string }[];
  readonly result: { readonly label?: string };
}

/** Where the votes are counted, in dispute or not. */
const counted: ReadonlySet<string> = new Set(["disputed", "consensus", "adjudicated", "closed"]);

/** @throws Fault NOT_FOUND when there is no such review. */
export async function readSheet(client: Client, id: string): Promise<Sheet> {
  const [{ state }, { events }] = await Promise.all([
    client.state("review", id),
    client.history("review", id, { limit: 1 }),
  ]);
  const requested = events[0]?.data as Requested;
  const { subject, taskKind, question, options, rubric, requiredSkills, reason } = requested;
  const { k, level, dueAt, leaseUntil, votes, result } = state.context as unknown as Context;
  const status = String(state.value);
  const inference = await readSubject(client, subject);
  return {
    ...{ id, status, k, votes: votes.length, level },
    ...(taskKind !== undefined && { taskKind }),
    ...(subject !== undefined && { subject }),
    ...(question !== undefined && { question }),
    ...(options !== undefined && { options }),
    ...(rubric !== undefined && { rubric }),
    ...(requiredSkills !== undefined && { requiredSkills }),
    ...(reason !== undefined && { reason }),
    ...(dueAt !== undefined && { dueAt }),
    leases: Object.entries(leaseUntil).map(([reviewer, until]) => ({ reviewer, leaseUntil: until })),
    ...(inference !== undefined && { inference }),
    ...(counted.has(status) && { ballots: votes }),
    ...(result.label !== undefined && { label: result.label }),
  };
}

/** Undefined where the subject is no inference, or one that is not in this log. */
async function readSubject(client: Client, subject: Requested["subject"]): Promise<Subject | undefined> {
  if (subject?.category !== "inference") return undefined;
  let known: Subject | undefined;
  try {
    for (let fromVersion: number | null = 1; fromVersion !== null; ) {
      const page = await client.history("inference", subject.id, { fromVersion });
      for (const { type, data } of page.events) {
        if (type === "InferenceRequested") known = { ...known, ...asked(data as Subject) };
        if (type === "InferenceCompleted") return { ...known, ...answered(data as Subject) };
      }
      fromVersion = page.next;
    }
  } catch (error) {
    if (!(error instanceof Fault) || (error.code !== "NOT_FOUND" && error.code !== "INVALID_QUERY")) throw error;
  }
  return known;
}

function asked({ inputFeatures, promptRef }: Subject): Subject {
  return { ...(inputFeatures !== undefined && { inputFeatures }), ...(promptRef !== undefined && { promptRef }) };
}

function answered({ output, modelId, modelVersion }: Subject): Subject {
  return {
    ...(output !== undefined && { output }),
    ...(modelId !== undefined && { modelId }),
    ...(modelVersion !== undefined && { modelVersion }),
  };
}
