/** Following a log: one loop that reads what is durable, hands it on, and waits for more. */
import type { Subscription, SubscriptionHandler } from "../core/event-store.ts";
import type { RecordedEvent } from "../core/message.ts";

const batchLimit = 1_000;

/** The end of a log as its followers see it: whoever appends calls `wake`. */
export class Followers {
  readonly #waiting = new Set<() => void>();
  #hasEnded = false;

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  wake(): void {
    for (const resume of this.#waiting) resume();
    this.#waiting.clear();
  }

  /** The log closes: nothing is read from it any more. */
  end(): void {
    this.#hasEnded = true;
    this.wake();
  }

  wait(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve));
  }
}

/** What a subscription reads from. */
export interface LogSource {
  readonly followers: Followers;
  read(afterPosition: number, limit: number): readonly RecordedEvent[];
}

/** Starts following. The handler is never called twice at a time, and never for an event twice. */
export function subscribe(source: LogSource, handler: SubscriptionHandler, fromPosition: number): Subscription {
  let position = fromPosition;
  let isOpen = true;

  const follow = async (): Promise<void> => {
    await Promise.resolve();
    while (isOpen && !source.followers.hasEnded) {
      const events = source.read(position, batchLimit);
      const last = events.at(-1);
      if (last === undefined) {
        await source.followers.wait();
        continue;
      }
      await handler(events);
      position = last.position;
    }
  };

  const done = follow();
  done.catch(() => {});
  return {
    get position() {
      return position;
    },
    done,
    close: async () => {
      isOpen = false;
      source.followers.wake();
      await done.catch(() => {});
    },
  };
}
