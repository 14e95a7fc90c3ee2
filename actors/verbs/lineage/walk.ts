/** Walks the lineage from a thing, step by step: what it was made of, and what was made of it. */
import { Fault } from "retrace";
import { type Edge, nameOf, type Thing } from "../../projections/lineage/graph.ts";
import { categories } from "./kinds.ts";
import type { Direction, LineageRows, NamedNode } from "./rows.ts";

/** A thing that the walk came to. */
export interface Reached extends NamedNode {
  /** Of the walk; `start` where it begins. */
  readonly direction: Direction | "start";
  /** In steps; 0 at the start. */
  readonly distance: number;
}

/** A part of what is found: edges before the things that they lead to. */
export interface Findings {
  readonly things: readonly Reached[];
  readonly edges: readonly Edge[];
}

/** How to walk. */
export interface Walk {
  readonly direction: Direction;
  /** At most so many steps. */
  readonly depth: number;
}

/**
 * The nodes that a thing has in the lineage: one, or without a version all its versions, in the order of the log.
 * @throws Fault NOT_FOUND naming the versions there are.
 */
export async function findStart(rows: LineageRows, thing: Thing): Promise<Reached[]> {
  const { category, id, version } = thing;
  const versions = await versionsOf(rows, { category, id });
  const found = version === undefined ? versions : versions.filter(({ node }) => node.version === version);
  if (found.length > 0) return found.map((one) => ({ ...one, direction: "start", distance: 0 }));
  const known = versions.map(({ node }) => node.version ?? "without a version");
  const what = version === undefined ? `${category} ${id}` : `${category} ${id} version ${version}`;
  const there = known.length === 0 ? "" : `; there are ${known.slice(0, maxNamed).join(", ")}`;
  const isOther = known.length === 0 && !categories.includes(category);
  const which = isOther ? `; the lineage has no things of that category, it has ${categories.join(", ")}` : there;
  const message = `nothing is known of ${what} up to position ${rows.position}${which}`;
  throw new Fault("NOT_FOUND", message, { ...thing, position: rows.position, versions: known });
}

const maxNamed = 20;
/** The part of a name that is never cut. */
const maxWhole = 150;

async function versionsOf(rows: LineageRows, { category, id }: Thing): Promise<NamedNode[]> {
  const name = nameOf({ category, id });
  const beginnings = name.length > maxWhole ? [name.slice(0, maxWhole)] : [`${name}@`];
  const found = (await Promise.all(beginnings.map((beginning) => rows.nodesUnder(beginning)))).flat();
  if (name.length <= maxWhole) for await (const nodes of rows.nodes([name])) found.push(...nodes);
  return found
    .filter(({ node }) => node.category === category && node.id === id)
    .sort((a, b) => a.node.position - b.node.position || (a.name < b.name ? -1 : 1));
}

/** Each thing once, the nearest first; cycles end there. */
export async function* walk(
  rows: LineageRows,
  start: readonly Reached[],
  { direction, depth }: Walk,
): AsyncGenerator<Findings> {
  const seen = new Set(start.map(({ name }) => name));
  let frontier = [...seen];
  for (let distance = 1; distance <= depth && frontier.length > 0; distance++) {
    const reached = new Set<string>();
    for await (const edges of rows.edges(frontier, direction)) {
      for (const { from, to } of edges) {
        const far = direction === "down" ? to : from;
        if (!seen.has(far)) reached.add(far);
      }
      yield { things: [], edges };
    }
    frontier = [...reached];
    for (const name of frontier) seen.add(name);
    for await (const nodes of rows.nodes(frontier)) {
      yield { things: nodes.map((one) => ({ ...one, direction, distance })), edges: [] };
    }
  }
}
