/** Appending: versions, positions, conflicts, times, and what an event may carry. */
import assert from "node:assert/strict";
import type { EventStore } from "../../core/event-store.ts";
import type { NewEvent } from "../../core/message.ts";
import { appended, at, correlated, type Law, positions, range, sampleEvent, versions } from "./sample.ts";

/** All that can be seen of a store's log, to see that nothing changed. */
function seen(store: EventStore, streams: readonly string[]) {
  return {
    position: store.position(),
    all: [...store.readAll()],
    byType: positions(store.readAll({ types: ["Noted"] })),
    streams: streams.map((stream) => ({ head: store.head(stream), events: [...store.readStream(stream)] })),
  };
}

/** What an append gives, refuses and leaves alone. */
export function appendLaws(law: Law): void {
  law("begins empty", async ({ store }) => {
    assert.equal(store.position(), 0);
    assert.deepEqual(store.head("a-1"), { version: 0, position: 0 });
    assert.deepEqual([...store.readAll()], []);
    assert.deepEqual([...store.readStream("a-1")], []);
    assert.deepEqual([...store.readStreamSince("a-1", at(0))], []);
    assert.equal(store.versionAt("a-1", 1), 0);
    assert.equal(store.positionAt(at(1_000)), 0);
    assert.equal(store.size().events, 0);
  });

  law("counts positions over the whole log and versions within each stream, without gaps", async ({ store }) => {
    for (const i of range(1, 60)) await appended(store, [sampleEvent(`a-${i % 3}`), sampleEvent(`b-${i % 2}`)]);

    assert.deepEqual(positions(store.readAll()), range(1, 120));
    assert.deepEqual(versions(store.readStream("a-0")), range(1, 20));
    assert.deepEqual(versions(store.readStream("b-1")), range(1, 30));
    assert.equal(store.position(), 120);
    assert.equal(store.size().events, 120);
  });

  law("returns the events as they are read ever after", async ({ store }) => {
    const event = sampleEvent("a-1", {
      type: "Trained",
      schemaVersion: 3,
      data: { loss: 0.25, tags: ["x"] },
      occurredAt: at(-5),
      recordedAt: at(7),
      metadata: {
        correlationId: "c",
        causationId: "because",
        commandId: "k",
        actor: { id: "ada", verified: true },
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      },
    });
    const events = await appended(store, [event]);

    assert.deepEqual(events, [{ ...event, version: 1, position: 1 }]);
    assert.deepEqual([...store.readAll()], events);
    assert.deepEqual([...store.readStream("a-1")], events);
  });

  law("appends at the version that comes next", async ({ store }) => {
    await appended(store, [sampleEvent("a-1", { version: 1 }), sampleEvent("a-1", { version: 2 })]);
    await appended(store, [sampleEvent("a-1", { version: 3 })]);

    assert.deepEqual(store.head("a-1"), { version: 3, position: 3 });
  });

  law("gives an event without a version whatever comes next", async ({ store }) => {
    const events = await appended(store, [
      sampleEvent("a-1", { version: 1 }),
      sampleEvent("b-1"),
      sampleEvent("a-1"),
      sampleEvent("a-1", { version: 3 }),
      sampleEvent("b-1", { version: 2 }),
    ]);

    assert.deepEqual(versions(events), [1, 1, 2, 3, 2]);
    assert.deepEqual(store.head("a-1"), { version: 3, position: 4 });
    assert.deepEqual(store.head("b-1"), { version: 2, position: 5 });
  });

  for (const [version, why] of [
    [1, "has passed"],
    [2, "has just passed"],
    [4, "lies ahead"],
    [0, "no event can have"],
  ] as const) {
    law(`answers a conflict for a version that ${why}, and writes nothing`, async ({ store }) => {
      await appended(store, [sampleEvent("a-1"), sampleEvent("a-1")]);
      const before = seen(store, ["a-1"]);
      const result = await store.append([sampleEvent("a-1", { version, metadata: correlated("lost") })]);

      assert.deepEqual(result, { outcome: "conflict", stream: "a-1", expected: version - 1, actual: 2 });
      assert.deepEqual(seen(store, ["a-1"]), before);
      assert.deepEqual([...store.readAll({ correlationId: "lost" })], []);
    });
  }

  law("writes nothing of an append over several streams when one of them conflicts", async ({ store }) => {
    await appended(store, [sampleEvent("b-1")]);
    const streams = ["a-1", "b-1", "c-1"];
    const before = seen(store, streams);
    const result = await store.append([
      sampleEvent("a-1", { version: 1 }),
      sampleEvent("c-1"),
      sampleEvent("b-1", { version: 1 }),
      sampleEvent("a-1", { version: 2 }),
    ]);

    assert.deepEqual(result, { outcome: "conflict", stream: "b-1", expected: 0, actual: 1 });
    assert.deepEqual(seen(store, streams), before);
    assert.deepEqual(positions(await appended(store, [sampleEvent("c-1", { version: 1 })])), [2]);
  });

  law("counts the events of the same append when it compares versions", async ({ store }) => {
    const result = await store.append([sampleEvent("a-1", { version: 1 }), sampleEvent("a-1", { version: 1 })]);

    assert.deepEqual(result, { outcome: "conflict", stream: "a-1", expected: 0, actual: 1 });
    assert.equal(store.position(), 0);
  });

  law("lets one of many appends win a version", async ({ store }) => {
    const results = await Promise.all(range(1, 20).map(() => store.append([sampleEvent("a-1", { version: 1 })])));

    assert.equal(results.filter((result) => result.outcome === "appended").length, 1);
    assert.equal(store.position(), 1);
  });

  law("appends no events without a trace", async ({ store }) => {
    assert.deepEqual(await store.append([]), { outcome: "appended", events: [] });
    assert.equal(store.position(), 0);
    await appended(store, [sampleEvent("a-1", { recordedAt: at(5) })]);
    await store.append([]);
    await appended(store, [sampleEvent("a-1", { recordedAt: at(3) })]);

    assert.deepEqual(positions(store.readAll()), [1, 2]);
    assert.equal([...store.readAll()][1]?.recordedAt, at(5));
  });

  law("holds recordedAt back when a clock jumps back, and leaves occurredAt alone", async ({ store }) => {
    const times = [5, 3, 5, 4, 6, 1];
    const events = times.map((seconds) =>
      sampleEvent("a-1", { recordedAt: at(seconds), occurredAt: at(seconds), data: { seconds } }),
    );
    await appended(store, events.slice(0, 2));
    await store.withTransaction((tx) => {
      store.append(events.slice(2, 4), tx);
      store.append(events.slice(4), tx);
    });

    const read = [...store.readAll()];
    assert.deepEqual(
      read.map((event) => event.recordedAt),
      [5, 5, 5, 5, 6, 6].map(at),
    );
    assert.deepEqual(
      read.map((event) => event.occurredAt),
      times.map(at),
    );
  });

  law("keeps apart streams whose names begin alike", async ({ store }) => {
    const names = ["a-1", "a-1-2", "a-1-", "a-11", "a-1~", "a-1_", "a-10", "a-A", "ab-1", "a-a-1"];
    for (const version of [1, 2]) for (const name of names) await appended(store, [sampleEvent(name, { version })]);

    for (const name of names) {
      const events = [...store.readStream(name)];
      assert.deepEqual(versions(events), [1, 2], name);
      assert(events.every((event) => event.stream === name));
      assert.deepEqual(versions(store.readStreamSince(name, at(0))), [1, 2], name);
      assert.deepEqual(store.head(name), { version: 2, position: events[1]?.position });
    }
  });

  law("takes the longest names and ids", async ({ store }) => {
    const category = `c${"-x".repeat(31)}y`;
    const stream = `${category}-${"Z".repeat(128)}`;
    assert.equal(stream.length, 193);
    const long = "i".repeat(500);
    const event = sampleEvent(stream, {
      id: long,
      category,
      type: `T${"t".repeat(255)}`,
      metadata: { correlationId: long, causationId: `${long}c`, commandId: `${long}k` },
    });
    const events = await appended(store, [event, { ...event, id: `${long}2` }]);

    assert.deepEqual([...store.readStream(stream)], events);
    assert.deepEqual([...store.readAll({ correlationId: long })], events);
    assert.deepEqual([...store.readAll({ categories: [category], types: [event.type] })], events);
  });

  law("keeps every value that an event's data may hold", async ({ store, reopen }) => {
    const event = sampleEvent("a-1", { data: everyValue });
    await appended(store, [event, sampleEvent("a-2", { data: null }), sampleEvent("a-3", { data: "text" })]);
    const check = (opened: EventStore) => {
      const [first, second, third] = [...opened.readAll()] as NewEvent[];
      assert.deepEqual(first?.data, everyValue);
      assert.deepEqual([second?.data, third?.data], [null, "text"]);
    };

    check(store);
    if (reopen !== undefined) check(await reopen());
  });

  law("keeps a large event whole", async ({ store, reopen }) => {
    const text = "é😀x".repeat(65_536);
    const bytes = Buffer.from(text);
    await appended(store, [sampleEvent("a-1", { data: { text, bytes } }), sampleEvent("a-1", { data: "small" })]);

    const [large, small] = [...(reopen === undefined ? store : await reopen()).readAll()];
    const read = large?.data as { text: string; bytes: Uint8Array };
    assert(read.text === text && bytes.equals(read.bytes), "the large event has changed");
    assert.equal(small?.data, "small");
  });
}

/** What survives: all of JSON, and beyond it undefined, dates and every number, but for the sign of -0. */
const everyValue = {
  null: null,
  booleans: [true, false],
  integers: [0, 1, -1, 127, 128, 255, 256, -128, -129, 65_536, 2 ** 31, 2 ** 32, -(2 ** 31), Number.MAX_SAFE_INTEGER],
  large: [Number.MIN_SAFE_INTEGER, 2 ** 53, 2 ** 60, -(2 ** 63), 2 ** 64, 1e21],
  fractions: [0.1, -0.5, 1e-300, Number.MAX_VALUE, Number.MIN_VALUE, Number.EPSILON],
  beyondJson: [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  undefined: undefined,
  inArray: [undefined, null, [undefined]],
  strings: ["", "é", "日本語", "😀", "\u0000\u001f", "\uffff", "a\u0301", "x".repeat(300)],
  nested: { a: { b: { c: [{}, [], { d: [[["e"]]] }] } } },
  date: new Date(1_234_567_890_123),
  keys: { "": 1, "a.b": 2, "é 😀": 3, "0": 4, constructor: 5, length: 6 },
};
