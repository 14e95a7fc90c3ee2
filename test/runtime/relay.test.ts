/** What keeps the stream right is the sequence that each batch follows, not the lease that keeps relays from doing double work. */
import { afterAll, expect, test } from "vitest";
import { openLog } from "../../src/runtime/log.ts";
import { Relay } from "../../src/runtime/relay.ts";
import { openMemoryStore } from "../../src/store/memory.ts";
import { appended, sampleEvent } from "../../src/testing/conformance/sample.ts";
import { openConnection } from "../../src/wire/connection.ts";
import { EventStream } from "../../src/wire/event-stream.ts";
import { assertStreamHolds } from "../support/event-messages.ts";
import { eventually } from "../support/eventually.ts";
import { startNats } from "../support/nats.ts";

const closing: (() => Promise<unknown>)[] = [];

afterAll(async () => {
  for (const close of closing.reverse()) await close();
});

test("three relays at once publish each event once, in order", async () => {
  const { url } = await startNats();
  const store = openMemoryStore("store");
  const relays: Relay[] = [];
  for (const name of ["one", "two", "three"]) {
    const nats = await openConnection({ servers: url, name });
    const streamOptions = { nats, name: "RETRACE_EVENTS", subjects: "retrace.evt.>", storeId: store.id };
    const stream = new EventStream(streamOptions);
    const relay = new Relay({ store, stream, prefix: "retrace", log: openLog("silent") });
    const running = relay.run();
    relays.push(relay);
    closing.push(async () => {
      await relay.close();
      await running;
      await nats.close();
    });
  }
  for (let batch = 0; batch < 100; batch++) {
    await appended(store, [sampleEvent(`note-${batch % 7}`), sampleEvent("note-all"), sampleEvent("note-all")]);
    // Batches of many sizes: whatever has come together by the time that one of the relays is free.
    if (batch % 3 === 0) await eventually("one of them relays", () => relays.some((relay) => relay.position > batch));
  }
  const isThere = (relay: Relay) => relay.position === store.position();
  await eventually("all know that everything is relayed", () => relays.every(isThere));
  const nats = await openConnection({ servers: url, name: "reader" });
  closing.push(() => nats.close());
  const events = [...store.readAll()];
  expect(events).toHaveLength(300);
  await assertStreamHolds(nats, events);
});
