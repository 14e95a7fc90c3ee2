/**
 * Given events, when a command, then events: the test of an aggregate without a runtime, a store or a clock.
 */
import assert from "node:assert/strict";
import {
  type Aggregate,
  type DecideContext,
  type Decided,
  decideCommand,
  type EventOf,
  evolve,
} from "../core/aggregate.ts";
import { type ChartState, initialState } from "../core/chart.ts";
import type { DomainEvent } from "../core/message.ts";
import { type CommandInput, issuesOf, type Schemas, versioned } from "../core/schema.ts";

/** A command as a test writes it. */
export type CommandOf<S extends Schemas> = {
  [Type in keyof S["commands"] & string]: { readonly type: Type; readonly data: CommandInput<S, Type> };
}[keyof S["commands"] & string];

/** What a test may fix besides state and command. */
export interface WhenOptions extends Partial<DecideContext> {
  readonly actor?: string;
  readonly occurredAt?: string;
}

/** The assertions on one decision; each throws an AssertionError that shows both sides. */
export interface Then<S extends Schemas> {
  /** Exactly these events, in this order. Fields of the expected data must be there; more may be. */
  then(events: readonly EventOf<S>[]): ChartState;
  /** Success without an event. */
  thenNothing(): void;
  /** Refused by decide with this reason. */
  thenRejected(reason: string): void;
  /** Refused by the chart. */
  thenNotAllowed(expected?: {
    readonly state?: unknown;
    readonly part?: { readonly name: string; readonly key: string };
  }): void;
  /** Refused by the schema, with an issue at this dotted path. */
  thenInvalid(path: string): void;
}

/** A history and what can be asked of it. */
export interface Given<S extends Schemas> {
  readonly state: ChartState;
  when(command: CommandOf<S>, options?: WhenOptions): Then<S>;
  /** For commands that the types would refuse: bad input, fuzzing. */
  whenRaw(type: string, data: unknown, options?: WhenOptions): Then<S>;
}

const defaults = { id: "x1", now: "2026-01-01T00:00:00.000Z" };

/** Folds a history through the chart; a history the chart refuses is an error of the test. */
export function given<S extends Schemas>(
  aggregate: Aggregate & { readonly schemas: S },
  events: readonly EventOf<S>[] = [],
): Given<S> {
  let state = initialState(aggregate.machine);
  for (const [index, event] of events.entries()) {
    assertFitsSchema(aggregate, event);
    const next = evolve(aggregate, state, {
      ...event,
      id: `e${index + 1}`,
      version: index + 1,
      occurredAt: defaults.now,
      actor: undefined,
    });
    assert(next.outcome === "evolved", `the chart refuses given event ${index + 1}, ${JSON.stringify(next)}`);
    state = next.state;
  }
  const whenRaw = (type: string, data: unknown, options: WhenOptions = {}): Then<S> =>
    thenFor(aggregate, decideRaw(aggregate, { state, version: events.length, type, data, options }));
  return { state, when: (command, options) => whenRaw(command.type, command.data, options), whenRaw };
}

type Outcome = Decided | { readonly outcome: "invalid"; readonly paths: readonly string[] };

interface RawInput {
  readonly state: ChartState;
  readonly version: number;
  readonly type: string;
  readonly data: unknown;
  readonly options: WhenOptions;
}

function decideRaw(aggregate: Aggregate, input: RawInput): Outcome {
  const { type, options, state, version } = input;
  const parsed = aggregate.schemas.commands[type]?.safeParse(input.data);
  assert(parsed !== undefined, `${aggregate.category} has no command ${type}`);
  if (!parsed.success) return { outcome: "invalid", paths: issuesOf(parsed.error).map((issue) => issue.path) };
  const context = { id: options.id ?? defaults.id, now: options.now ?? defaults.now };
  const metadata = {
    correlationId: "test",
    causationId: "test",
    commandId: "test",
    ...(options.actor === undefined ? {} : { actor: { id: options.actor, verified: false } }),
  };
  const command = { type, data: parsed.data, occurredAt: options.occurredAt ?? context.now, metadata };
  let next = version;
  return decideCommand(aggregate, { state, version, command, context, newId: () => `e${++next}` });
}

function thenFor<S extends Schemas>(aggregate: Aggregate, outcome: Outcome): Then<S> {
  const show = JSON.stringify(outcome.outcome === "accepted" ? outcome.events : outcome);
  return {
    then: (expected) => {
      assert(outcome.outcome === "accepted", `expected events, got ${show}`);
      assert.deepEqual(
        outcome.events.map((event) => event.type),
        expected.map((event) => event.type),
      );
      for (const [index, event] of outcome.events.entries()) {
        assertFitsSchema(aggregate, event);
        assertContains(event.data, (expected[index] as DomainEvent).data, event.type);
      }
      return outcome.state;
    },
    thenNothing: () => {
      assert(outcome.outcome === "accepted" && outcome.events.length === 0, `expected no event, got ${show}`);
    },
    thenRejected: (reason) => {
      assert(outcome.outcome === "rejected" && outcome.reason === reason, `expected rejection ${reason}, got ${show}`);
    },
    thenNotAllowed: (expected = {}) => {
      assert(outcome.outcome === "refused", `expected a refusal by the chart, got ${show}`);
      assertContains(outcome, expected, "refusal");
    },
    thenInvalid: (path) => {
      assert(
        outcome.outcome === "invalid" && outcome.paths.includes(path),
        `expected an issue at ${path}, got ${show}`,
      );
    },
  };
}

function assertFitsSchema(aggregate: Aggregate, event: DomainEvent): void {
  const schema = aggregate.schemas.events[event.type];
  assert(schema !== undefined, `${aggregate.category} has no event ${event.type}`);
  const parsed = versioned(schema).schema.safeParse(event.data);
  assert(parsed.success, `${event.type} does not fit its schema: ${parsed.error?.message}`);
}

function assertContains(actual: unknown, expected: unknown, path: string): void {
  if (typeof expected !== "object" || expected === null || Array.isArray(expected)) {
    assert.deepEqual(actual, expected, path);
    return;
  }
  for (const [key, value] of Object.entries(expected)) {
    assertContains((actual as Record<string, unknown> | undefined)?.[key], value, `${path}.${key}`);
  }
}
