/**
 * Order and bounds within one process: the jobs of one stream run strictly one after another, those of different
 * streams side by side, and at most so many handlers at a time. Knows nothing of brokers and events.
 */

/** Thrown into what waits when there is nothing to wait for any more. */
export class Ended extends Error {
  override readonly name = "Ended";
}

type Job = () => Promise<void>;

/** One queue a stream. A stream without work takes no memory. */
export class Lanes {
  readonly #queues = new Map<string, Job[]>();
  readonly #onFailure: (error: unknown) => void;
  #hasEnded = false;
  #onIdle: (() => void)[] = [];

  /** Jobs are expected not to throw, except `Ended`; what else they throw goes to `onFailure`. */
  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  /** Runs a job behind all others of its stream. */
  add(stream: string, job: Job): void {
    this.#put(stream, (queue) => queue.push(job));
  }

  /** Runs a job before all others of its stream that have not begun. */
  addFirst(stream: string, job: Job): void {
    this.#put(stream, (queue) => queue.unshift(job));
  }

  /** Forgets what has not begun. */
  end(): void {
    this.#hasEnded = true;
    for (const queue of this.#queues.values()) queue.length = 0;
  }

  /** Resolves when nothing runs. */
  async idle(): Promise<void> {
    while (this.#queues.size > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  #put(stream: string, put: (queue: Job[]) => void): void {
    if (this.#hasEnded) return;
    const running = this.#queues.get(stream);
    const queue = running ?? [];
    put(queue);
    if (running !== undefined) return;
    this.#queues.set(stream, queue);
    void this.#run(stream, queue);
  }

  async #run(stream: string, queue: Job[]): Promise<void> {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
      try {
        await job();
      } catch (error) {
        if (!(error instanceof Ended)) this.#onFailure(error);
      }
    }
    this.#queues.delete(stream);
    if (this.#queues.size === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
  }
}

interface Waiting {
  readonly enter: () => void;
  readonly refuse: (error: Ended) => void;
}

/** Places for handlers that run: who waits longest gets the next one. */
export class Slots {
  readonly #limit: number;
  readonly #isOpen: () => boolean;
  readonly #waiting = new Set<Waiting>();
  #running = 0;
  #hasEnded = false;

  /** While `isOpen` says no, nobody gets one; when it says yes again, somebody has to call `look`. */
  constructor(limit: number, isOpen: () => boolean) {
    this.#limit = limit;
    this.#isOpen = isOpen;
  }

  get running(): number {
    return this.#running;
  }

  /** Resolves with a slot taken. @throws Ended */
  enter(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.add({ enter: resolve, refuse: reject });
      this.look();
    });
  }

  leave(): void {
    this.#running -= 1;
    this.look();
  }

  /** Gives away what is free. */
  look(): void {
    for (const waiting of this.#waiting) {
      if (!this.#hasEnded && (this.#running >= this.#limit || !this.#isOpen())) return;
      this.#waiting.delete(waiting);
      if (this.#hasEnded) {
        waiting.refuse(new Ended());
        continue;
      }
      this.#running += 1;
      waiting.enter();
    }
  }

  /** Nobody gets a slot any more; those who have one keep it. */
  end(): void {
    this.#hasEnded = true;
    this.look();
  }
}
