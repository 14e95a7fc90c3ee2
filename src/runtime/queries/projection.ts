/** The query `projection`: rows of a projection, one by its key or many in the order of their keys. */
import { z } from "zod";
import type { EventStore } from "../../core/event-store.ts";
import { Fault } from "../../core/fault.ts";
import type { ProjectionReply } from "../../wire/replies.ts";
import type { Projections, ReadRows } from "../projections/projections.ts";
import type { Row } from "../projections/scan-rows.ts";
import { limit, position } from "./fields.ts";
import { breathe, Page, type Query, query } from "./query.ts";

const rowKey = z
  .string()
  .min(1)
  .max(512)
  .refine((text) => !/\p{Surrogate}/u.test(text), "half of a surrogate pair");
const equals = z.union([z.string(), z.number(), z.boolean(), z.null()]);

const body = z
  .strictObject({
    name: z.string().min(1).max(64),
    key: rowKey.optional(),
    prefix: z.union([z.literal(""), rowKey]).optional(),
    /** By field, dotted where nested. */
    where: z.record(z.string().min(1).max(256), equals).optional(),
    limit,
    cursor: rowKey.optional(),
    minPosition: position.optional(),
    timeoutMs: z.int().min(0).max(30_000).default(1_000),
  })
  .refine(({ key, prefix, where, cursor }) => key === undefined || [prefix, where, cursor].every(isUndefined), {
    path: ["key"],
    message: "a key names one row: give no prefix, where or cursor with it",
  });

type Request = z.output<typeof body>;

/** Rows looked at between two breaths: a rare match must not hold up the commands. */
const windowRows = 1_000;

/** The projections, and the log behind them. */
export interface ProjectionSource {
  readonly store: EventStore;
  readonly projections: Projections;
}

/** Makes the query. */
export function projectionQuery({ store, projections }: ProjectionSource): Query {
  return query("projection", body, async (request): Promise<ProjectionReply> => {
    const { name, minPosition, timeoutMs } = request;
    if (!projections.names.includes(name)) throw unknownProjection(name, projections.names);
    if (minPosition !== undefined && !(await projections.reaches(name, minPosition, timeoutMs))) {
      throw behind(name, minPosition, projections);
    }
    return request.key === undefined
      ? page({ store, projections }, request)
      : oneRow({ store, projections }, request.key, name);
  });
}

function oneRow({ store, projections }: ProjectionSource, key: string, name: string): ProjectionReply {
  const { version, position, rows } = found(projections.read(store, name, { key }), name, projections);
  if (rows.length === 0) throw new Fault("NOT_FOUND", `${name} has no row ${key}`, { name, key, position });
  return { name, version, position, rows, next: null };
}

async function page({ store, projections }: ProjectionSource, request: Request): Promise<ProjectionReply> {
  const { name, prefix = "", where = {}, cursor } = request;
  const conditions = Object.entries(where).map(([field, value]) => ({ path: field.split("."), value }));
  const size = conditions.length === 0 ? request.limit + 1 : windowRows;
  let rows = new Page<Row>(request.limit);
  let after = cursor;
  let first: ReadRows | undefined;
  while (true) {
    const query = { prefix, limit: size, ...(after === undefined ? {} : { after }) };
    const window = found(projections.read(store, name, query), name, projections);
    if (first !== undefined && window.generation !== first.generation) {
      // Another generation was switched in between two windows: a page is of one.
      rows = new Page<Row>(request.limit);
      after = cursor;
      first = undefined;
      continue;
    }
    first ??= window;
    const { version, position } = first;
    for (const row of window.rows) {
      if (!conditions.every(({ path, value }) => fieldOf(row.value, path) === value)) continue;
      if (!rows.add(row)) return { name, version, position, rows: rows.items, next: rows.items.at(-1)?.key ?? null };
    }
    if (window.rows.length < size) return { name, version, position, rows: rows.items, next: null };
    after = window.rows.at(-1)?.key;
    await breathe();
  }
}

function fieldOf(row: unknown, path: readonly string[]): unknown {
  let value = row;
  for (const name of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[name];
  }
  return value;
}

function found(read: ReadRows | undefined, name: string, projections: Projections): ReadRows {
  if (read !== undefined) return read;
  throw behind(name, 0, projections);
}

function unknownProjection(name: string, names: readonly string[]): Fault {
  const known = [...names].sort();
  return new Fault("UNKNOWN_QUERY", `there is no projection ${name}; there are ${known.join(", ")}`, { known });
}

function behind(name: string, minPosition: number, projections: Projections): Fault {
  const status = projections.status().find((one) => one.name === name);
  const { position = 0, progress } = status ?? {};
  const details = { name, position, minPosition, ...(progress && { progress }) };
  if (progress === undefined || minPosition > 0) {
    return new Fault("PROJECTION_BEHIND", `${name} is at position ${position}, not yet at ${minPosition}`, details);
  }
  const message = `${name} is being built: at position ${progress.position} of ${progress.of}`;
  return new Fault("PROJECTION_BEHIND", message, details);
}

function isUndefined(value: unknown): boolean {
  return value === undefined;
}
