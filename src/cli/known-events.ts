/** Whether categories and event types that a command line names are known at all: a typing error would find nothing. */
import { Fault } from "../core/fault.ts";
import { sagaCategory } from "../core/saga-events.ts";
import type { Client } from "../wire/client.ts";
import type { CatalogReply } from "./catalog-reply.ts";

/** What is asked for. */
export interface NamedEvents {
  readonly category?: readonly string[];
  readonly type?: readonly string[];
}

/**
 * The log may hold what today's actors no longer define, so a name is known when either has it.
 * @throws Fault UNKNOWN_CATEGORY or INVALID_QUERY for what neither has, with what there is.
 */
export async function assertKnown(client: Client, { category = [], type = [] }: NamedEvents): Promise<void> {
  if (category.length + type.length === 0) return;
  const { categories } = await client.query<CatalogReply>("catalog");
  const isInLog = async (filter: object) => (await client.events({ ...filter, limit: 1 })).events.length > 0;
  for (const name of category) {
    if (name === sagaCategory || Object.hasOwn(categories, name) || (await isInLog({ categories: [name] }))) continue;
    const known = [...Object.keys(categories), sagaCategory].sort();
    throw new Fault("UNKNOWN_CATEGORY", `there is no category ${name}; there are ${known.join(", ")}`, { known });
  }
  const ofActors = Object.values(categories).flatMap(({ events }) => Object.keys(events));
  const sagaTypes = async () => Object.keys((await import("../core/saga-schemas.ts")).sagaEventSchemas);
  for (const name of type) {
    if (ofActors.includes(name) || (await sagaTypes()).includes(name) || (await isInLog({ types: [name] }))) continue;
    const asked = category.flatMap((one) => Object.keys(categories[one]?.events ?? {}));
    const known = [...new Set(asked.length > 0 ? asked : ofActors)].sort();
    const message = `there is no event type ${name}; there are ${known.join(", ")}`;
    throw new Fault("INVALID_QUERY", message, { known });
  }
}
