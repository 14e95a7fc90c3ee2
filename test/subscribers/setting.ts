/** What the tests of subscribers stand on: a runtime on a real broker, commands that make events, handlers that take notes. */
import { randomUUID } from "node:crypto";
import { afterAll, expect } from "vitest";
import type { RecordedEvent } from "../../src/core/message.ts";
import { type Client, connect } from "../../src/wire/client.ts";
import type { SubscribeOptions } from "../../src/wire/subscribe.ts";
import type { EventSubscription } from "../../src/wire/subscription-run.ts";
import type { Delivery, EventHandler, SubscriptionNotice } from "../../src/wire/subscription-work.ts";
import { eventually } from "../support/eventually.ts";
import { startNats, type TestNats } from "../support/nats.ts";
import { startRuntime, type TestRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";

/** A runtime on a broker of its own. */
export interface Setting {
  readonly nats: TestNats;
  readonly runtime: TestRuntime;
  readonly client: Client;
}

const clients: Client[] = [];

afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  clients.length = 0;
});

/** Starts both. */
export async function startSetting(): Promise<Setting> {
  const nats = await startNats();
  const runtime = await startRuntime({ dataDir: tempDir(), nats: nats.url });
  return { nats, runtime, client: await connectTo(nats.url) };
}

/** A client that is closed, and its subscriptions with it, when the file is done. */
export async function connectTo(url: string): Promise<Client> {
  const client = await connect({ servers: url });
  clients.push(client);
  return client;
}

let made = 0;

/** A name that no other subscription of this process has. */
export function freshName(): string {
  made += 1;
  return `s${made}-${randomUUID().slice(0, 8)}`;
}

/** One call of a handler. */
export interface Call {
  readonly event: RecordedEvent;
  readonly delivery: Delivery;
  readonly startedAt: number;
  endedAt?: number;
  failed?: boolean;
}

/** A subscription whose handler takes notes. */
export interface Notes {
  readonly subscription: EventSubscription;
  readonly calls: Call[];
  readonly notices: SubscriptionNotice[];
  /** The positions that were handled, without those of calls that threw. */
  readonly handled: () => number[];
}

/** Subscribes with short waits, unless told otherwise; `handler` may throw. */
export async function subscribeNoting(
  client: Client,
  options: Partial<SubscribeOptions> = {},
  handler: EventHandler = () => {},
): Promise<Notes> {
  const calls: Call[] = [];
  const notices: SubscriptionNotice[] = [];
  const defaults = {
    name: freshName(),
    leaseMs: 500,
    backoffMs: [10],
    onNotice: (n: SubscriptionNotice) => notices.push(n),
  };
  const subscription = await client.subscribe({ ...defaults, ...options }, async (event, delivery) => {
    const call: Call = { event, delivery, startedAt: performance.now() };
    calls.push(call);
    try {
      await handler(event, delivery);
    } catch (error) {
      call.failed = true;
      throw error;
    } finally {
      call.endedAt = performance.now();
    }
  });
  const handled = () =>
    calls.filter(({ failed, endedAt }) => !failed && endedAt !== undefined).map(({ event }) => event.position);
  return { subscription, calls, notices, handled };
}

/** Adds a training run of `events` events; returns their positions. */
export async function recordRun(client: Client, id: string, events: number): Promise<number[]> {
  // Longer than any outage of a broker.
  const options = { timeoutMs: 40_000 };
  const first = await client.send("training-run", id, { type: "StartTraining", data: { seed: 1 } }, options);
  const positions = [first.position];
  for (let step = 1; step < events; step++) {
    const data = { step, loss: 1 / step };
    positions.push((await client.send("training-run", id, { type: "RecordProgress", data }, options)).position);
  }
  return positions;
}

/** Adds `runs` training runs side by side, so that their events alternate. */
export async function recordRuns(client: Client, name: string, runs: number, events: number): Promise<number[]> {
  const all = await Promise.all(Array.from({ length: runs }, (_, i) => recordRun(client, `${name}-${i}`, events)));
  return all.flat().sort((a, b) => a - b);
}

/** Waits until a subscription has handled these positions, each at least once. */
export async function untilHandled({ handled, subscription }: Notes, positions: readonly number[]): Promise<void> {
  await eventually(`${positions.length} events are handled`, () => {
    const done = new Set(handled());
    const missing = positions.filter((position) => !done.has(position));
    if (missing.length > 0)
      throw new Error(`${missing.length} missing, first ${missing[0]}; ${JSON.stringify(subscription.status)}`);
    return true;
  });
}

/** Fails unless the calls for each stream follow one another, none beginning before the one before it has ended. */
export function expectOneAfterAnother(calls: readonly Call[]): void {
  const last = new Map<string, Call>();
  for (const call of calls) {
    const before = last.get(call.event.stream);
    last.set(call.event.stream, call);
    if (before === undefined) continue;
    expect(before.endedAt ?? Number.POSITIVE_INFINITY).toBeLessThanOrEqual(call.startedAt);
    expect(before.event.position).toBeLessThanOrEqual(call.event.position);
  }
}
