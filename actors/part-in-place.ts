/**
 * Parts whose states lie where the aggregate wants them, in a list beside what else it knows of each. `definePart` keeps
 * all states in one record and copies it with every event, which thousands of parts make the greatest cost of a command.
 */
import { type DomainEvent, definePart, type Part, type PartStates } from "retrace";
import type { AnyStateMachine, StateValue } from "xstate";

/** A kind of part that tells the next state of the one part an event is about; the aggregate puts it in its place. */
export interface PartInPlace<Context> extends Part<Context> {
  /** The state after `event`, which the part accepts. */
  next(context: Context, event: DomainEvent): StateValue;
}

/** What `definePartInPlace` needs to know: as for `definePart`, but with a look-up instead of a record. */
export interface PartInPlaceDefinition<Context, Event extends DomainEvent> {
  /** Singular, for error messages. */
  readonly name: string;
  /** A chart without context; guards may look at the event. */
  readonly machine: AnyStateMachine;
  readonly key: (event: Event) => string;
  /** Undefined where there is no such part: then it is in the chart's initial state. */
  readonly state: (context: Context, key: string) => StateValue | undefined;
}

/** Makes a kind of part that is kept in place. Its `fold` returns the one state that `event` changes, not all. */
export function definePartInPlace<Context, Event extends DomainEvent>(
  definition: PartInPlaceDefinition<Context, Event>,
): PartInPlace<Context> {
  const { name, machine, key, state } = definition;
  const one = definePart<PartStates, Event>({ name, machine, key, states: (states) => states });
  const alone = (context: Context, partKey: string): PartStates => {
    const value = state(context, partKey);
    return value === undefined ? {} : { [partKey]: value };
  };
  const about = (context: Context, event: DomainEvent): PartStates => alone(context, key(event as Event));
  const fold = (context: Context, event: DomainEvent): PartStates => one.fold(about(context, event), event);
  return {
    name,
    machine,
    fold,
    next: (context, event) => fold(context, event)[key(event as Event)] as StateValue,
    stateOf: (context, partKey) => one.stateOf(alone(context, partKey), partKey),
    accepts: (context, event) => one.accepts(about(context, event), event),
    refusal: (context, event) => one.refusal(about(context, event), event),
  };
}
