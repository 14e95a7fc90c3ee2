/** What the query `catalog` answers, as far as the command line looks at it. PROTOCOL.md, Queries. */
import type { JsonSchema } from "./schema-fields.ts";

/** What a category takes and emits, by type. */
export interface CategoryEntry {
  readonly commands: Readonly<Record<string, JsonSchema>>;
  readonly events: Readonly<Record<string, { readonly version: number; readonly schema: JsonSchema }>>;
}

/** What a saga listens to, and how it can be set. */
export interface SagaEntry {
  readonly version: number;
  readonly description?: string;
  readonly listens: readonly string[];
  readonly startedBy: readonly string[];
  readonly settings: JsonSchema;
  readonly defaults: Readonly<Record<string, unknown>>;
}

/** What a projection is. */
export interface ProjectionEntry {
  readonly version: number;
  readonly mode: string;
  readonly description?: string;
}

/** Everything, by name. */
export interface CatalogReply {
  readonly categories: Readonly<Record<string, CategoryEntry>>;
  readonly sagas: Readonly<Record<string, SagaEntry>>;
  readonly projections: Readonly<Record<string, ProjectionEntry>>;
}
