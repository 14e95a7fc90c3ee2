/**
 * A chart as data: XState's machine config with every guard and action by its name, so that it is plain JSON. Programs
 * read it, and Stately's editor does.
 */
import type { AnyStateMachine } from "xstate";

/** An XState machine config, or one state of it: JSON through and through. */
export type ChartDefinition = Readonly<Record<string, unknown>>;

/**
 * The machine's config as JSON. What JSON cannot hold is left out, and a function stands by its name: the definition
 * makes a machine of the same states and transitions, but not one that runs.
 */
export function chartDefinition(machine: AnyStateMachine): ChartDefinition {
  return stateDefinition(machine.config as Fields);
}

/** What to call a guard: its name; of a combination like `not("isOpen")`, the names in it; `guard` when it has none. */
export function guardName(guard: unknown): string {
  if (typeof guard === "string") return guard;
  const { type, name, guards, stateValue } = guard as GuardLike;
  if (typeof type === "string") return type;
  if (stateValue !== undefined) return `in ${typeof stateValue === "string" ? stateValue : JSON.stringify(stateValue)}`;
  if (guards === undefined) return name === undefined || name === "" ? "guard" : name;
  const terms = guards.map((term) => (isCombination(term) ? `(${guardName(term)})` : guardName(term)));
  return name === "not" ? `not ${terms[0]}` : terms.join(` ${name} `);
}

type Fields = Readonly<Record<string, unknown>>;

/** What XState's `and`, `or`, `not` and `stateIn` make is a function with these fields. */
interface GuardLike {
  readonly type?: unknown;
  readonly name?: string;
  readonly guards?: readonly unknown[];
  readonly stateValue?: unknown;
}

function isCombination(guard: unknown): boolean {
  return ((guard as GuardLike).guards?.length ?? 0) > 1;
}

function stateDefinition(config: Fields): ChartDefinition {
  const { states, on, after, always, onDone, entry, exit, ...others } = config;
  return withoutGaps({
    ...(plain(others) as Fields),
    entry: actionDefinitions(entry),
    exit: actionDefinitions(exit),
    on: eachValue(on, transitionDefinition),
    after: eachValue(after, transitionDefinition),
    always: always === undefined ? undefined : transitionDefinition(always),
    onDone: onDone === undefined ? undefined : transitionDefinition(onDone),
    states: eachValue(states, (state) => stateDefinition(state as Fields)),
  });
}

function transitionDefinition(transition: unknown): unknown {
  if (Array.isArray(transition)) return transition.map(transitionDefinition);
  // How JSON says `undefined`: the event is forbidden here.
  if (transition === undefined) return {};
  if (typeof transition !== "object" || transition === null || isStateNode(transition)) return targetOf(transition);
  const { target, guard, actions, ...others } = transition as Fields;
  return withoutGaps({
    target: Array.isArray(target) ? target.map(targetOf) : targetOf(target),
    guard: guard === undefined ? undefined : namedDefinition(guard, guardName(guard)),
    actions: actionDefinitions(actions),
    ...(plain(others) as Fields),
  });
}

function targetOf(target: unknown): unknown {
  return isStateNode(target) ? `#${target.id}` : target;
}

/** A config may name a state by its node; only nodes have a machine. */
function isStateNode(value: unknown): value is { readonly id: string } {
  return typeof value === "object" && value !== null && "machine" in value && "id" in value;
}

function actionDefinitions(actions: unknown): unknown {
  if (actions === undefined) return undefined;
  const list = Array.isArray(actions) ? actions : [actions];
  return list.map((action) => namedDefinition(action, actionName(action)));
}

function actionName(action: unknown): string {
  if (typeof action === "string") return action;
  const { type, name } = action as { readonly type?: unknown; readonly name?: string };
  if (typeof type === "string") return type.replace(/^xstate\./, "");
  return name === undefined || name === "" ? "action" : name;
}

/** By its name alone, unless it comes with parameters that are data. */
function namedDefinition(reference: unknown, name: string): unknown {
  const params = plain((reference as Fields).params);
  return params === undefined ? name : { type: name, params };
}

function eachValue(record: unknown, define: (value: unknown) => unknown): unknown {
  if (record === undefined) return undefined;
  return Object.fromEntries(Object.entries(record as Fields).map(([key, value]) => [key, define(value)]));
}

/** As JSON holds it; undefined for what it cannot hold. */
function plain(value: unknown): unknown {
  const text = JSON.stringify(value);
  return text === undefined ? undefined : JSON.parse(text);
}

function withoutGaps(fields: Fields): ChartDefinition {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
