/** The whole log, as a client and as a subscriber of JetStream have it. */
import { jetstream } from "@nats-io/jetstream";
import type { Client, RecordedEvent } from "retrace";
import { fromCloudEvent } from "../../src/wire/cloud-event.ts";

/** By queries. */
export async function logByQuery(client: Pick<Client, "events">): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for (let afterPosition: number | null = 0; afterPosition !== null; ) {
    const page = await client.events({ afterPosition, limit: 1_000 });
    events.push(...page.events);
    afterPosition = page.next;
  }
  return events;
}

/** By messages, up to a position that the relay reaches sooner or later. */
export async function logByJetStream({ nats }: Pick<Client, "nats">, position: number): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  const consumer = await jetstream(nats).consumers.get("RETRACE_EVENTS");
  for await (const message of await consumer.consume({ max_messages: 1_000 })) {
    events.push(fromCloudEvent(message.subject, message.headers, message.json()));
    if (message.seq >= position) break;
  }
  return events;
}
