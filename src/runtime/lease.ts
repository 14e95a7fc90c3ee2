/**
 * One of the processes on a store does the background work (relay, later projections, sagas and timers). The lease
 * saves double work; it is not what keeps that work correct.
 */
import type { EventStore } from "../core/event-store.ts";
import type { Clock } from "./clock.ts";

interface Holding {
  readonly pid: number;
  readonly untilMs: number;
}

const leaseMs = 3_000;
const renewEveryMs = 1_000;

/** What a process does when it gets or loses the lease. */
export interface LeaseListener {
  readonly onHeld: () => void;
  readonly onLost: () => void;
  readonly onError: (error: unknown) => void;
}

/** Calls `onHeld` when this process has the lease, `onLost` when it could not renew it. */
export class Lease {
  readonly #store: EventStore;
  readonly #clock: Clock;
  readonly #name: string;
  #isHeld = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(store: EventStore, clock: Clock, name: string) {
    this.#store = store;
    this.#clock = clock;
    this.#name = name;
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** The process that has it now, where there is one. */
  get holder(): number | undefined {
    const holding = this.#store.get("checkpoints", ["lease", this.#name]) as Holding | undefined;
    return holding !== undefined && this.#isAlive(holding) ? holding.pid : undefined;
  }

  /** Tries once, and from then on every second; an attempt that fails is told to `onError` and counts as lost. */
  async start({ onHeld, onLost, onError }: LeaseListener): Promise<void> {
    const attempt = async (): Promise<void> => {
      const before = this.#isHeld;
      this.#isHeld = await this.#take().catch((error) => {
        onError(error);
        return false;
      });
      if (this.#isHeld && !before) onHeld();
      if (!this.#isHeld && before) onLost();
    };
    await attempt();
    this.#timer = setInterval(attempt, renewEveryMs);
    this.#timer.unref();
  }

  async #take(): Promise<boolean> {
    return this.#store.withTransaction((tx) => {
      const key = ["lease", this.#name];
      const holding = tx.get("checkpoints", key) as Holding | undefined;
      if (holding !== undefined && holding.pid !== process.pid && this.#isAlive(holding)) return false;
      tx.put("checkpoints", key, { pid: process.pid, untilMs: this.#nowMs() + leaseMs });
      return true;
    });
  }

  /** Gives it up, so that another process need not wait. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    if (!this.#isHeld) return;
    this.#isHeld = false;
    await this.#store.withTransaction((tx) => tx.delete("checkpoints", ["lease", this.#name]));
  }

  #isAlive({ pid, untilMs }: Holding): boolean {
    return untilMs > this.#nowMs() && isRunning(pid);
  }

  #nowMs(): number {
    return Date.parse(this.#clock.now());
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: unknown }).code === "EPERM";
  }
}
