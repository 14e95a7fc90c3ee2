/**
 * Subscribing: a handler for the events of the log, of some categories and types, that goes on under a name where it was.
 *
 * At least once, in order within a stream. One process is active for each name; others with the same name stand by. What a
 * handler cannot do becomes a dead letter. SUBSCRIBERS.md says all of it, and how programs without this library do it.
 */
import type { NatsConnection } from "@nats-io/nats-core";
import type { Domain } from "../core/domain.ts";
import { Fault } from "../core/fault.ts";
import type { RecordedEvent } from "../core/message.ts";
import type { EventData } from "../core/schema.ts";
import { isCategory } from "../core/stream.ts";
import { DeadLetters, isSubscriptionName } from "./dead-letters.ts";
import type { EventsReply } from "./replies.ts";
import { eventSubject } from "./subjects.ts";
import type { AfterPark } from "./subscription-parked.ts";
import { type Found, Place, type Standing } from "./subscription-place.ts";
import { type EventSubscription, SubscriptionRun } from "./subscription-run.ts";
import type { EventHandler, SubscriptionNotice } from "./subscription-work.ts";

/** The event types of some categories. */
export type EventTypeOf<D extends Domain, Category extends keyof D> = {
  [C in Category]: keyof D[C]["events"] & string;
}[Category];

/**
 * An event as a handler gets it. `data` is typed as of the latest schema version, but comes as it was stored: where a type
 * has had other versions, look at `schemaVersion` first.
 */
export type SubscribedEvent<D extends Domain, Category extends keyof D, Type extends string> = {
  [C in Category & string]: {
    [T in keyof D[C]["events"] & Type]: RecordedEvent<T, EventData<D[C], T>> & { readonly category: C };
  }[keyof D[C]["events"] & Type];
}[Category & string];

/** What to subscribe to, and how. */
export interface SubscribeOptions<Category extends string = string, Type extends string = string> {
  /** Under which the position is kept: 1 to 64 of `A-Z a-z 0-9 _ -`. Also the name of the durable consumer. */
  readonly name: string;
  /** Only events of these; default: all. */
  readonly categories?: readonly Category[];
  /** Only these; default: all. */
  readonly types?: readonly Type[];
  /**
   * Where a new name begins: at the first event, behind the last, at a position (that event is the first), or at a time, a
   * Date or ISO 8601 (the first event recorded then or later). A known name goes on where it was. Default: "start".
   */
  readonly from?: "start" | "now" | number | Date | string;
  /** Handlers that run at a time, each for another stream. Default: 16; 1 handles one event after another. */
  readonly maxInFlight?: number;
  /** Deliveries after which an event becomes a dead letter. Default: 5. */
  readonly maxDeliver?: number;
  /** Before the second, third, ... delivery, in milliseconds; the last holds for all others. Default: 1, 2, 4, 8 s. */
  readonly backoffMs?: readonly number[];
  /** Whether the later events of a stream go on, or wait until its dead letter is retried or dropped. Default: "continue". */
  readonly afterPark?: AfterPark;
  /** Takes other categories or types than the name had so far: for the events to come, not for those behind it. */
  readonly canChangeFilters?: boolean;
  /** How long after the last sign of life another process takes over. Default: 5,000; at least 100. */
  readonly leaseMs?: number;
  /** Told what happens beside the handling: failures, dead letters, waiting. Default: dead letters are process warnings. */
  readonly onNotice?: (notice: SubscriptionNotice) => void;
}

/** What a subscription needs of its client. */
export interface SubscriberContext {
  readonly nats: NatsConnection;
  readonly prefix: string;
  readonly query: <Reply>(name: string, body?: unknown) => Promise<Reply>;
}

type Settings = Required<SubscribeOptions>;

const defaults: Omit<Settings, "name" | "onNotice"> = {
  categories: [],
  types: [],
  from: "start",
  maxInFlight: 16,
  maxDeliver: 5,
  backoffMs: [1_000, 2_000, 4_000, 8_000],
  afterPark: "continue",
  canChangeFilters: false,
  leaseMs: 5_000,
};

/** Without a listener, a dead letter is a warning of the process: nothing is lost silently. */
function warnOfDeadLetters(name: string): Settings["onNotice"] {
  return (notice) => {
    if (notice.kind !== "parked") return;
    const { position, deliveries, error } = notice;
    const why = error instanceof Error ? error.message : String(error);
    process.emitWarning(
      `subscription ${name}: event ${position} became a dead letter after ${deliveries} deliveries (${why}); see \`retrace dead list\``,
      "RetraceWarning",
    );
  };
}

/**
 * Subscribes. Resolves once the name has a position, which is written down by then, and this process works or stands by.
 * @throws Fault INVALID_QUERY for options that cannot be, and for other filters than the name had; BUS_UNAVAILABLE.
 */
