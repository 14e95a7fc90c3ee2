/** The query `projection`: rows of a projection, one by its key, or many by prefix and conditions, now or in the past. */
import { z } from "zod";
import type { EventStore } from "../../core/event-store.ts";
import { Fault } from "../../core/fault.ts";
import type { ProjectionReply } from "../../wire/replies.ts";
import type { FindQuery } from "../projections/find-rows.ts";
import type { FoundRows, Projections, ReadRows } from "../projections/projections.ts";
import type { Row } from "../projections/row-space.ts";
import { Conditions } from "../projections/where.ts";
import { limit, position } from "./fields.ts";
import { breathe, Page, type Query, query } from "./query.ts";

const wellFormed = (text: string): boolean => !/\p{Surrogate}/u.test(text);
const text = z.string().max(512).refine(wellFormed, "half of a surrogate pair");
const rowKey = text.min(1);
const bound = z.union([z.string(), z.number()]);
const value = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const bounds = z
  .strictObject({
    eq: value.optional(),
    gt: bound.optional(),
    gte: bound.optional(),
    lt: bound.optional(),
    lte: bound.optional(),
    prefix: text.optional(),
  })
  .refine((given) => Object.values(given).some(isGiven), "give at least one of eq, gt, gte, lt, lte, prefix");

/** What it is asked with. */
export const body = z
  .strictObject({
    name: z.string().min(1).max(64),
    key: rowKey.optional(),
    prefix: text.optional(),
    /** By field, dotted where nested. */
    where: z.record(z.string().min(1).max(256), z.union([value, bounds])).optional(),
    limit,
    cursor: z.string().min(1).max(4_096).refine(wellFormed, "half of a surrogate pair").optional(),
    atPosition: position.optional(),
    minPosition: position.optional(),
    timeoutMs: z.int().min(0).max(30_000).default(1_000),
  })
  .refine(({ key, prefix, where, cursor }) => key === undefined || ![prefix, where, cursor].some(isGiven), {
    path: ["key"],
    message: "a key names one row: give no prefix, where or cursor with it",
  });

type Request = z.output<typeof body>;

/** The projections, and the log behind them. */
export interface ProjectionSource {
  readonly store: EventStore;
  readonly projections: Projections;
}

/** Makes the query. */
export function projectionQuery(source: ProjectionSource): Query {
  const { projections } = source;
  return query("projection", body, async (request): Promise<ProjectionReply> => {
    const { name, minPosition, timeoutMs } = request;
    if (!projections.names.includes(name)) throw unknownProjection(name, projections.names);
    if (minPosition !== undefined && !(await projections.reaches(name, minPosition, timeoutMs))) {
      throw behind(name, minPosition, projections);
    }
    return request.key === undefined ? page(source, request) : oneRow(source, request, request.key);
  });
}

async function oneRow(source: ProjectionSource, { name, atPosition }: Request, key: string): Promise<ProjectionReply> {
  const { store, projections } = source;
  const read =
    atPosition === undefined
      ? projections.read(store, name, { key })
      : await projections.readAsOf(name, { key }, atPosition);
  const { version, position, rows } = found(read, name, projections);
  if (rows.length === 0) throw new Fault("NOT_FOUND", `${name} has no row ${key}`, { name, key, position });
  return { name, version, position, rows, next: null };
}

async function page(source: ProjectionSource, request: Request): Promise<ProjectionReply> {
  const { name, prefix = "", where = {}, limit } = request;
  const conditions = new Conditions(where);
  let rows = new Page<Row>(limit);
  let { cursor } = request;
  let first: FoundRows | undefined;
  while (true) {
    const query = { prefix, conditions, limit: limit + 1, ...(cursor === undefined ? {} : { cursor }) };
    const slice = found(await sliceOf(source, request, query), name, source.projections);
    if (first !== undefined && slice.generation !== first.generation) {
      // Another generation was switched in between two slices: a page is of one.
      rows = new Page<Row>(limit);
      cursor = request.cursor;
      first = undefined;
      continue;
    }
    first ??= slice;
    const { version, position } = first;
    let last = cursor;
    for (const { row, cursor: behindRow } of slice.found) {
      if (!rows.add(row)) return { name, version, position, rows: rows.items, next: last ?? null };
      last = behindRow;
    }
    if (slice.cursor === undefined) return { name, version, position, rows: rows.items, next: null };
    ({ cursor } = slice);
    await breathe();
  }
}

async function sliceOf(
  { store, projections }: ProjectionSource,
  { name, atPosition }: Request,
  query: FindQuery,
): Promise<FoundRows | undefined> {
  try {
    return atPosition === undefined
      ? projections.find(store, name, query)
      : await projections.findAsOf(name, query, atPosition);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const { message } = error;
    throw new Fault("INVALID_QUERY", message, { issues: [{ path: "cursor", message }] });
  }
}

function found<Read extends ReadRows | FoundRows>(
  read: Read | undefined,
  name: string,
  projections: Projections,
): Read {
  if (read !== undefined) return read;
  throw behind(name, 0, projections);
}

/** A projection that is not defined; a verb says NOT_FOUND of it. */
export function unknownProjection(
  name: string,
  names: readonly string[],
  code: "UNKNOWN_QUERY" | "NOT_FOUND" = "UNKNOWN_QUERY",
): Fault {
  const known = [...names].sort();
  return new Fault(code, `there is no projection ${name}; there are ${known.join(", ")}`, { known });
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

function isGiven(field: unknown): boolean {
  return field !== undefined;
}
