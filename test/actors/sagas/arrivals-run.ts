/**
 * Real arrivals replayed through `review-routing` on a clock of their own: requests, claims and votes come when they came,
 * whatever the saga makes of them; leases end, reviews become due and are escalated in between.
 */
import { Fault } from "../../../src/core/fault.ts";
import { openSagas, type SagaSetting, type SagaSettings, testClock } from "../../sagas/setting.ts";
import type { Arrival, Rating } from "./arrivals-data.ts";
import { accepted, actors } from "./crowd-run.ts";

const minuteMs = 60 * 1_000;
const dayMs = 24 * 60 * minuteMs;

/** The rules of the queue. */
export interface QueueRules {
  readonly leaseMinutes: number;
  /** From the request until a review is due, and from each of its two levels until the next. */
  readonly dueDays: number;
}

/** What most people take for a segment, and a wait that most segments keep within. */
export const usualRules: QueueRules = { leaseMinutes: 10, dueDays: 10 };

/** A setting whose log holds all that has happened, and what came too late for it. */
export interface Replay {
  readonly sagas: SagaSetting;
  /** Votes and claims that were refused, by code or reason. */
  readonly refused: Readonly<Record<string, number>>;
}

interface Moment {
  readonly ms: number;
  readonly happen: () => Promise<void>;
}

/** Replays until nothing is left that could happen. `onDay` is told of each day. */
export async function replay(
  arrivals: readonly Arrival[],
  { leaseMinutes, dueDays }: QueueRules,
  { onDay = () => {}, ...given }: SagaSettings & { readonly onDay?: (day: string) => void } = {},
): Promise<Replay> {
  const startMs = Math.min(...arrivals.map(({ requestedMs }) => requestedMs)) - minuteMs;
  const sagas = await openSagas(actors, { clock: testClock(startMs), ...given });
  await prepare(sagas, arrivals, dueDays);
  const desk = new Desk(sagas, leaseMinutes * minuteMs);
  const moments = arrivals.flatMap((arrival) => momentsOf(arrival, { sagas, desk, dueDays }));
  let day = "";
  for (const { ms, happen } of moments.sort((a, b) => a.ms - b.ms)) {
    await sagas.pass(ms - Date.parse(sagas.clock.now()));
    await happen();
    const today = sagas.clock.now().slice(0, 10);
    if (today !== day) onDay(today);
    day = today;
  }
  await sagas.settle();
  while (sagas.reactor.nextDueMs() !== undefined) await sagas.pass(dayMs);
  return { sagas, refused: Object.fromEntries(desk.refused) };
}

async function prepare(sagas: SagaSetting, arrivals: readonly Arrival[], dueDays: number): Promise<void> {
  const levels = [10, 100].map((priority) => ({ dueInMs: dueDays * dayMs, priority }));
  const taskKinds = { honeypot: { consensus: { method: "majority", acceptAt: 0.5 } } };
  const settings = { conduct: ["*"], levels, taskKinds };
  await accepted(sagas, "policy", "review-routing", "SetPolicy", { settings });
  const names = new Set(arrivals.flatMap(({ ratings }) => ratings.map(({ reviewer }) => reviewer)));
  for (const name of [...names].sort()) await accepted(sagas, "reviewer", name, "RegisterReviewer", {});
}

interface Scene {
  readonly sagas: SagaSetting;
  readonly desk: Desk;
  readonly dueDays: number;
}

function momentsOf({ id, taskKind, options, gold, requestedMs, ratings }: Arrival, scene: Scene): Moment[] {
  const { sagas, desk, dueDays } = scene;
  const dueAt = new Date(requestedMs + dueDays * dayMs).toISOString();
  const data = { taskKind, options, ...(gold !== undefined && { gold }), k: ratings.length, dueAt };
  return [
    { ms: requestedMs, happen: () => accepted(sagas, "review", id, "RequestReview", data) },
    ...ratings.flatMap((rating) => [
      ...rating.begunMs.map((ms) => ({ ms, happen: () => desk.claim(id, rating) })),
      { ms: rating.votedMs, happen: () => desk.vote(id, rating) },
    ]),
  ];
}

/** Where reviewers work: they claim what they begin with, and again what they come back to when the lease has ended. */
class Desk {
  readonly refused = new Map<string, number>();
  readonly #sagas: SagaSetting;
  readonly #leaseMs: number;
  /** By review and reviewer. */
  readonly #leasedUntilMs = new Map<string, number>();

  constructor(sagas: SagaSetting, leaseMs: number) {
    this.#sagas = sagas;
    this.#leaseMs = leaseMs;
  }

  async claim(id: string, { reviewer }: Rating): Promise<void> {
    const nowMs = Date.parse(this.#sagas.clock.now());
    const key = `${id} ${reviewer}`;
    if ((this.#leasedUntilMs.get(key) ?? 0) > nowMs) return;
    const isClaimed = await this.#send(id, "ClaimReview", { reviewer, leaseMs: this.#leaseMs });
    if (isClaimed) this.#leasedUntilMs.set(key, nowMs + this.#leaseMs);
  }

  async vote(id: string, rating: Rating): Promise<void> {
    await this.claim(id, rating);
    const { reviewer, label, effortMs } = rating;
    await this.#send(id, "SubmitLabel", { reviewer, label, effortMs });
  }

  async #send(id: string, type: string, data: object): Promise<boolean> {
    const outcome = await this.#sagas.send("review", id, type, data);
    if (!(outcome instanceof Fault)) return true;
    const why = `${type} ${outcome.details.reason ?? outcome.code}`;
    this.refused.set(why, (this.refused.get(why) ?? 0) + 1);
    return false;
  }
}
