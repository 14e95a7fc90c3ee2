/** A lineage as a tree of lines for people. */
import { colors } from "retrace";
import { kindWord, markOf, originWord, titleOf } from "./kinds.ts";
import type { Branch, Picture } from "./picture.ts";
import type { Reached } from "./walk.ts";

/** The start, and below each thing what it led to, or what it came from. What stands above is not repeated. */
export function textOf(picture: Picture): string {
  const told = new Set(picture.start.map(({ name }) => name));
  const lines: string[] = [];
  // A stack, because a lineage may be longer than calls can be deep. What comes first lies on top.
  const stack: (() => void)[] = [];
  const below = (name: string, depth: number): void => {
    const branches = picture.branches.get(name) ?? [];
    for (const branch of [...branches].reverse()) {
      if (branch.hidden > 0) stack.push(() => lines.push(`${indent(depth)}${hiddenText(branch, picture)}`));
      for (const end of [...branch.shown].reverse()) stack.push(() => tell(end, branch, depth));
    }
  };
  const tell = (end: Reached, { kind }: Branch, depth: number): void => {
    const isTold = told.has(end.name);
    const repeated = isTold && (picture.branches.get(end.name) ?? []).length > 0 ? colors.dim(" (see above)") : "";
    const way = picture.direction === "down" ? kind : originWord(kind);
    lines.push(`${indent(depth)}${way} ${titleText(end)}${repeated}`);
    told.add(end.name);
    if (!isTold) below(end.name, depth + 1);
  };
  for (const one of picture.start) {
    lines.push(titleText(one));
    below(one.name, 1);
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) next();
  }
  return lines.join("\n");
}

function indent(depth: number): string {
  return "  ".repeat(Math.min(depth, 40));
}

function titleText({ node }: Reached): string {
  const mark = markOf(node);
  return `${colors.cyan(titleOf(node))}${mark === undefined ? "" : colors.yellow(` [${mark}]`)}`;
}

function hiddenText({ kind, category, hidden }: Branch, { direction }: Picture): string {
  const what = `${hidden.toLocaleString("en")} more ${kindWord(category, hidden)}`;
  return colors.dim(`${direction === "down" ? kind : originWord(kind)} ${what}`);
}
