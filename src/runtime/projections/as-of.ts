/**
 * Rows as of a position of the past: what they were at the boundary before it, and the events from there on applied in
 * memory. What was asked last is kept, so that the next page costs nothing.
 */
import type { RecordedEvent } from "../../core/message.ts";
import { applyEvents, listenersOf } from "./apply-events.ts";
import type { BuildContext } from "./build.ts";
import { GenerationRows } from "./generation-rows.ts";
import { indexedFields } from "./indexes.ts";
import type { ReadableGeneration } from "./read-rows.ts";
import { BoundaryRows } from "./stored-rows.ts";

/** Events between two breaths. */
const sliceEvents = 2_000;
const maxRemembered = 4;

/** Answers about the past, a few of them remembered. */
export class AsOf {
  readonly #context: BuildContext;
  readonly #remembered = new Map<string, Promise<GenerationRows>>();

  constructor(context: BuildContext) {
    this.#context = context;
  }

  /**
   * The rows of a generation after the event at `position`, which it has reached. They can be read as long as the
   * generation is not removed. @throws Error when the code that made the generation is not there.
   */
  async rows(readable: ReadableGeneration, position: number): Promise<GenerationRows> {
    const { name, generation } = readable;
    const place = JSON.stringify([name, generation, position]);
    const known = this.#remembered.get(place);
    if (known !== undefined) return known;
    const made = this.#make(readable, position);
    this.#remembered.set(place, made);
    made.catch(() => this.#remembered.delete(place));
    for (const oldest of this.#remembered.keys()) {
      if (this.#remembered.size <= maxRemembered) break;
      this.#remembered.delete(oldest);
    }
    return made;
  }

  async #make({ name, generation, maker }: ReadableGeneration, position: number): Promise<GenerationRows> {
    const { store, spanEvents, aggregates, clock } = this.#context;
    if (maker === undefined)
      throw new Error(`the version of ${name} that made generation ${generation} is not defined`);
    const span = Math.floor(position / spanEvents);
    const of = { name, generation, indexes: indexedFields([]), spanEvents };
    const rows = new GenerationRows(of, new BoundaryRows(store, name, generation, span));
    const listeners = listenersOf([[maker, rows]]);
    const types = Object.keys(maker.on);
    for (let after = span * spanEvents; after < position; ) {
      const filter = { afterPosition: after, toPosition: position, types, limit: sliceEvents };
      const events: readonly RecordedEvent[] = [...store.readAll(filter)];
      applyEvents(listeners, events, { aggregates, clock });
      after = events.length < sliceEvents ? position : (events.at(-1)?.position as number);
      await new Promise(setImmediate);
    }
    return rows;
  }
}