export async function subscribe(
  context: SubscriberContext,
  given: SubscribeOptions,
  handler: EventHandler,
): Promise<EventSubscription> {
  const options: Settings = { ...defaults, onNotice: warnOfDeadLetters(given.name), ...withoutUndefined(given) };
  check(options);
  const { nats, prefix, query } = context;
  const { name, leaseMs, canChangeFilters } = options;
  const filters = filterSubjects(prefix, options);
  const place = new Place({ nats, prefix, name, leaseMs });
  const accepted = ({ upTo, open, store, filters: before }: Found): Standing => {
    if (!canChangeFilters) refuseOtherFilters(name, before, filters);
    return { upTo, open, filters, ...(store === undefined ? {} : { store }) };
  };
  const first = await firstStanding(place, accepted, async () => ({
    upTo: await startPosition(query, options.from),
    open: {},
    filters,
  }));
  const run = new SubscriptionRun(
    {
      ...options,
      ...{ nats, prefix, place, handler, notice: safely(options.onNotice) },
      letters: new DeadLetters(nats, prefix),
      standing: accepted,
      logPosition: () => logPosition(query),
    },
    first,
  );
  await run.settled;
  return run;
}

/** What a listener throws is thrown, but not into the work that told it something. */
function safely(listener: Settings["onNotice"]): Settings["onNotice"] {
  return (notice) => {
    try {
      listener(notice);
    } catch (error) {
      process.nextTick(() => {
        throw error;
      });
    }
  };
}

/** Where the name stands, or, for a new name, where it is to begin. */
async function firstStanding(
  place: Place,
  accepted: (found: Found) => Standing,
  begin: () => Promise<Standing>,
): Promise<Standing> {
  try {
    const found = await place.find();
    if (found !== undefined) return accepted(found);
    const standing = await begin();
    if (await place.make(standing)) return standing;
    const made = await place.find();
    return made === undefined ? standing : accepted(made);
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault("BUS_UNAVAILABLE", `JetStream does not answer: ${(error as Error).message}`, {}, error);
  }
}

function withoutUndefined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}

/** An option that cannot be. */
export function invalidOption(path: string, message: string): Fault {
  return new Fault("INVALID_QUERY", `${path}: ${message}`, { issues: [{ path, message }] });
}

function check(options: Settings): void {
  const { name, categories, types, from, maxInFlight, maxDeliver, backoffMs, afterPark, leaseMs } = options;
  const demand = (isRight: boolean, path: string, message: string): void => {
    if (!isRight) throw invalidOption(path, message);
  };
  const isCount = (value: number, max: number) => Number.isInteger(value) && value >= 1 && value <= max;
  demand(isSubscriptionName(name), "name", "1 to 64 of A-Z a-z 0-9 _ -");
  demand(categories.every(isCategory), "categories", "each is kebab-case, like training-run");
  demand(types.every(isEventType), "types", "each is the name of an event, like TrainingStarted");
  demand(typeof from !== "number" || isCount(from, Number.MAX_SAFE_INTEGER), "from", "a position is an integer from 1");
  demand(isCount(maxInFlight, 1_000), "maxInFlight", "an integer from 1 to 1,000");
  demand(isCount(maxDeliver, 1_000_000), "maxDeliver", "an integer from 1 to 1,000,000");
  demand(backoffMs.length > 0 && backoffMs.every((ms) => ms >= 0 && ms <= maxTimerMs), "backoffMs", "a list of waits");
  demand(afterPark === "continue" || afterPark === "wait", "afterPark", '"continue" or "wait"');
  demand(leaseMs >= 100 && leaseMs <= 3_600_000, "leaseMs", "milliseconds from 100 to 3,600,000");
}

/** What Node's timers can wait. */
const maxTimerMs = 2 ** 31 - 1;

/** Whether a type can be one of an event. */
export function isEventType(text: string): boolean {
  return /^[A-Za-z][A-Za-z0-9_-]*$/.test(text);
}

/** One subject for each pair of category and type; none covers another. */
function filterSubjects(prefix: string, { categories, types }: Pick<Settings, "categories" | "types">): string[] {
  const orAll = (names: readonly string[]) => (names.length === 0 ? ["*"] : names);
  const subjects = orAll(categories).flatMap((category) =>
    orAll(types).map((type) => eventSubject(prefix, category, "*", type)),
  );
  return [...new Set(subjects)].sort();
}

function refuseOtherFilters(name: string, before: readonly string[], now: readonly string[]): void {
  if (before.join() === now.join()) return;
  throw invalidOption(
    "name",
    `subscription ${name} has so far been for ${before.join(", ")}, and now asks for ${now.join(", ")}: use another name, ` +
      "or set canChangeFilters to go on from its position with the new ones",
  );
}

/** The position behind which to begin. The runtime is asked: the broker's stream may be a moment behind the log. */
async function startPosition(query: SubscriberContext["query"], from: number | string | Date): Promise<number> {
  if (from === "start") return 0;
  const end = await logPosition(query);
  if (from === "now") return end;
  if (typeof from === "number") {
    if (from <= end + 1) return from - 1;
    throw invalidOption("from", `position ${from} is beyond the log, which ends at ${end}`);
  }
  const since = from instanceof Date ? isoOf(from, "from") : from;
  if (Date.parse(since) > Date.now()) throw invalidOption("from", `${since} has not come yet`);
  const { events } = await query<EventsReply>("events", { since, limit: 1 });
  const [first] = events;
  return first === undefined ? end : first.position - 1;
}

/** A date of an option, as ISO 8601. @throws Fault INVALID_QUERY for one that is none. */
export function isoOf(date: Date, path: string): string {
  if (Number.isNaN(date.getTime())) throw invalidOption(path, "not a date");
  return date.toISOString();
}

async function logPosition(query: SubscriberContext["query"]): Promise<number> {
  return (await query<{ readonly position: number }>("health")).position;
}
