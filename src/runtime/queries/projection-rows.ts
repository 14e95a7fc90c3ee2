/** The queries `projection-parked` (events that a projection could not take) and `projection-diff` (two sets of rows). */
import { z } from "zod";
import { Fault } from "../../core/fault.ts";
import { diffRows, type RowDifference } from "../projections/diff-rows.ts";
import { listParked, type ParkedEvent } from "../projections/parked.ts";
import type { Projections } from "../projections/projections.ts";
import type { ReadableGeneration } from "../projections/read-rows.ts";
import { limit, position } from "./fields.ts";
import { type ProjectionSource, unknownProjection } from "./projection.ts";
import { breathe, Page, type Query, query } from "./query.ts";

/** What `projection-parked` is asked with. */
export const parkedBody = z.strictObject({
  name: z.string().min(1).max(64),
  afterPosition: position.default(0),
  limit,
});

/** Makes the query `projection-parked`. */
export function projectionParkedQuery({ store, projections }: ProjectionSource): Query {
  return query("projection-parked", parkedBody, ({ name, afterPosition, limit }) => {
    if (!projections.names.includes(name)) throw unknownProjection(name, projections.names);
    const readable = projections.readable(store, name);
    const page = new Page<ParkedEvent>(limit);
    if (readable === undefined) return { name, version: 0, parked: [], next: null };
    const { version } = readable;
    for (const event of listParked(store, readable, afterPosition)) {
      if (!page.add(event)) return { name, version, parked: page.items, next: page.items.at(-1)?.position };
    }
    return { name, version, parked: page.items, next: null };
  });
}

/** `NAME`, or `NAME@live`, `NAME@standby`, `NAME@<version>`. */
const rows = z
  .string()
  .regex(/^[a-z0-9-]{1,64}(@(live|standby|[1-9]\d{0,14}))?$/, "NAME, NAME@standby or NAME@VERSION");
/** What `projection-diff` is asked with. */
export const diffBody = z.strictObject({ a: rows, b: rows, limit, cursor: z.string().min(1).max(512).optional() });

/** Makes the query `projection-diff`. */
export function projectionDiffQuery({ store, projections }: ProjectionSource): Query {
  return query("projection-diff", diffBody, async ({ a, b, limit, cursor }) => {
    const page = new Page<RowDifference>(limit);
    let after = cursor;
    let compared = 0;
    while (true) {
      const sides = [readableOf(projections, store, a), readableOf(projections, store, b)] as const;
      const slice = diffRows(store, sides, { after, limit: limit + 1 });
      const shown = { a: placeOf(sides[0]), b: placeOf(sides[1]) };
      let last = 0;
      for (const found of slice.found) {
        if (!page.add(found.difference)) {
          return { ...shown, compared: compared + last, differences: page.items, next: page.items.at(-1)?.key };
        }
        last = found.compared;
      }
      compared += slice.compared;
      after = slice.next;
      if (after === undefined) return { ...shown, compared, differences: page.items, next: null };
      await breathe();
    }
  });
}

function readableOf(projections: Projections, store: ProjectionSource["store"], text: string): ReadableGeneration {
  const [name = "", which = "live"] = text.split("@");
  if (!projections.names.includes(name)) throw unknownProjection(name, projections.names);
  const there = [projections.readable(store, name, "live"), projections.readable(store, name, "standby")];
  const [live, standby] = there;
  const found =
    which === "live" ? live : which === "standby" ? standby : there.find((one) => one?.version === Number(which));
  if (found !== undefined) return found;
  const versions = there.filter((one) => one !== undefined).map(({ version }) => version);
  throw new Fault("NOT_FOUND", `of ${name} there is no ${which}; there are versions ${versions.join(", ")}`, {
    versions,
  });
}

function placeOf({ name, version, position }: ReadableGeneration): object {
  return { name, version, position };
}
