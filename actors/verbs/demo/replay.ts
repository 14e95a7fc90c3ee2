/** Proves that the log is all there is: folds every stream again and compares with what the runtime says. */
import { isDeepStrictEqual } from "node:util";
import { type Aggregate, type Client, fold, type LogFilter, type RecordedEvent } from "retrace";
import dataset from "../../aggregates/dataset.ts";
import feedback from "../../aggregates/feedback.ts";
import inference from "../../aggregates/inference.ts";
import model from "../../aggregates/model.ts";
import review from "../../aggregates/review.ts";
import trainingRun from "../../aggregates/training-run.ts";
import { collectLog } from "../dataset/log-reader.ts";
import { inParallel } from "./conversation.ts";

/** What a replay found. */
export interface Replay {
  readonly events: number;
  readonly streams: number;
  /** Streams whose state is not what their events say. */
  readonly different: readonly string[];
}

const aggregates: readonly Aggregate[] = [dataset, feedback, inference, model, review, trainingRun];

/** Replays the events that `filter` selects, which must be whole streams. */
export async function replay(client: Client, filter: LogFilter): Promise<Replay> {
  const categories = aggregates.map((aggregate) => aggregate.category);
  const events = await collectLog(client, { categories, ...filter }, Number.POSITIVE_INFINITY);
  const streams = byStream(events);
  const atPosition = events.at(-1)?.position ?? 0;
  const differences = await inParallel(streams, async (stream) => {
    const isSame = isDeepStrictEqual(plain(foldStream(stream)), await stateOf(client, stream, atPosition));
    return isSame ? [] : [stream[0]?.stream as string];
  });
  return { events: events.length, streams: streams.length, different: differences.flat() };
}

function byStream(events: readonly RecordedEvent[]): RecordedEvent[][] {
  const streams = new Map<string, RecordedEvent[]>();
  for (const event of events) {
    const stream = streams.get(event.stream);
    if (stream === undefined) streams.set(event.stream, [event]);
    else stream.push(event);
  }
  return [...streams.values()];
}

function foldStream(stream: readonly RecordedEvent[]): unknown {
  const aggregate = aggregates.find((candidate) => candidate.category === stream[0]?.category) as Aggregate;
  const { value, context, status } = fold(aggregate, stream);
  return { value, context, status };
}

async function stateOf(client: Client, [first]: readonly RecordedEvent[], atPosition: number): Promise<unknown> {
  const { stream, category } = first as RecordedEvent;
  const { value, context, status } = (await client.state(category, stream.slice(category.length + 1), { atPosition }))
    .state;
  return { value, context, status };
}

/** As it looks after a journey over the wire. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
