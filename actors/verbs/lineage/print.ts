/** Walks the lineage that is asked for, and prints it in the form that is asked for. */
import type { Thing } from "../../projections/lineage/graph.ts";
import { drawingOf } from "./drawing.ts";
import { titleOf } from "./kinds.ts";
import { runEvents } from "./open-lineage.ts";
import { addFindings, emptyGraph, type Graph, pictureOf } from "./picture.ts";
import { dotOf } from "./print-dot.ts";
import { mermaidOf } from "./print-mermaid.ts";
import { textOf } from "./print-text.ts";
import { readRuns } from "./read-runs.ts";
import { type Direction, type LineageRows, openLineage, type Reader } from "./rows.ts";
import { Summary, summaryText } from "./summary.ts";
import { findStart, type Reached, walk } from "./walk.ts";

const formats = ["text", "json", "mermaid", "dot", "openlineage"] as const;

/** How a lineage may be printed. */
export type Format = (typeof formats)[number];

/** Whether it is one of them. */
export function isFormat(text: string): text is Format {
  return (formats as readonly string[]).includes(text);
}

/** What is asked for. */
export interface LineageRequest {
  readonly thing: Thing;
  readonly directions: readonly Direction[];
  readonly depth: number;
  readonly at?: number;
  readonly format: Format;
  readonly isAll: boolean;
}

/** Where it goes, line by line. */
export interface Output {
  print(text: string): void;
  /** What was left out, and why. */
  warn(text: string): void;
}

/** Of a larger branch, so many things are shown. */
const few = 5;

/** @throws Fault NOT_FOUND for what the lineage does not know. */
export async function printLineage(client: Reader, request: LineageRequest, output: Output): Promise<void> {
  const rows = await openLineage(client, request.at);
  const start = await findStart(rows, request.thing);
  if (request.format === "json") return printLines(rows, start, { ...request, output });
  const graphs: Graph[] = [];
  for (const direction of request.directions) {
    const graph = emptyGraph(direction, start);
    for await (const findings of walk(rows, start, { direction, depth: request.depth })) addFindings(graph, findings);
    graphs.push(graph);
  }
  if (request.format === "openlineage") return printRunEvents({ client, rows, output }, graphs);
  const most = request.isAll ? Number.POSITIVE_INFINITY : few;
  if (request.format === "text") output.print(graphs.map((graph) => treeText(graph, rows, most)).join("\n\n"));
  else {
    const drawing = drawingOf(graphs.map((graph) => pictureOf(graph, most)));
    output.print(request.format === "mermaid" ? mermaidOf(drawing) : dotOf(drawing));
  }
}

const titles: Readonly<Record<Direction, string>> = { up: "what it was made of", down: "what came of it" };

function treeText(graph: Graph, { position }: LineageRows, most: number): string {
  const { direction, things } = graph;
  const summary = new Summary();
  for (const thing of things.values()) summary.add(thing);
  const counts = summary.counts(direction);
  const total = counts.reduce((sum, count) => sum + count.things, 0);
  const tree = textOf(pictureOf(graph, most));
  const inAll = total === 0 ? "nothing" : `${total.toLocaleString("en")} in all:\n${summaryText(counts)}`;
  return `${titles[direction]}, as of position ${position}:\n${tree}\n${inAll}`;
}

/** As they are found: nothing is kept but names. */
async function printLines(
  rows: LineageRows,
  start: readonly Reached[],
  { thing: asked, directions, depth, output }: LineageRequest & { readonly output: Output },
): Promise<void> {
  const summary = new Summary();
  const print = (value: object) => output.print(JSON.stringify(value));
  const printThing = ({ name, node, direction, distance }: Reached) =>
    print({ thing: { name, ...node, direction, distance } });
  print({ lineage: { ...asked, position: rows.position, directions } });
  for (const thing of start) printThing(thing);
  for (const direction of directions) {
    for await (const { things, edges } of walk(rows, start, { direction, depth })) {
      for (const edge of edges) print({ edge });
      for (const thing of things) {
        summary.add(thing);
        printThing(thing);
      }
    }
  }
  const counts = directions.map((direction) => [direction, summary.counts(direction)]);
  print({ summary: Object.fromEntries(counts) });
}

interface RunSource {
  readonly client: Reader;
  readonly rows: LineageRows;
  readonly output: Output;
}

async function printRunEvents({ client, rows, output }: RunSource, graphs: readonly Graph[]): Promise<void> {
  const { store } = await client.query<{ readonly store: { readonly id: string } }>("health");
  const found = new Map(graphs.flatMap(({ things }) => [...things]));
  const runs = [...found.values()]
    .filter(({ node }) => node.category === "training-run")
    .sort((a, b) => a.node.position - b.node.position);
  if (runs.length === 0) output.warn("no run is on the way: no events");
  for await (const run of readRuns({ client, rows, runs })) {
    const events = runEvents(run, store.id);
    if (events.length === 0) output.warn(`warning: ${titleOf(run.node)} has not begun: no event of it`);
    for (const event of events) output.print(JSON.stringify(event));
  }
}
