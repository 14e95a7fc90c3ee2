/**
 * THE LOOP. All commands that arrive in one turn of the event loop are decided and appended in one transaction of the
 * store; when it is durable, the actors' new states become visible and all replies go out.
 */
import type { EventStore } from "../core/event-store.ts";
import { Fault } from "../core/fault.ts";
import type { CommandRequest } from "../wire/command-request.ts";
import { type CommandOutcome, type Decider, type TooFar, tooFar } from "./decider.ts";
import type { LiveActor, LiveActors } from "./live-actors.ts";
import type { LoadedAggregate } from "./loader.ts";
import type { Log } from "./log.ts";

/** A command on its way, and whom to tell. Called once. */
interface Pending {
  readonly request: CommandRequest;
  readonly settle: (outcome: CommandOutcome) => void;
}

/** What the loop works with. */
export interface TickOptions {
  readonly store: EventStore;
  readonly decider: Decider;
  readonly actors: LiveActors;
  readonly aggregates: ReadonlyMap<string, LoadedAggregate>;
  readonly log: Log;
  /** Commands that may wait; one more is answered OVERLOADED. */
  readonly maxQueued: number;
}

/** Bounds how long one commit holds the thread and how much one failure takes down. */
const maxBatch = 1_000;
const retryAfterMs = 100;

/** The command loop of one runtime. */
export class Tick {
  readonly #options: TickOptions;
  #queue: Pending[] = [];
  /** Commands for streams that are being brought near; they keep their order. */
  readonly #waiting = new Map<string, Pending[]>();
  #waitingCount = 0;
  #isScheduled = false;
  #isStopping = false;
  #onIdle: (() => void)[] = [];

  constructor(options: TickOptions) {
    this.#options = options;
  }

  /** Takes a command in; `settle` is called once, with the reply when the command is durable. */
  submit(request: CommandRequest, settle: (outcome: CommandOutcome) => void): void {
    if (this.#isStopping) {
      settle(new Fault("SHUTTING_DOWN", "the runtime is stopping: send the command again in a moment"));
      return;
    }
    if (this.queued >= this.#options.maxQueued) {
      settle(new Fault("OVERLOADED", `${this.queued} commands are waiting: send again later`, { retryAfterMs }));
      return;
    }
    this.#queue.push({ request, settle });
    this.#schedule();
  }

  get queued(): number {
    return this.#queue.length + this.#waitingCount;
  }

  /** Refuses new commands and resolves when all that were taken in are answered. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    if (this.queued > 0 || this.#isScheduled) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#run());
  }

  async #run(): Promise<void> {
    const batch = this.#queue.splice(0, maxBatch).filter((pending) => !this.#joinsWaiting(pending));
    if (batch.length > 0) await this.#commit(batch);
    this.#isScheduled = false;
    if (this.#queue.length > 0) this.#schedule();
    else if (this.#waitingCount === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  async #commit(batch: readonly Pending[]): Promise<void> {
    const touched = new Map<string, LiveActor>();
    let outcomes: readonly (CommandOutcome | TooFar)[];
    try {
      const { store, decider } = this.#options;
      outcomes = await store.withTransaction((tx) => {
        const decided = batch.map(({ request }) => decider.decide(tx, request, touched));
        decider.finish(tx);
        return decided;
      });
      this.#options.actors.keep(touched);
    } catch (error) {
      this.#options.actors.drop(touched.keys());
      const faultOf = this.#storeFailed(error);
      outcomes = batch.map(({ request }) => faultOf(request));
    }
    for (const [i, pending] of batch.entries()) {
      const outcome = outcomes[i] as CommandOutcome | TooFar;
      if (outcome === tooFar) this.#waitFor(pending);
      else pending.settle(outcome);
    }
  }

  /** Logs once what has failed for many, and gives each its fault. */
  #storeFailed(error: unknown): (request: CommandRequest) => Fault {
    this.#options.log.error({ err: error }, "the store failed; nothing was appended");
    if (error instanceof Fault) return () => error;
    return ({ command }) => {
      const { correlationId } = command.metadata;
      return new Fault("INTERNAL", "the commit failed because of a bug; see the runtime's log", { correlationId });
    };
  }

  /** Whether others wait for the command's stream: then it waits behind them. */
  #joinsWaiting(pending: Pending): boolean {
    const waiting = this.#waiting.get(pending.request.stream);
    if (waiting === undefined) return false;
    waiting.push(pending);
    this.#waitingCount += 1;
    return true;
  }

  /** Sets a command aside until its stream is near. */
  #waitFor(pending: Pending): void {
    if (this.#joinsWaiting(pending)) return;
    const { stream, category } = pending.request;
    this.#waiting.set(stream, [pending]);
    this.#waitingCount += 1;
    void this.#warm(this.#options.aggregates.get(category) as LoadedAggregate, stream);
  }

  async #warm(loaded: LoadedAggregate, stream: string): Promise<void> {
    let faultOf: ((request: CommandRequest) => Fault) | undefined;
    try {
      await this.#options.actors.warm(loaded, stream);
    } catch (error) {
      faultOf = this.#storeFailed(error);
    }
    const waiting = this.#waiting.get(stream) ?? [];
    this.#waiting.delete(stream);
    this.#waitingCount -= waiting.length;
    if (faultOf === undefined) this.#queue = [...waiting, ...this.#queue];
    else for (const { request, settle } of waiting) settle(faultOf(request));
    this.#schedule();
  }
}
