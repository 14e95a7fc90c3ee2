/** What a chart does besides changing its own state: the commands, questions and timers of a saga. An aggregate has none. */
import type { AnyStateMachine } from "xstate";

/** The names of the effects among some actions, in their order; of one without a name, its kind. */
export function effectNames(machine: AnyStateMachine, actions: readonly unknown[]): string[] {
  return actions.flatMap((action) => effectName(machine, action) ?? []);
}

function effectName(machine: AnyStateMachine, action: unknown): string | undefined {
  const name = typeof action === "string" ? action : (action as Typed).type;
  const named = machine.implementations.actions as Readonly<Record<string, unknown>>;
  const isInline = typeof action === "function";
  const resolved = isInline ? action : Object.hasOwn(named, String(name)) ? named[String(name)] : undefined;
  const kind = (resolved as Typed | undefined)?.type;
  if (typeof kind !== "string" || !Object.hasOwn(kinds, kind)) return undefined;
  return isInline ? kinds[kind] : String(name);
}

interface Typed {
  readonly type?: unknown;
}

/** By what XState calls them. A question is enqueued as a command is. */
const kinds: Readonly<Record<string, string>> = {
  "xstate.enqueueActions": "send",
  "xstate.raise": "raise",
  "xstate.cancel": "cancel",
};
