/** How the core drives a saga's chart: a step is a pure function from state and input to the next state and its effects. */
import type { AnyActorScope } from "xstate";
import { type ChartState, inertScope } from "./chart.ts";
import { Fault } from "./fault.ts";
import { askType, type Question, type Saga, type SagaCommand, type SagaInput, sendType } from "./saga.ts";

/** What a step wants done, in the order of the chart's actions. */
export type Effect =
  | { readonly kind: "send"; readonly command: SagaCommand }
  | { readonly kind: "ask"; readonly question: Question }
  | { readonly kind: "timer"; readonly id: string; readonly delayMs: number; readonly event: TimerEvent }
  | { readonly kind: "cancel"; readonly id: string };

/** What a timer feeds to the chart when it fires. */
export interface TimerEvent {
  readonly type: string;
}

/** The outcome of one step. */
export interface SagaStep {
  readonly state: ChartState;
  readonly effects: readonly Effect[];
}

/** A saga that cannot go on: `reason` is a stable code, `message` a sentence for whoever has to help. */
export class SagaFault extends Error {
  override readonly name = "SagaFault";
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** Whether an error says something about a saga, or about what it asked for, and not about the machinery. */
export function isOfSaga(error: unknown): error is SagaFault | Fault {
  return error instanceof SagaFault || (error instanceof Fault && !error.isRetryable);
}

/** The first step of an instance: into its initial state. @throws SagaFault when the chart fails. */
export function startSaga(saga: Saga, input: SagaInput): SagaStep {
  return stepWith((scope) => saga.machine.getInitialSnapshot(scope, input));
}

/** A step on one input that the chart accepts. @throws SagaFault when the chart fails. */
export function stepSaga(saga: Saga, state: ChartState, event: { readonly type: string }): SagaStep {
  return stepWith((scope) => saga.machine.transition(state, event, scope));
}

/** Whether the chart accepts the input now. @throws SagaFault when a guard fails. */
export function sagaAccepts(state: ChartState, event: { readonly type: string }): boolean {
  try {
    return state.status === "active" && state.can(event);
  } catch (error) {
    throw chartFailed(error);
  }
}

/** A state of the chart by its value. @throws SagaFault when the chart has no such state. */
export function sagaStateAt({ machine }: Saga, value: unknown, context: unknown): ChartState {
  try {
    return machine.resolveState({ value: value as never, context: context as never });
  } catch (error) {
    throw new SagaFault(
      "NO_SUCH_STATE",
      `the chart has no state ${JSON.stringify(value)}: ${(error as Error).message}`,
    );
  }
}

function stepWith(take: (scope: AnyActorScope) => ChartState): SagaStep {
  const actions: Executed[] = [];
  const scope = { ...inertScope, actionExecutor: (action: Executed) => actions.push(action) };
  let state: ChartState;
  try {
    state = take(scope as unknown as AnyActorScope);
  } catch (error) {
    throw chartFailed(error);
  }
  // A context factory that throws is not thrown on by XState.
  if (state.status === "error") throw chartFailed(state.error);
  return { state, effects: actions.flatMap((action) => effectOf(action) ?? []) };
}

function chartFailed(error: unknown): SagaFault {
  const message = error instanceof Error ? error.message : String(error);
  return new SagaFault("CHART_FAILED", `the chart failed: ${message}`);
}

/** An action as XState hands it to who would execute it. */
interface Executed {
  readonly type: string;
  readonly params: unknown;
}

function effectOf({ type, params }: Executed): Effect | undefined {
  if (type === sendType) return { kind: "send", command: params as SagaCommand };
  if (type === askType) return { kind: "ask", question: params as Question };
  if (type === "xstate.cancel") return { kind: "cancel", id: (params as { readonly sendId: string }).sendId };
  if (type === "xstate.raise") return timer(params as Raised);
  throw new SagaFault("UNKNOWN_EFFECT", `the chart wants the action ${type}; a saga has send, ask, raise and cancel`);
}

interface Raised {
  readonly event: TimerEvent;
  readonly id?: string;
  readonly delay?: number;
}

/** A raise without a delay has happened within the step. */
function timer({ event, id, delay }: Raised): Effect | undefined {
  if (delay === undefined) return undefined;
  if (id === undefined) throw new SagaFault("TIMER_WITHOUT_ID", `a delayed raise of ${event.type} has no id`);
  if (id.length > maxTimerId) {
    throw new SagaFault("TIMER_ID_TOO_LONG", `the id of a delayed raise of ${event.type} is longer than ${maxTimerId}`);
  }
  if (!isPlain(event)) {
    throw new SagaFault("TIMER_NOT_PLAIN", `what ${event.type} carries is not plain data, as JSON has it`);
  }
  return { kind: "timer", id, delayMs: checkedDelay(id, delay), event };
}

/** Whether a record of it gives it back the same. What is undefined counts as left out. */
function isPlain(value: unknown): boolean {
  if (value === null || ["undefined", "string", "boolean"].includes(typeof value)) return true;
  if (typeof value !== "object") return Number.isFinite(value);
  if (Array.isArray(value)) return value.every(isPlain);
  const isRecord = [Object.prototype, null].includes(Object.getPrototypeOf(value));
  return isRecord && Object.values(value).every(isPlain);
}

/** It is part of a key of the store, with the saga's name and the instance's id. */
const maxTimerId = 500;
/** A thousand years: what is due then is still a date. */
const maxDelayMs = 1_000 * 366 * 24 * 60 * 60 * 1_000;

/** A delay in whole milliseconds. @throws SagaFault when it is none. */
export function checkedDelay(id: string, delayMs: number): number {
  if (delayMs >= 0 && delayMs <= maxDelayMs) return Math.round(delayMs);
  throw new SagaFault(
    "DELAY_NOT_FINITE",
    `the delay of ${id} is ${delayMs}; it must be 0 to ${maxDelayMs} milliseconds`,
  );
}
