/** The queries `history` (one stream, by version) and `events` (the log, by position). */
import { z } from "zod";
import type { EventStore } from "../../core/event-store.ts";
import type { RecordedEvent } from "../../core/message.ts";
import { sagaCategory } from "../../core/saga-events.ts";
import { isCategory, streamName } from "../../core/stream.ts";
import type { EventsReply, HistoryReply } from "../../wire/replies.ts";
import type { LoadedAggregate } from "../loader.ts";
import { category, idOfStream, isAddress, limit, notAddress, position, time } from "./fields.ts";
import { nothingThere } from "./points.ts";
import { breathe, Page, type Query, query, unknownCategory } from "./query.ts";

/** What `history` is asked with. */
export const historyBody = z
  .strictObject({ category, id: idOfStream, fromVersion: z.int().min(1).default(1), limit })
  .refine(isAddress, notAddress);

/** The log, and the actors by category. */
export interface HistorySource {
  readonly store: EventStore;
  readonly aggregates: ReadonlyMap<string, LoadedAggregate>;
}

/** Makes the query `history`. It also reads streams of categories that are no longer defined. */
export function historyQuery({ store, aggregates }: HistorySource): Query {
  return query("history", historyBody, (request): HistoryReply => {
    const stream = streamName(request.category, request.id);
    const isThere = isCategory(request.category) && store.head(stream).version > 0;
    const isKnown = request.category === sagaCategory || aggregates.has(request.category);
    if (!isThere && !isKnown) throw unknownCategory(request.category, aggregates);
    if (!isThere) throw nothingThere(store, stream);
    const page = new Page<RecordedEvent>(request.limit);
    for (const event of store.readStream(stream, { fromVersion: request.fromVersion, limit: request.limit + 1 })) {
      if (!page.add(event)) return { events: page.items, next: event.version };
    }
    return { events: page.items, next: null };
  });
}

const texts = z.array(z.string().min(1).max(256)).min(1).max(100);
/** What `events` is asked with. */
export const eventsBody = z.strictObject({
  categories: texts.optional(),
  types: texts.optional(),
  correlationId: z.string().min(1).max(256).optional(),
  since: time.optional(),
  until: time.optional(),
  by: z.enum(["recorded", "occurred"]).optional(),
  afterPosition: position.default(0),
  limit,
});

/** Positions looked at between two breaths: a rare match must not hold up the commands. */
const windowPositions = 5_000;

/** Makes the query `events`. */
export function eventsQuery(store: EventStore): Query {
  return query("events", eventsBody, async ({ limit, afterPosition, ...rest }): Promise<EventsReply> => {
    const filter = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
    const page = new Page<RecordedEvent>(limit);
    const head = store.position();
    for (let after = afterPosition; after < head; after += windowPositions) {
      const toPosition = Math.min(head, after + windowPositions);
      for (const event of store.readAll({ ...filter, afterPosition: after, toPosition })) {
        if (!page.add(event)) return { events: page.items, next: page.items.at(-1)?.position ?? null };
      }
      await breathe();
    }
    return { events: page.items, next: null };
  });
}
