/** How a queue of reviews went, from its log alone: how long work waited, who did it, and what was late. */
import type { EventStore, RecordedEvent } from "retrace";

const minuteMs = 60 * 1_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** Of durations: how many, and what half, nine of ten and 99 of 100 of them do not exceed. */
export interface Quantiles {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

/** How long reviews wait for reviewers. */
export interface Waiting {
  /** From the request until somebody takes a place, in minutes. */
  readonly firstPlaceMinutes: Quantiles;
  /** The same for all k places, each when it is first taken, in hours. */
  readonly placeHours: Quantiles;
}

/** What one reviewer did. */
export interface Workload {
  readonly votes: number;
  readonly effortHours: number;
  /** Leases held at the same time, over all reviews. */
  readonly mostLeases: number;
  readonly expiredLeases: number;
}

/** Of all reviews of a kind of task. */
export interface QueueFigures {
  readonly reviews: number;
  readonly events: number;
  /** Reviews by their end. */
  readonly ended: Readonly<Record<string, number>>;
  readonly waiting: Waiting;
  /** From the request until the votes are counted, in hours. */
  readonly turnaroundHours: Quantiles;
  readonly expiredLeases: number;
  /** Reviews that were not closed when they were due. */
  readonly overdue: number;
  readonly escalations: number;
  /** Each day until nothing was open: how what was requested on it waited, and what was open when it was over. */
  readonly days: Readonly<
    Record<string, { readonly requested: number; readonly waiting: Waiting; readonly open: number }>
  >;
  readonly reviewers: Readonly<Record<string, Workload>>;
}

/** A review as it went. Times are milliseconds since 1970. */
export interface ReviewCourse {
  readonly id: string;
  readonly taskKind: string;
  readonly requestedMs: number;
  readonly k: number;
  /** In order. */
  readonly events: readonly RecordedEvent[];
}

/** The reviews in the order of their requests. */
export function coursesIn(store: EventStore, taskKind?: string): ReviewCourse[] {
  const requests = store.readAll({ types: ["HumanReviewRequested"] });
  const courses = Array.from(requests, ({ stream, occurredAt, data }): ReviewCourse => {
    const { k, taskKind: kind = "" } = data as { readonly k: number; readonly taskKind?: string };
    const events = [...store.readStream(stream)];
    return { id: stream.slice("review-".length), taskKind: kind, requestedMs: Date.parse(occurredAt), k, events };
  });
  return courses.filter((course) => taskKind === undefined || course.taskKind === taskKind);
}

/** The figures of one kind of task. */
export function queueFigures(store: EventStore, taskKind: string): QueueFigures {
  const courses = coursesIn(store, taskKind);
  const events = courses.flatMap((course) => course.events);
  const closedMs = courses.flatMap((course) => hours(closedAt(course), course.requestedMs));
  return {
    reviews: courses.length,
    events: store.position(),
    ended: tally(courses.map(endOf)),
    waiting: waitingOf(courses),
    turnaroundHours: quantiles(closedMs),
    expiredLeases: ofType(events, "ReviewClaimExpired").length,
    overdue: courses.filter(isOverdue).length,
    escalations: ofType(events, "ReviewEscalated").length,
    days: days(courses),
    reviewers: workloads(events),
  };
}

/** By reviewer: of the reviews with a known answer, how many they got right. */
export function honeypots(store: EventStore): Record<string, { agreed: number; of: number }> {
  const found = new Map<string, { agreed: number; of: number }>();
  for (const { events } of coursesIn(store)) {
    const { gold } = events[0]?.data as { readonly gold?: string };
    for (const { data } of gold === undefined ? [] : ofType(events, "HumanLabelSubmitted")) {
      const { reviewer, label } = data as { readonly reviewer: string; readonly label: string };
      const { agreed, of } = found.get(reviewer) ?? { agreed: 0, of: 0 };
      found.set(reviewer, { agreed: agreed + (label === gold ? 1 : 0), of: of + 1 });
    }
  }
  return Object.fromEntries(found);
}

function waitingOf(courses: readonly ReviewCourse[]): Waiting {
  const each = courses.map(waitsMs);
  return {
    firstPlaceMinutes: quantiles(each.flatMap((waits) => waits.slice(0, 1)).map((ms) => ms / minuteMs)),
    placeHours: quantiles(each.flat().map((ms) => ms / hourMs)),
  };
}

/** Milliseconds until each place was taken: the first claims of the first k reviewers who got one. */
export function waitsMs({ events, requestedMs, k }: ReviewCourse): number[] {
  const first = new Map<string, number>();
  for (const { data, occurredAt } of ofType(events, "ReviewClaimed")) {
    const { reviewer } = data as { readonly reviewer: string };
    if (!first.has(reviewer)) first.set(reviewer, Date.parse(occurredAt) - requestedMs);
  }
  return [...first.values()].slice(0, k);
}

/** How a review ended; `open` when it has not. */
export function endOf({ events }: ReviewCourse): string {
  const types = new Set(events.map(({ type }) => type));
  const isDisputed = types.has("ReviewDisputed");
  if (types.has("ReviewCancelled")) return isDisputed ? "disputed, settled by nobody" : "without enough votes";
  if (types.has("ReviewConsensusReached")) return "consensus";
  return types.has("ReviewAdjudicated") ? "adjudicated" : "open";
}

function closedAt({ events }: ReviewCourse): number | undefined {
  const closed = events.find(({ type }) => type === "ReviewConsensusReached" || type === "ReviewDisputed");
  return closed === undefined ? undefined : Date.parse(closed.occurredAt);
}

function isOverdue(course: ReviewCourse): boolean {
  const { dueAt } = course.events[0]?.data as { readonly dueAt?: string };
  return dueAt !== undefined && (closedAt(course) ?? Number.POSITIVE_INFINITY) > Date.parse(dueAt);
}

function hours(ms: number | undefined, sinceMs: number): number[] {
  return ms === undefined ? [] : [(ms - sinceMs) / hourMs];
}

function days(courses: readonly ReviewCourse[]): QueueFigures["days"] {
  const firstMs = Date.parse(dayOf(Math.min(...courses.map(({ requestedMs }) => requestedMs))));
  const lastMs = Math.max(...courses.map(endMs).filter(Number.isFinite), firstMs);
  const count = Math.floor((lastMs - firstMs) / dayMs) + 1;
  const figures = Array.from({ length: count }, (_, i) => {
    const [fromMs, toMs] = [firstMs + i * dayMs, firstMs + (i + 1) * dayMs];
    const ofDay = courses.filter(({ requestedMs }) => requestedMs >= fromMs && requestedMs < toMs);
    const open = courses.filter((course) => course.requestedMs < toMs && endMs(course) >= toMs).length;
    return [dayOf(fromMs), { requested: ofDay.length, waiting: waitingOf(ofDay), open }] as const;
  });
  return Object.fromEntries(figures);
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** When the votes were counted, or nobody waited for them any more. */
function endMs(course: ReviewCourse): number {
  const cancelled = ofType(course.events, "ReviewCancelled")[0];
  return closedAt(course) ?? (cancelled === undefined ? Number.POSITIVE_INFINITY : Date.parse(cancelled.occurredAt));
}

function workloads(events: readonly RecordedEvent[]): QueueFigures["reviewers"] {
  const ofReviewers = new Map<string, RecordedEvent[]>();
  for (const event of [...events].sort((a, b) => a.position - b.position)) {
    const { reviewer } = event.data as { readonly reviewer?: string };
    if (reviewer !== undefined) ofReviewers.set(reviewer, [...(ofReviewers.get(reviewer) ?? []), event]);
  }
  const names = [...ofReviewers.keys()].sort();
  return Object.fromEntries(names.map((name) => [name, workload(ofReviewers.get(name) ?? [])]));
}

function workload(events: readonly RecordedEvent[]): Workload {
  const votes = ofType(events, "HumanLabelSubmitted");
  const effortMs = votes.reduce((sum, { data }) => sum + ((data as { readonly effortMs?: number }).effortMs ?? 0), 0);
  const held = new Set<string>();
  let mostLeases = 0;
  for (const { type, stream } of events) {
    if (type === "ReviewClaimed") held.add(stream);
    if (type === "HumanLabelSubmitted" || type === "ReviewClaimExpired" || type === "ReviewReleased")
      held.delete(stream);
    mostLeases = Math.max(mostLeases, held.size);
  }
  const expiredLeases = ofType(events, "ReviewClaimExpired").length;
  return { votes: votes.length, effortHours: rounded(effortMs / hourMs), mostLeases, expiredLeases };
}

function ofType(events: readonly RecordedEvent[], wanted: string): RecordedEvent[] {
  return events.filter(({ type }) => type === wanted);
}

function quantiles(values: readonly number[]): Quantiles {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => rounded(sorted[Math.ceil(share * sorted.length) - 1] ?? 0);
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}

function tally(values: readonly string[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const value of [...values].sort()) counts.set(value, (counts.get(value) ?? 0) + 1);
  return Object.fromEntries(counts);
}
