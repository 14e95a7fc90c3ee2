/** Transactions: one whole, or nothing of it. */
import assert from "node:assert/strict";
import type { EventStore, Transaction } from "../../core/event-store.ts";
import { appended, appendedIn, at, correlated, type Law, positions, range, sampleEvent, until } from "./sample.ts";

/** What a transaction sees, and what is left when it throws. */
export function transactionLaws(law: Law): void {
  law("returns what the function of a transaction returns", async ({ store }) => {
    assert.equal(await store.withTransaction(() => 42), 42);
    assert.equal(await store.withTransaction(() => undefined), undefined);
  });

  law("sees its own writes, in the log and in the tables", async ({ store }) => {
    await appended(store, [sampleEvent("a-1", { recordedAt: at(1) })]);
    await store.withTransaction((tx) => {
      const fields = { type: "Seen", recordedAt: at(2), metadata: correlated("c") };
      const events = appendedIn(tx, store, [sampleEvent("a-1", fields), sampleEvent("b-1", fields)]);
      assert.equal(store.position(), 3);
      assert.deepEqual(store.head("a-1"), { version: 2, position: 2 });
      assert.deepEqual([...store.readStream("b-1")], events.slice(1));
      assert.deepEqual(positions(store.readStreamSince("a-1", at(2))), [2]);
      assert.deepEqual(positions(store.readAll()), [1, 2, 3]);
      for (const filter of [{ types: ["Seen"] }, { correlationId: "c" }, { since: at(2) }, { afterPosition: 1 }]) {
        assert.deepEqual([...store.readAll(filter)], events);
      }
      assert.equal(store.positionAt(at(2)), 3);
      assert.deepEqual(positions(appendedIn(tx, store, [sampleEvent("a-1", { version: 3 })])), [4]);

      tx.put("rows", ["a"], 1);
      tx.put("rows", ["b"], 2);
      tx.delete("rows", ["a"]);
      for (const reader of [tx, store]) {
        assert.equal(reader.get("rows", ["a"]), undefined);
        assert.deepEqual([...reader.scan("rows", {})], [{ key: ["b"], value: 2 }]);
      }
    });
    assert.deepEqual(positions(store.readAll()), [1, 2, 3, 4]);
  });

  law("undoes everything when its function throws, and rejects with that error", async ({ store }) => {
    await appended(store, [sampleEvent("a-1", { recordedAt: at(1) })]);
    await store.withTransaction((tx) => {
      tx.put("rows", ["kept"], 1);
      tx.put("rows", ["deleted"], 1);
    });
    const reason = new Error("enough");
    const failing = store.withTransaction((tx) => {
      tx.put("rows", ["kept"], 2);
      appendedIn(tx, store, [sampleEvent("a-1", { recordedAt: at(9), metadata: correlated("undone") })]);
      tx.put("rows", ["new"], 3);
      tx.put("rows", ["new"], 4);
      tx.delete("rows", ["deleted"]);
      appendedIn(tx, store, [sampleEvent("b-1", { type: "Undone" })]);
      throw reason;
    });
    await assert.rejects(failing, (error) => error === reason);

    assert.equal(store.position(), 1);
    assert.deepEqual(store.head("b-1"), { version: 0, position: 0 });
    assert.deepEqual(positions(store.readAll()), [1]);
    assert.deepEqual([...store.readAll({ correlationId: "undone" }), ...store.readAll({ types: ["Undone"] })], []);
    assert.deepEqual(
      [...store.scan("rows", {})].map((row) => [row.key[0], row.value]),
      [
        ["deleted", 1],
        ["kept", 1],
      ],
    );
  });

  law("goes on after an undone transaction as if it had never been", async ({ store }) => {
    const batches: number[][] = [];
    const subscription = store.subscribeAll((events) => void batches.push(positions(events)), 0);
    const first = await appended(store, [sampleEvent("a-1", { data: "first", recordedAt: at(1) })]);
    await assert.rejects(
      store.withTransaction((tx) => {
        const undone = sampleEvent("a-1", { data: "undone", recordedAt: at(9), metadata: correlated("undone") });
        store.append([undone, undone, undone], tx);
        throw new Error("undo");
      }),
    );
    const second = await appended(store, [sampleEvent("a-1", { data: "second", version: 2, recordedAt: at(2) })]);
    await until(() => subscription.position === 2, "the second event has arrived");
    await subscription.close();

    for (const filter of [{}, { types: ["Noted"] }, { categories: ["a"] }]) {
      assert.deepEqual([...store.readAll(filter)], [...first, ...second]);
    }
    assert.deepEqual([...store.readStream("a-1")], [...first, ...second]);
    assert.deepEqual([...store.readAll({ correlationId: "undone" })], []);
    assert.deepEqual(batches.flat(), [1, 2]);
    assert.equal(second[0]?.recordedAt, at(2));
  });

  law("stays whole when an append in it conflicts", async ({ store }) => {
    await store.withTransaction((tx) => {
      tx.put("rows", ["a"], 1);
      appendedIn(tx, store, [sampleEvent("a-1")]);
      const result = store.append([sampleEvent("b-1"), sampleEvent("a-1", { version: 1 })], tx);
      assert.deepEqual(result, { outcome: "conflict", stream: "a-1", expected: 0, actual: 1 });
      appendedIn(tx, store, [sampleEvent("a-1", { version: 2 })]);
    });

    assert.deepEqual(positions(store.readAll()), [1, 2]);
    assert.deepEqual(store.head("b-1"), { version: 0, position: 0 });
    assert.equal(store.get("rows", ["a"]), 1);
  });

  law("writes nothing of an append that throws, and keeps the rest when the throw is caught", async ({ store }) => {
    const unstorable = { value: Symbol("nothing can store this") };
    await store.withTransaction((tx) => {
      appendedIn(tx, store, [sampleEvent("a-1")]);
      assert.throws(() => store.append([sampleEvent("a-1"), sampleEvent("b-1", { data: unstorable })], tx));
      assert.deepEqual(store.head("a-1"), { version: 1, position: 1 });
    });
    await assert.rejects(store.append([sampleEvent("a-1"), sampleEvent("b-1", { data: unstorable })]));

    assert.deepEqual(positions(store.readAll()), [1]);
    assert.deepEqual(store.head("a-1"), { version: 1, position: 1 });
    assert.deepEqual(positions(await appended(store, [sampleEvent("a-1", { version: 2 })])), [2]);
  });

  law("is serialisable: what it read still holds when it writes", async ({ store }) => {
    const count = (tx: Transaction) => {
      tx.put("rows", ["count"], ((tx.get("rows", ["count"]) as number | undefined) ?? 0) + 1);
      return appendedIn(tx, store, [sampleEvent("a-1", { version: store.head("a-1").version + 1 })]);
    };
    await Promise.all(range(1, 50).map(() => store.withTransaction(count)));

    assert.equal(store.get("rows", ["count"]), 50);
    assert.equal(store.head("a-1").version, 50);
  });

  law("refuses a function that is not synchronous", async ({ store }) => {
    await assert.rejects(
      store.withTransaction(async (tx) => {
        store.append([sampleEvent("a-1")], tx);
        tx.put("rows", ["a"], 1);
      }),
    );
    await isUntouched(store);
  });

  law("refuses a transaction within a transaction", async ({ store }) => {
    const inner: Promise<unknown>[] = [];
    await store.withTransaction((tx) => {
      appendedIn(tx, store, [sampleEvent("a-1")]);
      inner.push(store.append([sampleEvent("b-1")]));
      inner.push(store.withTransaction((nested) => nested.put("rows", ["nested"], 1)));
      appendedIn(tx, store, [sampleEvent("a-1")]);
      for (const refused of inner) refused.catch(() => {});
    });
    for (const refused of inner) await assert.rejects(refused);

    assert.deepEqual(
      [...store.readAll()].map((event) => event.stream),
      ["a-1", "a-1"],
    );
    assert.equal(store.get("rows", ["nested"]), undefined);
  });

  law("refuses writes by a transaction that has ended", async ({ store }) => {
    const ended = await store.withTransaction((tx) => ({ tx }));
    const refusesAll = (tx: Transaction) => {
      assert.throws(() => store.append([sampleEvent("a-1")], tx));
      assert.throws(() => tx.put("rows", ["a"], 1));
      assert.throws(() => tx.delete("rows", ["a"]));
    };
    refusesAll(ended.tx);
    await store.withTransaction(() => refusesAll(ended.tx));

    await isUntouched(store);
  });
}

async function isUntouched(store: EventStore): Promise<void> {
  assert.equal(store.position(), 0);
  assert.deepEqual([...store.readAll()], []);
  assert.deepEqual([...store.scan("rows", {})], []);
  assert.deepEqual(positions(await appended(store, [sampleEvent("a-1", { version: 1 })])), [1]);
}
