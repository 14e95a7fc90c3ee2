/** The rules an aggregate must keep so that its chart is an unambiguous law: checked once, at start. */
import type { AnyStateMachine } from "xstate";
import type { Aggregate } from "./aggregate.ts";
import { initialState } from "./chart.ts";
import { isZodSchema, type VersionedSchema } from "./schema.ts";
import { isCategory } from "./stream.ts";

/** The part of an XState node that the rules look at. */
interface ChartNode {
  readonly id: string;
  readonly states: Readonly<Record<string, ChartNode>>;
  readonly config: {
    readonly on?: Readonly<Record<string, unknown>>;
    readonly after?: unknown;
    readonly invoke?: unknown;
    readonly entry?: unknown;
    readonly exit?: unknown;
  };
}

/** All problems of one aggregate, as sentences; none means it may serve. */
export function checkAggregate(aggregate: Aggregate): string[] {
  const { category, schemas, machine, decide } = aggregate;
  const problems: string[] = [];
  if (!isCategory(category)) problems.push(`category "${category}" is not kebab-case`);
  if (/^saga(-|$)/.test(category)) problems.push(`category "${category}" is reserved for the runtime`);
  problems.push(...missing(Object.keys(schemas.commands), Object.keys(decide), "command", "decide"));
  problems.push(...missing(Object.keys(decide), Object.keys(schemas.commands), "decide", "command schema"));
  for (const type of [...Object.keys(schemas.commands), ...Object.keys(schemas.events)]) {
    if (!/^[A-Z][A-Za-z0-9]{0,63}$/.test(type)) problems.push(`type ${type} is not PascalCase`);
  }
  problems.push(...checkCommandSchemas(schemas.commands));
  for (const [type, schema] of Object.entries(aggregate.eventSchemas)) problems.push(...checkEventSchema(type, schema));
  problems.push(...checkChart(machine, Object.keys(schemas.events)));
  for (const part of aggregate.parts) {
    problems.push(...chartRules(part.machine).map((problem) => `part ${part.name}: ${problem}`));
  }
  return problems;
}

/** Category names of which one would be read as part of another's streams. */
export function checkCategories(categories: readonly string[]): string[] {
  return categories.flatMap((category) =>
    categories
      .filter((other) => other.startsWith(`${category}-`))
      .map((other) => `category ${category} is a prefix of category ${other}: their stream names could be confused`),
  );
}

function missing(wanted: readonly string[], present: readonly string[], what: string, counterpart: string): string[] {
  return wanted.filter((name) => !present.includes(name)).map((name) => `${what} ${name} has no ${counterpart}`);
}

function checkCommandSchemas(schemas: Readonly<Record<string, unknown>>): string[] {
  return Object.keys(schemas)
    .filter((type) => !isZodSchema(schemas[type]))
    .map((type) => `command ${type}: what it carries is not a zod schema`);
}

function checkEventSchema(type: string, schema: unknown): string[] {
  const isVersioned = typeof schema === "object" && schema !== null && "version" in schema;
  if (!isVersioned) return [`event ${type}: neither a zod schema nor {version, schema, upcasters}`];
  const { version, schema: latest, upcasters } = schema as Partial<VersionedSchema>;
  const problems = isZodSchema(latest) ? [] : [`event ${type}: its schema is not a zod schema`];
  if (version === undefined || !Number.isSafeInteger(version) || version < 1) {
    return [...problems, `event ${type}: version ${version} is not an integer from 1`];
  }
  return [...problems, ...checkUpcasters(version, upcasters ?? {}).map((problem) => `event ${type}: ${problem}`)];
}

