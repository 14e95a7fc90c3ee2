/** Evaluates a rule over the inferences of the log, beside the flags that were really raised. */
import type { Client, EventData, RecordedEvent } from "retrace";
import type { inference } from "../../../schemas/inference.ts";
import type { Rule } from "../../../schemas/rule.ts";
import { evaluate, missingIn } from "../../rules/evaluate.ts";
import { factsOf } from "../../rules/facts.ts";
import { readLog } from "../dataset/log-reader.ts";
import type { Case } from "./comparison.ts";

/** Which inferences: those that were completed in this time. */
export interface Window {
  /** Inclusive. */
  readonly since?: string;
  /** Exclusive. */
  readonly until?: string;
  readonly by: "recorded" | "occurred";
  /** Nothing behind this position counts. */
  readonly toPosition: number;
}

/** What to evaluate, where; `onPosition` is told how far it has come. */
export interface ShadowEvaluation {
  readonly rule: Rule;
  readonly window: Window;
  readonly onPosition: (position: number) => void;
}

/** The cases of the window, in the order in which they were recorded. */
export async function* evaluateCases(
  client: Client,
  { rule, window, onPosition }: ShadowEvaluation,
): AsyncGenerator<Case> {
  const flagged = await flaggedIn(client, window);
  const requests = new Requests(client, JSON.stringify(rule).includes('"inputFeatures'));
  const types = requests.areNeeded ? ["InferenceRequested", "InferenceCompleted"] : ["InferenceCompleted"];
  const { toPosition, ...filter } = window;
  for await (const event of readLog(client, { ...filter, types }, toPosition)) {
    onPosition(event.position);
    if (event.type === "InferenceRequested") {
      requests.remember(event);
      continue;
    }
    const id = idOf(event);
    const completed = event.data as EventData<typeof inference, "InferenceCompleted">;
    const { matched, evaluated } = evaluate(rule, factsOf(id, completed, await requests.take(event)));
    const { userSegment = null, modelId = null, modelVersion = null } = completed;
    const day = (window.by === "recorded" ? event.recordedAt : event.occurredAt).slice(0, 10);
    const isFlagged = flagged.has(event.stream);
    yield {
      ...{ id, userSegment, modelId, modelVersion, day, isFlagged },
      isMatched: matched,
      missing: missingIn(evaluated),
    };
  }
}

/** The streams with a flag. One that was completed just before the end is flagged behind it. */
async function flaggedIn(client: Client, window: Window): Promise<Set<string>> {
  const { toPosition, until: _, ...filter } = window;
  const flagged = new Set<string>();
  const types = ["ModelPredictionLowConfidenceFlagged"];
  for await (const event of readLog(client, { ...filter, types }, toPosition)) {
    flagged.add(event.stream);
  }
  return flagged;
}

type Requested = EventData<typeof inference, "InferenceRequested">;

/** How many requests without a completion are kept at hand. */
const maxOpenRequests = 100_000;

/** What inferences were asked with, for rules that look at it. */
class Requests {
  readonly areNeeded: boolean;
  readonly #client: Client;
  readonly #open = new Map<string, Requested>();

  constructor(client: Client, areNeeded: boolean) {
    this.#client = client;
    this.areNeeded = areNeeded;
  }

  remember({ stream, data }: RecordedEvent): void {
    this.#open.set(stream, data as Requested);
    if (this.#open.size <= maxOpenRequests) return;
    for (const oldest of this.#open.keys()) {
      this.#open.delete(oldest);
      return;
    }
  }

  /** The request of a completed inference; from its stream where it lies before the window. */
  async take(completed: RecordedEvent): Promise<Requested | undefined> {
    if (!this.areNeeded) return undefined;
    const { stream } = completed;
    const known = this.#open.get(stream);
    this.#open.delete(stream);
    if (known !== undefined) return known;
    for (let fromVersion: number | null = 1; fromVersion !== null && fromVersion < completed.version; ) {
      const page = await this.#client.history("inference", idOf(completed), { fromVersion });
      const found = page.events.find(({ type }) => type === "InferenceRequested");
      if (found !== undefined) return found.data as Requested;
      fromVersion = page.next;
    }
    return undefined;
  }
}

function idOf({ stream }: RecordedEvent): string {
  return stream.slice("inference-".length);
}
