/** The transitions that a sample can be drawn from: of each only what drawing needs, so that millions fit in memory. */
import type { RecordedEvent } from "retrace";
import type { RewardRule, SampleSpec } from "../../schemas/sample-spec.ts";
import { canonicalJson } from "../canonical-json.ts";
import { isSelected, valueAt } from "../datasets/conditions.ts";
import { originOf } from "../datasets/interaction.ts";
import { latestData } from "../datasets/latest-data.ts";
import { idOf } from "../stream-id.ts";

/** A transition, in a few words. */
export interface Candidate {
  /** Of the event that it is of. */
  readonly position: number;
  readonly eventId: string;
  readonly reward: number;
  readonly priority?: number;
  /** The value of the field by which the sample is stratified, as JSON; empty where there is none. */
  readonly stratum?: string;
  /** Of derived ones. */
  readonly inference?: { readonly id: string; readonly next?: string };
}

/** What there is to draw from. */
export interface Candidates {
  /** In the order of the log. */
  readonly all: readonly Candidate[];
  /** How many events were meant and did not count, by the reason. */
  readonly leftOut: Readonly<Record<string, number>>;
}

/** Takes events in the order of the log. */
export interface CandidateReader {
  take(event: RecordedEvent): void;
  candidates(): Candidates;
}

/** The types of the events that the reader wants. */
export function candidateTypes({ transitions, rewards = {} }: SampleSpec): string[] {
  return transitions === "recorded" ? ["TransitionRecorded"] : ["InferenceCompleted", ...Object.keys(rewards)];
}

/** Begins with none. `retracted` are the signals taken back up to the position. */
export function beginCandidates(spec: SampleSpec, retracted: ReadonlySet<string>): CandidateReader {
  return spec.transitions === "recorded" ? recordedOnes(spec, retracted) : derivedOnes(spec, retracted);
}

function recordedOnes(spec: SampleSpec, retracted: ReadonlySet<string>): CandidateReader {
  const all: Candidate[] = [];
  const leftOut = new Tally();
  return {
    take: (event) => {
      if (event.type !== "TransitionRecorded" || !isSelected(event, spec)) return;
      if (retracted.has(event.id)) {
        leftOut.add("retracted");
        return;
      }
      const { reward, priority } = event.data as { readonly reward: number; readonly priority?: number };
      const { position, id: eventId } = event;
      all.push({ position, eventId, reward, ...(priority !== undefined && { priority }), ...stratumOf(event, spec) });
    },
    candidates: () => ({ all, leftOut: leftOut.counts() }),
  };
}

interface Completed extends Omit<Candidate, "reward" | "inference"> {
  readonly id: string;
  readonly isMeant: boolean;
  next?: string;
}

function derivedOnes(spec: SampleSpec, retracted: ReadonlySet<string>): CandidateReader {
  const { rewards = {}, defaultReward = 0 } = spec;
  const completed: Completed[] = [];
  const lastOfSession = new Map<string, Completed>();
  const earned = new Map<string, number>();
  const leftOut = new Tally();
  const complete = (event: RecordedEvent): void => {
    const { sessionId } = event.data as { readonly sessionId?: string };
    if (sessionId === undefined) {
      leftOut.add("no-session");
      return;
    }
    const { position, id: eventId } = event;
    const one: Completed = {
      position,
      eventId,
      id: idOf(event),
      isMeant: isSelected(event, spec),
      ...stratumOf(event, spec),
    };
    const before = lastOfSession.get(sessionId);
    if (before !== undefined) before.next = one.id;
    lastOfSession.set(sessionId, one);
    completed.push(one);
  };
  const reward = (event: RecordedEvent, rule: RewardRule): void => {
    const { requestId } = originOf(event);
    const worth = worthOf(event, rule);
    const reason = retracted.has(event.id) ? "retracted" : requestId === undefined ? "no-request" : "no-value";
    if (reason === "retracted" || requestId === undefined || worth === undefined) {
      leftOut.add(reason);
      return;
    }
    earned.set(requestId, (earned.get(requestId) ?? 0) + worth);
  };
  return {
    take: (event) => {
      if (event.type === "InferenceCompleted") return complete(event);
      const rule = Object.hasOwn(rewards, event.type) ? rewards[event.type as keyof typeof rewards] : undefined;
      if (rule !== undefined) reward(event, rule);
    },
    candidates: () => ({
      all: completed
        .filter(({ isMeant }) => isMeant)
        .map(({ id, next, isMeant: _, ...rest }) => {
          const inference = { id, ...(next !== undefined && { next }) };
          return { ...rest, reward: earned.get(id) ?? defaultReward, inference };
        }),
      leftOut: leftOut.counts(),
    }),
  };
}

function worthOf(event: RecordedEvent, rule: RewardRule): number | undefined {
  if (typeof rule === "number") return rule;
  const value = valueAt(latestData(event), rule.field);
  return typeof value === "number" ? value * rule.times + rule.plus : undefined;
}

function stratumOf(event: RecordedEvent, { strategy }: SampleSpec): Pick<Candidate, "stratum"> {
  return strategy.kind === "stratified" ? { stratum: canonicalJson(valueAt(event, strategy.by)) ?? "" } : {};
}

/** Counts by reason. */
class Tally {
  readonly #counts = new Map<string, number>();

  add(reason: string): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
  }

  /** In the order of the reasons. */
  counts(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}
