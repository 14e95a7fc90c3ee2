/**
 * A domain as types: which categories there are and what their commands carry. Clients are typed by it; it has no
 * existence at run time.
 */
import type { CommandInput, Schemas } from "./schema.ts";

/** Categories and their schemas: `{"training-run": typeof trainingRun}`. */
export type Domain = Readonly<Record<string, Schemas>>;

/** The commands of one category, as a client writes them. */
export type DomainCommand<D extends Domain, Category extends keyof D> = {
  [Type in keyof D[Category]["commands"] & string]: {
    readonly type: Type;
    readonly data: CommandInput<D[Category], Type>;
  };
}[keyof D[Category]["commands"] & string];
