/**
 * Builds what is missing: projections that are new to a log with events, that have a new version, or that are to be
 * built again. They go through the log together, a slice at a time between other work.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Projection } from "../../core/projection.ts";
import { Build, type BuildContext, BuildLost, takeBuild } from "./build.ts";
import { deleteSome } from "./generation-rows.ts";
import { readGenerations } from "./generations.ts";

/** Bounds how long commands wait for the thread: about 5 ms. */
const eventsPerSlice = 2_000;
const entriesPerDeletion = 2_000;
const minBackoffMs = 100;
const maxBackoffMs = 5_000;
/** Behind all keys of a generation. */
const behindAll = "\u{10ffff}";

/** One builder for the projections of a process. Two at a time do no harm: the later one takes the builds over. */
export class Builder {
  readonly #context: BuildContext;
  readonly #projections: ReadonlyMap<string, Projection>;
  readonly #builds = new Map<string, Build>();
  #abort = new AbortController();
  #running: Promise<void> | undefined;
  /** Whether it has been asked, since it looked last, to look for what is to be built. */
  #isAsked = false;
  #failure: string | undefined;

  constructor(context: BuildContext, projections: ReadonlyMap<string, Projection>) {
    this.#context = context;
    this.#projections = projections;
  }

  /** What this process builds at the moment, under its name. */
  progress(name: string): { readonly position: number; readonly of: number } | undefined {
    const build = this.#builds.get(name);
    return build === undefined ? undefined : { position: build.position, of: build.end };
  }

  /** Why it does not get on, where it does not. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Begins, or looks again for what is missing when it is at work. */
  start(): void {
    this.#isAsked = true;
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
    while (!signal.aborted && this.#isAsked) {
      try {
        await this.#buildAll(signal);
        if (!signal.aborted) await this.#removeLeftovers(signal);
        this.#failure = undefined;
        backoffMs = minBackoffMs;
      } catch (error) {
        this.#isAsked = true;
        this.#failure = (error as Error).message;
        this.#context.log.warn({ err: error }, "the building of projections failed; tried again in a moment");
        await delay(backoffMs, undefined, { ref: false, signal }).catch(() => {});
        backoffMs = Math.min(backoffMs * 2, maxBackoffMs);
      } finally {
        this.#builds.clear();
      }
    }
  }

  async #take(): Promise<void> {
    const { store, clock } = this.#context;
    const builder = clock.newId();
    const others = [...this.#projections.values()].filter(({ name }) => !this.#builds.has(name));
    const taken = await store.withTransaction((tx) => others.map((projection) => takeBuild(tx, projection, builder)));
    for (const [i, building] of taken.entries()) {
      if (building === undefined) continue;
      const projection = others[i] as Projection;
      const { name, version } = projection;
      this.#builds.set(name, new Build(this.#context, projection, building));
      this.#context.log.info({ projection: name, version, from: building.position }, "a projection is being built");
    }
  }

  async #buildAll(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.#isAsked) {
        this.#isAsked = false;
        await this.#take();
      }
      if (this.#builds.size === 0) return;
      for (const build of this.#builds.values()) await this.#finish(build);
      this.#slice();
      await new Promise(setImmediate);
      for (const build of this.#builds.values()) if (build.isDue) await this.#unlessLost(build, () => build.write());
    }
    for (const build of this.#builds.values()) await this.#unlessLost(build, () => build.write());
  }

  /** Switches a build in that is near enough to the end. */
  async #finish(build: Build): Promise<void> {
    const { name, version } = build.projection;
    await this.#unlessLost(build, async () => {
      if (!(await build.switch())) return;
      this.#builds.delete(name);
      this.#context.log.info({ projection: name, version }, "a projection is built and live");
    });
  }

  async #unlessLost(build: Build, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof BuildLost)) throw error;
      this.#builds.delete(build.projection.name);
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
    for (const name of this.#projections.keys()) {
      for (const generation of this.#leftovers(name)) {
        let isMore = true;
        while (isMore && !signal.aborted) {
          isMore = await this.#context.store.withTransaction((tx) =>
            deleteSome(tx, name, generation, entriesPerDeletion),
          );
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
      const [next] = store.scan("rows", { prefix: [name], after: [name, after, behindAll], limit: 1 });
      if (next === undefined) break;
      after = next.key[1] as number;
      found.push(after);
    }
    const generations = readGenerations(store, name);
    return found.filter((generation) => {
      return generation !== generations?.live?.generation && generation !== generations?.building?.generation;
    });
  }
}
