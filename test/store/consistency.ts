/** Whether all indexes of a store agree with its log, as far as the port shows them. */
import assert from "node:assert/strict";
import type { EventStore } from "../../src/core/event-store.ts";
import type { RecordedEvent } from "../../src/core/message.ts";

/** @throws AssertionError naming the index that disagrees. */
export function assertConsistent(store: EventStore): void {
  const log = [...store.readAll()];
  assert.equal(log.length, store.position(), "the end and the log");
  assert(
    log.every((event, i) => event.position === i + 1),
    "positions have gaps",
  );
  assert(
    log.every((event, i) => i === 0 || event.recordedAt >= (log[i - 1] as RecordedEvent).recordedAt),
    "recordedAt goes back",
  );
  for (const [stream, events] of grouped(log, (event) => event.stream)) {
    assert(
      events.every((event, i) => event.version === i + 1),
      `versions of ${stream} have gaps`,
    );
    assert.deepEqual([...store.readStream(stream)], events, `the index of ${stream}`);
    assert.deepEqual(store.head(stream), { version: events.length, position: events.at(-1)?.position });
  }
  for (const [type, events] of grouped(log, (event) => event.type)) {
    assert.deepEqual([...store.readAll({ types: [type] })], events, `the index of ${type}`);
  }
  for (const [category, events] of grouped(log, (event) => event.category)) {
    assert.deepEqual([...store.readAll({ categories: [category] })], events, `the index of ${category}`);
  }
  for (const [correlationId, events] of grouped(log, (event) => event.metadata.correlationId)) {
    assert.deepEqual([...store.readAll({ correlationId })], events, `the index of ${correlationId}`);
  }
}

function grouped(log: readonly RecordedEvent[], by: (event: RecordedEvent) => string): Map<string, RecordedEvent[]> {
  const groups = new Map<string, RecordedEvent[]>();
  for (const event of log) groups.set(by(event), [...(groups.get(by(event)) ?? []), event]);
  return groups;
}
