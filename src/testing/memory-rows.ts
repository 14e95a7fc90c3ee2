/** The rows of a projection in memory, for those who fold events without a runtime. */
import type { Projection } from "../core/projection.ts";
import { GenerationRows } from "../runtime/projections/generation-rows.ts";

/** None yet. */
export function memoryRows({ name }: Projection): GenerationRows {
  const of = { name, generation: 1, indexes: [], spanEvents: Number.MAX_SAFE_INTEGER };
  return new GenerationRows(of, { get: () => undefined, scan: () => [] });
}

/** As they are now, by key, in the order of keys. */
export function rowsByKey<Row>(rows: GenerationRows): Readonly<Record<string, Row>> {
  return Object.fromEntries(Array.from(rows.scan(""), ({ key, value }) => [key, value as Row]));
}
