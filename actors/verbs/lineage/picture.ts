/** What is shown of a lineage: everything, or of each large fan-out the first few and how many more there are. */
import type { Edge } from "../../projections/lineage/graph.ts";
import type { Direction } from "./rows.ts";
import type { Findings, Reached } from "./walk.ts";

/** All that a walk found in one direction. */
export interface Graph {
  readonly direction: Direction;
  readonly start: readonly Reached[];
  /** By name, in the order in which they were found, the start included. */
  readonly things: Map<string, Reached>;
  /** By the end that is nearer to the start. */
  readonly edges: Map<string, Edge[]>;
}

/** A graph that has only its start. */
export function emptyGraph(direction: Direction, start: readonly Reached[]): Graph {
  return { direction, start, things: new Map(start.map((one) => [one.name, one])), edges: new Map() };
}

/** Adds what was found. */
export function addFindings({ direction, things, edges }: Graph, findings: Findings): void {
  for (const thing of findings.things) things.set(thing.name, thing);
  for (const edge of findings.edges) {
    const near = direction === "down" ? edge.from : edge.to;
    const known = edges.get(near);
    if (known === undefined) edges.set(near, [edge]);
    else known.push(edge);
  }
}

/** What leads from one thing to others of a category in the same way. */
export interface Branch {
  readonly kind: string;
  readonly category: string;
  readonly shown: readonly Reached[];
  /** How many more there are. */
  readonly hidden: number;
}

/** What is shown. */
export interface Picture {
  readonly direction: Direction;
  readonly start: readonly Reached[];
  /** In the order of their distance. */
  readonly things: readonly Reached[];
  /** Of the things that are shown, by name. */
  readonly branches: ReadonlyMap<string, readonly Branch[]>;
}

/** Of each branch at most `few` things are shown for its sake; those that other branches show are, too. */
export function pictureOf({ direction, start, things, edges }: Graph, few: number): Picture {
  const shown = new Map(start.map((one) => [one.name, one]));
  const grouped = new Map<string, Map<string, Reached[]>>();
  for (const name of shown.keys()) {
    const groups = groupsOf(edges.get(name) ?? [], { direction, things });
    grouped.set(name, groups);
    for (const ends of groups.values()) for (const end of ends.slice(0, few)) shown.set(end.name, end);
  }
  const branches = Array.from(grouped, ([name, groups]): [string, Branch[]] => [
    name,
    Array.from(groups, ([key, ends]) => {
      const [kind = "", category = ""] = key.split("\t");
      const visible = ends.filter((end) => shown.has(end.name));
      return { kind, category, shown: visible, hidden: ends.length - visible.length };
    }),
  ]);
  return { direction, start, things: [...shown.values()], branches: new Map(branches) };
}

/** Far ends by how they were come to, and by their category. */
function groupsOf(
  edges: readonly Edge[],
  { direction, things }: Pick<Graph, "direction" | "things">,
): Map<string, Reached[]> {
  const groups = new Map<string, Reached[]>();
  for (const { from, to, kind } of edges) {
    const end = things.get(direction === "down" ? to : from);
    if (end === undefined) continue;
    const key = `${kind}\t${end.node.category}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [end]);
    else group.push(end);
  }
  return groups;
}
