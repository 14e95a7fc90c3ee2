/** The query `catalog`: everything this runtime knows, with schemas, so that a client needs no documentation. */
import { z } from "zod";
import type { Saga } from "../../core/saga.ts";
import { jsonSchema, type LoadedActors } from "../loader.ts";
import { type Query, query } from "./query.ts";

/** Makes the query; the answer never changes while a runtime lives. */
export function catalogQuery({ aggregates, sagas: loadedSagas, projections: rows }: LoadedActors): Query {
  const categories = Object.fromEntries(
    [...aggregates].map(([category, { aggregate }]) => [
      category,
      {
        commands: mapValues(aggregate.schemas.commands, jsonSchema),
        events: mapValues(aggregate.eventSchemas, ({ version, schema }) => ({ version, schema: jsonSchema(schema) })),
      },
    ]),
  );
  const sagas = Object.fromEntries([...loadedSagas].map(([name, { saga }]) => [name, describeSaga(saga)]));
  const projections = Object.fromEntries(
    [...rows].map(([name, { version, mode, description }]) => [name, { version, mode, description }]),
  );
  return query("catalog", z.strictObject({}), () => ({ categories, sagas, projections }));
}

function describeSaga({ version, description, correlate, startedBy, settings }: Saga) {
  return {
    version,
    ...(description !== undefined && { description }),
    listens: Object.keys(correlate).sort(),
    startedBy: [...startedBy].sort(),
    /** What a policy of the saga's name may set. */
    settings: jsonSchema(settings),
    defaults: settings.parse({}),
  };
}

function mapValues<Value, Result>(record: Readonly<Record<string, Value>>, map: (value: Value) => Result) {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}
