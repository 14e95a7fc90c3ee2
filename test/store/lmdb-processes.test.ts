import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import type { EventStore } from "../../src/core/event-store.ts";
import type { RecordedEvent } from "../../src/core/message.ts";
import { openLmdbStore } from "../../src/store/lmdb.ts";
import { appended, positions, range, sampleEvent, until } from "../../src/testing/conformance/sample.ts";
import { tempDir } from "../support/temp.ts";
import { assertConsistent } from "./consistency.ts";
import { startStoreProcess } from "./process.ts";

const opened: EventStore[] = [];

function open(path: string): EventStore {
  const store = openLmdbStore({ path, newId: () => "shared", pollMs: 5 });
  opened.push(store);
  return store;
}

afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
});

test("two processes that race for versions win each of them once, without gaps", async () => {
  const path = tempDir();
  const racers = await Promise.all([startStoreProcess("race", path, 400), startStoreProcess("race", path, 400)]);
  for (const racer of racers) racer.say("go");
  await Promise.all(racers.map((racer) => racer.hasTold(2)));
  await Promise.all(racers.map((racer) => racer.ended));

  const won = racers.flatMap((racer) => racer.told[1]?.won as Won[]);
  const store = open(path);
  const log = [...store.readAll()].map(({ id, stream, version, position }) => ({ id, stream, version, position }));
  expect(won.sort((a, b) => a.position - b.position)).toEqual(log);
  expect(log).toHaveLength(800);
  assertConsistent(store);
});

interface Won {
  readonly id: string;
  readonly stream: string;
  readonly version: number;
  readonly position: number;
}

test("two stores on one folder are one log", async () => {
  const path = tempDir();
  const [a, b] = [open(path), open(path)];
  expect(b.id).toBe(a.id);
  const delivered: RecordedEvent[] = [];
  const subscription = b.subscribeAll((events) => void delivered.push(...events), 0);
  for (const i of range(1, 50)) {
    const store = i % 3 === 0 ? b : a;
    await appended(store, [sampleEvent("a-1", { version: i, data: { i } })]);
    expect(await (i % 2 === 0 ? b : a).append([sampleEvent("a-1", { version: i })])).toMatchObject({ actual: i });
  }
  await until(() => subscription.position === 50, "all have arrived");

  expect(delivered).toEqual([...a.readAll()]);
  assertConsistent(b);
});

test("a subscription delivers what other processes append, between its own, each event once", async () => {
  const path = tempDir();
  const store = open(path);
  const delivered: RecordedEvent[] = [];
  const subscription = store.subscribeAll((events) => void delivered.push(...events), 0);
  const other = await startStoreProcess("write", path, 150);
  let own = 0;
  const ended = other.ended.then(() => true);
  while (!(await Promise.race([ended, delay(randomInt(3), false)]))) {
    own += 1;
    await appended(store, [sampleEvent("z-1", { version: own })]);
  }
  await until(() => subscription.position === store.position(), "all have arrived");

  const foreign = other.told.slice(1).flatMap((message) => message.events as { id: string; position: number }[]);
  expect(foreign).toHaveLength(450);
  expect(own).toBeGreaterThan(10);
  expect(positions(delivered)).toEqual(range(1, 450 + own));
  // Another handle has nothing in memory: it reads what is on disk.
  expect(delivered).toEqual([...open(path).readAll()]);
  for (const { id, position } of foreign) expect(delivered[position - 1]?.id).toBe(id);
  assertConsistent(store);
});

test("keeps what it acknowledged, and whole transactions only, however often its process is killed", async () => {
  const path = tempDir();
  let commits = 0;
  for (const _ of range(1, 15)) {
    const writer = await startStoreProcess("write", path);
    await writer.hasTold(2 + randomInt(20));
    await delay(randomInt(10));
    await writer.kill();

    const store = open(path);
    assertConsistent(store);
    const log = [...store.readAll()];
    for (const { row, events } of writer.told.slice(1) as unknown as Told[]) {
      assert.equal(store.get("rows", ["commit", row]), row);
      for (const { id, position } of events) assert.equal(log[position - 1]?.id, id);
      commits += 1;
    }
    const rows = [...store.scan("rows", { prefix: ["commit"] })].map(({ value }) => value);
    expect(rows).toEqual(range(1, store.get("rows", ["count"]) as number));
    expect(new Set(log.map((event) => (event.data as { n: number }).n))).toEqual(new Set(rows));
    await store.close();
    opened.length = 0;
  }
  expect(commits).toBeGreaterThanOrEqual(15);
});

interface Told {
  readonly row: number;
  readonly events: readonly { readonly id: string; readonly position: number }[];
}
