/**
 * An instance of a saga from its stream: every step taken again, with the inputs, the times and the settings it had.
 * Where the chart at hand does something else than what is recorded, the fold says so and does not guess.
 */
import { isDeepStrictEqual } from "node:util";
import type { ChartState } from "./chart.ts";
import type { RecordedEvent } from "./message.ts";
import type { Saga, StepInfo } from "./saga.ts";
import {
  checkedDelay,
  type Effect,
  isOfSaga,
  type SagaStep,
  sagaAccepts,
  sagaStateAt,
  startSaga,
  stepSaga,
  type TimerEvent,
} from "./saga-chart.ts";
import type { SagaEvents, SagaEventType, StepRecord } from "./saga-events.ts";
import { answeredInput, eventInput, rejectedInput, timerInput } from "./saga-inputs.ts";
import { unpackState } from "./saga-state.ts";

/** Where a fold finds what the stream only names. */
export interface SagaSource {
  /** The event at a position of the log, its data at the latest version. */
  eventAt(position: number): RecordedEvent;
  /** The settings at a version of the saga's policy stream. */
  settingsAt(policyVersion: number): unknown;
}

/** A timer that is set. */
export interface PendingTimer {
  /** Milliseconds since 1970. */
  readonly dueMs: number;
  readonly event: TimerEvent;
}

/** An instance as of the last event folded. */
export interface FoldedInstance {
  readonly state: ChartState;
  /** By id. Empty once the chart has ended. */
  readonly timers: ReadonlyMap<string, PendingTimer>;
  readonly version: number;
}

/** The outcome of a fold. */
export type SagaFold =
  /** Without an instance where the chart could not even be started. */
  | { readonly outcome: "folded"; readonly instance: FoldedInstance | undefined }
  | { readonly outcome: "differs"; readonly version: number; readonly type: string; readonly message: string };

/** Folds the events of one saga stream, all of them given: from its last migration, because what is before was another chart's. */
export function foldSaga(saga: Saga, events: Iterable<RecordedEvent>, source: SagaSource): SagaFold {
  const all = [...events] as SagaStreamEvent[];
  const start = Math.max(
    0,
    all.findLastIndex(({ type }) => type === "SagaMigrated"),
  );
  let instance: FoldedInstance | undefined;
  for (const event of all.slice(start)) {
    const next = foldOrFail(saga, instance, event, source);
    if (typeof next === "string") {
      return { outcome: "differs", version: event.version, type: event.type, message: next };
    }
    instance = next;
  }
  return { outcome: "folded", instance };
}

function foldOrFail(...args: Parameters<typeof foldOne>): ReturnType<typeof foldOne> {
  try {
    return foldOne(...args);
  } catch (error) {
    if (isOfSaga(error)) return error.message;
    throw error;
  }
}

type SagaStreamEvent = { [Type in SagaEventType]: RecordedEvent<Type, SagaEvents[Type]> }[SagaEventType];

function foldOne(
  saga: Saga,
  instance: FoldedInstance | undefined,
  event: SagaStreamEvent,
  source: SagaSource,
): FoldedInstance | undefined | string {
  const { version } = event;
  if (event.type === "SagaMigrated") {
    const { to, contextBytes, timers } = event.data;
    const context = unpackState(Buffer.from(contextBytes, "base64"));
    const state = sagaStateAt(saga, to, context);
    const pending = timers.map(
      ({ id, dueAt, event: raised }) => [id, { dueMs: Date.parse(dueAt), event: raised }] as const,
    );
    return { state, timers: new Map(pending), version };
  }
  if (event.type === "SagaStarted") return started(saga, event, source);
  if (event.type === "SagaStuck" || event.type === "SagaResumed") return instance && { ...instance, version };
  if (event.type === "SagaEnded") return instance && { ...instance, timers: new Map(), version };
  if (instance === undefined) return "nothing has started it";
  return advanced(saga, instance, event, source);
}

function started(
  saga: Saga,
  event: Extract<SagaStreamEvent, { type: "SagaStarted" }>,
  source: SagaSource,
): FoldedInstance | string {
  const { data, occurredAt, version } = event;
  const input = { id: data.instance, ...stepInfo(data, occurredAt, source) };
  return taken(startSaga(saga, input), data, { timers: new Map(), now: occurredAt, version });
}

type AdvancingEvent = Extract<
  SagaStreamEvent,
  { type: "SagaAdvanced" | "SagaTimerFired" | "SagaCommandRejected" | "SagaAnswered" }
>;

function advanced(
  saga: Saga,
  { state, timers }: FoldedInstance,
  event: AdvancingEvent,
  source: SagaSource,
): FoldedInstance | string {
  const { occurredAt: now, version } = event;
  const input = inputOf(event, source);
  if (!sagaAccepts(state, input)) return `the chart does not take it in state ${JSON.stringify(state.value)}`;
  const remaining = new Map(timers);
  if (event.type === "SagaTimerFired") remaining.delete(event.data.timer);
  return taken(stepSaga(saga, state, input), event.data, { timers: remaining, now, version });
}

