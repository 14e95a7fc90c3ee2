/** Would an instance of a saga that is under way still go where it went? Its stream is folded under the chart at hand. */
import type { RecordedEvent } from "../../core/message.ts";
import { sagaCategory } from "../../core/saga-events.ts";
import { foldSaga, type SagaSource } from "../../core/saga-history.ts";
import { issuesOf } from "../../core/schema.ts";
import { streamName } from "../../core/stream.ts";
import type { CheckStep, LogToCheck, StreamChecker } from "../check-log.ts";
import type { LoadedActors } from "../loader.ts";
import type { LoadedSaga } from "./loaded-saga.ts";
import { latestWith } from "./prepare.ts";

/** Checks saga streams. What has ended is history: no chart goes on with it. */
export function sagaChecker({ sagas, aggregates }: LoadedActors): StreamChecker {
  const latest = latestWith(aggregates);
  return async (log, first) => {
    const events = await streamOf(log, first);
    const sound: CheckStep = { ...first, events: events.length, verdict: "sound" };
    if (events.at(-1)?.type === "SagaEnded") return sound;
    const loaded = [...sagas.values()].find(({ saga }) => first.stream.startsWith(`saga-${saga.name}-`));
    if (loaded === undefined) {
      return broken(first, events, { reason: "UNKNOWN_CATEGORY", message: "there is no saga of this name" });
    }
    const source = await sourceOf(log, loaded, events, latest).catch((error: unknown) => (error as Error).message);
    if (typeof source === "string") return broken(first, events, { reason: "SAGA_DIFFERS", message: source });
    const folded = foldSaga(loaded.saga, events, source);
    if (folded.outcome === "folded" || loaded.saga.migrate !== undefined) return sound;
    const { version, message } = folded;
    const advice = "give the saga a higher version and a migrate function, or let the old code end what is under way";
    return broken(first, events, { reason: "SAGA_DIFFERS", message: `${message}; ${advice}`, version });
  };
}

async function streamOf(log: LogToCheck, first: Parameters<StreamChecker>[1]): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for (let from: number | null = 1; from !== null; ) {
    const slice: Awaited<ReturnType<LogToCheck["history"]>> = await log.history(first, from);
    events.push(...slice.events);
    from = slice.next;
  }
  return events;
}

/** All that the stream names, read beforehand: a fold does not wait. */
async function sourceOf(
  log: LogToCheck,
  { saga }: LoadedSaga,
  events: readonly RecordedEvent[],
  latest: (event: RecordedEvent) => RecordedEvent,
): Promise<SagaSource> {
  const consumed = new Map<number, RecordedEvent>();
  const settings = new Map<number, unknown>();
  for (const { data } of events) {
    const named = data as { readonly consumed?: { readonly position: number }; readonly policyVersion?: number };
    const { position } = named.consumed ?? {};
    if (position !== undefined && !consumed.has(position)) {
      consumed.set(position, latest(await log.eventAt(position)));
    }
    const { policyVersion: version } = named;
    if (version === undefined || settings.has(version)) continue;
    const parsed = saga.settings.safeParse(await settingsAt(log, saga.name, version));
    const issues = parsed.success ? [] : issuesOf(parsed.error);
    if (issues.length > 0) {
      throw new Error(
        `version ${version} of its policy does not fit its settings: ${issues[0]?.path} ${issues[0]?.message}`,
      );
    }
    settings.set(version, parsed.data);
  }
  return {
    eventAt: (position) => consumed.get(position) as RecordedEvent,
    settingsAt: (version) => settings.get(version),
  };
}

async function settingsAt(log: LogToCheck, name: string, version: number): Promise<unknown> {
  if (version === 0) return {};
  const stream = { category: "policy", stream: streamName("policy", name) };
  for (const { data } of (await log.history(stream, version)).events) {
    return (data as { readonly settings?: unknown }).settings ?? {};
  }
  throw new Error(`${stream.stream} has no version ${version}`);
}

interface Found {
  readonly reason: "UNKNOWN_CATEGORY" | "SAGA_DIFFERS";
  readonly message: string;
  /** Of the stream; its last event where nothing is said. */
  readonly version?: number;
}

function broken(first: Parameters<StreamChecker>[1], events: readonly RecordedEvent[], found: Found): CheckStep {
  const { reason, message, version = events.length } = found;
  const event = events[version - 1] as RecordedEvent;
  const state = (event.data as { readonly from?: unknown }).from ?? null;
  const { type, schemaVersion, position } = event;
  const { stream } = first;
  const where = { stream, category: sagaCategory, version, position, state, type, schemaVersion };
  return {
    ...{ stream, category: sagaCategory, events: events.length, verdict: "broken" },
    broken: { ...where, reason, message, details: {} },
  };
}
