/**
 * The schemas of one aggregate: what its commands and events carry, and how stored events of older versions become
 * today's. Files under `schemas/` export such an object and import nothing but the schema library.
 */
import type { z } from "zod";

/** A change of an event's data from one schema version to the next: pure, on plain data, keeping unknown fields. */
export type Upcaster = (data: Record<string, unknown>) => Record<string, unknown>;

/** An event type whose schema has changed: the version writers write today, and the way there from each older one. */
export interface VersionedSchema<Schema extends z.ZodType = z.ZodType> {
  readonly version: number;
  readonly schema: Schema;
  /** By the version they start from: `{1: v1 -> v2, 2: v2 -> v3}`. Complete from 1 to `version - 1`. */
  readonly upcasters: Readonly<Record<number, Upcaster>>;
}

/** A bare zod schema is version 1. Schemas of events check what is decided; what they would change in it is not stored. */
export type EventSchema = z.ZodType | VersionedSchema;

/** What one aggregate takes and emits: a zod schema for each command, a schema with its version for each event. */
export interface Schemas {
  readonly commands: Readonly<Record<string, z.ZodType>>;
  readonly events: Readonly<Record<string, EventSchema>>;
}

type SchemaOf<E extends EventSchema> = E extends VersionedSchema<infer S> ? S : E extends z.ZodType ? E : never;

/** The data of one command type, after validation. */
export type CommandData<S extends Schemas, Type extends keyof S["commands"]> = z.output<S["commands"][Type]>;

/** The data of one command type, as a client writes it. */
export type CommandInput<S extends Schemas, Type extends keyof S["commands"]> = z.input<S["commands"][Type]>;

/** The data of one event type at its latest version. */
export type EventData<S extends Schemas, Type extends keyof S["events"]> = z.output<SchemaOf<S["events"][Type]>>;

function isZodSchema(schema: EventSchema): schema is z.ZodType {
  return "_zod" in schema;
}

/** An event's schema with its version and upcasters spelled out. */
export function versioned(schema: EventSchema): VersionedSchema {
  return isZodSchema(schema) ? { version: 1, schema, upcasters: {} } : schema;
}

/** One reason why data does not fit its schema; `path` is dotted from the top, empty for the whole. */
export interface Issue {
  readonly path: string;
  readonly message: string;
}

/** Flattens zod's issues; an unknown key is reported at its own path. */
export function issuesOf(error: z.ZodError): Issue[] {
  return error.issues.flatMap((issue) => {
    if (issue.code !== "unrecognized_keys") return [{ path: issue.path.join("."), message: issue.message }];
    return issue.keys.map((key) => ({ path: [...issue.path, key].join("."), message: "unknown field" }));
  });
}

/** Brings stored data to the latest version. Returns undefined when no chain of upcasters leads there. */
export function upcast(schema: VersionedSchema, schemaVersion: number, data: unknown): unknown {
  if (schemaVersion === schema.version) return data;
  if (schemaVersion > schema.version) return undefined;
  let current = data as Record<string, unknown>;
  for (let version = schemaVersion; version < schema.version; version++) {
    const step = schema.upcasters[version];
    if (step === undefined) return undefined;
    current = step(current);
  }
  return current;
}
