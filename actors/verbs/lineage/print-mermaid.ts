/** A lineage as a Mermaid flowchart. */
import type { Box, Drawing } from "./drawing.ts";

/** The text of the flowchart: paste it at mermaid.live, or into a block of Markdown that opens with ```mermaid. */
export function mermaidOf({ boxes, arrows }: Drawing): string {
  return [
    "flowchart TD",
    ...boxes.map(({ id, title, mark }) => `  ${id}["${escaped(title)}"]${mark ? `:::${classes[mark]}` : ""}`),
    ...arrows.map(({ from, to, kind }) => `  ${from} -->|"${escaped(kind)}"| ${to}`),
    "  classDef origin stroke-width:3px",
    "  classDef external stroke-dasharray:4 4",
    "  classDef more stroke-dasharray:2 2",
    "  classDef undone stroke:#c00",
  ].join("\n");
}

const classes: Readonly<Record<NonNullable<Box["mark"]>, string>> = {
  start: "origin",
  external: "external",
  more: "more",
  retracted: "undone",
  "rolled back": "undone",
};

/** Mermaid reads the codes of characters that would mean something to it. */
function escaped(text: string): string {
  return text.replace(/[^\p{L}\p{N} .,_@~:/+-]/gu, (character) => `#${character.codePointAt(0)};`);
}
