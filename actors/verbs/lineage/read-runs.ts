/** Reads training runs with all that OpenLineage wants to know of them. */
import { Fault } from "retrace";
import type { Edge } from "../../projections/lineage/graph.ts";
import { neighbours, type Run, type RunTimes } from "./open-lineage.ts";
import type { Direction, LineageRows, NamedNode, Reader } from "./rows.ts";

/** What to read, and where. */
export interface ReadRuns {
  readonly client: Reader;
  readonly rows: LineageRows;
  /** Nodes of training runs. */
  readonly runs: readonly NamedNode[];
}

const atOnce = 64;
const patienceMs = 5_000;

/** The runs in the order given, with their neighbours, in the order of the log, whether the walk came to those or not. */
export async function* readRuns({ client, rows, runs }: ReadRuns): AsyncGenerator<Run> {
  for (let i = 0; i < runs.length; i += atOnce) {
    const some = runs.slice(i, i + atOnce);
    const names = some.map(({ name }) => name);
    const [up, down] = await Promise.all([edgesOf(rows, names, "up"), edgesOf(rows, names, "down")]);
    const [sources, products] = [neighbours(up, "up"), neighbours(down, "down")];
    const around = await nodesOf(rows, [...sources.values(), ...products.values()].flat());
    const times = await Promise.all(some.map(({ node }) => timesOf(client, node.id, rows)));
    for (const [j, { name, node }] of some.entries()) {
      const those = (named: readonly string[] = []) =>
        around.filter((one) => named.includes(one.name)).map((one) => one.node);
      yield { node, sources: those(sources.get(name)), products: those(products.get(name)), times: times[j] ?? {} };
    }
  }
}

async function edgesOf(rows: LineageRows, names: readonly string[], direction: Direction): Promise<Edge[]> {
  const edges: Edge[] = [];
  for await (const some of rows.edges(names, direction)) edges.push(...some);
  return edges;
}

async function nodesOf(rows: LineageRows, names: readonly string[]): Promise<NamedNode[]> {
  const found: NamedNode[] = [];
  for await (const nodes of rows.nodes([...new Set(names)])) found.push(...nodes);
  return found.sort((a, b) => a.node.position - b.node.position || (a.name < b.name ? -1 : 1));
}

/** A run that is only named by others has no row. */
async function timesOf(client: Reader, key: string, { position, isPast }: LineageRows): Promise<RunTimes> {
  const point = { minPosition: position, timeoutMs: patienceMs, ...(isPast && { atPosition: position }) };
  const query = { name: "training-summaries", key, ...point };
  try {
    const { rows } = await client.query<{ readonly rows: readonly { readonly value: RunTimes }[] }>(
      "projection",
      query,
    );
    return rows[0]?.value ?? {};
  } catch (error) {
    if (error instanceof Fault && error.code === "NOT_FOUND") return {};
    throw error;
  }
}
