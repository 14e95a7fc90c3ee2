/**
 * Reads the part of Mermaid's stateDiagram-v2 that our pictures use, more strictly than Mermaid does: what it lets
 * through, Mermaid parses, and draws without losing an arrow.
 */
import assert from "node:assert/strict";

/** What a diagram shows. */
export interface Diagram {
  readonly title?: string;
  /** Each state with the state or region it is drawn in; `top` for the outermost. */
  readonly states: ReadonlyMap<string, string>;
  /** What a state is called where its id does not say it. */
  readonly labels: ReadonlyMap<string, string>;
  readonly arrows: readonly DrawnArrow[];
}

/** One arrow; `[*]` begins or ends a block. */
export interface DrawnArrow {
  readonly from: string;
  readonly to: string;
  readonly labels: readonly string[];
  readonly block: string;
}

const id = "[A-Za-z0-9_]+";
const text = String.raw`(?:[\p{L}\p{N} .,_'()[\]/+-]|#\d+;|<br/>)+`;
const arrowLine = new RegExp(String.raw`^(\[\*\]|${id}) --> (\[\*\]|${id})(?:: (${text}))?$`, "u");
const labelLine = new RegExp(`^(${id}): (${text})$`, "u");
const stateLine = new RegExp(`^state (${id}) \\{$`);
const bareLine = new RegExp(`^(${id})$`);

/** Mermaid's keywords, and names that it keeps for itself. It ignores case. */
const keywords =
  /^(accDescr|accTitle|class|classDef|click|default|direction|end|hide|href|note|root|root_start|root_end|scale|state|stateDiagram|style|constructor|__proto__|hasOwnProperty|toString|valueOf)$/i;

/** Reads a diagram. @throws AssertionError naming the line that is wrong. */
export function readMermaid(source: string): Diagram {
  const { title, lines } = withoutFrontMatter(source.split("\n"));
  assert.equal(lines[0], "stateDiagram-v2");
  const states = new Map<string, string>();
  const labels = new Map<string, string>();
  const arrows: DrawnArrow[] = [];
  const open: { id: string; region: number }[] = [];
  const block = () => {
    const innermost = open.at(-1);
    return innermost === undefined ? "top" : `${innermost.id}/${innermost.region}`;
  };
  const mention = (name: string, isDeclared: boolean): void => {
    if (name === "[*]") return;
    assert(!keywords.test(name), `${name} is a word of Mermaid's`);
    const before = states.get(name);
    if (before === undefined) states.set(name, block());
    // An arrow at the top may name what lies deeper; one in another block would move it there.
    else assert(before === block() || (block() === "top" && !isDeclared), `${name} is in ${before} and in ${block()}`);
  };

  for (const line of lines.slice(1)) {
    const indent = "  ".repeat(open.length + (/^ *\}$/.test(line) ? 0 : 1));
    assert(line.startsWith(indent) && line[indent.length] !== " ", `wrong indent: ${line}`);
    const bare = line.trim();
    const [, from, to, label] = arrowLine.exec(bare) ?? [];
    const [, labelled, itsLabel] = labelLine.exec(bare) ?? [];
    const opened = stateLine.exec(bare)?.[1];
    const named = bareLine.exec(bare)?.[1];
    if (from !== undefined && to !== undefined) {
      mention(from, false);
      mention(to, false);
      arrows.push({ from, to, labels: label?.split("<br/>").map(unescaped) ?? [], block: block() });
    } else if (labelled !== undefined && itsLabel !== undefined) {
      mention(labelled, true);
      assert(!labels.has(labelled), `${labelled} has two labels`);
      labels.set(labelled, unescaped(itsLabel));
    } else if (opened !== undefined) {
      mention(opened, true);
      open.push({ id: opened, region: 0 });
    } else if (named !== undefined) {
      mention(named, true);
    } else if (bare === "--") {
      const innermost = open.at(-1);
      assert(innermost !== undefined, "regions are inside of a state");
      innermost.region += 1;
    } else {
      assert(bare === "}" && open.pop() !== undefined, `no line of a state diagram: ${line}`);
    }
  }
  assert.equal(open.length, 0, "a state is left open");
  const diagram = { ...(title !== undefined && { title }), states, labels, arrows };
  for (const arrow of arrows) assertDrawable(diagram, arrow);
  return diagram;
}

function withoutFrontMatter(lines: readonly string[]): { title?: string; lines: readonly string[] } {
  if (lines[0] !== "---") return { lines };
  const quoted = /^title: (".*")$/.exec(lines[1] ?? "")?.[1];
  assert(quoted !== undefined && lines[2] === "---", "front matter is a title");
  return { title: JSON.parse(quoted) as string, lines: lines.slice(3) };
}

function unescaped(label: string): string {
  return label.replace(/#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)));
}

/** What Mermaid parses and then fails to draw. */
function assertDrawable({ states, arrows }: Diagram, { from, to, block }: DrawnArrow): void {
  const arrow = `${from} --> ${to}`;
  assert.equal(
    arrows.filter((one) => one.from === from && one.to === to && one.block === block).length,
    1,
    `${arrow} twice`,
  );
  if (from === "[*]" || to === "[*]") return;
  const isComposite = [...states.values()].some((parent) => parent.startsWith(`${from}/`));
  assert(from !== to || !isComposite, `${arrow}: from a state with states inside to itself`);
  const [aroundFrom, aroundTo] = [blocksAround(states, from), blocksAround(states, to)];
  const isInside = (blocks: readonly string[], outer: string) => blocks.some((one) => one.startsWith(`${outer}/`));
  assert(!isInside(aroundFrom, to) && !isInside(aroundTo, from), `${arrow}: between a state and one around it`);
  for (const [ours, theirs] of [
    [aroundFrom, aroundTo],
    [aroundTo, aroundFrom],
  ] as const) {
    const left = ours.filter((one) => !theirs.includes(one));
    const crossed = left.find((one) => isParallel(states, one.split("/")[0] as string));
    assert.equal(crossed, undefined, `${arrow}: across the border of region ${crossed}`);
  }
}

function blocksAround(states: ReadonlyMap<string, string>, name: string): string[] {
  const block = states.get(name) ?? "top";
  return block === "top" ? [] : [block, ...blocksAround(states, block.split("/")[0] as string)];
}

function isParallel(states: ReadonlyMap<string, string>, name: string): boolean {
  return [...states.values()].includes(`${name}/1`);
}
