/**
 * The schemas of one aggregate: what its commands and events carry, and how stored events of older versions become
 * today's. Files under `schemas/` export such an object and import nothing but the schema library.
 */
import type { z } from "zod";

/**
 * A change of an event's data from one schema version to the next: pure, on plain data, keeping unknown fields. It is
 * applied whenever a history is folded; what is stored, and what shows it (`history`, `events`, JetStream), stays as it
 * was written, under its own `schemaVersion`.
 */
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

/** Whether it is a schema at all: files in plain JavaScript may hold anything. */
export function isZodSchema(schema: unknown): schema is z.ZodType {
  return typeof schema === "object" && schema !== null && "_zod" in schema;
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

/** Data at the latest version, or why stored data cannot be brought there. */
export type Upcast =
  | { readonly outcome: "latest"; readonly data: unknown }
  | {
      readonly outcome: "unreadable";
      /** NEWER_VERSION: written by code that was ahead of this. */
      readonly reason: "NEWER_VERSION" | "NO_UPCASTER" | "UPCASTER_FAILED";
      readonly message: string;
    };

/** Brings stored data to the latest version. What an upcaster throws is an outcome, too: it says what it cannot read. */
export function upcast(schema: VersionedSchema, schemaVersion: number, data: unknown): Upcast {
  if (schemaVersion === schema.version) return { outcome: "latest", data };
  if (schemaVersion > schema.version) {
    const message = `its schema version ${schemaVersion} is newer than this code, which knows ${schema.version}`;
    return { outcome: "unreadable", reason: "NEWER_VERSION", message };
  }
  let current = data;
  for (let version = schemaVersion; version < schema.version; version++) {
    const step = schema.upcasters[version];
    if (step === undefined) {
      const message = `no upcaster leads from schema version ${version} to ${version + 1}`;
      return { outcome: "unreadable", reason: "NO_UPCASTER", message };
    }
    const next = applied(step, current);
    if (typeof next === "string") {
      const message = `the upcaster from schema version ${version} ${next}`;
      return { outcome: "unreadable", reason: "UPCASTER_FAILED", message };
    }
    current = next;
  }
  return { outcome: "latest", data: current };
}

/** The data after one upcaster, or what is wrong with it. */
function applied(step: Upcaster, data: unknown): Record<string, unknown> | string {
  try {
    const next: unknown = step(data as Record<string, unknown>);
    return typeof next === "object" && next !== null ? (next as Record<string, unknown>) : "returned no object";
  } catch (error) {
    return `failed: ${error instanceof Error ? error.message : String(error)}`;
  }
}