function inputOf(event: AdvancingEvent, source: SagaSource): { readonly type: string } {
  const info = stepInfo(event.data, event.occurredAt, source);
  if (event.type === "SagaAdvanced") return eventInput(source.eventAt(event.data.consumed.position), info);
  if (event.type === "SagaTimerFired") return timerInput(event.data.event, info);
  if (event.type === "SagaAnswered") {
    const { question, position, rows } = event.data;
    return answeredInput({ question, position, rows }, info);
  }
  const { command, code, reason, message } = event.data;
  return rejectedInput({ command, code, ...(reason !== undefined && { reason }), message }, info);
}

function stepInfo({ policyVersion }: StepRecord, now: string, source: SagaSource): StepInfo {
  return { now, settings: source.settingsAt(policyVersion), policyVersion };
}

interface Before {
  readonly timers: ReadonlyMap<string, PendingTimer>;
  readonly now: string;
  readonly version: number;
}

/** The instance after a step, or how the step differs from its record. */
function taken({ state, effects }: SagaStep, record: StepRecord, before: Before): FoldedInstance | string {
  if (!isDeepStrictEqual(state.value, record.to)) {
    return `it leads to ${JSON.stringify(state.value)}, and led to ${JSON.stringify(record.to)}`;
  }
  const sent = effects.flatMap((effect) => (effect.kind === "send" ? [effect.command] : []));
  const isSame = sent.length === record.commands.length && sent.every((one, i) => names(one) === namesAt(record, i));
  if (!isSame) return `it sends ${list(sent.map(names))}, and sent ${list(record.commands.map(names))}`;
  const timers = timersAfter(before.timers, effects, before.now);
  const set = effects.flatMap((effect) => (effect.kind === "timer" ? [effect.id] : []));
  const hadSet = record.timers.set.map(({ id }) => id);
  if (!isDeepStrictEqual(set, hadSet)) return `it sets the timers ${list(set)}, and set ${list(hadSet)}`;
  const cancelled = effects.flatMap((effect) => (effect.kind === "cancel" ? [effect.id] : []));
  const { cancelled: had } = record.timers;
  if (!isDeepStrictEqual(cancelled, had)) return `it cancels the timers ${list(cancelled)}, and cancelled ${list(had)}`;
  for (const { id, dueAt } of record.timers.set) {
    const timer = timers.get(id);
    if (timer !== undefined) timers.set(id, { ...timer, dueMs: Date.parse(dueAt) });
  }
  return { state, timers: state.status === "active" ? timers : new Map(), version: before.version };
}

interface Addressed {
  readonly category: string;
  readonly id: string;
  readonly type: string;
}

function names({ category, id, type }: Addressed): string {
  return `${type} to ${category}-${id}`;
}

function namesAt({ commands }: StepRecord, i: number): string {
  const command = commands[i];
  return command === undefined ? "" : names(command);
}

function list(texts: readonly string[]): string {
  return texts.length === 0 ? "nothing" : texts.join(", ");
}

/** The timers that are set after a step's effects, in the order of the effects. */
export function timersAfter(
  timers: ReadonlyMap<string, PendingTimer>,
  effects: readonly Effect[],
  now: string,
): Map<string, PendingTimer> {
  const next = new Map(timers);
  for (const effect of effects) {
    if (effect.kind === "cancel") next.delete(effect.id);
    if (effect.kind === "timer") {
      next.set(effect.id, { dueMs: Date.parse(now) + effect.delayMs, event: effect.event });
    }
  }
  return next;
}

interface Target {
  readonly value: unknown;
  readonly context: unknown;
  readonly version: number;
}

/**
 * An instance set into a state of the chart. Timers that the chart still has keep their time; those of its states that
 * were not set begin now.
 * @throws when the chart has no such state.
 */
export function migrated(
  saga: Saga,
  before: ReadonlyMap<string, PendingTimer>,
  { value, context, version }: Target,
  info: StepInfo,
): FoldedInstance {
  const state = sagaStateAt(saga, value, context);
  if (state.status !== "active") return { state, timers: new Map(), version };
  const known = new Set<string>(saga.machine.events);
  const timers = new Map([...before].filter(([, { event }]) => known.has(event.type)));
  const nodes = state._nodes as readonly { readonly after: readonly DelayedTransition[] }[];
  for (const { eventType, delay } of nodes.flatMap(({ after }) => after)) {
    if (timers.has(eventType)) continue;
    const dueMs = Date.parse(info.now) + checkedDelay(eventType, delayMs(saga, state, delay, info));
    timers.set(eventType, { dueMs, event: { type: eventType } });
  }
  for (const id of timers.keys()) {
    const isOfChart = id.startsWith("xstate.after.");
    if (isOfChart && !nodes.some(({ after }) => after.some(({ eventType }) => eventType === id))) timers.delete(id);
  }
  return { state, timers, version };
}

interface DelayedTransition {
  readonly eventType: string;
  /** Milliseconds, or the name of a delay. */
  readonly delay: unknown;
}

function delayMs(saga: Saga, { context }: ChartState, delay: unknown, info: StepInfo): number {
  const named = (saga.machine.implementations.delays as Readonly<Record<string, unknown>>)[String(delay)];
  const found = named ?? delay;
  const event = { type: "xstate.init", ...info };
  return Number(typeof found === "function" ? found({ context, event }) : found);
}
