/** The contracts of the actors at hand: what each command and each event carries, as JSON Schema. */
import { jsonSchema, type LoadedActors } from "../loader.ts";
import type { Contracts } from "./compatibility.ts";
import { isObject, type JsonSchema } from "./json-schema.ts";
import { portablePattern } from "./portable-pattern.ts";

/** Reads the contracts off the actors' schemas. Those of events are at the version that is written. */
export function contractsOf({ aggregates }: Pick<LoadedActors, "aggregates">): Contracts {
  return Object.fromEntries(
    [...aggregates].map(([category, { aggregate }]) => [
      category,
      {
        commands: mapValues(aggregate.schemas.commands, (schema, type) => ({
          $id: `urn:retrace:command:${category}:${type}`,
          title: type,
          description: `What the command ${type} of ${category} carries.`,
          ...(withPortablePatterns(jsonSchema(schema)) as JsonSchema),
        })),
        events: mapValues(aggregate.eventSchemas, ({ version, schema }, type) => ({
          version,
          schema: {
            $id: `urn:retrace:event:${category}:${type}:${version}`,
            title: type,
            description: `What the event ${type} of ${category} carries, in version ${version} of its schema.`,
            ...(withPortablePatterns(jsonSchema(schema)) as JsonSchema),
          },
        })),
      },
    ]),
  );
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