/** The chain leads from 1 to the version in single steps: no step missing, and none that is never taken. */
function checkUpcasters(version: number, upcasters: Readonly<Record<string, unknown>>): string[] {
  const steps = Array.from({ length: version - 1 }, (_, before) => String(before + 1));
  const gaps = steps
    .filter((from) => !Object.hasOwn(upcasters, from))
    .map((from) => `no upcaster from version ${from} to ${Number(from) + 1}`);
  const wrong = Object.entries(upcasters).flatMap(([from, upcaster]) => {
    if (!steps.includes(from)) return [`upcaster from version ${from} is never used: ${whichSteps(version)}`];
    return typeof upcaster === "function" ? [] : [`upcaster from version ${from} is not a function`];
  });
  return [...gaps, ...wrong];
}

function whichSteps(version: number): string {
  if (version === 1) return "version 1 has none";
  return version === 2 ? "version 2 has one, from 1" : `version ${version} has them from 1 to ${version - 1}`;
}

function checkChart(machine: AnyStateMachine, eventTypes: readonly string[]): string[] {
  const problems = chartRules(machine);
  const accepted = machine.events as readonly string[];
  problems.push(...missing(eventTypes, accepted, "event", "transition in the chart"));
  problems.push(...missing(accepted, eventTypes, "chart event", "event schema"));
  const initial = initialState(machine);
  if (initial.status !== "active") problems.push(`the initial state has status ${initial.status}`);
  return problems;
}

function chartRules(machine: AnyStateMachine): string[] {
  return nodesOf(machine.root as unknown as ChartNode).flatMap((node) => {
    const where = `state ${node.id}`;
    const problems: string[] = [];
    if (node.config.after !== undefined) problems.push(`${where}: "after" needs a timer; only sagas have timers`);
    if (node.config.invoke !== undefined) problems.push(`${where}: "invoke" starts an effect; a chart only folds`);
    for (const [type, transition] of Object.entries(node.config.on ?? {})) {
      problems.push(...transitionRules(type, transition).map((problem) => `${where}, on ${type}: ${problem}`));
    }
    problems.push(...actionRules(machine, node.config.entry).map((problem) => `${where}, entry: ${problem}`));
    problems.push(...actionRules(machine, node.config.exit).map((problem) => `${where}, exit: ${problem}`));
    for (const transition of Object.values(node.config.on ?? {}).flat()) {
      const { actions } = (typeof transition === "object" && transition !== null ? transition : {}) as {
        actions?: unknown;
      };
      problems.push(...actionRules(machine, actions).map((problem) => `${where}: ${problem}`));
    }
    return problems;
  });
}

function nodesOf(node: ChartNode): ChartNode[] {
  return [node, ...Object.values(node.states).flatMap(nodesOf)];
}

function transitionRules(type: string, transition: unknown): string[] {
  if (type.includes("*")) return ["a wildcard accepts events nobody thought of"];
  if (type.startsWith("xstate.")) return ["the name belongs to XState"];
  if (transition === undefined) return [];
  const alternatives = Array.isArray(transition) ? transition : [transition];
  const isEmpty = alternatives.some((one) => {
    if (typeof one === "string") return false;
    const { target, actions } = one as { target?: unknown; actions?: unknown };
    return target === undefined && (actions === undefined || (Array.isArray(actions) && actions.length === 0));
  });
  return isEmpty ? ["neither target nor actions: write assign({}) to accept, or undefined to forbid"] : [];
}

/** Actions other than assign would be effects, which a fold never runs. */
function actionRules(machine: AnyStateMachine, actions: unknown): string[] {
  if (actions === undefined) return [];
  const list = Array.isArray(actions) ? actions : [actions];
  const named = machine.implementations.actions as Record<string, unknown>;
  return list.flatMap((action) => {
    const name = typeof action === "string" ? action : (action as { type?: unknown }).type;
    const resolved = typeof action === "function" ? action : named[String(name)];
    const isAssign = typeof resolved === "function" && (resolved as { type?: unknown }).type === "xstate.assign";
    return isAssign ? [] : [`action ${String(name ?? "function")} is not an assign; a chart only folds`];
  });
}
