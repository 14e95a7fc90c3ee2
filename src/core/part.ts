/**
 * Parts of an aggregate: where one stream holds many small things (the versions of a model, the chunks of a document),
 * each follows a small chart of its own, and the aggregate's context keeps only the state of each.
 */
import type { AnyStateMachine, StateValue } from "xstate";
import { acceptedTypes, type ChartState, accepts as chartAccepts, initialState, step } from "./chart.ts";
import type { DomainEvent } from "./message.ts";

/** The states of the parts of one kind, by key: the usual way to keep them. */
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
  /** The key of the part that `event` is about. */
  keyOf(event: DomainEvent): string;
  /** Whether the part that `event` is about accepts it. Use it as the guard of the aggregate's transition. */
  accepts(context: Context, event: DomainEvent): boolean;
  /**
   * The state, after `event`, of the part that it is about, which accepts it. The `assign` of the same transition puts it in
   * its place: all others stay as they are, so thousands of parts cost no more than a few.
   */
  next(context: Context, event: DomainEvent): StateValue;
  /** The state of one part. */
  stateOf(context: Context, key: string): StateValue;
  /** The keys of the parts that there are, where the definition tells. */
  keys(context: Context): readonly string[];
  /** Why `event` is refused by its part; undefined when it is not this part's to refuse. */
  refusal(context: Context, event: DomainEvent): PartRefusal | undefined;
}

/** What `definePart` needs to know. */
export interface PartDefinition<Context, Event extends DomainEvent> {
  /** Singular, for error messages: `version`, `chunk`. */
  readonly name: string;
  /** A chart without context; guards may look at the event. */
  readonly machine: AnyStateMachine;
  readonly key: (event: Event) => string;
  /** Undefined where there is no such part: then it is in the chart's initial state. */
  readonly state: (context: Context, key: string) => StateValue | undefined;
  /** For those who look at all parts. Default: none. */
  readonly keys?: (context: Context) => readonly string[];
}

/** Makes a kind of part. */
export function definePart<Context, Event extends DomainEvent>(
  definition: PartDefinition<Context, Event>,
): Part<Context> {
  const { name, machine, keys = () => [] } = definition;
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
  const stateOf = (context: Context, key: string): StateValue => definition.state(context, key) ?? initial.value;
  const accepts = (context: Context, event: DomainEvent): boolean => {
    return chartAccepts(snapshotOf(stateOf(context, keyOf(event))), event);
  };

  return {
    name,
    machine,
    keyOf,
    keys,
    stateOf,
    accepts,
    next: (context, event) => step(machine, snapshotOf(stateOf(context, keyOf(event))), event).value,
    refusal: (context, event) => {
      if (!machine.events.includes(event.type) || accepts(context, event)) return undefined;
      const key = keyOf(event);
      const state = stateOf(context, key);
      return { part: { name, key }, state, accepts: acceptedTypes(snapshotOf(state)) };
    },
  };
}

/** One state of many that are kept in a record, whatever its key is called. */
export function stateIn(states: PartStates, key: string): StateValue | undefined {
  return Object.hasOwn(states, key) ? states[key] : undefined;
}
