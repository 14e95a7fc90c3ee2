import { statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openLmdbStore } from "../../src/store/lmdb.ts";
import { appended, correlated, positions, sampleEvent } from "../../src/testing/conformance/sample.ts";
import { tempDir } from "../support/temp.ts";

const open = (path: string) => openLmdbStore({ path, newId: () => "id" });

test("refuses names and ids that do not fit into a key before anything is written", async () => {
  const store = open(tempDir());
  const long = "i".repeat(2_000);
  for (const fields of [{ stream: `a-${long}` }, { type: long }, { metadata: correlated(long) }]) {
    await store.withTransaction((tx) => {
      store.append([sampleEvent("a-1")], tx);
      expect(() => store.append([sampleEvent("a-2"), sampleEvent("a-2", fields)], tx)).toThrow(long);
    });
  }

  expect(positions(store.readAll())).toEqual([1, 2, 3]);
  expect(store.head("a-2")).toEqual({ version: 0, position: 0 });
  await store.close();
});

test("tells how much it holds", async () => {
  const path = tempDir();
  const store = open(path);
  await appended(store, [sampleEvent("a-1"), sampleEvent("a-1")]);

  expect(store.size()).toEqual({ events: 2, bytes: statSync(join(path, "retrace.mdb")).size });
  await store.close();
});

test("refuses an event whose time cannot be read, because it could never be read back", async () => {
  const store = open(tempDir());
  await expect(store.append([sampleEvent("a-1", { occurredAt: "yesterday" })])).rejects.toThrow("yesterday");

  expect(store.position()).toBe(0);
  await store.close();
});

test("delivers from memory and from disk alike, across the bound of what it keeps in memory", async () => {
  const path = tempDir();
  const store = open(path);
  const batch = Array.from({ length: 1_000 }, (_, i) => sampleEvent(`a-${i % 5}`, { data: { i } }));
  for (let i = 0; i < 20; i++) await appended(store, batch);
  await appended(store, [sampleEvent("a-1", { data: "x".repeat(33 * 1024 * 1024) })]);
  await appended(store, batch);
  const fresh = open(path);

  for (const fromPosition of [0, 11_615, 19_999, 20_000, 20_001, 20_500]) {
    const events = [...fresh.readAll({ afterPosition: fromPosition, limit: 2_500 })];
    expect([...store.readAll({ afterPosition: fromPosition, limit: 2_500 })]).toEqual(events);
  }
  await store.close();
  await fresh.close();
});
