/**
 * A projection in the shadow of a live one: events of a replay folded in memory by handlers that are not in service, and
 * their rows beside those that are. It finds out what a new pipeline would say of the past, without deploying anything.
 */
import { isDeepStrictEqual } from "node:util";
import type { Aggregate } from "../core/aggregate.ts";
import { readEvent } from "../core/history.ts";
import type { RecordedEvent } from "../core/message.ts";
import type { Projection } from "../core/projection.ts";
import type { Client } from "../wire/client.ts";
import type { ProjectionReply } from "../wire/replies.ts";
import { memoryRows, rowsByKey } from "./memory-rows.ts";

/** What a shadow is made with. */
export interface ShadowOptions {
  /** Whose events come at the latest version of their data, as in a runtime; of others they come as they were stored. */
  readonly aggregates?: readonly Aggregate[];
}

/** An event that a handler could not take: a runtime would park it. */
export interface ShadowParked {
  readonly position: number;
  readonly type: string;
  readonly stream: string;
  readonly reason: string;
}

/** A row that is not the same; one side is absent where it has no such row. */
export interface RowsDifference {
  readonly key: string;
  readonly shadow?: unknown;
  readonly live?: unknown;
}

/** Shadow and live rows beside one another. */
export interface RowsComparison {
  /** Of the live projection. */
  readonly version: number;
  /** Keys that either side has. */
  readonly compared: number;
  /** In the order of keys of the live side, then those that only the shadow has. */
  readonly differences: readonly RowsDifference[];
}

/** Rows in memory. */
export interface ShadowProjection<Row = unknown> {
  /** The handler of a replay. What the projection does not listen to is passed over. Events come in the order of the log. */
  readonly apply: (event: RecordedEvent) => void;
  readonly parked: readonly ShadowParked[];
  /** By key, in the order of keys. */
  rows(): Readonly<Record<string, Row>>;
  /**
   * Compares with the live rows of the projection of the same name, or of another one, as of a position: that up to which
   * the shadow has seen the log. @throws Fault as the query `projection`.
   */
  compare(
    client: Pick<Client, "query">,
    at: { readonly atPosition: number; readonly name?: string },
  ): Promise<RowsComparison>;
}

/** Makes one, empty. */
export function shadowProjection<Row = unknown>(
  projection: Projection,
  { aggregates = [] }: ShadowOptions = {},
): ShadowProjection<Row> {
  const byCategory = new Map(aggregates.map((aggregate) => [aggregate.category, aggregate]));
  const rows = memoryRows(projection);
  const parked: ShadowParked[] = [];
  return {
    parked,
    apply: (event) => {
      const { position, type, stream } = event;
      const handler = Object.hasOwn(projection.on, type) ? projection.on[type] : undefined;
      if (handler === undefined) return;
      const latest = latestOf(event, byCategory.get(event.category));
      const reason = typeof latest === "string" ? latest : rows.apply(handler, latest);
      if (reason !== undefined) parked.push({ position, type, stream, reason });
    },
    rows: () => rowsByKey<Row>(rows),
    compare: (client, { atPosition, name = projection.name }) => {
      return compareRows(rowsByKey(rows), livePages(client, { name, atPosition, limit: 1_000 }));
    },
  };
}

/** Or why it cannot be read. */
function latestOf(event: RecordedEvent, aggregate: Aggregate | undefined): RecordedEvent | string {
  if (aggregate === undefined) return event;
  const read = readEvent(aggregate, event);
  if (read.outcome === "unreadable") return `the event cannot be read: ${read.message}`;
  return { ...event, schemaVersion: read.schema.version, data: read.event.data };
}

async function* livePages(client: Pick<Client, "query">, request: object): AsyncGenerator<ProjectionReply> {
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const page: ProjectionReply = await client.query("projection", { ...request, cursor });
    yield page;
    cursor = page.next;
  }
}

async function compareRows(
  shadow: Readonly<Record<string, unknown>>,
  live: AsyncIterable<ProjectionReply>,
): Promise<RowsComparison> {
  // Live rows have been JSON on their way here.
  const own = new Map(Object.entries(JSON.parse(JSON.stringify(shadow)) as Record<string, unknown>));
  const differences: RowsDifference[] = [];
  let [version, compared] = [0, own.size];
  for await (const page of live) {
    ({ version } = page);
    for (const { key, value } of page.rows) {
      if (!own.has(key)) {
        compared += 1;
        differences.push({ key, live: value });
      } else if (!isDeepStrictEqual(own.get(key), value)) {
        differences.push({ key, shadow: own.get(key), live: value });
      }
      own.delete(key);
    }
  }
  for (const [key, value] of own) differences.push({ key, shadow: value });
  return { version, compared, differences };
}
