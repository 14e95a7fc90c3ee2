/** The query `catalog`: everything this runtime knows, with schemas, so that a client needs no documentation. */
import { z } from "zod";
import { jsonSchema, type LoadedAggregate } from "../loader.ts";
import { type Query, query } from "./query.ts";

/** Makes the query; the answer never changes while a runtime lives. */
export function catalogQuery(aggregates: ReadonlyMap<string, LoadedAggregate>): Query {
  const categories = Object.fromEntries(
    [...aggregates].map(([category, { aggregate }]) => [
      category,
      {
        commands: mapValues(aggregate.schemas.commands, jsonSchema),
        events: mapValues(aggregate.eventSchemas, ({ version, schema }) => ({ version, schema: jsonSchema(schema) })),
      },
    ]),
  );
  return query("catalog", z.strictObject({}), () => ({ categories, sagas: {}, projections: {} }));
}

function mapValues<Value, Result>(record: Readonly<Record<string, Value>>, map: (value: Value) => Result) {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}
