/**
 * Everything at once: events that fail until somebody mends them, a person who retries and drops, a broker that is killed, a
 * stream that is made again, subscribers that are closed and follow one another. Nothing is lost, nothing comes twice, and
 * where streams wait for their dead letters each stream is handled in order.
 */
import { setTimeout as delay } from "node:timers/promises";
import { jetstreamManager } from "@nats-io/jetstream";
import { expect, test } from "vitest";
import { DeadLetters } from "../../src/wire/dead-letters.ts";
import type { EventHandler } from "../../src/wire/subscription-work.ts";
import { streamInfo } from "../support/event-messages.ts";
import { eventually } from "../support/eventually.ts";
import { type Random, seededRandom } from "../support/random.ts";
import { freshName, type Notes, recordRuns, type Setting, startSetting, subscribeNoting } from "./setting.ts";

/** Brokers are killed and streams made anew in between, each of which is waited out with growing pauses. */
const patienceMs = 90_000;

class Story {
  readonly handled: { readonly position: number; readonly stream: string }[] = [];
  readonly dropped = new Set<number>();
  readonly positions: number[] = [];
  readonly #setting: Setting;
  readonly #random: Random;
  readonly #options;
  readonly #letters: DeadLetters;
  readonly #mended = new Set<number>();
  #notes: Notes | undefined;
  #isOver = false;

  constructor(setting: Setting, afterPark: "wait" | "continue", random: Random) {
    this.#setting = setting;
    this.#random = random;
    // A lease longer than the broker is away: what was not written down before a kill is not handled twice then.
    const waits = { maxDeliver: 2, backoffMs: [5], leaseMs: 5_000 };
    this.#options = { name: freshName(), afterPark, maxInFlight: 4, ...waits } as const;
    this.#letters = new DeadLetters(setting.client.nats, "retrace");
  }

  async tell(chapters: readonly ("kill" | "remake" | "close" | "follow")[]): Promise<void> {
    this.#notes = await this.#subscribe();
    const background = Promise.all([this.#record(), this.#decide()]);
    for (const chapter of chapters) {
      const goal = this.handled.length + 50;
      await eventually("events are handled", () => this.handled.length >= goal, patienceMs);
      await this[chapter]();
    }
    this.#isOver = true;
    await background;
    for (const position of this.positions) this.#mended.add(position);
    await eventually("all are handled or dropped", () => this.#mendTheRest(), patienceMs);
  }

  async kill(): Promise<void> {
    const { nats } = this.#setting;
    await nats.kill();
    await delay(this.#random.integer(500));
    await nats.restart();
  }

  async remake(): Promise<void> {
    const { nats } = this.#setting.client;
    const { created } = await eventually("there is a stream", () => streamInfo(nats));
    await (await jetstreamManager(nats)).streams.delete("RETRACE_EVENTS");
    await eventually("the stream is made again", async () => (await streamInfo(nats)).created !== created);
  }

  async close(): Promise<void> {
    await this.#notes?.subscription.close();
    this.#notes = await this.#subscribe();
  }

  async follow(): Promise<void> {
    const next = await this.#subscribe();
    await this.#notes?.subscription.close();
    this.#notes = next;
  }

  #subscribe(): Promise<Notes> {
    const handler: EventHandler = async ({ position, stream }) => {
      await delay(this.#random.integer(8));
      if (position % 23 === 7 && !this.#mended.has(position)) throw new Error("not yet");
      this.handled.push({ position, stream });
    };
    return subscribeNoting(this.#setting.client, this.#options, handler);
  }

  async #record(): Promise<void> {
    for (let i = 0; !this.#isOver; i++)
      this.positions.push(...(await recordRuns(this.#setting.client, `r${i}`, 5, 10)));
  }

  /** A person at the command line: drops some, mends most, and retries them and some others. */
  async #decide(): Promise<void> {
    while (!this.#isOver) {
      await delay(50 + this.#random.integer(100));
      // While the broker is away there is nothing to see.
      const letters = await this.#letters.list(this.#options.name).catch(() => []);
      for (const { position, state } of letters) {
        if (state !== "parked" || this.#random.chance(0.5)) continue;
        await this.#decideOn(position).catch(() => {});
      }
      this.#letters.notify(this.#options.name);
    }
  }

  async #decideOn(position: number): Promise<void> {
    const { name } = this.#options;
    if (this.#random.chance(0.2)) {
      this.dropped.add(position);
      await this.#letters.drop(name, position);
      return;
    }
    if (this.#random.chance(0.8)) this.#mended.add(position);
    await this.#letters.retry(name, position);
  }

  async #mendTheRest(): Promise<true> {
    const { name } = this.#options;
    for (const { position, state } of await this.#letters.list(name)) {
      if (state === "parked") await this.#letters.retry(name, position);
    }
    this.#letters.notify(name);
    const done = new Set(this.handled.map(({ position }) => position));
    const missing = this.positions.filter((position) => !done.has(position) && !this.dropped.has(position));
    if (missing.length === 0) return true;
    await delay(200);
    throw new Error(
      `${missing.length} missing, first ${missing[0]}; ${JSON.stringify(this.#notes?.subscription.status)}`,
    );
  }
}

test.each(["wait", "continue"] as const)("a story in which later events %s", {
  timeout: 4 * patienceMs,
}, async (afterPark) => {
  const random = seededRandom(afterPark.length);
  const story = new Story(await startSetting(), afterPark, random);
  await story.tell(random.shuffled(["kill", "remake", "close", "follow", "kill"]));

  const positions = story.handled.map(({ position }) => position);
  expect(new Set(positions).size).toBe(positions.length);
  if (afterPark === "continue") return;
  const last = new Map<string, number>();
  for (const { position, stream } of story.handled) {
    expect(position).toBeGreaterThan(last.get(stream) ?? 0);
    last.set(stream, position);
  }
});
