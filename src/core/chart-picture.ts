/**
 * A chart as a picture: Mermaid's stateDiagram-v2, for documents and for people at a terminal. The same chart gives the
 * same text.
 */
import type { AnyStateMachine } from "xstate";
import type { Aggregate } from "./aggregate.ts";
import { arrowsOf, type ChartNode, childrenOf, type End, initialChild } from "./chart-arrows.ts";
import { effectNames } from "./chart-effects.ts";
import type { Saga } from "./saga.ts";

/** One chart: of an aggregate, its own or that of one kind of its parts; or of a saga. */
export interface TitledChart {
  readonly title: string;
  /** The name of the kind of part; absent for the aggregate's own chart. */
  readonly part?: string;
  readonly machine: AnyStateMachine;
}

/** The charts of an aggregate, its own first. Kinds of part that share a chart are one. */
export function chartsOf({ category, machine, parts }: Aggregate): TitledChart[] {
  const kinds = parts.filter((part, index) => parts.findIndex((other) => other.machine === part.machine) === index);
  return [
    { title: category, machine },
    ...kinds.map((part) => ({ title: `${category}, each ${part.name}`, part: part.name, machine: part.machine })),
  ];
}

/** The chart of a saga. */
export function chartOf({ name, machine }: Saga): TitledChart {
  return { title: `saga ${name}`, machine };
}

/** The Mermaid text of one chart, without a line break at its end. A title goes into its front matter. */
export function chartPicture(machine: AnyStateMachine, title?: string): string {
  // Every JSON string is a YAML string, too.
  const frontMatter = title === undefined ? [] : ["---", `title: ${JSON.stringify(title)}`, "---"];
  const root = machine.root as unknown as ChartNode;
  return [...frontMatter, "stateDiagram-v2", ...indented(topLines(root, penFor(root)))].join("\n");
}

/** What every part of the picture is drawn with. */
interface Pen {
  readonly idOf: (end: End) => string;
  /**
   * The arrows drawn right inside a state, if they begin at `from` where that is given; of no state, those drawn at the
   * top because they cross a border.
   */
  readonly arrowLines: (block: ChartNode | undefined, from?: ChartNode) => readonly string[];
  readonly isMentioned: (node: ChartNode) => boolean;
  /** Whether an arrow begins anywhere inside of a state. */
  readonly beginsAnywhereIn: (node: ChartNode) => boolean;
}

function penFor(root: ChartNode): Pen {
  const idOf = idsOf(root);
  const arrows = arrowsOf(root);
  const mentioned = new Set(arrows.flatMap(({ from, to }) => [from.node, to.node]));
  return {
    idOf,
    arrowLines: (block, from) => {
      const labels = new Map<string, string[]>();
      for (const arrow of arrows) {
        if (arrow.block !== block || (from !== undefined && arrow.from.node !== from)) continue;
        const line = `${idOf(arrow.from)} --> ${idOf(arrow.to)}`;
        labels.set(line, [...(labels.get(line) ?? []), escaped(arrow.label)]);
      }
      // Of several arrows from a state to itself Mermaid draws only one, so one bears all the labels.
      return [...labels].map(([line, texts]) => `${line}: ${texts.join("<br/>")}`);
    },
    isMentioned: (node) =>
      mentioned.has(node) || node.type === "final" || (node.parent !== undefined && initialChild(node.parent) === node),
    beginsAnywhereIn: (node) => arrows.some(({ from }) => from.isAnywhere && from.node === node),
  };
}

/** A state diagram has regions only inside of a state, so a chart that is parallel as a whole is drawn as one. */
function topLines(root: ChartNode, pen: Pen): string[] {
  const whole =
    root.type === "parallel" ? [`[*] --> ${pen.idOf(at(root))}`, ...stateLines(root, pen)] : blockLines(root, pen);
  return [...whole, ...pen.arrowLines(undefined)];
}

function stateLines(node: ChartNode, pen: Pen): string[] {
  const id = pen.idOf(at(node));
  const label = labelOf(node);
  const named = label === id ? [] : [`${id}: ${escaped(label)}`];
  if (childrenOf(node).length > 0) return [...named, `state ${id} {`, ...indented(blockLines(node, pen)), "}"];
  return named.length > 0 || pen.isMentioned(node) ? named : [id];
}

