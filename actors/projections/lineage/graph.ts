/** Nodes and edges of the lineage as rows: how they are named, and how they come to be. */
import { digest, type RecordedEvent, type Rows } from "retrace";
import { given } from "../../given-fields.ts";

/** Something that has a lineage. */
export interface Thing {
  readonly category: string;
  readonly id: string;
  /** Of an artifact. */
  readonly version?: string;
}

/** A thing that an event may name. */
export type Ref = Thing | undefined;

/** A row under `node/`. */
export interface Node extends Thing {
  /** Named by others, and never recorded itself. */
  readonly external?: true;
  /** Of the first event that is about it, or names it. */
  readonly position: number;
  /** What is known of it besides. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

/** A row under `down/` and one under `up/`. */
export interface Edge {
  readonly from: string;
  readonly to: string;
  /** How the one led to the other, as in `from KIND to`. */
  readonly kind: string;
  /** Of the event that said so first. */
  readonly position: number;
}

/** From cause to effect; without a cause, there is none. */
export interface Step {
  readonly from: Ref;
  readonly to: Thing;
  readonly kind: string;
}

const maxName = 200;
/** Of one that is longer. */
const maxKept = maxName - 20;

/**
 * The name of a node: `<category>-<id>[@version]`. Without control characters, so that a tab parts two of them; a long one
 * is cut and marked, because a key has room for two.
 */
export function nameOf({ category, id, version }: Thing): string {
  const whole = version === undefined ? `${category}-${id}` : `${category}-${id}@${version}`;
  const plain = whole.replaceAll(/\p{Cc}|\p{Surrogate}/gu, "\ufffd");
  const isKept = plain === whole && plain.length <= maxName;
  return isKept ? plain : `${plain.slice(0, maxKept)}~${digest(whole).toString(16)}`;
}

/** Whether a name may have been cut, so that it does not say any more what it names. */
export function mayBeCut(name: string): boolean {
  return /~[0-9a-f]+$/.test(name) && (name.length > maxKept || name.includes("\ufffd"));
}

/** A version of a model in an environment. */
export function deploymentOf(modelId: string, environment: string, version: string): Thing {
  return { category: "deployment", id: `${modelId}~${environment}`, version };
}

type Graph = Rows<Node | Edge>;

/** The event is about this thing: it is recorded from now on, with what is known of it. */
export function record(
  rows: Graph,
  { position }: RecordedEvent,
  thing: Thing,
  known: Readonly<Record<string, unknown>> = {},
): void {
  const key = `node/${nameOf(thing)}`;
  const before = rows.get(key) as Node | undefined;
  const facts = { ...before?.facts, ...known };
  if (before !== undefined && before.external !== true && Object.keys(known).length === 0) return;
  rows.put(key, {
    ...thing,
    position: before?.position ?? position,
    ...given({ facts: Object.keys(facts).length > 0 ? facts : undefined }),
  });
}

/** One thing led to another. What is only named is a node, too. */
export function edge(rows: Graph, { position }: RecordedEvent, { from: cause, to: effect, kind }: Step): void {
  if (cause === undefined) return;
  const [from, to] = [nameOf(cause), nameOf(effect)];
  const nodeKey = `node/${from}`;
  if (rows.get(nodeKey) === undefined) rows.put(nodeKey, { ...cause, external: true, position });
  const down = `down/${from}\t${to}\t${kind}`;
  if (rows.get(down) !== undefined) return;
  const made = { from, to, kind, position };
  rows.put(down, made);
  rows.put(`up/${to}\t${from}\t${kind}`, made);
}
