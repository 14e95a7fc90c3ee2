/** Warns of a spec that names what this runtime has no aggregate for: it would give no rows without a word. */
import { nearNames } from "../print/near-names.ts";
import type { LogClient } from "./log-reader.ts";

/** What a spec names. */
export interface Named {
  readonly types?: readonly string[];
  readonly categories?: readonly string[] | undefined;
}

interface Catalog {
  readonly categories: Readonly<Record<string, { readonly events: Readonly<Record<string, unknown>> }>>;
}

/**
 * A sentence for each name that is not in the catalog. It is no refusal, because the log may hold events of actors that are
 * not loaded any more. Sagas have no entry there.
 */
export async function unknownNames(client: Pick<LogClient, "query">, { types = [], categories = [] }: Named) {
  const catalog = await client.query<Catalog>("catalog");
  const knownCategories = [...Object.keys(catalog.categories), "saga"];
  const knownTypes = Object.values(catalog.categories).flatMap(({ events }) => Object.keys(events));
  const isSaga = (type: string): boolean => type.startsWith("Saga");
  return [
    ...categories
      .filter((name) => !knownCategories.includes(name))
      .map((name) => told("category", name, knownCategories)),
    ...types
      .filter((name) => !knownTypes.includes(name) && !isSaga(name))
      .map((name) => told("event type", name, knownTypes)),
  ];
}

function told(what: string, name: string, known: readonly string[]): string {
  const near = nearNames(name, known);
  const meant = near.length === 0 ? "retrace catalog lists them" : `did you mean ${near.join(" or ")}?`;
  return `warning: no actor has the ${what} ${name}: ${meant}`;
}
