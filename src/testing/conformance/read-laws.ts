/** Reading the log: ranges of streams, filters alone and together, times. */
import assert from "node:assert/strict";
import type { EventStore, LogFilter } from "../../core/event-store.ts";
import type { RecordedEvent } from "../../core/message.ts";
import { appended, at, correlated, type Law, positions, range, sampleEvent, versions } from "./sample.ts";

/** What the reads of the log return, filter by filter. */
export function readLaws(law: Law): void {
  law("tells where each stream ends", async ({ store }) => {
    await appended(store, [sampleEvent("a-1"), sampleEvent("b-1"), sampleEvent("a-1"), sampleEvent("b-2")]);

    assert.deepEqual(store.head("a-1"), { version: 2, position: 3 });
    assert.deepEqual(store.head("b-1"), { version: 1, position: 2 });
    assert.deepEqual(store.head("b-2"), { version: 1, position: 4 });
    assert.deepEqual(store.head("b-3"), { version: 0, position: 0 });
  });

  law("reads ranges of a stream with both ends inclusive, up to a limit", async ({ store }) => {
    await appended(
      store,
      range(1, 300).flatMap(() => [sampleEvent("a-1"), sampleEvent("a-2")]),
    );
    const read = (given: Parameters<EventStore["readStream"]>[1]) => versions(store.readStream("a-1", given));

    assert.deepEqual(read({}), range(1, 300));
    assert.deepEqual(read({ fromVersion: 299 }), [299, 300]);
    assert.deepEqual(read({ toVersion: 2 }), [1, 2]);
    assert.deepEqual(read({ fromVersion: 127, toVersion: 129 }), [127, 128, 129]);
    assert.deepEqual(read({ fromVersion: 255, toVersion: 257 }), [255, 256, 257]);
    assert.deepEqual(read({ fromVersion: 7, toVersion: 7 }), [7]);
    assert.deepEqual(read({ fromVersion: 8, toVersion: 7 }), []);
    assert.deepEqual(read({ fromVersion: 301 }), []);
    assert.deepEqual(read({ fromVersion: 0, toVersion: 0 }), []);
    assert.deepEqual(read({ fromVersion: 298, toVersion: 1_000 }), [298, 299, 300]);
    assert.deepEqual(read({ limit: 2 }), [1, 2]);
    assert.deepEqual(read({ limit: 0 }), []);
    assert.deepEqual(read({ fromVersion: 10, toVersion: 20, limit: 3 }), [10, 11, 12]);
    assert.deepEqual(read({ fromVersion: 10, toVersion: 11, limit: 30 }), [10, 11]);
  });

  law("reads a stream from a time of recording, inclusive", async ({ store }) => {
    for (const seconds of [1, 1, 3, 3, 5]) {
      await appended(store, [sampleEvent("a-1", { recordedAt: at(seconds), occurredAt: at(9) }), sampleEvent("b-1")]);
    }
    const since = (seconds: number) => versions(store.readStreamSince("a-1", at(seconds)));

    assert.deepEqual(since(0), [1, 2, 3, 4, 5]);
    assert.deepEqual(since(1), [1, 2, 3, 4, 5]);
    assert.deepEqual(since(1.001), [3, 4, 5]);
    assert.deepEqual(since(3), [3, 4, 5]);
    assert.deepEqual(since(5), [5]);
    assert.deepEqual(since(5.001), []);
    assert.deepEqual([...store.readStreamSince("a-2", at(0))], []);
  });

  law("finds the last position of a time, inclusive", async ({ store }) => {
    for (const seconds of [1, 1, 3, 2, 5]) await appended(store, [sampleEvent("a-1", { recordedAt: at(seconds) })]);

    assert.deepEqual(
      [0, 0.999, 1, 2, 3, 4.999, 5, 99].map((seconds) => store.positionAt(at(seconds))),
      [0, 0, 2, 2, 4, 4, 5, 5],
    );
  });

  law("tells the version of a stream at a position of the log, inclusive", async ({ store }) => {
    const streams = range(1, 400).map((i) => (i % 3 === 0 ? "b-1" : i % 100 === 50 ? "b-1-2" : "a-1"));
    await appended(
      store,
      streams.map((stream) => sampleEvent(stream)),
    );

    for (const stream of ["a-1", "b-1", "b-1-2", "none-1"]) {
      assert.deepEqual(
        range(0, 401).map((position) => store.versionAt(stream, position)),
        range(0, 401).map((position) => streams.slice(0, position).filter((name) => name === stream).length),
      );
    }
  });

  law("reads the log by every filter alone and by all of them together", async ({ store }) => {
    await writeMixedLog(store);
    const log = [...store.readAll()];
    assert.deepEqual(positions(log), range(1, 60));

    for (const filter of everyFilter()) {
      assert.deepEqual(positions(store.readAll(filter)), positions(expected(log, filter)), JSON.stringify(filter));
    }
  });

  law("reads whole events whatever index led to them", async ({ store }) => {
    await writeMixedLog(store);
    const log = [...store.readAll()];

    for (const filter of [{ types: ["Made"] }, { categories: ["a"] }, { correlationId: "c1" }, { since: at(20) }]) {
      assert.deepEqual([...store.readAll(filter)], expected(log, filter));
    }
  });

  law("finds each type's events of a large append, from any position on", async ({ store }) => {
    const types = range(1, 1_200).map((i) => (i % 400 === 1 ? "Rare" : i % 3 === 0 ? "Third" : "Usual"));
    await appended(
      store,
      types.map((type, i) => sampleEvent(`a-${i % 2}`, { type })),
    );

    for (const type of ["Rare", "Third", "Usual"]) {
      const all = range(1, 1_200).filter((position) => types[position - 1] === type);
      for (const afterPosition of [0, 1, 3, 199, 200, 201, 401, 599, 600, 999, 1_199, 1_200]) {
        const found = positions(store.readAll({ types: [type], afterPosition }));
        assert.deepEqual(
          found,
          all.filter((position) => position > afterPosition),
        );
      }
    }
  });

  law("keeps apart categories and types whose names begin alike", async ({ store }) => {
    const pairs = [
      ["model", "Trained"],
      ["model-card", "Trained"],
      ["mode", "LTrained"],
      ["model", "TrainedTwice"],
      ["model", "Train"],
    ] as const;
    for (const [category, type] of pairs) {
      await appended(store, [sampleEvent(`${category}-x`, { category, type }), sampleEvent("z-1")]);
    }

    assert.deepEqual(positions(store.readAll({ categories: ["model"] })), [1, 7, 9]);
    assert.deepEqual(positions(store.readAll({ types: ["Trained"] })), [1, 3]);
    assert.deepEqual(positions(store.readAll({ categories: ["model"], types: ["Trained"] })), [1]);
  });

  law("goes on reading, in order and without a repeat, while others append", async ({ store }) => {
    await writeMixedLog(store);
    await appended(
      store,
      range(1, 200).map(() => sampleEvent("l-1")),
    );
    const readers: (() => Iterable<RecordedEvent>)[] = [
      () => store.readAll(),
      () => store.readAll({ categories: ["a", "b"], types: ["Made", "Kept"] }),
      () => store.readAll({ correlationId: "c1" }),
      () => store.readStream("a-1"),
      () => store.readStreamSince("a-1", at(0)),
      () => store.readStream("l-1"),
    ];
    for (const reader of readers) {
      const before = positions(reader());
      const read: number[] = [];
      for (const event of reader()) {
        read.push(event.position);
        if (read.length <= 5) {
          await appended(store, [sampleEvent("z-1"), sampleEvent("a-0", { metadata: correlated("c0") })]);
          await new Promise((resolve) => setTimeout(resolve, 2));
        }
      }
      assert.deepEqual(read.slice(0, before.length), before);
      assert.deepEqual(
        read,
        [...new Set(read)].sort((a, b) => a - b),
      );
    }
  });
}

