/** What sagas see of projections: rows as of where the sagas are in the log. */
import { Fault } from "../../core/fault.ts";
import type { Projection } from "../../core/projection.ts";
import type { Projections } from "../projections/projections.ts";
import type { ReadRows } from "./tools.ts";

const defaultLimit = 100;

/** Reads rows for sagas. A projection that is not there, or has no rows yet, is a fault: the saga waits for help. */
export function rowsOf(projections: Projections): ReadRows {
  return (tx, { projection, keys, prefix = "", after, limit = defaultLimit }) => {
    if (!projections.names.includes(projection)) {
      throw new Fault("NOT_FOUND", `there is no projection ${projection}`, { known: projections.names });
    }
    const page = { prefix, limit, ...(after !== undefined && { after }) };
    const queries = keys === undefined ? [page] : keys.map((key) => ({ key }));
    return queries.flatMap((query) => {
      const found = projections.read(tx, projection, query);
      if (found !== undefined) return found.rows;
      throw new Fault("PROJECTION_BEHIND", `the projection ${projection} is being built: retry when it is there`);
    });
  };
}

/** The event types that asynchronous projections want, live or being built. */
export function projectedTypes(projections: readonly Projection[]): ReadonlySet<string> {
  const wanted = projections.filter(({ mode }) => mode === "async");
  return new Set(wanted.flatMap(({ on }) => Object.keys(on)));
}
