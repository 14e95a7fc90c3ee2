/**
 * Builds what is missing: projections that are new to a log with events, that have a new version, or that are to be
 * built again. They go through the log together, a slice at a time between other work.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Transaction } from "../../core/event-store.ts";
import { Build, type BuildContext, BuildLost } from "./build.ts";
import type { Definitions } from "./definitions.ts";
import { behindText, generationKey, readGenerations } from "./generations.ts";
import { takeBuild } from "./take-build.ts";

/** Bounds how long commands wait for the thread: about 5 ms. */
const eventsPerSlice = 2_000;
const entriesPerDeletion = 2_000;
const minBackoffMs = 100;
const maxBackoffMs = 5_000;

/** Of a build that this process does. */
export interface BuildProgress {
  readonly version: number;
  readonly generation: number;
  readonly position: number;
  readonly of: number;
}

/** One builder for the projections of a process. Two at a time do no harm: the later one takes the builds over. */
export class Builder {
  readonly #context: BuildContext;
  readonly #definitions: Definitions;
  readonly #builds = new Map<string, Build>();
  #abort = new AbortController();
  #running: Promise<void> | undefined;
  /** What it has been asked to look for since it looked last. */
  #asked: "missing" | "begun" | undefined;
  #failure: string | undefined;

  constructor(context: BuildContext, definitions: Definitions) {
    this.#context = context;
    this.#definitions = definitions;
  }

  /** What this process builds at the moment, under its name. */
  progress(name: string): BuildProgress | undefined {
    const build = this.#builds.get(name);
    if (build === undefined) return undefined;
    const { projection, generation, position, end } = build;
    return { version: projection.version, generation, position, of: end };
  }

  /** Why it does not get on, where it does not. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Begins, or looks again when it is at work: for all that is missing, or only for what somebody has begun and nobody builds. */
  start(what: "missing" | "begun" = "missing"): void {
    this.#asked = this.#asked === "missing" ? "missing" : what;
    if (this.#running !== undefined && !this.#abort.signal.aborted) return;
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    const running = (this.#running ?? Promise.resolve()).then(() => this.#run(signal));
    this.#running = running.finally(() => {
      if (this.#abort.signal === signal) this.#running = undefined;
    });
  }

  /** Ends after the slice at hand; what is built so far is kept. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  /** Resolves when nothing is left to build, or after `stop`. */
  async done(): Promise<void> {
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    let backoffMs = minBackoffMs;
    while (!signal.aborted && this.#asked !== undefined) {
      try {
        await this.#buildAll(signal);
        if (!signal.aborted) await this.#removeLeftovers(signal);
        this.#failure = undefined;
        backoffMs = minBackoffMs;
      } catch (error) {
        this.#asked = "missing";
        this.#failure = (error as Error).message;
        this.#context.log?.warn({ err: error }, "the building of projections failed; tried again in a moment");
        await delay(backoffMs, undefined, { ref: false, signal }).catch(() => {});
        backoffMs = Math.min(backoffMs * 2, maxBackoffMs);
      } finally {
        this.#builds.clear();
      }
    }
  }

  async #take(): Promise<void> {
    const { store, clock, log } = this.#context;
    const options = { builder: clock.newId(), onlyBegun: this.#asked === "begun" };
    this.#asked = undefined;
    const others = this.#definitions.names.filter((name) => !this.#builds.has(name));
    const taken = await store.withTransaction((tx) =>
      others.map((name) => takeBuild(tx, this.#definitions, name, options)),
    );
    for (const build of taken) {
      if (build === undefined) continue;
      const { projection, building } = build;
      const { name, version } = projection;
      this.#builds.set(name, new Build(this.#context, projection, building));
      log?.info({ projection: name, version, from: building.position }, "a projection is being built");
    }
  }

  async #buildAll(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.#asked !== undefined) await this.#take();
      if (this.#builds.size === 0) return;
      for (const build of this.#builds.values()) await this.#finish(build);
      this.#slice();
      await new Promise(setImmediate);
      for (const build of this.#builds.values()) if (build.isDue) await this.#unlessLost(build, () => build.write());
    }
    for (const build of this.#builds.values()) await this.#unlessLost(build, () => build.write());
  }

  /** Completes a build that is near enough to the end; there may be more to build of its projection. */
  async #finish(build: Build): Promise<void> {
    const { name, version } = build.projection;
    await this.#unlessLost(build, async () => {
      if (!(await build.complete())) return;
      this.#builds.delete(name);
      if (this.#definitions.of(name)?.next !== undefined) this.#asked ??= "missing";
      this.#context.log?.info({ projection: name, version }, "a projection is built");
    });
  }

  async #unlessLost(build: Build, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof BuildLost)) throw error;
      this.#builds.delete(build.projection.name);
      if (error.isBegunAnew) this.#asked ??= "begun";
      this.#context.log?.info({ projection: build.projection.name }, error.message);
    }
  }

  /** Brings those that are furthest behind on by a slice; they read the log once for all. */
  #slice(): void {
    const builds = [...this.#builds.values()];
    const from = Math.min(...builds.map(({ position }) => position));
    const together = builds.filter(({ position }) => position === from);
    const ahead = builds.filter(({ position }) => position > from).map(({ position }) => position);
    const to = Math.min(...together.map(({ end }) => end), ...ahead);
    if (together.length === 0 || to <= from) return;
    const types = [...new Set(together.flatMap(({ types }) => types))];
    const filter = { afterPosition: from, toPosition: to, types, limit: eventsPerSlice };
    const events = [...this.#context.store.readAll(filter)];
    const isWhole = events.length < eventsPerSlice;
    const reached = isWhole ? to : (events.at(-1)?.position as number);
    for (const build of together) build.apply(events, reached);
  }

  /** Rows of generations that are neither live nor being built. */
  async #removeLeftovers(signal: AbortSignal): Promise<void> {
    for (const name of this.#definitions.names) {
      for (const generation of this.#leftovers(name)) {
        let isMore = true;
        while (isMore && !signal.aborted) {
          isMore = await this.#context.store.withTransaction((tx) => deleteSome(tx, name, generation));
          await new Promise(setImmediate);
        }
      }
    }
  }

  /** What has rows is listed before what is in use is read: a generation is named there before it gets its first row. */
  #leftovers(name: string): number[] {
    const { store } = this.#context;
    const found: number[] = [];
    for (let after = 0; ; ) {
      const [next] = store.scan("rows", { prefix: [name], after: [name, after, behindText], limit: 1 });
      if (next === undefined) break;
      after = next.key[1] as number;
      found.push(after);
    }
    const { live, standby, building } = readGenerations(store, name) ?? {};
    const used = new Set([live, standby, building].map((made) => made?.generation));
    return found.filter((generation) => !used.has(generation));
  }
}

/** Deletes entries of a generation, whatever they are. Returns whether there may be more. */
function deleteSome(tx: Transaction, name: string, generation: number): boolean {
  const range = { prefix: generationKey(name, generation), limit: entriesPerDeletion };
  const keys = Array.from(tx.scan("rows", range), ({ key }) => key);
  for (const key of keys) tx.delete("rows", key);
  return keys.length === entriesPerDeletion;
}
