/**
 * How the core drives an XState machine as a pure function: no actor is ever started, no effect ever runs.
 */
import type { AnyActorScope, AnyMachineSnapshot, AnyStateMachine } from "xstate";

/**
 * The scope that XState's transition functions want from a live actor, reduced to what a pure fold touches: nothing.
 * One object serves all charts, because making an actor for each step costs five times the step.
 */
export const inertScope = {
  id: "retrace",
  sessionId: "retrace",
  self: { id: "retrace", sessionId: "retrace", send() {}, getSnapshot() {} },
  system: { _sendInspectionEvent() {}, _relay() {}, _bookId: () => "retrace", get() {}, inspect() {} },
  logger() {},
  defer() {},
  emit() {},
  stopChild() {},
  actionExecutor() {},
} as unknown as AnyActorScope;

/** A chart's state: value, context, status. */
export type ChartState = AnyMachineSnapshot;

const initialStates = new WeakMap<AnyStateMachine, ChartState>();

/** The state of an empty stream. States never change, so all streams of a chart share it. */
export function initialState(machine: AnyStateMachine): ChartState {
  const known = initialStates.get(machine);
  if (known !== undefined) return known;
  const state = machine.getInitialSnapshot(inertScope);
  initialStates.set(machine, state);
  return state;
}

/** Whether the chart accepts the event now: it is still active, and some transition with an effect is enabled. */
export function accepts(state: ChartState, event: { readonly type: string }): boolean {
  return state.status === "active" && state.can(event);
}

/** The state after an event that the chart accepts. */
export function step(machine: AnyStateMachine, state: ChartState, event: { readonly type: string }): ChartState {
  return machine.transition(state, event, inertScope);
}

/** The event types that have a transition in this state, whether or not its guard would hold. */
export function acceptedTypes(state: ChartState): string[] {
  if (state.status !== "active") return [];
  const types = state._nodes.flatMap((node: { readonly ownEvents: readonly string[] }) => node.ownEvents);
  return [...new Set<string>(types)].sort();
}

/** A state as plain data, for a snapshot. */
export function persist(machine: AnyStateMachine, state: ChartState): unknown {
  return machine.getPersistedSnapshot(state);
}

/** The inverse of `persist`, under the same chart. */
export function restore(machine: AnyStateMachine, persisted: unknown): ChartState {
  return machine.restoreSnapshot(persisted as never, inertScope);
}
