/**
 * The live generations as the running transaction sees them: who listens to an event that is applied now. What was read
 * is kept as long as no process has changed which generations there are.
 */
import type { Transaction } from "../../core/event-store.ts";
import type { Projection, ProjectionMode } from "../../core/projection.ts";
import type { Clock } from "../clock.ts";
import { type Listeners, listenersOf } from "./apply-events.ts";
import { GenerationRows } from "./generation-rows.ts";
import {
  type Generations,
  isMadeBy,
  isUpToDate,
  readAllGenerations,
  readEpoch,
  writeGenerations,
} from "./generations.ts";

/** Who listens, and the rows that may change. */
export interface LiveRows {
  readonly listeners: Listeners;
  readonly rows: readonly GenerationRows[];
}

interface Known extends LiveRows {
  readonly epoch: unknown;
}

/** The live generations of all projections of a process. */
export class LiveGenerations {
  readonly #projections: ReadonlyMap<string, Projection>;
  readonly #clock: Clock;
  readonly #known = new Map<ProjectionMode, Known>();

  constructor(projections: ReadonlyMap<string, Projection>, clock: Clock) {
    this.#projections = projections;
    this.#clock = clock;
  }

  /**
   * Those of one mode, reading from the transaction; `position` is that of the first event that is applied in it.
   * A live generation that this process does not keep up is frozen there, because the event will be missing in it.
   */
  of(tx: Transaction, mode: ProjectionMode, position: number): LiveRows {
    let known = this.#known.get(mode);
    if (known === undefined || known.epoch !== readEpoch(tx)) {
      known = this.#read(tx, mode, position);
      this.#known.set(mode, known);
    }
    for (const rows of known.rows) rows.readFrom(tx);
    return known;
  }

  #read(tx: Transaction, mode: ProjectionMode, position: number): Known {
    const all = readAllGenerations(tx);
    for (const [name, generations] of all) {
      const { live } = generations;
      const isLeft = live?.mode === mode && live.frozenAt === undefined && !isMadeBy(live, this.#projections.get(name));
      if (isLeft) this.#write(tx, name, { ...generations, live: { ...live, frozenAt: position - 1 } });
    }
    const targets: [Projection, GenerationRows][] = [];
    for (const projection of this.#projections.values()) {
      if (projection.mode !== mode) continue;
      const { name } = projection;
      const generations = all.get(name) ?? this.#beginAtOnce(tx, projection, position);
      if (generations?.live === undefined || !isUpToDate(generations, projection)) continue;
      targets.push([projection, new GenerationRows(name, generations.live.generation, tx)]);
    }
    return { epoch: readEpoch(tx), listeners: listenersOf(targets), rows: targets.map(([, rows]) => rows) };
  }

  /** Before the first event of the log there is nothing to build. */
  #beginAtOnce(tx: Transaction, { name, version, mode }: Projection, position: number): Generations | undefined {
    if (position > 1) return undefined;
    const generations: Generations = { live: { generation: 1, version, mode }, last: 1 };
    this.#write(tx, name, generations);
    return generations;
  }

  #write(tx: Transaction, name: string, generations: Generations): void {
    writeGenerations(tx, name, generations, this.#clock.newId());
  }
}
