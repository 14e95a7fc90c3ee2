/** Subscriptions: every event once, in order, no faster than its handler. */
import assert from "node:assert/strict";
import type { EventStore, Subscription, SubscriptionHandler } from "../../core/event-store.ts";
import type { RecordedEvent } from "../../core/message.ts";
import { appended, type Law, positions, range, sampleEvent, until } from "./sample.ts";

interface Follower extends Subscription {
  readonly events: RecordedEvent[];
}

/** A subscription that remembers what it was given. */
function follow(store: EventStore, fromPosition: number, handler: SubscriptionHandler = () => {}): Follower {
  const events: RecordedEvent[] = [];
  const subscription = store.subscribeAll((batch) => {
    assert(batch.length > 0, "a batch is never empty");
    events.push(...batch);
    return handler(batch);
  }, fromPosition);
  return {
    events,
    get position() {
      return subscription.position;
    },
    done: subscription.done,
    close: () => subscription.close(),
  };
}

const reaches = (follower: Subscription, position: number) =>
  until(() => follower.position >= position, `the subscription is at ${position}`);

const appendMany = (store: EventStore, count: number) =>
  appended(
    store,
    range(1, count).map((i) => sampleEvent(`a-${i % 7}`, { data: { i } })),
  );

/** What a subscription delivers, in which order, how often. */
export function subscriptionLaws(law: Law): void {
  law("delivers what is there and what comes, in order, each event once", async ({ store }) => {
    await appendMany(store, 3);
    const follower = follow(store, 0);
    await reaches(follower, 3);
    for (const _ of range(1, 20)) await appendMany(store, 2);
    await reaches(follower, 43);
    await follower.close();

    assert.deepEqual(follower.events, [...store.readAll()]);
  });

  law("delivers after the position it is given", async ({ store }) => {
    await appendMany(store, 10);
    const [fromSeven, fromEnd, fromAhead] = [follow(store, 7), follow(store, 10), follow(store, 12)];
    await reaches(fromSeven, 10);
    for (const _ of range(1, 4)) await appendMany(store, 1);
    for (const follower of [fromSeven, fromEnd, fromAhead]) await reaches(follower, 14);

    assert.deepEqual(positions(fromSeven.events), range(8, 14));
    assert.deepEqual(positions(fromEnd.events), range(11, 14));
    assert.deepEqual(positions(fromAhead.events), range(13, 14));
    for (const follower of [fromSeven, fromEnd, fromAhead]) await follower.close();
  });

  law("delivers a long log whole", async ({ store }) => {
    await appendMany(store, 5_000);
    const follower = follow(store, 1);
    await reaches(follower, 5_000);
    await follower.close();

    assert.deepEqual(positions(follower.events), range(2, 5_000));
  });

  law(
    "waits for the handler before the next batch, and moves its position when that has finished",
    async ({ store }) => {
      const releases: (() => void)[] = [];
      let running = 0;
      const follower = follow(store, 0, async () => {
        running += 1;
        assert.equal(running, 1, "one batch at a time");
        await new Promise<void>((resolve) => releases.push(resolve));
        running -= 1;
      });
      await appendMany(store, 2);
      await until(() => releases.length === 1, "the first batch is there");
      await appendMany(store, 3);
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(releases.length, 1);
      assert.equal(follower.position, 0);
      releases[0]?.();
      await until(() => releases.length === 2, "the second batch is there");
      assert.equal(follower.position, 2);
      releases[1]?.();
      await reaches(follower, 5);
      await follower.close();

      assert.deepEqual(positions(follower.events), range(1, 5));
    },
  );

  for (const [how, fail] of [
    [
      "throws",
      (reason: Error) => {
        throw reason;
      },
    ],
    ["rejects", (reason: Error) => Promise.reject(reason)],
  ] as const) {
    law(`ends when its handler ${how}, with that error`, async ({ store }) => {
      const reason = new Error("the handler failed");
      const follower = follow(store, 0, (batch) => (batch.at(-1)?.position === 2 ? fail(reason) : undefined));
      await appendMany(store, 1);
      await reaches(follower, 1);
      await appendMany(store, 1);
      await assert.rejects(follower.done, (error) => error === reason);
      await appendMany(store, 1);
      await follower.close();

      assert.equal(follower.position, 1);
      assert.deepEqual(positions(follower.events), [1, 2]);
    });
  }

  law("resolves done after close, and delivers nothing more", async ({ store }) => {
    const follower = follow(store, 0);
    await appendMany(store, 1);
    await reaches(follower, 1);
    await follower.close();
    await follower.done;
    await appendMany(store, 1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await follower.close();

    assert.deepEqual(positions(follower.events), [1]);
    assert.equal(follower.position, 1);
  });

  law("finishes the batch at hand before it closes", async ({ store }) => {
    let release = (): void => {};
    const follower = follow(
      store,
      0,
      () =>
        new Promise<void>((resolve) => {
          release = resolve;
        }),
    );
    await appendMany(store, 1);
    await until(() => follower.events.length === 1, "the batch is at hand");
    let isClosed = false;
    const closing = follower.close().then(() => {
      isClosed = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(isClosed, false);
    release();
    await closing;

    assert.equal(follower.position, 1);
  });

  law("delivers what its own handler appends", async ({ store }) => {
    const follower = follow(store, 0, async (batch) => {
      const last = batch.at(-1)?.position ?? 0;
      if (last < 20) await store.withTransaction((tx) => void store.append([sampleEvent("b-1")], tx));
    });
    await appendMany(store, 1);
    await reaches(follower, 20);
    await follower.close();

    assert.deepEqual(positions(follower.events), range(1, 20));
  });

  law("commits a handler's writes together with its checkpoint", async ({ store }) => {
    const follower = follow(store, 0, (batch) =>
      store.withTransaction((tx) => {
        const count = (store.get("rows", ["count"]) as number | undefined) ?? 0;
        tx.put("rows", ["count"], count + batch.length);
        tx.put("checkpoints", ["counter"], batch.at(-1)?.position);
      }),
    );
    for (const _ of range(1, 30)) await appendMany(store, 3);
    await reaches(follower, 90);
    await follower.close();

    assert.equal(store.get("rows", ["count"]), 90);
    assert.equal(store.get("checkpoints", ["counter"]), 90);
  });

  law("serves several subscriptions, each at its own pace", async ({ store }) => {
    const fast = follow(store, 0);
    const slow = follow(store, 0, () => new Promise((resolve) => setTimeout(resolve, 3)));
    for (const _ of range(1, 25)) await appendMany(store, 4);
    await reaches(fast, 100);
    await reaches(slow, 100);
    await Promise.all([fast.close(), slow.close()]);

    assert.deepEqual(positions(fast.events), range(1, 100));
    assert.deepEqual(positions(slow.events), range(1, 100));
  });

  law("ends its subscriptions when it is closed", async ({ store }) => {
    await appendMany(store, 1);
    const idle = follow(store, 0);
    let release = (): void => {};
    const busy = follow(
      store,
      0,
      () =>
        new Promise<void>((resolve) => {
          release = resolve;
        }),
    );
    await reaches(idle, 1);
    await until(() => busy.events.length === 1, "the batch is at hand");
    await store.close();
    release();

    await idle.done;
    await busy.done;
  });
}
