/** What Mermaid and Graphviz draw of a lineage: boxes and arrows from causes to effects, each once. */
import { kindWord, type Mark, markOf, titleOf } from "./kinds.ts";
import type { Picture } from "./picture.ts";

/** A thing, or those that are not shown of a branch. */
export interface Box {
  readonly id: string;
  readonly title: string;
  readonly mark?: Mark | "start" | "more";
}

/** From a cause to an effect. */
export interface Arrow {
  readonly from: string;
  readonly to: string;
  readonly kind: string;
}

/** The boxes before the arrows between them. */
export interface Drawing {
  readonly boxes: readonly Box[];
  readonly arrows: readonly Arrow[];
}

/** One drawing of pictures that begin at the same things. */
export function drawingOf(pictures: readonly Picture[]): Drawing {
  const boxes = new Map<string, Box>();
  const arrows = new Map<string, Arrow>();
  for (const { things } of pictures) {
    for (const { name, node, direction } of things) {
      if (boxes.has(name)) continue;
      const mark = direction === "start" ? direction : markOf(node);
      boxes.set(name, { id: `n${boxes.size}`, title: titleOf(node), ...(mark && { mark }) });
    }
  }
  for (const { direction, branches } of pictures) {
    const add = (near: string, far: string, kind: string): void => {
      const [from, to] = direction === "down" ? [near, far] : [far, near];
      arrows.set(`${from} ${to} ${kind}`, { from, to, kind });
    };
    for (const [name, group] of branches) {
      const near = (boxes.get(name) as Box).id;
      for (const { kind, category, shown, hidden } of group) {
        for (const end of shown) add(near, (boxes.get(end.name) as Box).id, kind);
        if (hidden === 0) continue;
        const more: Box = {
          id: `n${boxes.size}`,
          title: `${hidden.toLocaleString("en")} more ${kindWord(category, hidden)}`,
          mark: "more",
        };
        boxes.set(`\t${more.id}`, more);
        add(near, more.id, kind);
      }
    }
  }
  return { boxes: [...boxes.values()], arrows: [...arrows.values()] };
}
