/** A lineage as a graph for Graphviz. */
import type { Box, Drawing } from "./drawing.ts";

/** The text of the graph: `dot -Tsvg` draws it. */
export function dotOf({ boxes, arrows }: Drawing): string {
  return [
    "digraph lineage {",
    "  node [shape=box];",
    ...boxes.map(({ id, title, mark }) => `  ${id} [label=${quoted(title)}${styles[mark ?? "plain"]}];`),
    ...arrows.map(({ from, to, kind }) => `  ${from} -> ${to} [label=${quoted(kind)}];`),
    "}",
  ].join("\n");
}

const styles: Readonly<Record<NonNullable<Box["mark"]> | "plain", string>> = {
  plain: "",
  start: ", penwidth=3",
  external: ", style=dashed",
  more: ", style=dotted",
  retracted: ", color=red",
  "rolled back": ", color=red",
};

function quoted(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}