/** 60 events of three categories, three types, and three conversations, whose times sometimes stand still or go back. */
async function writeMixedLog(store: EventStore): Promise<void> {
  const types = ["Made", "Kept", "Gone"];
  for (const i of range(0, 59)) {
    const category = ["a", "b", "c"][i % 3] as string;
    const event = sampleEvent(`${category}-${i % 2}`, {
      type: types[Math.floor(i / 3) % 3] as string,
      recordedAt: at(i - (i % 4)),
      occurredAt: at((i * 7) % 60),
      data: { i },
      ...(i % 5 === 4 ? {} : { metadata: correlated(`c${(i % 5) % 3}`) }),
    });
    await appended(store, [event]);
  }
}

/** What a filter means, said without an index. */
function expected(log: readonly RecordedEvent[], filter: LogFilter): RecordedEvent[] {
  const { afterPosition = 0, toPosition = Number.POSITIVE_INFINITY, categories, types, correlationId } = filter;
  const timeOf = (event: RecordedEvent) => (filter.by === "occurred" ? event.occurredAt : event.recordedAt);
  return log
    .filter((event) => event.position > afterPosition && event.position <= toPosition)
    .filter((event) => categories === undefined || categories.some((category) => category === event.category))
    .filter((event) => types === undefined || types.some((type) => type === event.type))
    .filter((event) => correlationId === undefined || correlationId === event.metadata.correlationId)
    .filter((event) => filter.since === undefined || timeOf(event) >= filter.since)
    .filter((event) => filter.until === undefined || timeOf(event) < filter.until)
    .slice(0, filter.limit ?? Number.POSITIVE_INFINITY);
}

/** Every combination of one choice for each condition. */
function everyFilter(): LogFilter[] {
  const choices: readonly (readonly LogFilter[])[] = [
    [{}, { afterPosition: 0 }, { afterPosition: 17 }, { afterPosition: 60 }],
    [{}, { toPosition: 41 }],
    [{}, { categories: ["b"] }, { categories: ["c", "a", "absent"] }, { categories: [] }],
    [{}, { types: ["Kept"] }, { types: ["Gone", "Made", "Made"] }],
    [{}, { correlationId: "c1" }, { correlationId: "absent" }],
    [
      {},
      { since: at(12) },
      { until: at(40) },
      { since: at(20), until: at(44), by: "recorded" },
      { since: at(20), until: at(44), by: "occurred" },
      { since: at(30), until: at(30) },
    ],
    [{}, { limit: 0 }, { limit: 3 }],
  ];
  return choices.reduce<LogFilter[]>(
    (filters, conditions) => filters.flatMap((filter) => conditions.map((condition) => ({ ...filter, ...condition }))),
    [{}],
  );
}
