/** The query `why`: which event last set a field of an aggregate, who did it, and what led to that. */
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { initialState } from "../../core/chart.ts";
import type { EventStore } from "../../core/event-store.ts";
import { Fault } from "../../core/fault.ts";
import type { RecordedEvent } from "../../core/message.ts";
import { sagaCategory } from "../../core/saga-events.ts";
import { streamName } from "../../core/stream.ts";
import type { EventMention, WhyReply } from "../../wire/replies.ts";
import type { LoadedAggregate } from "../loader.ts";
import { causesOf } from "./causes.ts";
import { fieldOf, fieldsNear } from "./field-path.ts";
import { category, idOfStream, isAddress, notAddress } from "./fields.ts";
import { foldStream } from "./fold-stream.ts";
import { isOnePoint, nothingThere, notOnePoint, pointFields } from "./points.ts";
import { type Query, query, unknownCategory } from "./query.ts";

/** What it is asked with. */
export const body = z
  .strictObject({ category, id: idOfStream, field: z.string().min(1).max(512), ...pointFields })
  .refine(isAddress, notAddress)
  .refine(isOnePoint, notOnePoint);

/** The actors by category, and the log to fold. */
export interface WhySource {
  readonly store: EventStore;
  readonly aggregates: ReadonlyMap<string, LoadedAggregate>;
}

const maxCauses = 10;

/** Makes the query. Its cost is linear in the length of the stream, because no snapshot says when a field changed. */
export function whyQuery({ store, aggregates }: WhySource): Query {
  return query("why", body, async ({ category: of, id, field, ...point }): Promise<WhyReply> => {
    if (of === sagaCategory) throw tellsItself();
    const actor = aggregates.get(of);
    if (actor === undefined) throw unknownCategory(of, aggregates);
    const stream = streamName(of, id);
    let value = fieldOf(initialState(actor.aggregate.machine), field);
    let before: unknown;
    let setBy: RecordedEvent | undefined;
    const { state, last } = await foldStream({ store, actor, stream, point }, (event, after) => {
      const next = fieldOf(after, field);
      if (next === value || isDeepStrictEqual(next, value)) return;
      before = value;
      value = next;
      setBy = event;
    });
    if (last === undefined) throw nothingThere(store, stream);
    if (setBy === undefined && value === undefined) throw unknownField(stream, field, fieldsNear(state, field));
    const { causes, hasMore } =
      setBy === undefined ? { causes: [], hasMore: false } : await causesOf(store, setBy, maxCauses);
    return {
      ...{ stream, version: last.version, position: last.position, recordedAt: last.recordedAt, field },
      ...(value !== undefined && { value }),
      ...(before !== undefined && { before }),
      setBy: setBy === undefined ? null : mention(setBy),
      causes: causes.map(mention),
      hasMoreCauses: hasMore,
    };
  });
}

function mention({ data: _, category: __, schemaVersion: ___, ...event }: RecordedEvent): EventMention {
  return event;
}

function tellsItself(): Fault {
  const message = "a saga's stream says itself why: ask for its history, or run `retrace saga show`";
  return new Fault("INVALID_QUERY", message, { issues: [{ path: "category", message }] });
}

/** Named in the sentence, and in the details. */
const maxNamed = 20;
const maxFields = 200;

function unknownField(stream: string, field: string, fields: readonly string[]): Fault {
  const named = fields.slice(0, maxNamed).join(", ");
  const more = fields.length > maxNamed ? `, and ${fields.length - maxNamed} more` : "";
  const message = `${stream} has no field ${field}, and never had up to there; there are ${named}${more}`;
  return new Fault("NOT_FOUND", message, { stream, field, fields: fields.slice(0, maxFields) });
}
