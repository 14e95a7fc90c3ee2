/**
 * Parts of an aggregate: where one stream holds many small things (the versions of a model, the chunks of a document),
 * each follows a small chart of its own, and the aggregate's context keeps only the state of each.
 */
import type { AnyStateMachine, StateValue } from "xstate";
import { acceptedTypes, type ChartState, accepts as chartAccepts, initialState, step } from "./chart.ts";
import type { DomainEvent } from "./message.ts";

/** The states of the parts of one kind, by key. An absent key means the chart's initial state. */
export type PartStates = Readonly<Record<string, StateValue>>;

/** What a part refused: for the details of `NOT_ALLOWED_IN_STATE`. */
export interface PartRefusal {
  readonly part: { readonly name: string; readonly key: string };
  readonly state: StateValue;
  readonly accepts: readonly string[];
}

/** A kind of part: its chart and how to find, in an event, the part that the event is about. */
export interface Part<Context = unknown> {
  readonly name: string;
  readonly machine: AnyStateMachine;
  /** Whether the part that `event` is about accepts it. Use it as the guard of the aggregate's transition. */
  accepts(context: Context, event: DomainEvent): boolean;
  /** The states after `event`, one entry replaced. Use it in the `assign` of the same transition. */
  fold(context: Context, event: DomainEvent): PartStates;
  /** The state of one part. */
  stateOf(context: Context, key: string): StateValue;
  /** Why `event` is refused by its part; undefined when it is not this part's to refuse. */
  refusal(context: Context, event: DomainEvent): PartRefusal | undefined;
}

/** What `definePart` needs to know. */
export interface PartDefinition<Context, Event extends DomainEvent> {
  /** Singular, for error messages: `version`, `chunk`. */
  readonly name: string;
  /** A chart without context; guards may look at the event. */
  readonly machine: AnyStateMachine;
  readonly states: (context: Context) => PartStates;
  readonly key: (event: Event) => string;
}

/** Makes a kind of part. */
export function definePart<Context, Event extends DomainEvent>(
  definition: PartDefinition<Context, Event>,
): Part<Context> {
  const { name, machine, states } = definition;
  const keyOf = (event: DomainEvent): string => definition.key(event as Event);
  const initial = initialState(machine);
  const resolved = new Map<string, ChartState>();

  const snapshotOf = (value: StateValue): ChartState => {
    const cacheKey = typeof value === "string" ? value : JSON.stringify(value);
    const known = resolved.get(cacheKey);
    if (known !== undefined) return known;
    const snapshot = machine.resolveState({ value, context: {} });
    resolved.set(cacheKey, snapshot);
    return snapshot;
  };
  const stateOf = (context: Context, key: string): StateValue => {
    const all = states(context);
    return Object.hasOwn(all, key) ? (all[key] as StateValue) : initial.value;
  };
  const accepts = (context: Context, event: DomainEvent): boolean => {
    return chartAccepts(snapshotOf(stateOf(context, keyOf(event))), event);
  };

  return {
    name,
    machine,
    stateOf,
    accepts,
    fold: (context, event) => {
      const key = keyOf(event);
      const next = step(machine, snapshotOf(stateOf(context, key)), event);
      return { ...states(context), [key]: next.value };
    },
    refusal: (context, event) => {
      if (!machine.events.includes(event.type) || accepts(context, event)) return undefined;
      const key = keyOf(event);
      const state = stateOf(context, key);
      return { part: { name, key }, state, accepts: acceptedTypes(snapshotOf(state)) };
    },
  };
}
