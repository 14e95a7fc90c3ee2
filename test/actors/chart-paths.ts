/** What a chart allows when its guards are left aside: the shortest way to each of its states, and the events on the way. */
import { type AnyStateMachine, createMachine, type StateValue } from "xstate";
import { getShortestPaths } from "xstate/graph";
import type { ChartState } from "../../src/core/chart.ts";
import { chartDefinition } from "../../src/core/chart-definition.ts";

/** The ways through one chart. */
export interface ChartPaths {
  /** Every state without states inside, by its dotted path; the events that lead there, undefined where none do. */
  readonly leaves: ReadonlyMap<string, readonly string[] | undefined>;
  /** The types of event that some state on these ways has a transition for. */
  readonly events: ReadonlySet<string>;
}

/** Finds them. */
export function pathsThrough(machine: AnyStateMachine): ChartPaths {
  const skeleton = createMachine(withoutGuards(chartDefinition(machine)) as Parameters<typeof createMachine>[0]);
  const paths = getShortestPaths(skeleton, {
    serializeState: (state) => JSON.stringify(state.value) as never,
    events: (state) => eventsIn(state).map((type) => ({ type })),
  });
  const leaves = new Map<string, readonly string[] | undefined>(leavesOf(machine).map((leaf) => [leaf, undefined]));
  const events = new Set<string>();
  for (const { state, steps } of paths) {
    const ways = steps.map(({ event }) => typeOf(event.type)).filter((type) => type !== "xstate.init");
    for (const leaf of leavesIn(state.value)) {
      const known = leaves.get(leaf);
      if (known === undefined || ways.length < known.length) leaves.set(leaf, ways);
    }
    for (const type of eventsIn(state)) events.add(typeOf(type));
  }
  return { leaves, events };
}

/** Nothing happens after the end, although XState would let it. */
function eventsIn(state: ChartState): readonly string[] {
  const nodes = state._nodes as readonly { readonly ownEvents: readonly string[] }[];
  return state.status === "active" ? nodes.flatMap(({ ownEvents }) => ownEvents) : [];
}

/** The leaves that a state value names, by their dotted paths. */
export function leavesIn(value: StateValue): string[] {
  if (typeof value === "string") return [value];
  return Object.entries(value).flatMap(([key, inner]) => {
    const within = inner === undefined ? [] : leavesIn(inner);
    return within.length === 0 ? [key] : within.map((leaf) => `${key}.${leaf}`);
  });
}

interface Node {
  readonly path: readonly string[];
  readonly type: string;
  readonly states: Readonly<Record<string, Node>>;
}

function leavesOf(machine: AnyStateMachine): string[] {
  const below = (node: Node): string[] => {
    const children = Object.values(node.states);
    if (children.length > 0) return children.flatMap(below);
    return node.type === "history" ? [] : [node.path.join(".")];
  };
  return below(machine.root as unknown as Node);
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * The same states, where each alternative of a transition is an event of its own, so that the walk takes them all. What
 * happens by itself becomes an event, too.
 */
function withoutGuards({ states, on, always, after, onDone, id, type, initial, history, target }: Fields): Fields {
  const reactions = { ...(on as Fields), ...(after as Fields), always, onDone };
  const each = Object.entries(reactions).flatMap(([event, transition]) => alternativesOf(event, transition));
  const inner = Object.entries((states ?? {}) as Fields).map(([key, state]) => [key, withoutGuards(state as Fields)]);
  const own = Object.entries({ id, type, initial, history, target }).filter(([, value]) => value !== undefined);
  return {
    ...Object.fromEntries(own),
    ...(each.length > 0 && { on: Object.fromEntries(each) }),
    ...(inner.length > 0 && { states: Object.fromEntries(inner) }),
  };
}

function alternativesOf(event: string, transition: unknown): [string, unknown][] {
  if (transition === undefined) return [];
  return (Array.isArray(transition) ? transition : [transition]).flatMap((one, index): [string, unknown][] => {
    const { target, actions } = (typeof one === "string" ? { target: one } : one) as Fields;
    if (target === undefined && actions === undefined) return [];
    // Of a transition without target or action XState would say that there is none.
    return [[`${event}#${index}`, target === undefined ? { actions: () => {} } : { target }]];
  });
}

function typeOf(alternative: string): string {
  return alternative.replace(/#\d+$/, "");
}
