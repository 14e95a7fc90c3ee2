/** The contracts of the actors at hand: what each command and each event carries, as JSON Schema. */
import type { z } from "zod";
import { sagaCategory } from "../../core/saga-events.ts";
import { sagaEventSchemas } from "../../core/saga-schemas.ts";
import { jsonSchema, type LoadedActors } from "../loader.ts";
import type { CategoryContract, Contracts, EventContract } from "./compatibility.ts";
import { isObject, type JsonSchema } from "./json-schema.ts";
import { portablePattern } from "./portable-pattern.ts";

/**
 * Reads the contracts off the actors' schemas. Those of events are at the version that is written. Where there are sagas,
 * their category `saga` is among them: it takes no commands, and its events are the same for all.
 */
export function contractsOf({ aggregates, sagas }: Pick<LoadedActors, "aggregates" | "sagas">): Contracts {
  const ofAggregates = [...aggregates].map(([category, { aggregate }]): [string, CategoryContract] => [
    category,
    {
      commands: mapValues(aggregate.schemas.commands, (schema, type) => ({
        $id: `urn:retrace:command:${category}:${type}`,
        title: type,
        description: `What the command ${type} of ${category} carries.`,
        ...portableSchema(schema),
      })),
      events: mapValues(aggregate.eventSchemas, (event, type) => eventContract(category, type, event)),
    },
  ]);
  const sagaEvents = mapValues(sagaEventSchemas, (schema, type) =>
    eventContract(sagaCategory, type, { version: 1, schema }),
  );
  const ofSagas: [string, CategoryContract][] =
    sagas.size > 0 ? [[sagaCategory, { commands: {}, events: sagaEvents }]] : [];
  return Object.fromEntries([...ofAggregates, ...ofSagas]);
}

function eventContract(
  category: string,
  type: string,
  { version, schema }: { readonly version: number; readonly schema: z.ZodType },
): EventContract {
  return {
    version,
    schema: {
      $id: `urn:retrace:event:${category}:${type}:${version}`,
      title: type,
      description: `What the event ${type} of ${category} carries, in version ${version} of its schema.`,
      ...portableSchema(schema),
    },
  };
}

/** A schema as JSON Schema that reads the same in every language. */
export function portableSchema(schema: z.ZodType): JsonSchema {
  return withPortablePatterns(jsonSchema(schema)) as JsonSchema;
}

/** Where the schema of a command lies in a folder of contracts. */
export function commandFile(category: string, type: string): string {
  return `commands/${category}/${type}.json`;
}

/** Where a version of an event's schema lies in a folder of contracts. */
export function eventFile(category: string, type: string, version: number): string {
  return `events/${category}/${type}.v${version}.json`;
}

function withPortablePatterns(value: unknown, key = ""): unknown {
  if (typeof value === "string") return key === "pattern" ? portablePattern(value) : value;
  if (Array.isArray(value)) return value.map((item) => withPortablePatterns(item));
  return isObject(value) ? mapValues(value, withPortablePatterns) : value;
}

function mapValues<Value, Result>(
  record: Readonly<Record<string, Value>>,
  map: (value: Value, key: string) => Result,
): Record<string, Result> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value, key)]));
}
