/**
 * Aggregates: a chart that folds events, and a table of pure functions that decide commands. The chart is the law:
 * whatever decide returns, only what the chart accepts becomes history.
 */
import type { AnyStateMachine, SnapshotFrom } from "xstate";
import { acceptedTypes, accepts, type ChartState, step } from "./chart.ts";
import type { ChartEvent, Command, DomainEvent } from "./message.ts";
import type { Part } from "./part.ts";
import { type CommandData, type EventData, type Schemas, type VersionedSchema, versioned } from "./schema.ts";

/** What decide may know besides state and command. */
export interface DecideContext {
  /** The id of the aggregate, without its category. */
  readonly id: string;
  /** The time of the decision, ISO 8601. */
  readonly now: string;
}

/** The domain said no: a stable code for programs, a sentence for people. */
export interface Rejection {
  readonly outcome: "rejected";
  /** SCREAMING_SNAKE_CASE, part of the aggregate's contract. */
  readonly reason: string;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** Says no. `reason` is the stable code, `message` a sentence that tells the caller what to do instead. */
export function reject(reason: string, message: string, details: Readonly<Record<string, unknown>> = {}): Rejection {
  return { outcome: "rejected", reason, message, details };
}

/** One event, several in order, none (already done, success), or a rejection. */
export type Decision<Event extends DomainEvent = DomainEvent> = Event | readonly Event[] | Rejection;

/** The events of one aggregate's schemas, as decide returns them. */
export type EventOf<S extends Schemas> = {
  [Type in keyof S["events"] & string]: DomainEvent<Type, EventData<S, Type>>;
}[keyof S["events"] & string];

/** The events of one aggregate's schemas, as its chart receives them: the `events` type of the machine's `setup`. */
export type ChartEventOf<S extends Schemas> = {
  [Type in keyof S["events"] & string]: ChartEvent<Type, EventData<S, Type>>;
}[keyof S["events"] & string];

/** The decide table: for each command one pure function of state, command and time. */
export type DecideTable<S extends Schemas, M extends AnyStateMachine> = {
  readonly [Type in keyof S["commands"] & string]: (
    state: SnapshotFrom<M>,
    command: Command<Type, CommandData<S, Type>>,
    context: DecideContext,
  ) => Decision<EventOf<S>>;
};

/** What the author of an aggregate writes. */
export interface AggregateDefinition<S extends Schemas, M extends AnyStateMachine> {
  /** Kebab-case; the name of the file. */
  readonly category: string;
  readonly schemas: S;
  readonly machine: M;
  readonly decide: DecideTable<S, M>;
  /** The kinds of part that the chart's guards ask, so that a refusal can name the part and its state. */
  readonly parts?: readonly Part<SnapshotFrom<M>["context"]>[];
}

/** An aggregate, its types erased for the runtime. */
export interface Aggregate {
  readonly kind: "aggregate";
  readonly category: string;
  readonly schemas: Schemas;
  readonly machine: AnyStateMachine;
  readonly decide: Readonly<Record<string, (state: ChartState, command: Command, context: DecideContext) => Decision>>;
  readonly parts: readonly Part<never>[];
  /** The schemas' events, each with its version and upcasters spelled out. */
  readonly eventSchemas: Readonly<Record<string, VersionedSchema>>;
}

/** Makes an aggregate. Pure: the runtime's loader checks its rules, see `checkAggregate`. */
export function defineAggregate<const S extends Schemas, M extends AnyStateMachine>(
  definition: AggregateDefinition<S, M>,
): Aggregate & { readonly schemas: S; readonly machine: M } {
  const { category, schemas, machine, decide, parts = [] } = definition;
  return {
    kind: "aggregate",
    category,
    schemas,
    machine,
    decide: decide as unknown as Aggregate["decide"],
    parts: parts as readonly Part<never>[],
    eventSchemas: Object.fromEntries(Object.entries(schemas.events).map(([type, schema]) => [type, versioned(schema)])),
  };
}

/** The chart does not accept an event now. */
export interface Refusal {
  readonly outcome: "refused";
  readonly event: string;
  /** A state value of the chart, or of the part named in `part`. */
  readonly state: unknown;
  readonly accepts: readonly string[];
  readonly part?: { readonly name: string; readonly key: string };
}

/** Folds one event, or says why the chart refuses it. */
export function evolve(
  aggregate: Aggregate,
  state: ChartState,
  event: ChartEvent,
): { readonly outcome: "evolved"; readonly state: ChartState } | Refusal {
  if (!accepts(state, event)) return refusal(aggregate, state, event);
  return { outcome: "evolved", state: step(aggregate.machine, state, event) };
}

function refusal(aggregate: Aggregate, state: ChartState, event: ChartEvent): Refusal {
  const chartKnowsIt = acceptedTypes(state).includes(event.type);
  const byPart = chartKnowsIt ? aggregate.parts.map((part) => part.refusal(state.context as never, event)) : [];
  const partRefusal = byPart.find((refused) => refused !== undefined);
  return {
    outcome: "refused",
    event: event.type,
    state: state.value,
    accepts: acceptedTypes(state),
    ...partRefusal,
  };
}

/** The outcome of deciding one command: what happened, with the state after it. */
export type Decided =
  | { readonly outcome: "accepted"; readonly events: readonly ChartEvent[]; readonly state: ChartState }
  | Rejection
  | Refusal;

/** What `decideCommand` starts from. */
export interface DecideInput {
  readonly state: ChartState;
  /** Of the stream, before the command. */
  readonly version: number;
  readonly command: Command;
  readonly context: DecideContext;
  /** Gives the id of each event decided. */
  readonly newId: () => string;
}

/** Decides a command and folds what it decided: pure, and the only place where the two meet. */
export function decideCommand(aggregate: Aggregate, input: DecideInput): Decided {
  const { command, newId } = input;
  const decide = aggregate.decide[command.type];
  if (decide === undefined) throw new Error(`${aggregate.category} has no decide for ${command.type}`);
  const decision = decide(input.state, command, input.context);
  if ("outcome" in decision) return decision as Rejection;

  const events: ChartEvent[] = [];
  let { state, version } = input;
  for (const { type, data } of (Array.isArray(decision) ? decision : [decision]) as readonly DomainEvent[]) {
    version += 1;
    const event = {
      id: newId(),
      type,
      data,
      version,
      occurredAt: command.occurredAt,
      actor: command.metadata.actor,
    };
    const next = evolve(aggregate, state, event);
    if (next.outcome === "refused") return next;
    state = next.state;
    events.push(event);
  }
  return { outcome: "accepted", events, state };
}
