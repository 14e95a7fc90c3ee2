/**
 * The indexes by type and by correlation id. They lag: a commit of one event would write as many pages for them as for
 * the event itself, so they are written for a thousand events at a time, in the transaction that makes the tail too
 * long, and readers scan the tail.
 */
import type { Database, RootDatabase } from "lmdb";
import type { LogFilter } from "../core/event-store.ts";
import type { RecordedEvent } from "../core/message.ts";
import { TypeIndex } from "./type-index.ts";

/** Events that may be missing in the indexes. */
export const maxLag = 1_000;

const sliceEvents = 10_000;

/** Both indexes. The store keeps the position that they have reached, beside the end of the log. */
export class LaggingIndexes {
  readonly #types: TypeIndex;
  /** correlation id -> positions */
  readonly #correlations: Database<number, string>;

  constructor(env: RootDatabase) {
    this.#types = new TypeIndex(env);
    this.#correlations = env.openDB("correlations", { encoding: "ordered-binary", cache: false, dupSort: true });
  }

  /** Adds the events behind the position reached, in order, within the running transaction. */
  add(events: Iterable<RecordedEvent>): void {
    let slice: RecordedEvent[] = [];
    for (const event of events) {
      this.#correlations.put(event.metadata.correlationId, event.position);
      slice.push(event);
      if (slice.length < sliceEvents) continue;
      this.#types.add(slice);
      slice = [];
    }
    this.#types.add(slice);
  }

  /** Ascending positions after `after` of what passes, as far as the indexes reach; undefined when no index helps. */
  positions({ correlationId, categories, types }: LogFilter, after: number): Iterable<number> | undefined {
    if (correlationId !== undefined) return this.#correlations.getValues(correlationId, { start: after + 1 });
    if (categories === undefined && types === undefined) return undefined;
    return this.#types.positions({ ...(categories && { categories }), ...(types && { types }) }, after);
  }
}
