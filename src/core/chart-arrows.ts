/** The arrows of a chart's picture: what goes from where to where, within what Mermaid can draw. */
import type { AnyStateMachine } from "xstate";
import { guardName } from "./chart-definition.ts";
import { effectNames } from "./chart-effects.ts";

/** The part of an XState node that a picture shows. */
export interface ChartNode {
  readonly id: string;
  readonly key: string;
  readonly type: "atomic" | "compound" | "parallel" | "final" | "history";
  readonly history: "shallow" | "deep" | boolean;
  readonly machine: AnyStateMachine;
  readonly parent?: ChartNode;
  readonly states: Readonly<Record<string, ChartNode>>;
  readonly initial?: { readonly target: readonly ChartNode[] };
  /** As it was written: XState adds the timers of `after` to the node itself. */
  readonly config: { readonly entry?: unknown; readonly exit?: unknown };
  readonly always?: readonly ChartTransition[];
  readonly transitions: ReadonlyMap<string, readonly ChartTransition[]>;
}

interface ChartTransition {
  readonly target?: readonly ChartNode[];
  readonly guard?: unknown;
  readonly actions: readonly unknown[];
}

/** Where an arrow begins or ends: at a state, or anywhere inside of one. */
export interface End {
  readonly node: ChartNode;
  readonly isAnywhere: boolean;
}

/** One transition to one target. */
export interface Arrow {
  readonly from: End;
  readonly to: End;
  /** The event, `[guard]` where there is one, what the ends leave unsaid, and behind a slash the effects. */
  readonly label: string;
  /** The state that it is drawn right inside of; undefined when it crosses the border of one. */
  readonly block: ChartNode | undefined;
}

/** All arrows, in the order of the chart. */
export function arrowsOf(root: ChartNode): Arrow[] {
  return [...arrowsFrom(root), ...childrenOf(root).flatMap(arrowsOf)];
}

/** The states right inside of a state, in the order of the chart. */
export function childrenOf(node: ChartNode): ChartNode[] {
  return Object.values(node.states);
}

/** Which of them is entered with it; none of a parallel state, and none of one without states inside. */
export function initialChild(node: ChartNode): ChartNode | undefined {
  const target = node.type === "compound" ? node.initial?.target[0] : undefined;
  return target && childrenOf(node).find((child) => contains(child, target));
}

function contains(outer: ChartNode, inner: ChartNode): boolean {
  return outer === inner || (inner.parent !== undefined && contains(outer, inner.parent));
}

function arrowsFrom(source: ChartNode): Arrow[] {
  const always = (source.always ?? []).map((transition) => ({ event: "always", transition }));
  const onEvents = [...source.transitions].flatMap(([type, transitions]) =>
    transitions.map((transition) => ({ event: eventLabel(type, source), transition })),
  );
  return [...onEvents, ...always].flatMap(({ event, transition: { target, guard, actions } }) => {
    // Without either, the chart forbids the event.
    if (target === undefined && actions.length === 0) return [];
    const label = guard === undefined ? event : `${event} [${guardName(guard)}]`;
    const effects = effectNames(source.machine, actions);
    const done = effects.length === 0 ? "" : ` / ${effects.join(", ")}`;
    return (target ?? [undefined]).map((one) => {
      const arrow = outsideOfRegions(towards(source, one, label));
      return placed({ ...arrow, label: arrow.label + done });
    });
  });
}

function eventLabel(type: string, source: ChartNode): string {
  if (type.startsWith("xstate.done.")) return "done";
  const after = "xstate.after.";
  return type.startsWith(after) ? `after ${type.slice(after.length, -source.id.length - 1)}` : type;
}

type Unplaced = Omit<Arrow, "block">;

/**
 * Mermaid fails on an arrow from a state to a state around it, and on one from a state with states inside to itself or
 * into itself: the former ends where entering leads, the latter begins anywhere inside.
 */
function towards(source: ChartNode, target: ChartNode | undefined, label: string): Unplaced {
  if (target === undefined) return { from: inside(source), to: inside(source), label };
  const entered = enteredFrom(source, target);
  if (contains(entered, source)) return { from: inside(source), to: inside(source), label };
  return { from: contains(source, entered) ? inside(source) : border(source), to: border(entered), label };
}

/** Where a transition to a state around its own leads: to what is entered with it. */
function enteredFrom(source: ChartNode, target: ChartNode): ChartNode {
  const child = contains(target, source) ? initialChild(target) : undefined;
  return child === undefined ? target : enteredFrom(source, child);
}

function border(node: ChartNode): End {
  return { node, isAnywhere: false };
}

function inside(node: ChartNode): End {
  return { node, isAnywhere: childrenOf(node).length > 0 };
}

/** Mermaid fails on an arrow out of a region or into one: it is drawn at the parallel state's border and says where. */
function outsideOfRegions({ from, to, label }: Unplaced): Unplaced {
  const left = parallelBetween(from.node, to.node);
  const entered = parallelBetween(to.node, from.node);
  const whence = left === undefined ? "" : ` from ${from.node.key}`;
  const where = entered === undefined ? "" : ` to ${to.node.key}`;
  if (entered !== undefined && contains(entered, from.node)) {
    return { from: inside(from.node), to: inside(from.node), label: label + where };
  }
  return {
    from: left === undefined ? from : border(left),
    to: entered === undefined ? to : border(entered),
    label: label + whence + where,
  };
}

/** The outermost parallel state that has `inner` in one of its regions and `other` not in the same. */
function parallelBetween(inner: ChartNode, other: ChartNode): ChartNode | undefined {
  let outermost: ChartNode | undefined;
  for (let region = inner; region.parent !== undefined; region = region.parent) {
    if (region.parent.type === "parallel" && !contains(region, other)) outermost = region.parent;
  }
  return outermost;
}

function placed(arrow: Unplaced): Arrow {
  const [block, other] = [arrow.from, arrow.to].map(({ node, isAnywhere }) => (isAnywhere ? node : node.parent));
  return { ...arrow, block: block === other ? block : undefined };
}
