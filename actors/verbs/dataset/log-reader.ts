/** Reads the log up to a position through the client, page by page; what is kept is one page and what it refers to. */
import { type Client, Fault, type LogFilter, type RecordedEvent } from "retrace";
import { retractedBy, retractionType } from "../../datasets/dataset.ts";
import { afterEvent, type Interaction, interactionTypes } from "../../datasets/interaction.ts";
import { Refused } from "./refused.ts";

const pageSize = 1_000;

/** What of a client is needed to read the log. */
export type LogClient = Pick<Client, "events" | "history" | "query">;

/** Requests at a time. */
const maxInFlight = 32;

/**
 * Refuses a position that the log has not reached: what will be there is not known yet.
 * @throws Refused POSITION_NOT_REACHED.
 */
export async function assertReached(client: LogClient, position: number): Promise<void> {
  const { position: head } = await client.query<{ readonly position: number }>("health");
  if (position <= head) return;
  throw new Refused("POSITION_NOT_REACHED", `the log ends at ${head}: there is no position ${position} yet`);
}

/** The events that match, in the order of the log, up to a position (inclusive), in the pages they come in. */
export async function* readPages(
  client: Pick<LogClient, "events">,
  filter: LogFilter,
  toPosition: number,
): AsyncGenerator<readonly RecordedEvent[]> {
  for (
    let afterPosition: number | null = filter.afterPosition ?? 0;
    afterPosition !== null && afterPosition < toPosition;
  ) {
    const page = await client.events({ limit: pageSize, ...filter, afterPosition });
    const events: readonly RecordedEvent[] = page.events.filter((event) => event.position <= toPosition);
    yield events;
    afterPosition = events.length < page.events.length ? null : page.next;
  }
}

/** The same one by one. */
export async function* readLog(
  client: Pick<LogClient, "events">,
  filter: LogFilter,
  toPosition: number,
): AsyncGenerator<RecordedEvent> {
  for await (const events of readPages(client, filter, toPosition)) yield* events;
}

/** All of them at once. */
export async function collectLog(
  client: Pick<LogClient, "events">,
  filter: LogFilter,
  toPosition: number,
): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for await (const page of readPages(client, filter, toPosition)) events.push(...page);
  return events;
}

/** The ids of the signals that were taken back up to a position. */
export async function readRetracted(client: LogClient, toPosition: number): Promise<ReadonlySet<string>> {
  const retracted = new Set<string>();
  for await (const events of readPages(client, { types: [retractionType] }, toPosition)) {
    for (const event of events) retracted.add(retractedBy(event));
  }
  return retracted;
}

/** The events at these positions, all of which the log has. */
export async function readAt(
  client: LogClient,
  positions: Iterable<number>,
): Promise<ReadonlyMap<number, RecordedEvent>> {
  const found = new Map<number, RecordedEvent>();
  await eachOf(positions, async (position) => {
    const { events } = await client.events({ afterPosition: position - 1, limit: 1 });
    const [event] = events;
    if (event?.position === position) found.set(position, event);
  });
  return found;
}

/** What is known of inferences up to a position, by their ids; nothing of those that are not there. */
export async function readInteractions(
  client: LogClient,
  ids: Iterable<string>,
  toPosition: number,
): Promise<ReadonlyMap<string, Interaction>> {
  const found = new Map<string, Interaction>();
  await eachOf(ids, async (id) => {
    const interaction = await readInteraction(client, id, toPosition);
    if (interaction !== undefined) found.set(id, interaction);
  });
  return found;
}

/** Does it once for each different item, some of them at a time. */
async function eachOf<Item>(items: Iterable<Item>, work: (item: Item) => Promise<void>): Promise<void> {
  const waiting = new Set(items).values();
  const worker = async (): Promise<void> => {
    for (const item of waiting) await work(item);
  };
  await Promise.all(Array.from({ length: maxInFlight }, worker));
}

async function readInteraction(client: LogClient, id: string, toPosition: number): Promise<Interaction | undefined> {
  let interaction: Interaction | undefined;
  for (let fromVersion: number | null = 1; fromVersion !== null; ) {
    const page = await historyOf(client, id, fromVersion);
    for (const event of page.events) {
      if (event.position > toPosition) return interaction;
      if (interactionTypes.includes(event.type)) interaction = afterEvent(interaction, event);
      if (event.type === "InferenceCompleted") return interaction;
    }
    fromVersion = page.next;
  }
  return interaction;
}

type Page = Awaited<ReturnType<Client["history"]>>;

async function historyOf(client: LogClient, id: string, fromVersion: number): Promise<Page> {
  try {
    return await client.history("inference", id, { fromVersion });
  } catch (error) {
    if (error instanceof Fault && error.code === "NOT_FOUND") return { events: [], next: null };
    throw error;
  }
}
