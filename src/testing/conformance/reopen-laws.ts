/** Durability, as far as one process can tell: what was acknowledged is there when the store is opened again. */
import assert from "node:assert/strict";
import { appended, at, correlated, type Law, positions, range, sampleEvent, until } from "./sample.ts";

/** What is still there after closing and opening again. */
export function reopenLaws(law: Law): void {
  law("has an id", async ({ store }) => {
    assert.equal(typeof store.id, "string");
    assert.notEqual(store.id, "");
  });

  law("is the same store when it is opened again", async ({ store, reopen }) => {
    if (reopen === undefined) return;
    for (const i of range(1, 30)) {
      const fields = { type: `T${i % 3}`, data: { i }, recordedAt: at(i), metadata: correlated(`c${i % 4}`) };
      await appended(store, [sampleEvent(`a-${i % 5}`, fields)]);
    }
    await store.withTransaction((tx) => {
      for (const i of range(1, 5)) tx.put("rows", ["r", i], { i });
    });
    const look = (seen: typeof store) => ({
      id: seen.id,
      position: seen.position(),
      events: [...seen.readAll()],
      byType: [...seen.readAll({ types: ["T1"] })],
      byCorrelation: [...seen.readAll({ correlationId: "c2" })],
      byTime: [...seen.readAll({ since: at(10), until: at(20) })],
      stream: [...seen.readStream("a-3")],
      head: seen.head("a-3"),
      rows: [...seen.scan("rows", {})],
    });
    const before = look(store);
    const reopened = await reopen();

    assert.deepEqual(look(reopened), before);
    assert.deepEqual(look(await reopen()), before);
  });

  law("goes on where it stopped when it is opened again", async ({ store, reopen }) => {
    if (reopen === undefined) return;
    await appended(store, [sampleEvent("a-1", { recordedAt: at(9) }), sampleEvent("a-1", { recordedAt: at(9) })]);
    const reopened = await reopen();
    const events = await appended(reopened, [sampleEvent("a-1", { version: 3, recordedAt: at(1) })]);

    assert.deepEqual(positions(events), [3]);
    assert.equal(events[0]?.recordedAt, at(9));
    const conflict = await reopened.append([sampleEvent("a-1", { version: 1 })]);
    assert.deepEqual(conflict, { outcome: "conflict", stream: "a-1", expected: 0, actual: 3 });
  });

  law("delivers old and new events to a subscription when it is opened again", async ({ store, reopen }) => {
    if (reopen === undefined) return;
    await appended(store, [sampleEvent("a-1"), sampleEvent("a-1")]);
    const reopened = await reopen();
    const delivered: number[] = [];
    const subscription = reopened.subscribeAll((events) => void delivered.push(...positions(events)), 1);
    await appended(reopened, [sampleEvent("a-1")]);
    await until(() => subscription.position === 3, "the third event has arrived");
    await subscription.close();

    assert.deepEqual(delivered, [2, 3]);
  });

  law("forgets what was undone, also when it is opened again", async ({ store, reopen }) => {
    if (reopen === undefined) return;
    await appended(store, [sampleEvent("a-1")]);
    await assert.rejects(
      store.withTransaction((tx) => {
        store.append([sampleEvent("a-1")], tx);
        tx.put("rows", ["a"], 1);
        throw new Error("undo");
      }),
    );
    const reopened = await reopen();

    assert.deepEqual(positions(reopened.readAll()), [1]);
    assert.equal(reopened.get("rows", ["a"]), undefined);
  });
}