/** A state's name, with what is done whenever it is entered or left. */
function labelOf(node: ChartNode): string {
  if (node.type === "history") return node.history === "deep" ? "H*" : "H";
  return [node.key, ...effectsAt(node, "entry"), ...effectsAt(node, "exit")].join(" ");
}

function effectsAt(node: ChartNode, when: "entry" | "exit"): string[] {
  const effects = effectNames(node.machine, [node.config[when] ?? []].flat());
  return effects.length === 0 ? [] : [`(${when} / ${effects.join(", ")})`];
}

/** The chart as a whole has no name in its picture, so what is done when it starts is at the first arrow. */
function initialLine(block: ChartNode, initial: ChartNode, pen: Pen): string {
  const effects = block.parent === undefined ? effectNames(block.machine, [block.config.entry ?? []].flat()) : [];
  return `[*] --> ${pen.idOf(at(initial))}${effects.length === 0 ? "" : `: / ${escaped(effects.join(", "))}`}`;
}

function blockLines(block: ChartNode, pen: Pen): string[] {
  if (block.type === "parallel") return regionLines(block, pen);
  const children = childrenOf(block);
  const initial = initialChild(block);
  return [
    ...(initial === undefined ? [] : [initialLine(block, initial, pen)]),
    ...children.flatMap((child) => stateLines(child, pen)),
    ...anywhereLines(block, pen),
    ...children.flatMap((child) => pen.arrowLines(block, child)),
    ...children.flatMap((child) => endLines(child, pen)),
  ];
}

/** What holds in every region gets one of its own. */
function regionLines(block: ChartNode, pen: Pen): string[] {
  const regions = childrenOf(block).map((child) => [
    ...stateLines(child, pen),
    ...pen.arrowLines(block, child),
    ...endLines(child, pen),
  ]);
  const ofAll = anywhereLines(block, pen);
  const all = ofAll.length === 0 ? regions : [...regions, ofAll];
  return all.flatMap((region, index) => (index === 0 ? region : ["--", ...region]));
}

function endLines(node: ChartNode, pen: Pen): string[] {
  return node.type === "final" ? [`${pen.idOf(at(node))} --> [*]`] : [];
}

function anywhereLines(block: ChartNode, pen: Pen): string[] {
  if (!pen.beginsAnywhereIn(block)) return [];
  return [`${pen.idOf({ node: block, isAnywhere: true })}: any state`, ...pen.arrowLines(block, block)];
}

function at(node: ChartNode): End {
  return { node, isAnywhere: false };
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

/** Words that Mermaid reads as something else, in lower case because it ignores case. */
const reserved = [
  ...["accdescr", "acctitle", "class", "classdef", "click", "default", "direction", "end", "hide", "href", "note"],
  ...["root", "root_end", "root_start", "scale", "state", "statediagram", "style"],
  ...["constructor", "__proto__", "hasownproperty", "tostring", "valueof"],
];

/** Mermaid's ids are one namespace, so the id of a state begins with the ids of those around it. */
function idsOf(root: ChartNode): (end: End) => string {
  const taken = new Set(reserved);
  const take = (wanted: string): string => {
    let id = wanted;
    for (let n = 2; taken.has(id.toLowerCase()); n++) id = `${wanted}_${n}`;
    taken.add(id.toLowerCase());
    return id;
  };
  const states = new Map<ChartNode, string>();
  const anywhere = new Map<ChartNode, string>();
  const visit = (node: ChartNode, prefix: string): void => {
    for (const child of childrenOf(node)) states.set(child, take(prefix + child.key.replace(/[^A-Za-z0-9_]/g, "_")));
    anywhere.set(node, take(`${prefix}any`));
    for (const child of childrenOf(node)) visit(child, `${states.get(child)}__`);
  };
  visit(root, "");
  states.set(root, take(root.key.replace(/[^A-Za-z0-9_]/g, "_")));
  return ({ node, isAnywhere }) => (isAnywhere ? anywhere : states).get(node) as string;
}

/** Everything else becomes an entity in Mermaid's spelling: a colon or a semicolon would end the text. */
function escaped(text: string): string {
  return text.replace(/[^\p{L}\p{N} .,_'()[\]/+-]/gu, (character) => `#${character.codePointAt(0)};`);
}
