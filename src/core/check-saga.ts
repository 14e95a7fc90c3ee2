/** The rules a saga must keep so that all it does is recorded and survives a crash: checked once, at start. */
import type { AnyStateMachine } from "xstate";
import type { Saga } from "./saga.ts";
import { isZodSchema } from "./schema.ts";
import { isCategory } from "./stream.ts";

/** The part of an XState node that the rules look at. */
interface ChartNode {
  readonly id: string;
  readonly states: Readonly<Record<string, ChartNode>>;
  readonly config: {
    readonly on?: unknown;
    readonly after?: unknown;
    readonly always?: unknown;
    readonly onDone?: unknown;
    readonly invoke?: unknown;
    readonly entry?: unknown;
    readonly exit?: unknown;
  };
}

/** What comes back to a saga from its own effects. */
const replies: readonly string[] = ["SagaCommandRejected", "SagaAnswered"];

/** All problems of one saga, as sentences; `knownEvents` are the types that some aggregate emits. */
export function checkSaga(saga: Saga, knownEvents: ReadonlySet<string>): string[] {
  const { name, version, machine, correlate, startedBy } = saga;
  const problems: string[] = [];
  if (!isCategory(name)) problems.push(`name "${name}" is not kebab-case`);
  if (!Number.isSafeInteger(version) || version < 1) problems.push(`version ${version} is not an integer from 1`);
  if (!(saga.maxAgeMs > 0)) problems.push(`maxAgeMs ${saga.maxAgeMs} is not a positive number of milliseconds`);
  problems.push(...checkSettings(saga));
  const listens = Object.keys(correlate);
  const accepted = new Set<string>(machine.events);
  if (startedBy.size === 0) problems.push("startedBy is empty: nothing would ever start it");
  for (const type of startedBy) {
    if (!listens.includes(type)) problems.push(`startedBy names ${type}, which correlate does not have`);
  }
  for (const type of listens) {
    if (!knownEvents.has(type)) problems.push(`it listens to ${type}, which no aggregate emits`);
    if (!accepted.has(type)) problems.push(`it listens to ${type}, for which its chart has no transition`);
  }
  for (const type of accepted) {
    const comesFromOutside = !type.startsWith("xstate.") && knownEvents.has(type);
    if (comesFromOutside && !listens.includes(type)) {
      problems.push(`its chart has a transition for ${type}, and correlate does not say for which instance`);
    }
  }
  problems.push(...nodesOf(machine.root as unknown as ChartNode).flatMap((node) => nodeRules(machine, node)));
  return problems;
}

/** Names of which one would be read as part of another's streams. */
export function checkSagaNames(names: readonly string[]): string[] {
  return names.flatMap((name) =>
    names
      .filter((other) => other.startsWith(`${name}-`))
      .map((other) => `saga ${name} is a prefix of saga ${other}: their stream names could be confused`),
  );
}

function checkSettings({ settings }: Saga): string[] {
  if (!isZodSchema(settings)) return ["its settings are not a zod schema"];
  const parsed = settings.safeParse({});
  if (parsed.success) return [];
  return [`its settings have no defaults: ${parsed.error.issues.map(({ path }) => path.join(".")).join(", ")}`];
}

function nodesOf(node: ChartNode): ChartNode[] {
  return [node, ...Object.values(node.states).flatMap(nodesOf)];
}

function nodeRules(machine: AnyStateMachine, node: ChartNode): string[] {
  const { on, after, always, onDone, invoke, entry, exit } = node.config;
  const where = `state ${node.id}`;
  const problems: string[] = [];
  if (invoke !== undefined) problems.push(`${where}: "invoke" runs outside of the log; send a command instead`);
  for (const type of Object.keys(on ?? {})) {
    if (type.includes("*")) problems.push(`${where}, on ${type}: a wildcard accepts events nobody thought of`);
    if (type.startsWith("Saga") && !replies.includes(type)) {
      problems.push(`${where}, on ${type}: of a saga's own events only ${replies.join(" and ")} come back to it`);
    }
  }
  const transitions = [on, after, always === undefined ? {} : { always }, onDone === undefined ? {} : { onDone }];
  const actions = transitions.flatMap((table) =>
    Object.values(table ?? {})
      .flat()
      .flatMap(actionsOf),
  );
  for (const action of [...actions, ...[entry ?? []].flat(), ...[exit ?? []].flat()]) {
    problems.push(...actionRules(machine, action).map((problem) => `${where}: ${problem}`));
  }
  return problems;
}

function actionsOf(transition: unknown): unknown[] {
  if (typeof transition !== "object" || transition === null) return [];
  return [(transition as { readonly actions?: unknown }).actions ?? []].flat();
}

/** What XState's own actions are called; `send` and `ask` are of the last kind. */
const allowed: ReadonlySet<unknown> = new Set([
  "xstate.assign",
  "xstate.raise",
  "xstate.cancel",
  "xstate.enqueueActions",
]);

function actionRules(machine: AnyStateMachine, action: unknown): string[] {
  const name = typeof action === "string" ? action : (action as { readonly type?: unknown }).type;
  const named = machine.implementations.actions as Readonly<Record<string, unknown>>;
  const resolved = (typeof action === "function" ? action : named[String(name)]) as Resolved | undefined;
  if (resolved === undefined) return [`action ${String(name)} is not there`];
  if (!allowed.has(resolved.type)) {
    return [`action ${String(name ?? "function")} is none of assign, send, ask, raise and cancel`];
  }
  const isDelayed = resolved.type === "xstate.raise" && resolved.delay !== undefined;
  return isDelayed && resolved.id === undefined
    ? ["a delayed raise needs an id, by which it is kept and cancelled"]
    : [];
}

interface Resolved {
  readonly type?: unknown;
  readonly delay?: unknown;
  readonly id?: unknown;
}
