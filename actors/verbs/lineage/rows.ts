/** Reads the rows of the projection `lineage` through the client, as of one position. */
import { type Client, Fault } from "retrace";
import type { Edge, Node } from "../../projections/lineage/graph.ts";

/** `down` leads from causes to effects, `up` from effects to causes. */
export type Direction = "up" | "down";

/** What reading needs of a client. */
export type Reader = Pick<Client, "query">;

/** The lineage as it was after an event. */
export interface LineageRows {
  readonly position: number;
  /** Whether it is that of a past that was asked for; else, facts may be newer than the position. */
  readonly isPast: boolean;
  /** The nodes whose names begin so, in the order of their names. */
  nodesUnder(beginning: string): Promise<NamedNode[]>;
  /** The nodes of these names, in no order; without those that there are not. */
  nodes(names: readonly string[]): AsyncGenerator<readonly NamedNode[]>;
  /** What leads away from these nodes, in no order. */
  edges(names: readonly string[], direction: Direction): AsyncGenerator<readonly Edge[]>;
}

/** A node with the name that edges call it by. */
export interface NamedNode {
  readonly name: string;
  readonly node: Node;
}

interface Row {
  readonly key: string;
  readonly value: unknown;
}

interface Page {
  readonly position: number;
  readonly rows: readonly Row[];
  readonly next: string | null;
}

const name = "lineage";
const pageRows = 1_000;
/** Requests under way at once. */
const atOnce = 64;
/** For so many names, reading everything that begins like them costs less than a request for each. */
const manyNames = 2_000;
const patienceMs = 5_000;

/**
 * Opens the lineage as of a position, inclusive; now, or past the end, it knows of everything that has happened before.
 * Rows as of the past have to be made; those of now need not, because nodes and edges stay and say since when they are.
 * @throws Fault PROJECTION_BEHIND when it does not in time.
 */
export async function openLineage(client: Reader, at?: number): Promise<LineageRows> {
  const { position: head } = await client.query<{ readonly position: number }>("health");
  const position = Math.min(at ?? head, head);
  await client.query("projection", { name, limit: 1, minPosition: position, timeoutMs: patienceMs });
  const isPast = at !== undefined && at < head;
  const pin = isPast ? { atPosition: position } : {};
  const since = isPast ? {} : { where: { position: { lte: position } } };
  const under = (prefix: string) => pagesOf(client, { prefix, ...pin, ...since });
  const nodeOf = (one: string) => oneRow(client, { key: `${nodePrefix}${one}`, ...pin });
  return {
    position,
    isPast,
    nodesUnder: async (beginning) => {
      const nodes: NamedNode[] = [];
      for await (const rows of under(`${nodePrefix}${beginning}`)) nodes.push(...rows.map(namedNode));
      return nodes;
    },
    nodes: async function* (names) {
      for (const { begin, few, many } of sources(names)) {
        if (few !== undefined) {
          for await (const rows of inBatches(few, nodeOf)) yield rows.map(namedNode);
          continue;
        }
        for await (const rows of under(`${nodePrefix}${begin}`)) {
          yield rows.map(namedNode).filter((node) => many.has(node.name));
        }
      }
    },
    edges: async function* (names, direction) {
      const end = direction === "down" ? "from" : "to";
      for (const { begin, few, many } of sources(names)) {
        if (few !== undefined) {
          yield* inBatches(few, (one) => allOf<Edge>(under(`${direction}/${one}\t`)));
          continue;
        }
        for await (const rows of under(`${direction}/${begin}`)) {
          yield rows.map(({ value }) => value as Edge).filter((edge) => many.has(edge[end]));
        }
      }
    },
  };
}

const nodePrefix = "node/";

function namedNode({ key, value }: Row): NamedNode {
  return { name: key.slice(nodePrefix.length), node: value as Node };
}

/** Names to be asked for one by one, or those among which all that begin so are read. */
type Source =
  | { readonly begin: string; readonly few: readonly string[]; readonly many?: undefined }
  | { readonly begin: string; readonly few?: undefined; readonly many: ReadonlySet<string> };

/** By the first word of their category, which is as much as the beginnings of names are sure to have in common. */
function sources(names: readonly string[]): Source[] {
  const byBeginning = new Map<string, string[]>();
  for (const one of names) {
    const begin = one.slice(0, one.indexOf("-") + 1);
    const group = byBeginning.get(begin);
    if (group === undefined) byBeginning.set(begin, [one]);
    else group.push(one);
  }
  return Array.from(byBeginning, ([begin, group]) => {
    return group.length < manyNames ? { begin, few: group } : { begin, many: new Set(group) };
  });
}

/** Some at a time; what came of them, in their order. */
async function* inBatches<Result>(
  names: readonly string[],
  read: (one: string) => Promise<readonly Result[]>,
): AsyncGenerator<readonly Result[]> {
  for (let i = 0; i < names.length; i += atOnce) {
    yield (await Promise.all(names.slice(i, i + atOnce).map(read))).flat();
  }
}

type Pages = AsyncGenerator<readonly Row[]>;

async function* pagesOf(client: Reader, query: object): Pages {
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const body = { name, limit: pageRows, ...query, ...(cursor !== undefined && { cursor }) };
    const page: Page = await client.query<Page>("projection", body);
    yield page.rows;
    cursor = page.next;
  }
}

async function allOf<Value>(pages: Pages): Promise<Value[]> {
  const values: Value[] = [];
  for await (const rows of pages) values.push(...rows.map(({ value }) => value as Value));
  return values;
}

async function oneRow(client: Reader, query: object): Promise<readonly Row[]> {
  try {
    return (await client.query<Page>("projection", { name, ...query })).rows;
  } catch (error) {
    if (error instanceof Fault && error.code === "NOT_FOUND") return [];
    throw error;
  }
}
