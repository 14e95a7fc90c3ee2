/** What a query is: a name, the schema of its body, and a read of the store. Verbs that change it have the same form. */
import type { z } from "zod";
import { Fault } from "../../core/fault.ts";
import { schemaFault } from "../../wire/schema-fault.ts";
import type { LoadedAggregate } from "../loader.ts";

/** A query by name, found by the last token of the subject. */
export interface Query {
  readonly name: string;
  /** @throws Fault INVALID_QUERY, NOT_FOUND and what the query itself may throw. */
  answer(body: unknown): Promise<unknown>;
}

/** What a query says of a body that does not fit: a verb that changes something says it of a command. */
interface QueryOptions {
  readonly invalid: "INVALID_QUERY" | "INVALID_COMMAND";
}

/** Makes a query whose body is checked before `answer` sees it. */
export function query<Schema extends z.ZodType>(
  name: string,
  schema: Schema,
  answer: (body: z.output<Schema>) => Promise<unknown> | unknown,
  { invalid }: QueryOptions = { invalid: "INVALID_QUERY" },
): Query {
  return {
    name,
    answer: async (body) => {
      const parsed = schema.safeParse(body);
      if (!parsed.success) throw schemaFault(invalid, name, parsed.error);
      return answer(parsed.data);
    },
  };
}

/** A query about a category that is not there. */
export function unknownCategory(category: string, aggregates: ReadonlyMap<string, LoadedAggregate>): Fault {
  const known = [...aggregates.keys()].sort();
  return new Fault("UNKNOWN_CATEGORY", `there is no category ${category}; there are ${known.join(", ")}`, { known });
}

/** A page of results ends at this many bytes of JSON. */
const maxPageBytes = 512 * 1024;

/** Collects items until the page is full; `rest` says whether there was one more. */
export class Page<Item> {
  readonly items: Item[] = [];
  readonly #limit: number;
  #bytes = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Takes the item, or returns false when it belongs on the next page. The first item always fits. */
  add(item: Item): boolean {
    if (this.items.length >= this.#limit) return false;
    const bytes = Buffer.byteLength(JSON.stringify(item));
    if (this.items.length > 0 && this.#bytes + bytes > maxPageBytes) return false;
    this.#bytes += bytes;
    this.items.push(item);
    return true;
  }
}

/** Lets commands through between two slices of a long read. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
